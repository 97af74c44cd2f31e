"""Trajectories of periodic problems, many at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.result import EvolutionResult
from pdesolve.data.error_estimate import SMALLEST
from pdesolve.data.evolutions import NAN, checked_stepping, record
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, Schedule
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.batch import evolve_batch
from pdesolve.spectral.evolution import DifferentFunctionsError
from pdesolve.spectral.state import FourierState
from pdesolve.step_sizes import steps_between

BATCH_BYTES = 4 * 2**20
"""Size of the states of one batch; more leaves the processor's caches."""

WANTED_VALUES = 2**15
"""Values in the states of a shard: with fewer, calls of array operations outlast what they do."""


class SpectralBatchStrategy:
    """Samples of one shard as batches of Fourier transforms.

    Each sample's step size follows from its own problem: the problem's, brought down to
    the next of a ladder of sizes, so that samples with equal steps make a batch. An
    answer therefore does not depend on the other samples, up to the rounding of
    transforms.

    Parameters
    ----------
    grid
        Storage and solution grid.
    reference
        A problem of the family, for what all have in common.
    stepping
        ``dt`` and ``method`` of :func:`pdesolve.evolve`.
    estimate_error
        Whether to solve each problem once more with half the points along each axis; the
        estimate is the relative L2 difference at the last time.
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: EvolutionProblem,
        *,
        stepping: Mapping[str, Any] | None = None,
        estimate_error: bool = True,
    ) -> None:
        self.grid = grid
        self.times = reference.times
        self.stepping = checked_stepping(stepping)
        for name in self.stepping:
            if name not in ("dt", "method"):
                raise InputError(
                    f"the backend 'spectral' takes no '{name}'; that is for the backend 'fem'; "
                    "leave it out"
                )
        self.interval = float(f"{self.times[1] - self.times[0]:.14g}")
        for start, stop in zip(self.times[:-1], self.times[1:], strict=True):
            if not math.isclose(stop - start, self.interval, rel_tol=1e-9):
                raise InputError(
                    "batches need equal times between outputs; generate with "
                    "strategy=EvolutionStrategy for others"
                )
            if "dt" in self.stepping:
                steps_between(start, stop, self.stepping["dt"])
        sizes = tuple((size + 1) // 2 for size in grid.shape)
        self._coarse = sizes if estimate_error and min(sizes) >= SMALLEST else None
        values = len(reference.unknowns) * grid.num_points
        self.schedule = Schedule(least=max(1, min(256, WANTED_VALUES // values)))

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": "batch",
            "backend": "spectral",
            "discretization": self.stepping,
            "tolerance": None,
            "solver_parameters": {},
            "given_parameters": {},
            "error_estimate": (
                {"method": "same problem on half the points along each axis, last time"}
                if self._coarse
                else None
            ),
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in batches of samples with one step size."""
        groups: dict[int, list[SampleTask]] = {}
        for task in tasks:
            groups.setdefault(self._steps(task), []).append(task)
        for steps, group in sorted(groups.items()):
            channels = len(group[0].problem.unknowns)
            most = max(1, BATCH_BYTES // (8 * channels * self.grid.num_points))
            for first in range(0, len(group), most):
                yield from self._solve_batch(group[first : first + most], steps)

    def _steps(self, task: SampleTask) -> int:
        """Steps between two outputs."""
        if "dt" in self.stepping:
            return steps_between(0.0, self.interval, self.stepping["dt"])
        with posing(task.index):
            limit: float = task.problem.spectral_evolution(self.grid).step_size
        if not limit > 0:
            raise InputError(
                f"'{task.problem.name}' gives no step size; give one, discretization={{'dt': ...}}"
            )
        return on_ladder(self.interval / limit)

    def _solve_batch(self, tasks: list[SampleTask], steps: int) -> Iterator[SampleRecord]:
        inputs = [self._inputs(task) for task in tasks]
        start = time.perf_counter()
        values, finite = self._evolve(tasks, self.grid, steps)
        estimates = self._estimates(tasks, values, steps)
        seconds = (time.perf_counter() - start) / len(tasks)
        total = steps * (len(self.times) - 1)
        for row, task in enumerate(tasks):
            result = EvolutionResult(bool(finite[row]), "", self.times[-1], total)
            yield record(
                task,
                inputs[row],
                values[row] if finite[row] else None,
                result,
                "" if finite[row] else "the solution is not finite",
                self,
                float(estimates[row]),
                seconds,
            )

    def _inputs(self, task: SampleTask) -> FloatArray:
        with posing(task.index):
            found: FloatArray = task.problem.input_fields(self.grid).values
        return found

    def _evolve(
        self, tasks: list[SampleTask], grid: StructuredGrid, steps: int
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Values ``(batch, time, channel, *shape)`` and which are finite."""
        with np.errstate(over="ignore", invalid="ignore"):  # is looked at afterwards
            try:
                found = evolve_batch(
                    [task.problem for task in tasks],
                    grid,
                    self.times,
                    dt=float(f"{self.interval / steps:.14g}"),
                    method=self.stepping.get("method"),
                    check=False,
                )
            except DifferentFunctionsError:  # one after another then
                values, finite = zip(
                    *(self._evolve([task], grid, steps) for task in tasks), strict=True
                )
                return np.concatenate(values), np.concatenate(finite)
        return found.values, found.finite

    def _estimates(self, tasks: list[SampleTask], values: FloatArray, steps: int) -> FloatArray:
        if self._coarse is None:
            return np.full(len(tasks), NAN)
        grid = tasks[0].problem.grid(self._coarse)
        try:
            coarse, finite = self._evolve(tasks, grid, steps)
        except InputError:  # the grid is too coarse
            return np.full(len(tasks), NAN)
        names = tasks[0].problem.unknowns
        shown = np.full(values[:, -1].shape, NAN)
        for row in np.flatnonzero(finite):
            shown[row] = FourierState(grid, coarse[row, -1], names).sample(self.grid).values
        axes = tuple(range(1, values.ndim - 1))
        size = np.sqrt(np.sum(values[:, -1] ** 2, axis=axes))
        difference = np.sqrt(np.sum((shown - values[:, -1]) ** 2, axis=axes))
        estimates: FloatArray = np.where(size > 0, difference / np.where(size > 0, size, 1), NAN)
        return estimates

    def close(self) -> None:
        """Nothing is kept."""


def on_ladder(count: float) -> int:
    """The next number of a ladder with four rungs an octave.

    Examples
    --------
    >>> [on_ladder(count) for count in (0.3, 1.0, 9.0, 100.0)]
    [1, 1, 10, 108]
    """
    if count <= 1:
        return 1
    return math.ceil(2 ** (math.ceil(4 * math.log2(count) - 1e-9) / 4) - 1e-9)
