"""Trajectories: samples of families that evolve in time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import TimeStepFailure
from operators.result import EvolutionResult
from pdesolve.data.error_estimate import SMALLEST
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, UnusedOptions
from pdesolve.data.schema import Status
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.trajectory import Trajectory

NAN = float("nan")


class EvolutionStrategy:
    """One problem after another through :func:`pdesolve.evolve`.

    A problem whose steps fail, or whose solution is not finite, is marked as failed.

    Parameters
    ----------
    grid
        Storage grid; boxes are solved on as many cells.
    reference
        A problem of the family, for what all have in common.
    backend
        ``"grid"``, ``"fem"`` or ``"spectral"``.
    rtol
        Relative tolerance on a step's error, for adaptive methods; the method's default
        when left out.
    solver_parameters
        PETSc options.
    stepping
        More arguments of ``evolve``: ``dt``, ``method``, ``element``, ``degree``.
    estimate_error
        Whether to solve each problem once more with half the cells along each axis; the
        estimate is the relative L2 difference at the last time.
    unused_options
        Whether options that PETSc did not read are a warning or an error.
    own_mesh
        Whether each problem brings its mesh. Then there is no error estimate.
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: EvolutionProblem,
        backend: str,
        rtol: float | None = None,
        solver_parameters: Mapping[str, Any] | None = None,
        *,
        stepping: Mapping[str, Any] | None = None,
        estimate_error: bool = True,
        unused_options: UnusedOptions = "warn",
        own_mesh: bool = False,
    ) -> None:
        self.grid = grid
        self.own_mesh = own_mesh
        self.backend = backend
        self.rtol = rtol
        self.parameters = dict(solver_parameters or {})
        self.stepping = checked_stepping(stepping)
        self.unused_options = unused_options
        self.times = reference.times
        sizes = tuple((size + 1) // 2 for size in grid.shape)
        self._coarse = sizes if estimate_error and min(sizes) >= SMALLEST and not own_mesh else None
        self._begun = False
        self._comm: Any = None
        if backend != "spectral":
            from pdesolve._petsc_comm import own_communicator

            self._comm = own_communicator()

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": "independent",
            "backend": self.backend,
            "discretization": self.stepping,
            "tolerance": self.rtol,
            "solver_parameters": self.parameters,
            "given_parameters": self.parameters,
            "error_estimate": (
                {"method": "same problem on half the cells along each axis, last time"}
                if self._coarse
                else None
            ),
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in the order given."""
        for task in tasks:
            yield self._solve_one(task)

    def _solve_one(self, task: SampleTask) -> SampleRecord:
        start = time.perf_counter()
        with posing(task.index):
            inputs = task.problem.input_fields(self.grid).values
        # what refuses the first sample may be the options
        with posing(task.index) if self._begun else nullcontext():
            values, result, message = self._attempt(task.problem, self.grid.shape)
        self._begun = True
        estimate = NAN
        if values is not None and self._coarse is not None:
            estimate = self._estimate(task.problem, values, self._coarse)
        return record(
            task, inputs, values, result, message, self, estimate, time.perf_counter() - start
        )

    def _attempt(
        self, problem: EvolutionProblem, shape: tuple[int, ...]
    ) -> tuple[FloatArray | None, EvolutionResult | None, str]:
        """Values ``(time, channel, *shape)`` at the points of the storage grid."""
        from pdesolve.evolving import evolve

        try:
            trajectory: Trajectory = evolve(
                problem,
                mesh=None if self.own_mesh else shape,
                backend=self.backend,  # type: ignore[arg-type]
                rtol=self.rtol,
                solver_parameters=self.parameters,
                comm=self._comm,
                unused_options=self.unused_options,
                **self.stepping,
            )
        except TimeStepFailure as failure:
            return None, failure.result, str(failure)
        values = trajectory.on(self.grid)
        if not np.isfinite(values).all():
            return None, trajectory.result, "the solution is not finite"
        return values, trajectory.result, ""

    def _estimate(
        self, problem: EvolutionProblem, values: FloatArray, shape: tuple[int, ...]
    ) -> float:
        try:
            coarse, _, _ = self._attempt(problem, shape)
        except InputError:  # such as a step that is too large or a grid that is too coarse
            return NAN
        if coarse is None:
            return NAN
        size = float(np.linalg.norm(values[-1]))
        difference = float(np.linalg.norm(coarse[-1] - values[-1]))
        return difference / size if size > 0 else difference

    def close(self) -> None:
        """Nothing is kept."""


def record(
    task: SampleTask,
    inputs: FloatArray,
    values: FloatArray | None,
    result: EvolutionResult | None,
    message: str,
    strategy: Any,
    estimate: float,
    seconds: float,
) -> SampleRecord:
    """What goes into the file for one trajectory, solved or failed."""
    if values is None:
        channels = len(task.problem.unknowns)
        outputs = np.full((channels, len(strategy.times), *strategy.grid.shape), np.nan)
    else:
        outputs = np.moveaxis(values, 1, 0)
    tolerance = NAN
    return SampleRecord(
        task.index,
        inputs,
        outputs,
        Status.FAILED if values is None else Status.SOLVED,
        result.num_steps if result else -1,
        NAN,
        tolerance,
        estimate,
        message,
        {"evolve": seconds},
    )


STEPPING = ("dt", "method", "element", "degree")


def checked_stepping(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Arguments of ``evolve`` that a data set may set, or an error.

    Examples
    --------
    >>> checked_stepping({"dt": 0.01})
    {'dt': 0.01}
    """
    from meshes.errors import suggest

    values = dict(given or {})
    for name in values:
        if name not in STEPPING:
            raise InputError(
                f"discretization has no entry '{name}' for problems in time. "
                f"{suggest(name, STEPPING)}"
            )
    return {name: value for name, value in values.items() if value is not None}
