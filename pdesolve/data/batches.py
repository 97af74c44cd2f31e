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
from pdesolve.data.independent import DIRECT_PARAMETERS
from pdesolve.data.samples import SampleRecord, SampleTask, Schedule, naming
from pdesolve.data.schema import Status
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.tolerances import checked_tolerance

BATCH_BYTES = 32 * 2**20
DEVICE_BYTES = 512 * 2**20
"""Coefficients, in float64, that are given to the solver at once, here and on a device."""

WANTED_VALUES = 2**18
WANTED_ON_DEVICE = 2**24
"""Unknowns of a shard: with fewer, calls of array operations take longer than these do."""


class BatchStrategy:
    """Symmetric finite-volume systems through :func:`pdesolve.batched.solve_batched`.

    A sample that misses the tolerance is repeated with a sparse direct solver.

    Parameters
    ----------
    grid
        Storage and solution grid.
    reference
        A problem of the family.
    rtol
        Relative residual to reach, in float64.
    estimator
        Estimates discretisation errors; see :class:`pdesolve.data.sequences.SequenceStrategy`.
    convert
        Makes an array of another library, or on another device, from a NumPy array.
    device
        Name of where it is solved, for the description.

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
                "unknown a cell"
            )
        self.grid = grid
        self.rtol = checked_tolerance(rtol)
        self.device = device
        self._reference = reference
        self._estimator = estimator
        self._convert = convert
        stencil = 2 * grid.dimension + 1
        self.in_batches = True
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
        coefficients: Any = np.stack([system.stencil.coefficients for system in systems])
        right: Any = np.stack([system.right_hand_side for system in systems])
        if self._convert is not None:
            coefficients, right = self._convert(coefficients), self._convert(right)
        stacked = StackedStencils(
            self.grid,
            systems[0].stencil.offsets,
            coefficients,
            check=False,  # each stencil has been
            known_symmetric=all(system.symmetric for system in systems),
        )
        assembly = (time.perf_counter() - start) / len(tasks)
        start = time.perf_counter()
        found = self._solver.solve(
            stacked, right, constant_null_space=systems[0].constant_null_space
        )
        values = np.asarray(host(found.values), dtype=np.float64)
        seconds = {"assembly": assembly, "solve": (time.perf_counter() - start) / len(tasks)}
        for row, task in enumerate(tasks):
            status = Status.SOLVED if found.converged[row] else Status.FAILED
            residual = float(found.relative_residuals[row])
            result = SolveResult(
                bool(found.converged[row]),
                found.reasons[row],
                int(found.iterations[row]),
                relative_residual=residual,
                solver="batched multigrid",
            )
            message, answer = "", values[row]
            if status is Status.FAILED:
                message = result.describe()
                status, answer, result = self._solve_directly(systems[row])
                message += f"; directly: {result.describe()}"
            yield self._record(task, answer, status, result, message, seconds, len(tasks))

    def _discretize(self, task: SampleTask) -> LinearSystem:
        with naming(task):
            system: LinearSystem = task.problem.discretize(self.grid)
        return system

    def _record(
        self,
        task: SampleTask,
        answer: FloatArray,
        status: Status,
        result: SolveResult,
        message: str,
        seconds: Mapping[str, float],
        batch: int,
    ) -> SampleRecord:
        estimate, phases = float("nan"), dict(seconds)
        if status is Status.FAILED:
            answer = np.full(self.grid.shape, np.nan)
        elif self._estimator is not None:
            start = time.perf_counter()
            estimate = self._estimator.estimate(task.problem, answer)
            phases["estimate"] = time.perf_counter() - start
        return SampleRecord(
            task.index,
            task.problem.input_fields(self.grid).values,
            answer[None],
            status,
            result.iterations,
            result.relative_residual,
            self.rtol,
            estimate,
            message,
            phases,
            {"batch": batch},
        )

    def _solve_directly(self, system: LinearSystem) -> tuple[Status, FloatArray, SolveResult]:
        from pdesolve._petsc_comm import own_communicator
        from pdesolve.grid._petsc_solver import GridSolver

        options = {**DIRECT_PARAMETERS, "ksp_rtol": self.rtol}
        solver = GridSolver(self.grid, options, "pdesolve_direct_", own_communicator())
        vector, result = solver.solve(system, check=False)
        answer = np.array(vector.array_r).reshape(self.grid.shape)
        vector.destroy()
        solver.destroy()
        good = result.converged and bool(np.isfinite(answer).all())
        return (Status.SOLVED_DIRECTLY if good else Status.FAILED), answer, result

    def close(self) -> None:
        """Free what was kept."""
        if self._estimator is not None:
            self._estimator.close()
