"""Measuring a surrogate on data sets."""

from __future__ import annotations

import importlib.util
import math
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.evaluation import metrics
from neural.evaluation.certified import certified_errors
from neural.evaluation.problems import problems_of, zero_sides_of
from neural.evaluation.report import DatasetErrors, EvaluationReport
from neural.evaluation.spectra import octave_errors, relative_sobolev
from neural.models.spectral_convolution import positive_integer
from neural.surrogate import Surrogate
from neural.training.compatibility import distribution_of
from neural.training.layouts import open_samples
from neural.training.samples import plain
from operators.failures import SurrogateWarning
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem


def evaluate(
    checkpoint: str | Path | Surrogate,
    data: Sequence[str | Path] | str | Path,
    *,
    batch_size: int = 20,
    num_timed_solves: int = 5,
    device: str = "cpu",
) -> EvaluationReport:
    """Errors, speed and worth of a surrogate on one or more data sets.

    Parameters
    ----------
    checkpoint
        A checkpoint, or a surrogate.
    data
        Data-set files of the family trained on; at other resolutions the error is the
        zero-shot error.
    batch_size
        Samples predicted at a time.
    num_timed_solves
        Problems of each set that are also solved, to time the default solver; 0 for none.
    device
        Where predictions run.

    Returns
    -------
    EvaluationReport
        Means over samples of: relative L2, RMSE, nRMSE, VRMSE, relative maximum, relative H1
        and H-1, relative energy (where the family has a form on grids), and the error in
        three frequency bands; and the error of the waves in each octave.

    Raises
    ------
    InputError
        If there is no data, or a file does not fit the surrogate.
    CheckpointError
        If the checkpoint cannot be read, or was trained on another box or kind of grid.

    Warns
    -----
    SurrogateWarning
        If a file was used for training, its family had other options there, or it follows
        another distribution.

    Examples
    --------
    >>> report = evaluate("best.ckpt", ["darcy_test.h5"])  # doctest: +SKIP
    >>> report.datasets[0].mean["relative_l2"]  # doctest: +SKIP
    0.0095
    """
    files = [data] if isinstance(data, str | Path) else list(data)
    if not files:
        raise InputError("no data set to evaluate on; give one or more files")
    positive_integer("batch_size", batch_size)
    if num_timed_solves < 0:
        raise InputError(f"num_timed_solves={num_timed_solves} must be at least 0")
    name = "surrogate" if isinstance(checkpoint, Surrogate) else str(checkpoint)
    surrogate = (
        checkpoint
        if isinstance(checkpoint, Surrogate)
        else Surrogate.load(checkpoint, device=device)
    )
    time = int(surrogate.metadata["data"].get("output_time", -1))
    reading = surrogate.metadata["data"].get("reading", {})
    sources = [open_samples(path, output_time=time, **reading) for path in files]
    for source in sources:  # all are checked before the first is measured
        _check(surrogate, source)
    described = surrogate.metadata
    return EvaluationReport(
        checkpoint=name,
        family=surrogate.family,
        model=str(described["model"]["name"]),
        trained_shape=tuple(described["shape"]),
        num_parameters=int(described.get("num_parameters", 0)),
        num_train=int(described["data"].get("num_train", 0)),
        training_seconds=float(described.get("training_seconds", 0.0)),
        datasets=tuple(
            _measure(surrogate, source, batch_size, num_timed_solves) for source in sources
        ),
    )


def _check(surrogate: Surrogate, source: Any) -> None:
    info, described = source.info, surrogate.metadata
    if info.location not in ("cell", "vertex"):
        raise InputError(
            f"'{info.path}' holds fields on points of a mesh, and these measures are for uniform "
            "grids; use `pdesolve train test` with the model's configuration and --ckpt_path"
        )
    here = plain({key: getattr(info, key) for key in ("family", "inputs", "outputs", "units")})
    for key, value in here.items():
        if key in described and described[key] != value:
            raise InputError(
                f"'{info.path}' has {key} {value}, the surrogate was trained with {described[key]}"
            )
    surrogate.check_grid(_grid(info))
    differing = surrogate.other_options(info.settings.get("family", {}).get("options", {}))
    if differing:
        warnings.warn(
            f"'{info.path}': {differing}: the predictions are extrapolations",
            SurrogateWarning,
            stacklevel=3,
        )
    distributions = (distribution_of(info), surrogate.distribution)
    if distributions[0] != distributions[1]:
        said, trained_on = (text or "drawn from the family" for text in distributions)
        warnings.warn(
            f"'{info.path}' and the training data follow different distributions: {said}; and "
            f"{trained_on}",
            SurrogateWarning,
            stacklevel=3,
        )
    if len(source.valid_indices) == 0:
        raise InputError(f"'{info.path}' holds no usable sample")
    trained = described["data"]
    same_stream = info.seed is not None and (info.seed, info.split) == (
        trained.get("seed"),
        trained.get("split"),
    )
    if same_stream or info.sha256 in trained["sha256"]:
        warnings.warn(
            f"'{info.path}' holds training data (seed {info.seed}, split '{info.split}'): these "
            "errors say nothing about new problems",
            SurrogateWarning,
            stacklevel=3,
        )


def _grid(info: Any) -> StructuredGrid:
    return StructuredGrid(info.shape, info.lower, info.upper, info.periodic, info.location)


def _measure(
    surrogate: Surrogate, source: Any, batch_size: int, num_timed_solves: int
) -> DatasetErrors:
    info, grid = source.info, _grid(source.info)
    inputs, targets = source.read(source.valid_indices)
    predictions, seconds = _predict(surrogate, inputs, batch_size)
    problems, remark = problems_of(info, source.valid_indices, inputs, grid)
    remarks = [remark] if remark else []
    zero_sides = zero_sides_of(problems[0], grid) if problems else ()
    found: dict[str, FloatArray] = {
        "relative_l2": metrics.relative_l2(predictions, targets),
        "rmse": metrics.root_mean_square_error(predictions, targets),
        "nrmse": metrics.normalized_error(predictions, targets),
        "vrmse": metrics.variance_scaled_error(predictions, targets),
        "relative_maximum": metrics.relative_maximum(predictions, targets),
        "relative_h1": metrics.relative_h1(predictions, targets, grid, zero_sides),
        "relative_dual": relative_sobolev(predictions, targets, grid, -1, zero_sides),
    }
    if problems and problems[0].has_stencil and targets.shape[1] == 1:
        found["relative_energy"] = metrics.relative_energy(
            predictions, targets, lambda index: problems[index].discretize(grid).stencil
        )
    certified, remark = certified_errors(problems, predictions, targets, grid, info.outputs)
    remarks += [remark] if remark and problems else []
    bands = metrics.band_errors(predictions, targets, grid)
    found.update({f"band_{name}": values for name, values in bands.items()})

    until = None
    if info.num_times > 1:
        until = (info.times[0], info.times[source.output_time])
        remarks.append(f"outputs at t = {until[1]:g}, inputs at t = {until[0]:g}")
    solver, note = _solver_seconds(problems[:num_timed_solves], grid, until)
    remarks += [note] if note else []
    training = float(surrogate.metadata.get("training_seconds", 0.0))
    num_train = int(surrogate.metadata["data"].get("num_train", 0))
    return DatasetErrors(
        path=Path(info.path),
        shape=tuple(info.shape),
        num_samples=len(targets),
        zero_shot=list(info.shape) != list(surrogate.metadata["shape"]),
        mean={name: float(values.mean()) for name, values in found.items()},
        worst={name: float(values.max()) for name, values in found.items()},
        surrogate_seconds=seconds,
        solver_seconds=solver,
        break_even=break_even(training, solver, seconds),
        break_even_with_data=break_even(training + num_train * (solver or 0.0), solver, seconds),
        remarks=tuple(remarks),
        octaves=octave_errors(predictions, targets, grid, zero_sides),
        certified=certified,
    )


def break_even(
    spent_seconds: float, solver_seconds: float | None, surrogate_seconds: float
) -> float | None:
    """Number of solves after which the time spent beforehand is won back.

    Parameters
    ----------
    spent_seconds
        Before the first prediction.
    solver_seconds, surrogate_seconds
        Of one solve and of one prediction.

    Returns
    -------
    float or None
        Infinite if a prediction is not faster than a solve; None if that is not known.

    Examples
    --------
    >>> break_even(300.0, 0.031, 0.001)
    10000.0
    """
    if solver_seconds is None:
        return None
    saved = solver_seconds - surrogate_seconds
    return spent_seconds / saved if saved > 0 else math.inf


def _predict(surrogate: Surrogate, inputs: FloatArray, batch_size: int) -> tuple[FloatArray, float]:
    surrogate.predict_batch(inputs[:batch_size])  # first use prepares the transforms
    start = time.perf_counter()
    parts = [
        surrogate.predict_batch(inputs[first : first + batch_size])
        for first in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts), (time.perf_counter() - start) / len(inputs)


def _solver_seconds(
    problems: Sequence[Problem], grid: StructuredGrid, until: tuple[float, float] | None = None
) -> tuple[float | None, str]:
    """Median time of a default solve, in time from the first to the second of `until`."""
    if not problems:
        return None, ""
    if problems[0].backends[0] != "spectral" and importlib.util.find_spec("petsc4py") is None:
        return None, "PETSc is not installed, so solves were not timed"
    from pdesolve.evolving import evolve
    from pdesolve.solving import solve

    times = []
    for problem in (problems[0], *problems):  # the first starts PETSc and is not counted
        start = time.perf_counter()
        if isinstance(problem, EvolutionProblem):
            evolve(problem, mesh=grid, times=until)
        else:
            solve(problem, mesh=grid)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])), ""
