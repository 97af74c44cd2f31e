"""Given values on parts of the boundary, in conditions that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.structured import FloatArray
from operators.spatial import as_spatial_function
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_data import _all_numbers, evaluate_array, require_finite
from pdesolve.fem._firedrake_dirichlet import _constant as boundary_constant
from pdesolve.problems.boundary import Dirichlet


@dataclass(eq=False)
class KeptSide:
    """The nodes of one part of the boundary and what is given there.

    Parameters
    ----------
    condition
        Firedrake's condition, with the given values.
    homogeneous
        The same with zeros.
    nodes, points
        Numbers and positions ``(n, d)`` of the nodes.
    component
        The component that is given; all when None.
    values
        Shape ``(n,)``, or ``(n, size)`` for all components of a vector.
    """

    condition: Any
    homogeneous: Any
    nodes: Any
    points: FloatArray
    component: int | None
    values: FloatArray

    def read(self, value: Any, name: str) -> None:
        """Take a number, function or field as what is given.

        Raises
        ------
        InputError
            If the value does not fit the unknown or is not finite; `name` is for the message.
        """
        shape = self.values.shape[1:]
        constant = boundary_constant(value, shape, name)
        values: FloatArray
        if constant is not None:
            values = np.broadcast_to(constant, self.values.shape)
        elif shape:
            values = evaluate_array(value, self.points, shape)
        else:
            values = np.asarray(as_spatial_function(value).evaluate(self.points), dtype=np.float64)
        require_finite(values, self.points, name)
        self.values = values
        self.condition.function_arg.dat.data_with_halos[self.nodes] = values

    def write(self, data: FloatArray) -> None:
        """Put the given values into an array over all nodes."""
        if self.component is None:
            data[self.nodes] = self.values
        else:
            data[self.nodes, self.component] = self.values


def new_side(space: Any, number: int, component: int | None, points: FloatArray) -> KeptSide:
    """A side on which nothing but zeros is given so far.

    Parameters
    ----------
    space
        Of scalars or vectors.
    number
        Firedrake's number of the side.
    component
        The component that is given; all when None.
    points
        Positions of all nodes of the space.
    """
    part = space if component is None else space.sub(component)
    zeros = np.zeros(part.value_shape)
    homogeneous = firedrake.DirichletBC(part, firedrake.Constant(zeros), number)
    nodes = homogeneous.nodes
    given = firedrake.Function(homogeneous.function_space())
    return KeptSide(
        firedrake.DirichletBC(part, given, number),
        homogeneous,
        nodes,
        points[nodes],
        component,
        np.zeros((len(nodes), *part.value_shape)),
    )


def given_parts(space: Any, side: str, condition: Dirichlet) -> list[tuple[int | None, Any, str]]:
    """What a condition gives: components (None for all), values, and words for messages."""
    value, name = condition.value, f"value on '{side}'"
    if condition.component is not None:
        return [(condition.component, value, name)]
    several = bool(space.value_shape) and isinstance(value, list | tuple)
    if not several or len(value) != space.value_size or _all_numbers(value):  # type: ignore[arg-type]
        return [(None, value, name)]
    parts = enumerate(value)  # type: ignore[arg-type, var-annotated]
    return [
        (index, part, f"component {index} of {name}") for index, part in parts if part is not None
    ]
