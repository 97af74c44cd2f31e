"""Measuring a surrogate on fields on points and meshes."""

from __future__ import annotations

import importlib.util
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh
from neural.certificates.finite_elements import certify_on_mesh, energy_error_on_mesh
from neural.evaluation import metrics
from neural.evaluation.certified import CertifiedErrors, compared
from neural.evaluation.mesh_problems import mesh_of, mesh_problems, reader_of
from neural.evaluation.report import DatasetErrors
from neural.surrogate import Surrogate
from operators.linear_elements import mass_and_stiffness

MOST_CERTIFIED = 10
"""Samples of a data set that are certified; each takes a finite element solve."""


def predict_on_points(surrogate: Surrogate, source: Any, inputs: FloatArray) -> FloatArray:
    """Outputs ``(n, channel, num_points)``, 0 at points that only fill up the arrays."""
    found = surrogate.predict_batch(inputs)
    if reader_of(source).info.masked:
        found = found * (inputs[:, -1:] > 0.5)
    return found


def timed_predictions(
    surrogate: Surrogate, inputs: FloatArray, batch_size: int
) -> tuple[FloatArray, float]:
    """Outputs, and wall-clock seconds a sample."""
    surrogate.predict_batch(inputs[:batch_size])  # first use prepares the transforms
    start = time.perf_counter()
    parts = [
        surrogate.predict_batch(inputs[first : first + batch_size])
        for first in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts), (time.perf_counter() - start) / len(inputs)


def measure_points(surrogate: Surrogate, source: Any, batch_size: int) -> DatasetErrors:
    """Errors on one file of fields on points, and of their certificates on meshes."""
    info, reader = source.info, reader_of(source)
    inputs, targets = source.read(source.valid_indices)
    predictions, seconds = timed_predictions(surrogate, inputs, batch_size)
    found: dict[str, FloatArray] = {}
    if reader.info.masked:
        predictions = predictions * (inputs[:, -1:] > 0.5)
    else:
        found["rmse"] = metrics.root_mean_square_error(predictions, targets)
        found["vrmse"] = metrics.variance_scaled_error(predictions, targets)
    found["relative_l2"] = metrics.relative_l2(predictions, targets)
    found["relative_maximum"] = metrics.relative_maximum(predictions, targets)
    mesh = mesh_of(source)
    if mesh is not None:
        found["relative_mass"] = _as_integrals(predictions, targets, mesh)
    certified, remark = certified_on_mesh(source, predictions, targets)
    return DatasetErrors(
        path=Path(info.path),
        shape=tuple(info.shape),
        num_samples=len(targets),
        zero_shot=list(info.shape) != list(surrogate.metadata["shape"]),
        mean={name: float(values.mean()) for name, values in found.items()},
        worst={name: float(values.max()) for name, values in found.items()},
        surrogate_seconds=seconds,
        remarks=(remark,) if remark else (),
        certified=certified,
        label=f"{info.shape[0]} points",
    )


def certified_on_mesh(
    source: Any, predictions: FloatArray, targets: FloatArray
) -> tuple[CertifiedErrors | None, str]:
    """Certificates of the first samples beside their true errors in the same norm.

    Parameters
    ----------
    source
        Open file of fields on points.
    predictions, targets
        Of all its samples, ``(n, channel, num_points)``.

    Returns
    -------
    errors, remark
        Nothing, with the reason, where no bound is known.
    """  # fmt: skip
    mesh, reason = certifiable(source)
    if mesh is None:
        return None, reason
    chosen = source.valid_indices[:MOST_CERTIFIED]
    problems, reason = mesh_problems(source, chosen, mesh)
    if not problems:
        return None, f"no certificate: {reason}"
    found, errors = [], []
    for problem, one, two in zip(problems, predictions, targets, strict=False):
        prediction, target = (Field(mesh, values, source.info.outputs) for values in (one, two))
        found.append(certify_on_mesh(problem, prediction, mesh))
        known = found[-1].kind != "none"
        errors.append(
            energy_error_on_mesh(problem, prediction, target, mesh) if known else math.nan
        )
    return compared(found, errors)


def certifiable(source: Any) -> tuple[UnstructuredMesh | None, str]:
    """The mesh on which certificates can be made; else nothing, with the reason."""
    mesh = mesh_of(source)
    if mesh is None:
        return None, "no certificate: the file does not hold one mesh with cells for all samples"
    if importlib.util.find_spec("firedrake") is None:
        return None, "no certificate: on meshes it takes Firedrake, which is not installed"
    return mesh, ""


def _as_integrals(
    predictions: FloatArray, targets: FloatArray, mesh: UnstructuredMesh
) -> FloatArray:
    """√(∫ e² / ∫ u²) of linear elements, so that refined places do not count for more."""
    mass, _ = mass_and_stiffness(mesh)

    def squares(values: FloatArray) -> FloatArray:
        flat = values.reshape(-1, values.shape[-1])
        sums: FloatArray = np.sum(flat * (mass @ flat.T).T, axis=1)
        return np.asarray(sums.reshape(values.shape[:2]).sum(axis=1))

    sizes = squares(targets)
    if (sizes <= 0).any():
        raise InputError(f"target {int(np.argmin(sizes))} is zero: a relative error is not defined")
    return np.asarray(np.sqrt(np.maximum(squares(predictions - targets), 0.0) / sizes))
