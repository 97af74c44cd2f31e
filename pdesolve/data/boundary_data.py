"""Boundary data of several problems, and functions that keep homogeneous conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.random_fields import GaussianRandomField
from pdesolve.grid.block_data import side_values
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import USUAL, Dirichlet, Neumann
from pdesolve.problems.boxes import conditions_on

NOISE_MODES = 16
"""Cosines (or sines and cosines) an axis of the smooth noise."""


class BoundaryData:
    """What the problems of a family have on the sides of a grid.

    Parameters
    ----------
    grid
        Cell grid.
    problems
        Two problems of the family, drawn from different random numbers.

    Attributes
    ----------
    kind
        ``"zero"``: homogeneous data; ``"shared"``: others, the same in all problems;
        ``"drawn"``: others in each problem.
    need_one_operator
        Whether combinations of solutions keep the boundary conditions only where all were
        solved with one operator: where data are drawn, and for Robin conditions and given
        fluxes, which the operator is a part of.

    Examples
    --------
    >>> from pdesolve import Dirichlet
    >>> from pdesolve.problems.poisson import PoissonProblem
    >>> problem = PoissonProblem(1.0, {"all": Dirichlet(2.0)})
    >>> BoundaryData(problem.grid(4), [problem, problem]).kind
    'shared'
    """

    def __init__(self, grid: StructuredGrid, problems: Sequence[Problem]) -> None:
        self.grid = grid
        self._conditions = conditions_on(problems[0], grid, USUAL)
        first, second = (self._data(problem) for problem in problems)
        self._first = first
        zero = all(not np.any(data) for data in first.values())
        same = _equal(first, second)
        self.kind = "drawn" if not same else "zero" if zero else "shared"
        self.need_one_operator = self.kind == "drawn" or any(
            not isinstance(condition, Dirichlet)
            and (not isinstance(condition, Neumann) or bool(np.any(first[side])))
            for side, condition in self._conditions.items()
        )

    def _data(self, problem: Problem) -> dict[str, FloatArray]:
        block = GridBlock.whole(self.grid)
        found = {}
        for side, condition in conditions_on(problem, self.grid, USUAL).items():
            axis, _, end = side.partition("_")
            function = condition.function  # type: ignore[union-attr]  # none is periodic here
            found[side] = np.asarray(side_values(function, block, AXIS_NAMES.index(axis), end))
        return found

    def check(self, problem: Problem) -> None:
        """Refuse a problem with other data than the first.

        Raises
        ------
        InputError
            If they differ.
        """
        if not _equal(self._data(problem), self._first):
            raise InputError(
                "some of the problems differ in their boundary data and some do not; operator "
                "action needs data that are the same in all problems, or drawn for each. Draw "
                "them for each, or use strategy='independent'"
            )

    def noise(self, rng: np.random.Generator) -> FloatArray:
        """A smooth function of mean square about one that keeps homogeneous conditions.

        A Gaussian field of zero slope, times a function that vanishes where u is given,
        and with its slope where a Robin condition is or an axis wraps.
        """
        grid = self.grid
        everywhere = all(grid.periodic)
        field = GaussianRandomField(
            grid.dimension,
            alpha=3.0,
            boundary="periodic" if everywhere else "neumann",
            num_modes=NOISE_MODES,
            standard_deviation=1.0,
            lower=grid.lower,
            upper=grid.upper,
        )
        values = field.sample(rng).on(grid)
        for axis, points in enumerate(grid.axes()):
            share = (points - grid.lower[axis]) / grid.extent[axis]
            window = np.ones_like(share)
            for end, distance in (("lower", share), ("upper", 1.0 - share)):
                order = 0 if everywhere else self._order(f"{AXIS_NAMES[axis]}_{end}")
                window *= np.sin(0.5 * np.pi * distance) ** order
            values = values * window.reshape(-1, *(1,) * (grid.dimension - 1 - axis))
        return values

    def _order(self, side: str) -> int:
        """Order to which noise vanishes on a side; sides that wrap have no condition."""
        condition = self._conditions.get(side)
        return {Dirichlet: 1, Neumann: 0}.get(type(condition), 2)


def _equal(one: Mapping[str, FloatArray], other: Mapping[str, FloatArray]) -> bool:
    return one.keys() == other.keys() and all(
        one[side].shape == other[side].shape and np.array_equal(one[side], other[side])
        for side in one
    )
