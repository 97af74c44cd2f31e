"""A few solved problems of a family, and combinations of their solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import LinearSolveFailure
from operators.spatial import as_spatial_function
from pdesolve.data.boundary_data import BoundaryData
from pdesolve.data.independent import GridStrategy
from pdesolve.data.operator_action_settings import BOUNDARY_VALUES, OperatorActionSettings
from pdesolve.data.samples import SampleTask, UnusedOptions
from pdesolve.data.schema import Status
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.random_streams import sample_generator


@dataclass(frozen=True, eq=False)
class Combination:
    """A combination of basis solutions.

    Parameters
    ----------
    numbers, weights
        Which of them, and how much of each.
    solution
        Their weighted sum and noise, shape ``grid.shape``.
    boundary, boundary_values
        The same sums of the boundary data's parts of the right-hand sides, and of the
        channel ``boundary_values``; None where boundary data are not drawn.
    """

    numbers: tuple[int, ...]
    weights: FloatArray
    solution: FloatArray
    boundary: FloatArray | None = None
    boundary_values: FloatArray | None = None


class SolutionBasis:
    """Solutions of problems drawn from a random stream of their own.

    Weights are independent standard normal numbers for `weights` of the solutions, chosen
    without replacement, divided by their Euclidean norm. Where all problems have the same
    boundary data that are not zero, they are shifted to sum to one.

    Parameters
    ----------
    family
        The problem family.
    grid
        Solution grid.
    settings
        Sizes.
    seed, split
        Problem j is drawn from the split ``"<split>/operator-action-basis"``, weights
        and noise of sample i from ``"<split>/operator-action"``.
    rtol, solver_parameters
        Of the solves: relative residual, PETSc options.
    unused_options
        Whether options that PETSc did not read are a warning or an error.

    Attributes
    ----------
    sides
        What the problems have on the sides.

    Examples
    --------
    >>> from pdesolve import DarcyFamily, StructuredGrid
    >>> settings = OperatorActionSettings(basis=4, weights=2)
    >>> basis = SolutionBasis(DarcyFamily(2), StructuredGrid((8, 8)), settings, seed=0, split="a")
    >>> basis.solve()
    >>> one, same = basis.combine(7), basis.combine(7)
    >>> len(one.numbers), bool((one.solution == same.solution).all())
    (2, True)
    """

    def __init__(
        self,
        family: Any,
        grid: StructuredGrid,
        settings: OperatorActionSettings,
        *,
        seed: int,
        split: str,
        rtol: float = 1e-8,
        solver_parameters: Mapping[str, Any] | None = None,
        unused_options: UnusedOptions = "warn",
    ) -> None:
        self.family, self.grid, self.settings = family, grid, settings
        self.seed, self.split = seed, split
        first = self.problem(0)
        self.sides = BoundaryData(grid, [first, self.problem(1)])
        self._operator = (
            first.discretize(grid).stencil.coefficients if self.sides.need_one_operator else None
        )
        self._solver = GridStrategy(
            grid,
            first,
            rtol,
            solver_parameters,
            estimate_error=False,
            unused_options=unused_options,
        )
        self._solutions: FloatArray | None = None
        self._boundary = self._boundary_values = np.empty(0)

    def describe_solver(self) -> dict[str, Any]:
        """Method, options and tolerance of the solves."""
        return dict(self._solver.describe())

    def problem(self, number: int) -> Problem:
        """Problem of a number."""
        generator = sample_generator(self.seed, f"{self.split}/operator-action-basis", number)
        problem: Problem = self.family.problem(self.family.sample(generator))
        return problem

    @property
    def solved(self) -> bool:
        """Whether the solutions are there."""
        return self._solutions is not None

    def solve(self) -> None:
        """Solve all, in the order of their numbers: to the same bits in every process.

        Raises
        ------
        LinearSolveFailure
            If one cannot be solved.
        InputError
            If combinations would not keep the boundary conditions.
        """
        solutions, boundary, boundary_values = [], [], []
        for number in range(self.settings.basis):
            problem = self.problem(number)
            (record,) = self._solver.solve([SampleTask(number, problem, {})])
            if record.status is Status.FAILED:
                raise LinearSolveFailure(
                    f"problem {number} of the basis could not be solved: {record.message}. Choose "
                    "another seed or solver"
                )
            solutions.append(record.outputs[0])
            if self.sides.need_one_operator:
                system = problem.discretize(self.grid)
                self.check_operator(system)
            if self.sides.kind == "drawn":
                boundary.append(boundary_part(problem, system, self.grid))
                boundary_values.append(problem.input_fields(self.grid)[BOUNDARY_VALUES])
            else:
                self.sides.check(problem)
        self._solutions = np.stack(solutions)
        self._boundary, self._boundary_values = np.array(boundary), np.array(boundary_values)

    def combine(self, index: int) -> Combination:
        """The combination of a sample, which depends on seed, split and its number alone."""
        if self._solutions is None:
            raise InputError("the basis is not solved; call solve() first")
        rng = sample_generator(self.seed, f"{self.split}/operator-action", index)
        count = self.settings.weights
        chosen = rng.choice(self.settings.basis, size=count, replace=False)
        weights = rng.standard_normal(count)
        weights /= np.linalg.norm(weights)
        if self.sides.kind == "shared":
            weights += (1.0 - weights.sum()) / count
        numbers = tuple(int(number) for number in chosen)
        solution = np.tensordot(weights, self._solutions[chosen], 1)
        if self.settings.noise > 0:
            size = float(np.sqrt(np.mean(solution**2)))
            solution += self.settings.noise * size * self.sides.noise(rng)
        if self.sides.kind != "drawn":
            return Combination(numbers, weights, solution)
        return Combination(
            numbers,
            weights,
            solution,
            np.tensordot(weights, self._boundary[chosen], 1),
            np.tensordot(weights, self._boundary_values[chosen], 1),
        )

    def check_operator(self, system: LinearSystem) -> None:
        """Refuse an operator with which combinations miss the boundary conditions.

        Raises
        ------
        InputError
            If it must be that of the basis and is not.
        """
        if self._operator is not None and not np.array_equal(
            system.stencil.coefficients, self._operator
        ):
            raise InputError(
                "the operator differs between samples, and combinations of solutions then miss "
                "boundary conditions that it is a part of (given fluxes, Robin) or that are drawn; "
                "operator action takes u given and zero fluxes there. Solve the samples one by "
                "one: strategy='independent'"
            )

    def close(self) -> None:
        """Free the PETSc objects."""
        self._solver.close()


def boundary_part(problem: Any, system: LinearSystem, grid: StructuredGrid) -> FloatArray:
    """What the right-hand side has beside the source, shape ``grid.shape``.

    Examples
    --------
    >>> from pdesolve import DarcyProblem, Dirichlet
    >>> problem = DarcyProblem(1.0, 5.0, {"all": Dirichlet(2.0)}, dimension=1)
    >>> grid = problem.grid(4)
    >>> boundary_part(problem, problem.discretize(grid), grid)
    array([64.,  0.,  0., 64.])
    """
    return system.right_hand_side - as_spatial_function(problem.source).on(grid)
