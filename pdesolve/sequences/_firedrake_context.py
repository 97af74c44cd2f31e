"""The data of weak forms, read into coefficients that are kept from problem to problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray
from operators.spatial import FormulaFunction, as_spatial_function, is_spatial_function
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import (
    Check,
    _all_numbers,
    _check_length,
    _constant,
    _evaluate,
    interior_space,
    node_coordinates,
    nodes_along,
    require_finite,
)
from pdesolve.fem._firedrake_dirichlet import dirichlet_conditions
from pdesolve.fem._firedrake_forms import ANY_CONDITION, FormContext
from pdesolve.problems.boundary import Dirichlet
from pdesolve.sequences._firedrake_sides import KeptSide, given_parts, new_side

MOST_MADE = 32
"""Things that :meth:`KeptContext.once` keeps."""


@dataclass(eq=False)
class _Kept:
    """What one context keeps."""

    spaces: dict[Any, Any] = field(default_factory=dict)
    coefficients: dict[Any, Any] = field(default_factory=dict)
    points: dict[int, FloatArray] = field(default_factory=dict)
    cells: dict[int, Any] = field(default_factory=dict)
    nodes: dict[Any, FloatArray] = field(default_factory=dict)
    sides: dict[Any, KeptSide] = field(default_factory=dict)
    calls: Counter[Any] = field(default_factory=Counter)
    needed: dict[Any, Any] = field(default_factory=dict)
    along: dict[tuple[str, int], Any] = field(default_factory=dict)
    made: dict[Any, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class KeptContext(FormContext):
    """A :class:`FormContext` that gives the same Firedrake objects to every problem.

    A problem's data are read into the coefficients, constants and boundary conditions that
    the problem before got for its data of the same name and kind (a number, a function, or
    values by cell). The form of the next problem is then often equal to that of the one
    before in UFL's sense, and nothing has to be processed again; the values of the form
    before are lost.
    """

    kept: _Kept = field(default_factory=_Kept, repr=False)

    def restart(self) -> None:
        """Begin with the data of another problem."""
        self.kept.calls.clear()

    def read_everywhere(self) -> bool:
        """Undo :meth:`read_only_at`; whether there was anything to undo."""
        found = bool(self.kept.needed)
        self.kept.needed.clear()
        return found

    def read_only_at(self, needed: Mapping[Any, Any]) -> None:
        """From now on read these coefficients at some of their nodes only.

        Parameters
        ----------
        needed
            Numbers of nodes by coefficient, such as those along the side that a flux is for.
        """
        self.kept.needed = dict(needed)

    def is_read_in_part(self, coefficient: Any) -> bool:
        """Whether a coefficient has values of the last problem at some of its nodes only."""
        return coefficient in self.kept.needed

    def owns(self, coefficient: Any) -> bool:
        """Whether a coefficient or constant was made by :meth:`data`."""
        return any(item is coefficient for item in self.kept.coefficients.values())

    def side_of(self, condition: Any) -> KeptSide | None:
        """What is kept for a condition made by :meth:`dirichlet`."""
        for side in self.kept.sides.values():
            if side.condition is condition:
                return side
        return None

    def _key(self, *parts: Any) -> tuple[Any, ...]:
        """The parts, and how often they have come for this problem."""
        self.kept.calls[parts] += 1
        return (*parts, self.kept.calls[parts])

    def space(self, family: str = "CG", degree: int | None = None) -> Any:
        """See :meth:`FormContext.space`."""
        key = ("scalar", family, degree)
        if key not in self.kept.spaces:
            self.kept.spaces[key] = super().space(family, degree)
        return self.kept.spaces[key]

    def vector_space(self, family: str = "CG", degree: int | None = None) -> Any:
        """See :meth:`FormContext.vector_space`."""
        key = ("vector", family, degree)
        if key not in self.kept.spaces:
            self.kept.spaces[key] = super().vector_space(family, degree)
        return self.kept.spaces[key]

    def data(
        self,
        value: object,
        *,
        name: str = "data",
        shape: tuple[int, ...] = (),
        check: Check | None = None,
        side: str | None = None,
    ) -> Any:
        """See :meth:`FormContext.data`."""
        if isinstance(value, ufl.core.expr.Expr):
            return super().data(value, name=name, shape=shape, check=check)
        if len(shape) == 1 and isinstance(value, list | tuple) and not _all_numbers(value):
            _check_length(value, shape, name)
            parts = [
                self.data(part, name=f"component {index} of {name}", side=side)
                for index, part in enumerate(value)
            ]
            return ufl.as_vector(parts)
        try:
            constant = _constant(value, shape)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if constant is not None:
            return self._constant_data(constant, name, shape, check)
        smooth = not isinstance(value, Field) and (
            isinstance(value, FormulaFunction)
            or (callable(value) and not is_spatial_function(value))
        )
        key = self._key("data", name, shape, smooth, side)
        degree = max(self.degree, 1) if smooth else 0
        found = self.kept.coefficients.get(key)
        if found is None:
            found = super().data(value, name=name, shape=shape, check=check, side=side)
            self.kept.coefficients[key] = found
            return found
        points = self._points(degree)
        nodes = self.kept.needed.get(found)
        if nodes is None and side is not None:
            nodes = self._nodes_along(side, degree)
        if nodes is None:
            values = self._values(value, points, shape, degree)
        else:
            points = points[nodes]
            values = _evaluate(value, points, shape, self.named.grid)
        require_finite(values, points, name)
        if check is not None:
            check(values, points)
        data = found.dat.data_with_halos
        if nodes is None:
            data[...] = values.reshape(data.shape)
        else:
            data[nodes] = values
        return found

    def _constant_data(
        self,
        constant: FloatArray,
        name: str,
        shape: tuple[int, ...],
        check: Check | None,
    ) -> Any:
        key = self._key("constant", name, shape)
        found = self.kept.coefficients.get(key)
        if check is not None:
            check(constant[None], np.zeros((1, self.dimension)))
        plain = constant if shape else float(constant)
        if found is None:
            found = self.kept.coefficients[key] = firedrake.Constant(plain)
        else:
            found.assign(plain)
        return found

    def once(self, make: Callable[..., Any], *parts: Any) -> Any:
        """See :meth:`FormContext.once`."""
        key = make, *_identities(parts)
        if key not in self.kept.made:
            while len(self.kept.made) >= MOST_MADE:
                self.kept.made.pop(next(iter(self.kept.made)))  # the oldest
            self.kept.made[key] = make(*parts), parts  # held, so that no other gets its identity
        return self.kept.made[key][0]

    def _nodes_along(self, side: str, degree: int) -> Any:
        if (side, degree) not in self.kept.along:
            found = nodes_along(interior_space(self.mesh, degree), self.side_number(side))
            self.kept.along[side, degree] = found
        return self.kept.along[side, degree]

    def _points(self, degree: int) -> FloatArray:
        if degree not in self.kept.points:
            self.kept.points[degree] = node_coordinates(interior_space(self.mesh, degree))
        return self.kept.points[degree]

    def _values(
        self, value: Any, points: FloatArray, shape: tuple[int, ...], degree: int
    ) -> FloatArray:
        grid = self.named.grid
        if shape or degree or grid is None:
            return _evaluate(value, points, shape, grid)
        # the grid's cell in which each cell of the mesh lies does not change
        if degree not in self.kept.cells:
            numbers_of_cells = np.arange(grid.num_points, dtype=np.float64).reshape(grid.shape)
            found = Field(grid, numbers_of_cells).evaluate(points, method="nearest")[0]
            self.kept.cells[degree] = found.astype(np.int64)
        values = np.asarray(as_spatial_function(value).on(grid), dtype=np.float64)
        by_cell: FloatArray = values.reshape(-1)[self.kept.cells[degree]]
        return by_cell

    def dirichlet(self, space: Any, conditions: Any, factor: Any = None) -> tuple[Any, ...]:
        """See :meth:`FormContext.dirichlet`."""
        if factor is not None or space.parent is not None:
            return super().dirichlet(space, conditions, factor)
        found: list[Any] = []
        for name, condition in self.conditions(conditions, ANY_CONDITION).items():
            if isinstance(condition, Dirichlet):
                found += self._side_conditions(space, name, condition)
        return tuple(found)

    def _side_conditions(self, space: Any, name: str, condition: Dirichlet) -> list[Any]:
        number, given = self.side_number(name), given_parts(space, name, condition)
        keys = [self._key("side", space, number, component) for component, _, _ in given]
        if any(isinstance(value, ufl.core.expr.Expr) for _, value, _ in given):
            return dirichlet_conditions(space, number, condition, name)
        if not all(key in self.kept.sides for key in keys):
            # says what is wrong with the condition, if anything
            dirichlet_conditions(space, number, condition, name)
        if space not in self.kept.nodes:
            self.kept.nodes[space] = node_coordinates(space)
        found = []
        for key, (component, value, label) in zip(keys, given, strict=True):
            if key not in self.kept.sides:
                points = self.kept.nodes[space]
                self.kept.sides[key] = new_side(space, number, component, points)
            self.kept.sides[key].read(value, label)
            found.append(self.kept.sides[key].condition)
        return found


def _identities(parts: Any) -> Iterator[Any]:
    """Plain values by type and value, other things by identity."""
    for part in parts:
        if isinstance(part, tuple):
            yield tuple(_identities(part))
        elif isinstance(part, list | dict | set | np.ndarray):
            raise InputError(
                f"once got a {type(part).__name__}, whose contents may change; give a tuple, plain "
                "values, or spaces and data of the context"
            )
        elif isinstance(part, int | float | str):
            yield type(part), part
        else:
            yield "object", id(part)
