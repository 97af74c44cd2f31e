"""Values of Lagrange functions at the points of a grid, by one sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_meshes import NamedMesh
from pdesolve.fem._firedrake_state import FemState


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
        # of the function 0: what it gives in holes
        rest = state.sample(grid)
        unknown = [name for name in outputs if name not in rest.names]
        if unknown:
            raise InputError(
                f"the answer has no channel '{unknown[0]}'. {suggest(unknown[0], rest.names)}"
            )
        self.grid = grid
        self._rows = [rest.names.index(name) for name in outputs]
        self._rest = rest.values
        self._size = int(space.value_size)
        self._matrix = _interpolation_matrix(named.evaluators[grid, "at"], space)

    def values(self, coefficients: FloatArray) -> FloatArray:
        """Values ``(channel, *grid.shape)`` of a function with these coefficients, flat."""
        found = self._matrix @ coefficients.reshape(-1, self._size)
        values: FloatArray = found.T.reshape(-1, *self.grid.shape) + self._rest
        return values[self._rows]


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
