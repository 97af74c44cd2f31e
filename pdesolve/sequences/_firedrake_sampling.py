"""Values of Lagrange functions at the points of a grid, by one sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from meshes.errors import InputError, suggest
from meshes.location_on_axes import locate_on_axes
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_meshes import NamedMesh
from pdesolve.fem._firedrake_state import POINT_TOLERANCE, FemState, channel_names


class GridSampler:
    """u(x_p) = Σ_j φ_j(x_p) u_j at all points x_p of a grid, with the matrix φ_j(x_p) kept.

    The same values as :meth:`pdesolve.fem._firedrake_state.FemState.sample` gives.

    Parameters
    ----------
    named
        Mesh.
    space
        A Lagrange space of scalars or vectors on it.
    form
        Names of the unknown, and the value in holes of the mesh.
    grid
        The points.
    outputs
        Names of the channels that are wanted.

    Raises
    ------
    InputError
        If a point lies outside the mesh, or there is no such channel.
    """

    def __init__(
        self,
        named: NamedMesh,
        space: Any,
        form: LinearForm,
        grid: StructuredGrid,
        outputs: tuple[str, ...],
    ) -> None:
        state = FemState(
            firedrake.Function(space),
            form.names,
            form.main,
            evaluators=named.evaluators,
            outputs=form.outputs,
            hole_value=form.hole_value,
        )
        straight = _linear_on_straight_simplices(space)
        if straight:
            names = [name for name, f in state.shown.items() for name in channel_names(name, f)]
        else:  # of the function 0: what it gives in holes
            rest = state.sample(grid)
            names = list(rest.names)
        unknown = [name for name in outputs if name not in names]
        if unknown:
            raise InputError(
                f"the answer has no channel '{unknown[0]}'. {suggest(unknown[0], names)}"
            )
        self.grid = grid
        self._rows = [names.index(name) for name in outputs]
        self._size = int(space.value_size)
        if straight:
            self._matrix, inside = _linear_interpolation(space, grid)
            gaps = np.where(inside, 0.0, np.nan)[:, None].repeat(self._size, axis=1)
            points = grid.points().reshape(grid.dimension, -1).T
            self._rest = state.with_holes(gaps, points).T.reshape(-1, *grid.shape)
        else:
            self._rest = rest.values
            self._matrix = _interpolation_matrix(named.evaluators[grid, "at"], space)

    def values(self, coefficients: FloatArray) -> FloatArray:
        """Values ``(channel, *grid.shape)`` of a function with these coefficients, flat."""
        found = self._matrix @ coefficients.reshape(-1, self._size)
        values: FloatArray = found.T.reshape(-1, *self.grid.shape) + self._rest
        return values[self._rows]


def _linear_on_straight_simplices(space: Any) -> bool:
    """Whether functions are linear on triangles or tetrahedra with straight edges."""
    mesh, element = space.mesh(), space.ufl_element()
    if not (mesh.ufl_cell().is_simplex and element in ufl.H1 and element.degree() == 1):
        return False
    flat = mesh.geometric_dimension == mesh.topological_dimension
    return bool(flat and mesh.coordinates.function_space().ufl_element().degree() == 1)


def _linear_interpolation(space: Any, grid: StructuredGrid) -> tuple[Any, Any]:
    """φ_j(x_p) at the grid's points, and which of them lie in the mesh."""
    coordinates = space.mesh().coordinates
    where = coordinates.function_space().cell_node_list
    corners = coordinates.dat.data_ro.reshape(-1, grid.dimension)[where]
    cells, weights = locate_on_axes(corners, grid.axes(), POINT_TOLERANCE)
    inside = cells >= 0
    columns = space.cell_node_list[cells[inside]]
    rows = np.repeat(np.flatnonzero(inside), columns.shape[1])
    shape = grid.num_points, space.node_set.size
    entries = weights[inside].ravel(), (rows, columns.ravel())
    return sparse.csr_matrix(entries, shape=shape), inside


def _interpolation_matrix(evaluator: Any, space: Any) -> Any:
    """φ_j(x_p) in the order of the evaluator's points; zeros for points outside the mesh."""
    element = space.ufl_element()
    scalar = space
    if space.value_shape:
        scalar = firedrake.FunctionSpace(space.mesh(), element.sub_elements[0])
    points = evaluator.vom
    inside = firedrake.FunctionSpace(points, "DG", 0)
    basis = firedrake.interpolate(firedrake.TrialFunction(scalar), inside)
    matrix = firedrake.assemble(basis, mat_type="aij").petscmat
    starts, columns, values = matrix.getValuesCSR()
    by_cell = sparse.csr_matrix((values, columns, starts), shape=matrix.getSize())
    numbers = firedrake.Function(inside)
    numbers.dat.data_with_halos[...] = np.arange(len(numbers.dat.data_with_halos))
    order = firedrake.Function(firedrake.FunctionSpace(points.input_ordering, "DG", 0))
    order.assign(np.nan)
    order.interpolate(numbers)
    rows = np.asarray(order.dat.data_ro)
    found = np.flatnonzero(np.isfinite(rows))
    place = sparse.csr_matrix(
        (np.ones(len(found)), (found, rows[found].astype(np.int64))),
        shape=(len(rows), by_cell.shape[0]),
    )
    return sparse.csr_matrix(place @ by_cell)
