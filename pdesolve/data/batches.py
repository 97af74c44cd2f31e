"""Samples on grids solved many at a time by array operations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.result import SolveResult
from pdesolve.batched import BatchedSolver, StackedStencils
from pdesolve.batched.result import host
from pdesolve.data.answers import Answer, grid_attempt, repeated_directly, sample_record
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, Schedule
from pdesolve.data.schema import Status
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.tolerances import checked_tolerance

BATCH_BYTES = 32 * 2**20
DEVICE_BYTES = 512 * 2**20
"""Coefficients, in float64, that are given to the solver at once, here and on a device."""

WANTED_VALUES = 2**18
WANTED_ON_DEVICE = 2**24
"""Unknowns of a shard: with fewer, calls of array operations take longer than these do."""

_UNFIT = SolveResult(
    False, "DIVERGED_NONSYMMETRIC", 0, solver="(not symmetric, or with other neighbours)"
)


class BatchStrategy:
    """Symmetric finite-volume systems through :func:`pdesolve.batched.solve_batched`.

    A sample that misses the tolerance is repeated with a sparse direct solver, and so is
    one that is not symmetric, or has other neighbours than the family, among those that are.

    Parameters
    ----------
    grid
        Storage and solution grid.
    reference
        A problem of the family, that says which neighbours its stencils have.
    rtol
        Relative residual to reach, in float64.
    estimator
        Estimates discretisation errors; see :class:`pdesolve.data.sequences.SequenceStrategy`.
    convert
        Makes an array of another library, or on another device, from a NumPy array.
    device
        Name of where it is solved, for the description.

    Raises
    ------
    InputError
        If `reference` has no stencil, or one that is not symmetric.

    Examples
    --------
    >>> from pdesolve import generate
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = generate("darcy2d", 4, shape=16, out=f"{folder}/d.h5", strategy="batched")
    >>> info.num_failed
    0
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: Problem,
        rtol: float = 1e-8,
        *,
        estimator: Any = None,
        convert: Callable[[FloatArray], Any] | None = None,
        device: str = "cpu",
    ) -> None:
        if not reference.has_stencil:
            raise InputError(
                f"'{reference.name}' has no stencil form; batches are for linear problems with one "
                "unknown a cell. Use strategy='independent'"
            )
        first = reference.discretize(grid)
        if not (first.symmetric or StackedStencils.of([first]).symmetric()):
            raise InputError(
                f"the stencil of '{reference.name}' is not symmetric; batches are solved by "
                "conjugate gradients, which need that. Use strategy='independent' or 'skr'"
            )
        self._offsets = first.stencil.offsets
        self.grid = grid
        self.rtol = checked_tolerance(rtol)
        self.device = device
        self._estimator = estimator
        self._convert = convert
        stencil = 2 * grid.dimension + 1
        self.in_batches = self.samples_apart = True
        most = BATCH_BYTES if convert is None else DEVICE_BYTES
        self.size = max(1, most // (8 * stencil * grid.num_points))
        wanted = WANTED_VALUES if convert is None else WANTED_ON_DEVICE
        self.schedule = Schedule(chunk=max(16, min(4096, wanted // grid.num_points)))
        self._solver = BatchedSolver(rtol=self.rtol)

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": "batched",
            "backend": "grid",
            "device": self.device,
            "discretization": {"method": "cell-centred finite volumes"},
            "tolerance": self.rtol,
            "solver_parameters": {
                "method": "conjugate gradients with multigrid in float32, refined in float64"
            },
            "given_parameters": {},
            "error_estimate": self._estimator.describe() if self._estimator else None,
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in batches."""
        for first in range(0, len(tasks), self.size):
            yield from self._solve_batch(tasks[first : first + self.size])

    def _solve_batch(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        start = time.perf_counter()
        systems = [self._discretize(task) for task in tasks]
        fit = [self._fits(system) for system in systems]
        chosen = [system for system, good in zip(systems, fit, strict=True) if good]
        stacked = self._stack(chosen) if chosen else None
        assembly = (time.perf_counter() - start) / len(tasks)
        start = time.perf_counter()
        answers = iter(self._solve_stacked(*stacked) if stacked else ())
        seconds = {"assembly": assembly, "solve": (time.perf_counter() - start) / len(tasks)}
        for task, system, good in zip(tasks, systems, fit, strict=True):
            answer = next(answers) if good else Answer(np.empty(0), _UNFIT, Status.FAILED)
            if answer.status is Status.FAILED:
                answer = self._repeat(system, answer.result)
            yield sample_record(
                task,
                task.problem.input_fields(self.grid).values,
                answer,
                self.rtol,
                estimator=self._estimator,
                seconds=seconds,
                details={"batch": len(tasks)},
            )

    def _discretize(self, task: SampleTask) -> LinearSystem:
        with posing(task.index):
            system: LinearSystem = task.problem.discretize(self.grid)
        return system

    def _fits(self, system: LinearSystem) -> bool:
        """Whether a system is symmetric and has the neighbours that the family has."""
        if not np.array_equal(system.stencil.offsets, self._offsets):
            return False
        return system.symmetric or StackedStencils.of([system]).symmetric()

    def _stack(self, systems: Sequence[LinearSystem]) -> tuple[StackedStencils, Any]:
        coefficients: Any = np.stack([system.stencil.coefficients for system in systems])
        right: Any = np.stack([system.right_hand_side for system in systems])
        if self._convert is not None:
            coefficients, right = self._convert(coefficients), self._convert(right)
        stacked = StackedStencils(
            self.grid,
            self._offsets,
            coefficients,
            check=False,  # each stencil has been
            known_symmetric=True,
            known_free=np.array([system.constant_null_space for system in systems]),
        )
        return stacked, right

    def _solve_stacked(self, stencils: StackedStencils, right: Any) -> list[Answer]:
        found = self._solver.solve(stencils, right)
        values = np.asarray(host(found.values), dtype=np.float64)
        answers = []
        for row, converged in enumerate(found.converged):
            result = SolveResult(
                bool(converged),
                found.reasons[row],
                int(found.iterations[row]),
                relative_residual=float(found.relative_residuals[row]),
                solver="batched multigrid",
            )
            status = Status.SOLVED if converged else Status.FAILED
            answers.append(Answer(values[row][None], result, status))
        return answers

    def _repeat(self, system: LinearSystem, first: SolveResult) -> Answer:
        from pdesolve._petsc_comm import own_communicator
        from pdesolve.grid._petsc_solver import GridSolver

        def make_solver(options: Mapping[str, Any], prefix: str) -> GridSolver:
            return GridSolver(self.grid, options, prefix, own_communicator())

        return repeated_directly(first, make_solver, grid_attempt(system, self.grid), self.rtol)

    def close(self) -> None:
        """Free what was kept."""
        if self._estimator is not None:
            self._estimator.close()
