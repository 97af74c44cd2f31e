"""What every strategy does with an answer: test it, repeat a failed solve, make the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.result import SolveResult
from pdesolve.data.samples import SampleRecord, SampleTask
from pdesolve.data.schema import DRIFT, Status

DIRECT_PARAMETERS: dict[str, Any] = {
    "ksp_type": "preonly",
    "pc_type": "lu",
    "pc_factor_mat_solver_type": "mumps",
    "mat_mumps_icntl_24": 1,  # null pivots, for problems that fix u up to a constant
}

Attempt = Callable[[Any], tuple[FloatArray, SolveResult]]
"""Solves with the solver given; values ``(channel, *shape)`` and what is known of them."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What came out for a sample, at first or when repeated.

    Parameters
    ----------
    values
        Shape ``(channel, *shape)``.
    result
        Record of the solve that they are from.
    status
        How they came about.
    message
        Why a solve failed.
    """

    values: FloatArray
    result: SolveResult
    status: Status = Status.SOLVED
    message: str = ""


def accepted(values: FloatArray, result: SolveResult, rtol: float) -> bool:
    """Whether values are finite and meet the tolerance.

    The solver may have been told another one through ``PETSC_OPTIONS``.

    Examples
    --------
    >>> met = SolveResult(True, "CONVERGED_RTOL", 3, relative_residual=1e-9)
    >>> accepted(np.ones(4), met, 1e-8), accepted(np.ones(4), met, 1e-12)
    (True, False)
    """
    met = result.converged and result.relative_residual <= DRIFT * rtol
    return met and bool(np.isfinite(values).all())


def refused(error: InputError, rtol: float) -> SolveResult:
    """The record of a system that a solver or preconditioner would not take."""
    nothing = float("nan")
    return SolveResult(
        False, "DIVERGED_PC_FAILED", 0, relative_residual=nothing, rtol=rtol, solver=f"({error})"
    )


def repeated_directly(
    first: SolveResult,
    make_solver: Callable[[Mapping[str, Any], str], Any],
    attempt: Attempt,
    rtol: float,
) -> Answer:
    """The answer of a sparse direct solver where another one, whose record is `first`, failed.

    `make_solver` makes a solver from PETSc options and a prefix.
    """
    solver = make_solver({**DIRECT_PARAMETERS, "ksp_rtol": rtol}, "pdesolve_direct_")
    values, result = attempt(solver)
    solver.destroy()
    status = Status.SOLVED_DIRECTLY if accepted(values, result, rtol) else Status.FAILED
    return Answer(values, result, status, f"{first.describe()}; directly: {result.describe()}")


def grid_attempt(system: Any, grid: StructuredGrid) -> Attempt:
    """One linear system through a :class:`pdesolve.grid._petsc_solver.GridSolver`."""

    def attempt(solver: Any) -> tuple[FloatArray, SolveResult]:
        vector, result = solver.solve(system, check=False)
        return np.array(vector.array_r).reshape(1, *grid.shape), result

    return attempt


def sample_record(
    task: SampleTask,
    inputs: FloatArray,
    answer: Answer,
    rtol: float,
    *,
    estimator: Any = None,
    seconds: Mapping[str, float] | None = None,
    details: Mapping[str, Any] | None = None,
) -> SampleRecord:
    """What goes into the file; values of a failed solve become NaN.

    Parameters
    ----------
    task
        The sample.
    inputs
        Its input fields.
    answer
        What came out.
    rtol
        Relative residual that was asked for.
    estimator
        Estimates discretisation errors; see :class:`pdesolve.data.sequences.SequenceStrategy`.
    seconds
        Wall time of phases.
    details
        What else the log shall say.
    """
    phases, estimate, values = dict(seconds or {}), float("nan"), answer.values
    if answer.status is Status.FAILED:
        values = np.full(values.shape, np.nan)
    elif estimator is not None:
        start = time.perf_counter()
        estimate = estimator.estimate(task.problem, values)
        phases["estimate"] = time.perf_counter() - start
    return SampleRecord(
        task.index,
        inputs,
        values,
        answer.status,
        answer.result.iterations,
        answer.result.relative_residual,
        rtol,
        estimate,
        answer.message,
        phases,
        dict(details or {}),
    )
