"""Ways to get the pressure of Darcy problems on a grid, timed: a network and classical solvers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from meshes.structured import FloatArray, StructuredGrid
from neural.surrogate import Surrogate
from pdesolve import solve
from pdesolve.batched import BatchedSolver, StackedStencils
from pdesolve.grid._petsc_solver import GridSolver
from pdesolve.problems.darcy import DarcyProblem

FINER = 5  # odd, so that points of the coarse grid are among those of the fine one
TOLERANCE, TIGHT = 1e-8, 1e-10

# values (sample, *grid), and seconds of the processor for one of them
Method = Callable[[Sequence[DarcyProblem], StructuredGrid], tuple[FloatArray, float]]


@dataclass(frozen=True)
class Tests:
    """Problems that were not trained on, with their solutions on the grid and a finer one.

    Parameters
    ----------
    problems
        Of the split ``test``.
    grid
        Where predictions are wanted.
    """

    problems: tuple[DarcyProblem, ...]
    grid: StructuredGrid

    @cached_property
    def reference(self) -> FloatArray:
        """Solutions on the finer grid, at the points of the grid."""
        fine = self.grid.with_shape([FINER * size for size in self.grid.shape])
        every = (slice(FINER // 2, None, FINER),) * 2
        return classical(TIGHT)(self.problems, fine)[0][:, *every]

    @cached_property
    def discrete(self) -> FloatArray:
        """Solutions on the grid itself, which the network is trained on."""
        return classical(TIGHT)(self.problems, self.grid)[0]

    def errors(self, values: FloatArray) -> tuple[float, float]:
        """Mean relative L2 errors against the finer grid's solution and the grid's own."""
        return relative_error(values, self.reference), relative_error(values, self.discrete)


def relative_error(values: FloatArray, reference: FloatArray) -> float:
    """Mean over samples of ‖v − r‖₂ / ‖r‖₂."""
    norms = [np.linalg.norm(array, axis=(1, 2)) for array in (values - reference, reference)]
    return float(np.mean(norms[0] / norms[1]))


def classical(rtol: float) -> Method:
    """The default solver of a grid, kept from sample to sample; seconds of the median one."""

    def method(problems: Sequence[DarcyProblem], grid: StructuredGrid) -> tuple[FloatArray, float]:
        solver = GridSolver(grid, {"ksp_rtol": rtol}, defaults=problems[0].grid_solver_parameters)
        answers, seconds = [], []
        for problem in problems:
            problem.coefficient_on(grid)  # needed by all methods, timed for none
            start = time.process_time()
            vector, _ = solver.solve(problem.discretize(grid))
            answers.append(np.array(vector.array_r).reshape(grid.shape))
            seconds.append(time.process_time() - start)
            vector.destroy()
        solver.destroy()
        return np.stack(answers), statistics.median(seconds[1:] or seconds)

    return method


def single_calls(
    problems: Sequence[DarcyProblem], grid: StructuredGrid
) -> tuple[FloatArray, float]:
    """``solve`` once a problem, which keeps nothing."""
    answers, seconds = [], []
    for problem in problems:
        problem.coefficient_on(grid)
        start = time.process_time()
        answers.append(solve(problem, mesh=grid).field.values[0])
        seconds.append(time.process_time() - start)
    return np.stack(answers), statistics.median(seconds[1:] or seconds)


def batched(rtol: float, repeats: int = 3) -> Method:
    """All problems at once by the batched solver; seconds of one."""

    def method(problems: Sequence[DarcyProblem], grid: StructuredGrid) -> tuple[FloatArray, float]:
        solver, seconds = BatchedSolver(rtol=rtol), []
        for repeat in range(repeats + 1):
            spent = 0.0
            systems = []
            for problem in problems:
                problem.coefficient_on(grid)
                start = time.process_time()
                systems.append(problem.discretize(grid))
                spent += time.process_time() - start
            start = time.process_time()
            right = np.stack([system.right_hand_side for system in systems])
            found = solver.solve(StackedStencils.of(systems), right, check=True)
            if repeat:
                seconds.append(spent + time.process_time() - start)
        return np.asarray(found.values), statistics.median(seconds) / len(problems)

    return method


def on_coarse_grid(method: Method, cells: int) -> Method:
    """Solve on a coarse grid and interpolate (zero on the boundary, linear between)."""

    def interpolated(
        problems: Sequence[DarcyProblem], grid: StructuredGrid
    ) -> tuple[FloatArray, float]:
        values, seconds = method(problems, grid.with_shape((cells, cells)))
        start = time.process_time()
        along = [interpolation(cells, size) for size in grid.shape]
        fine = along[0] @ values @ along[1].T
        return fine, seconds + (time.process_time() - start) / len(problems)

    return interpolated


def interpolation(coarse: int, fine: int) -> FloatArray:
    """Values in `fine` cells of a unit interval from those in `coarse` ones, zero at its ends.

    Examples
    --------
    >>> interpolation(1, 2)
    array([[0.5],
           [0.5]])
    """
    nodes = np.concatenate([[0.0], (np.arange(coarse) + 0.5) / coarse, [1.0]])
    points = (np.arange(fine) + 0.5) / fine
    return np.stack([np.interp(points, nodes, row) for row in np.eye(coarse + 2)[1:-1]], axis=1)


def predictions(surrogate: Surrogate, batch: int, repeats: int = 3) -> Method:
    """The network, so many fields at once."""

    def method(problems: Sequence[DarcyProblem], grid: StructuredGrid) -> tuple[FloatArray, float]:
        inputs = np.stack([problem.input_fields(grid).values for problem in problems])
        parts = [inputs[start : start + batch] for start in range(0, len(inputs), batch)]
        surrogate.predict_batch(parts[0])
        seconds = []
        for _ in range(repeats):
            start = time.process_time()
            values = [surrogate.predict_batch(part) for part in parts]
            seconds.append(time.process_time() - start)
        return np.concatenate(values)[:, 0], statistics.median(seconds) / len(problems)

    return method
