"""Samples solved one after another, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.data.answers import (
    Answer,
    accepted,
    grid_attempt,
    refused,
    repeated_directly,
    sample_record,
)
from pdesolve.data.error_estimate import CoarseGridEstimator
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, UnusedOptions
from pdesolve.problems.base import Problem
from pdesolve.tolerances import checked_tolerance, with_tolerance


class GridStrategy:
    """Finite volumes on the storage grid, with matrix, solver and pattern kept.

    A solve that fails is repeated with a sparse direct solver.

    PETSc's algebraic multigrid keeps the interpolation of the first matrix that it sees
    (which halves the set-up) and so carries a trace of it, at the level of the
    tolerance, into all later answers. Every solver made here is therefore first given
    one and the same matrix, that of `reference`; then an answer does not depend on what
    was solved before it, nor on the process.

    Parameters
    ----------
    grid
        Storage and solution grid.
    reference
        Problem of the first matrix.
    rtol
        Relative residual to reach.
    solver_parameters
        PETSc options.
    estimate_error
        Whether to estimate the discretisation error.
    unused_options
        Whether options that PETSc did not read are a warning or an error.
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: Problem,
        rtol: float,
        solver_parameters: Mapping[str, Any] | None = None,
        *,
        estimate_error: bool = True,
        unused_options: UnusedOptions = "warn",
    ) -> None:
        from pdesolve._petsc_comm import own_communicator

        if grid.location != "cell":
            raise InputError("the backend 'grid' stores cell values; use location='cell'")
        self.grid = grid
        self._reference = reference
        self._primed = False
        self.rtol = checked_tolerance(rtol)
        self.unused_options = unused_options
        self.parameters = with_tolerance(solver_parameters, rtol, "ksp_rtol")
        self._comm = own_communicator()
        self._estimator = CoarseGridEstimator(grid, self._comm) if estimate_error else None
        self._solver = self._new_solver(self.parameters)

    def _new_solver(self, parameters: Mapping[str, Any], prefix: str = "") -> Any:
        from pdesolve.grid._petsc_solver import GridSolver

        defaults = self._reference.grid_solver_parameters
        return GridSolver(self.grid, parameters, prefix, self._comm, defaults)

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": "independent",
            "backend": "grid",
            "discretization": {"method": "cell-centred finite volumes"},
            "tolerance": self.rtol,
            "solver_parameters": dict(self._solver.options.options),
            "given_parameters": dict(self._solver.options.given),
            "error_estimate": self._estimator.describe() if self._estimator else None,
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in the order given."""
        for task in tasks:
            self._prime()
            yield self._solve_one(task)

    def _prime(self) -> None:
        """Give a new solver its first matrix."""
        if not self._primed:
            from pdesolve.grid._petsc_solver import warn_unused

            self._solver.solve(self._reference.discretize(self.grid), check=False)
            self._primed = True
            warn_unused(self._solver.unused_options(), error=self.unused_options == "error")

    def _solve_one(self, task: SampleTask) -> SampleRecord:
        with posing(task.index):
            inputs = task.problem.input_fields(self.grid).values
            system = task.problem.discretize(self.grid)
        attempt = grid_attempt(system, self.grid)
        try:
            values, result = attempt(self._solver)
        except InputError as error:  # the options fit the first matrix, hence not this one
            values, result = np.empty(0), refused(error, self.rtol)
        answer = Answer(values, result)
        if not accepted(values, result, self.rtol):
            # whatever the failure left in the solver must not reach the next sample
            self._solver.destroy()
            self._solver, self._primed = self._new_solver(self.parameters), False
            answer = repeated_directly(result, self._new_solver, attempt, self.rtol)
        return sample_record(
            task,
            inputs,
            answer,
            self.rtol,
            estimator=self._estimator,
            seconds=answer.result.seconds,
        )

    def close(self) -> None:
        """Free the PETSc objects."""
        self._solver.destroy()
        if self._estimator is not None:
            self._estimator.close()
