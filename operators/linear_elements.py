"""Mass and stiffness matrices of linear finite elements on meshes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# corners of the unit square and cube in the order of VTK
_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
_CORNERS = {
    "quadrilateral": _SQUARE,
    "hexahedron": np.vstack([np.pad(_SQUARE, ((0, 0), (0, 1)), constant_values=z) for z in (0, 1)]),
}
_SIMPLICES = {"interval": 1, "triangle": 2, "tetrahedron": 3}


def mass_and_stiffness(mesh: UnstructuredMesh) -> tuple[csr_array, csr_array]:
    r"""M and K of continuous elements with one unknown a vertex.

    .. math:: M_{ij} = \int \phi_i \phi_j, \qquad K_{ij} = \int \nabla\phi_i \cdot \nabla\phi_j

    with :math:`\phi_i` linear on intervals, triangles and tetrahedra, and bilinear or
    trilinear on quadrilaterals and hexahedra. The integrals are exact on simplices and on
    cells that are parallelograms; on other cells they are taken by two Gauss points an axis.

    Parameters
    ----------
    mesh
        Any; rows and columns are in the order of its points.

    Returns
    -------
    mass, stiffness
        Symmetric, of shape ``(num_points, num_points)``: uᵀ M u is ∫ u², uᵀ K u is
        ∫ |∇u|². Nothing is done about boundary conditions.

    References
    ----------
    Ern, Guermond (2021), Finite Elements I, doi:10.1007/978-3-030-56341-7.

    Examples
    --------
    >>> mesh = UnstructuredMesh([[0.0], [0.5], [1.0]], [[0, 1], [1, 2]], "interval")
    >>> mass, stiffness = mass_and_stiffness(mesh)
    >>> (6 * mass.toarray()).round(12)
    array([[1. , 0.5, 0. ],
           [0.5, 2. , 0.5],
           [0. , 0.5, 1. ]])
    >>> stiffness.toarray().round(12)
    array([[ 2., -2.,  0.],
           [-2.,  4., -2.],
           [ 0., -2.,  2.]])
    """
    from scipy.sparse import coo_array

    weights, values, slopes = _reference(mesh.cell_type)
    corners = mesh.points[mesh.cells]
    jacobians = np.einsum("ckx,qkr->cqxr", corners, slopes)
    scaled = weights * np.abs(np.linalg.det(jacobians))
    gradients = np.einsum("qkr,cqrx->cqkx", slopes, np.linalg.inv(jacobians))
    parts = (
        np.einsum("cq,qk,ql->ckl", scaled, values, values, optimize=True),
        np.einsum("cq,cqkx,cqlx->ckl", scaled, gradients, gradients, optimize=True),
    )
    size, count = len(mesh.points), mesh.cells.shape[1]
    rows = np.repeat(mesh.cells, count, axis=1).ravel()
    columns = np.tile(mesh.cells, (1, count)).ravel()
    mass, stiffness = (
        coo_array((part.ravel(), (rows, columns)), shape=(size, size)).tocsr() for part in parts
    )
    return mass, stiffness


def _reference(cell_type: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights (q), values (q, k) and slopes (q, k, d) of the shape functions."""
    if cell_type in _SIMPLICES:
        dimension = _SIMPLICES[cell_type]
        # d + 1 points on the lines from the centre to the vertices, exact for squares
        near = 1 / (dimension + 1) + dimension / (dimension + 1) / math.sqrt(dimension + 2)
        values = np.full((dimension + 1, dimension + 1), (1 - near) / dimension)
        np.fill_diagonal(values, near)
        slope = np.vstack([-np.ones(dimension), np.eye(dimension)])
        weights = np.full(dimension + 1, 1 / math.factorial(dimension + 1))
        return weights, values, np.broadcast_to(slope, (dimension + 1, *slope.shape))
    corners = _CORNERS[cell_type]
    dimension = corners.shape[1]
    gauss = 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3)
    points = np.array(list(itertools.product(gauss, repeat=dimension)))
    factors = np.where(corners == 1, points[:, None], 1 - points[:, None])  # (q, k, d)
    signs = np.where(corners == 1, 1.0, -1.0)
    slopes = np.empty_like(factors)
    for axis in range(dimension):
        others = np.delete(factors, axis, axis=2).prod(axis=2)
        slopes[..., axis] = signs[:, axis] * others
    return np.full(len(points), 1 / len(points)), factors.prod(axis=2), slopes
