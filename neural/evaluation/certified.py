"""How sharp the certificates of a surrogate are on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.grids import certify_field, energy_of
from pdesolve.problems.base import Problem

MOST_SAMPLES = 100
"""Samples of a data set that are certified; each takes a Poisson solve."""


@dataclass(frozen=True)
class CertifiedErrors:
    """Certificates beside the true errors in the same norm.

    All errors are relative to the norm of the prediction.

    Parameters
    ----------
    kind, norm, statement
        As of :class:`neural.certificates.Certificate`.
    num_samples
        Samples that were certified.
    mean_bound, worst_bound
        Mean and largest upper bound.
    mean_error
        Mean of the true errors, those to the solutions that the data set holds.
    least_effectivity, mean_effectivity, largest_effectivity
        Of bound over true error. Below 1 a bound fails, which of guaranteed ones only
        the tolerance of the data set's solutions can make.
    seconds
        Of a certificate, median.

    Examples
    --------
    >>> CertifiedErrors("guaranteed", "energy", "", 2, 0.3, 0.4, 0.2, 1.4, 1.5, 1.6, 1e-3).norm
    'energy'
    """

    kind: str
    norm: str
    statement: str
    num_samples: int
    mean_bound: float
    worst_bound: float
    mean_error: float
    least_effectivity: float
    mean_effectivity: float
    largest_effectivity: float
    seconds: float


def certified_errors(
    problems: Sequence[Problem],
    predictions: FloatArray,
    targets: FloatArray,
    grid: StructuredGrid,
    names: Sequence[str],
) -> tuple[CertifiedErrors | None, str]:
    """Certify predictions, and compare with the solutions at hand.

    Parameters
    ----------
    problems
        Of the samples.
    predictions, targets
        Shape ``(n, channel, *shape)``.
    grid
        Where they are.
    names
        Of the channels.

    Returns
    -------
    errors, remark
        Nothing, with the reason, where no bound is known.
    """  # fmt: skip
    bounds, errors, seconds = [], [], []
    found = None
    for problem, prediction, target in zip(
        problems[:MOST_SAMPLES], predictions, targets, strict=False
    ):
        field = Field(grid, prediction, tuple(names))
        found = certify_field(problem, field)
        if found.kind == "none":
            return None, f"no certificate: {found.statement}"
        error = Field(grid, target - prediction, tuple(names))
        squares = [energy_of(problem, item) for item in (error, field)]
        bounds.append(found.upper)
        errors.append(float(np.sqrt(max(squares[0], 0.0) / squares[1])))
        seconds.append(found.seconds)
    if found is None:
        return None, "no certificate: the problems of the samples are not known"
    return compared(found, bounds, errors, seconds), ""


def compared(
    found: Certificate, bounds: Sequence[float], errors: Sequence[float], seconds: Sequence[float]
) -> CertifiedErrors:
    """Certificates of several samples beside their true errors.

    Parameters
    ----------
    found
        Of one of the samples.
    bounds, errors, seconds
        Upper bound, true error in the same norm, and time of each certificate.
    """
    true = np.array(errors)
    sharpness = np.array(bounds) / np.maximum(true, np.finfo(np.float64).tiny)
    return CertifiedErrors(
        kind=found.kind,
        norm=found.norm,
        statement=found.statement,
        num_samples=len(bounds),
        mean_bound=float(np.mean(bounds)),
        worst_bound=float(np.max(bounds)),
        mean_error=float(true.mean()),
        least_effectivity=float(sharpness.min()),
        mean_effectivity=float(sharpness.mean()),
        largest_effectivity=float(sharpness.max()),
        seconds=float(np.median(seconds)),
    )
