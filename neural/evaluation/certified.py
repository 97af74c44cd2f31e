"""How sharp the certificates of a surrogate are on a data set."""

from __future__ import annotations

import math
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
        Nothing, with the reason, where no bound is known. Samples without an estimate are left
        out, and the remark counts them.
    """  # fmt: skip
    found: list[Certificate] = []
    errors: list[float] = []
    for problem, prediction, target in zip(
        problems[:MOST_SAMPLES], predictions, targets, strict=False
    ):
        field = Field(grid, prediction, tuple(names))
        found.append(certify_field(problem, field))
        if found[-1].kind == "none":
            errors.append(math.nan)
            continue
        error = Field(grid, target - prediction, tuple(names))
        squares = [energy_of(problem, item) for item in (error, field)]
        errors.append(float(np.sqrt(max(squares[0], 0.0) / squares[1])))
    return compared(found, errors)


def compared(
    certificates: Sequence[Certificate], errors: Sequence[float]
) -> tuple[CertifiedErrors | None, str]:
    """Certificates of several samples beside their true errors.

    Parameters
    ----------
    certificates
        One a sample.
    errors
        True error of each in the certificate's norm; of no meaning where there is none.

    Returns
    -------
    errors, remark
        Nothing, with the reason, where no sample has a bound or an estimate; else a remark if
        some have none.

    Examples
    --------
    >>> one = Certificate("estimate", "grid", "energy", 0.2, statement="of A u = b")
    >>> other = Certificate.nothing("grid", "the prediction is far off")
    >>> found, remark = compared([one, other], [0.1, 0.0])
    >>> found.num_samples, found.mean_effectivity, remark
    (1, 2.0, 'no certificate for 1 of 2 samples: the prediction is far off')
    """  # fmt: skip
    known = [number for number, one in enumerate(certificates) if one.kind != "none"]
    reasons = [one.statement for one in certificates if one.kind == "none"]
    if not certificates:
        return None, "no certificate: the problems of the samples are not known"
    if not known:
        return None, f"no certificate: {reasons[0]}"
    bounds = np.array([certificates[number].upper for number in known])
    true = np.array([errors[number] for number in known])
    sharpness = bounds / np.maximum(true, np.finfo(np.float64).tiny)
    first = certificates[known[0]]
    remark = ""
    if reasons:
        share = f"{len(reasons)} of {len(certificates)}"
        remark = f"no certificate for {share} samples: {reasons[0]}"
    return CertifiedErrors(
        kind=first.kind,
        norm=first.norm,
        statement=first.statement,
        num_samples=len(known),
        mean_bound=float(bounds.mean()),
        worst_bound=float(bounds.max()),
        mean_error=float(true.mean()),
        least_effectivity=float(sharpness.min()),
        mean_effectivity=float(sharpness.mean()),
        largest_effectivity=float(sharpness.max()),
        seconds=float(np.median([certificates[number].seconds for number in known])),
    ), remark
