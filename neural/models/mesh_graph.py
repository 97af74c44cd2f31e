"""Edges between the points of meshes, clouds and grids, for message passing."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from meshes.cells import SHAPES
from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh

PADDING = -1
"""The number that stands for no point in edges of clouds with different numbers of edges."""


def mesh_edges(mesh: UnstructuredMesh) -> Tensor:
    """The edges of a mesh's cells, each in both directions.

    Parameters
    ----------
    mesh
        A mesh of any cell type. Diagonals of quadrilaterals and hexahedra are no edges.

    Returns
    -------
    Tensor
        Shape ``(2, num_edges)``, int64: row 0 holds senders, row 1 receivers, sorted by
        receiver, then sender.

    Examples
    --------
    >>> mesh = UnstructuredMesh([[0.0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]])
    >>> mesh_edges(mesh)[:, :3]
    tensor([[1, 2, 3],
            [0, 0, 0]])
    >>> mesh_edges(mesh).shape  # five edges
    torch.Size([2, 10])
    """
    corners = SHAPES[mesh.cell_type].corners
    pairs = [(vertex, other) for vertex, others in enumerate(corners) for other in others]
    cells = np.asarray(mesh.cells)
    rows = np.concatenate([cells[:, pair] for pair in pairs])
    return _sorted(np.concatenate([rows, rows[:, ::-1]]))


def nearest_neighbor_edges(points: npt.ArrayLike, num_neighbors: int) -> Tensor:
    """Edges that bring each point the messages of its nearest points.

    Parameters
    ----------
    points
        Coordinates, shape ``(num_points, d)``.
    num_neighbors
        Senders a receiver, less than the number of points.

    Returns
    -------
    Tensor
        Shape ``(2, num_points · num_neighbors)``; see :func:`mesh_edges`. Not symmetric in
        general: a point may be near to one that has nearer ones.

    Raises
    ------
    InputError
        If coordinates are not finite, two points coincide, or there are too few points.

    Examples
    --------
    >>> nearest_neighbor_edges([[0.0], [1.0], [3.0]], 1)
    tensor([[1, 0, 1],
            [0, 1, 2]])
    """
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or not np.isfinite(places).all():
        raise InputError(
            f"points of shape {places.shape} must have shape (num_points, d) and be finite"
        )
    if not 1 <= num_neighbors < len(places):
        raise InputError(
            f"num_neighbors={num_neighbors} must lie between 1 and {len(places) - 1}, one less "
            f"than the number of points"
        )
    answer = cKDTree(places).query(places, k=num_neighbors + 1)
    distances, found = np.asarray(answer[0]), np.asarray(answer[1])
    if (distances[:, 1] == 0).any():
        raise InputError(
            f"point {int(np.argmin(distances[:, 1]))} coincides with another; leave out points "
            "that are given twice"
        )
    # the nearest is the point itself, as no two coincide
    receivers = np.repeat(np.arange(len(places)), num_neighbors)
    return _sorted(np.stack([found[:, 1:].ravel(), receivers], 1))


def grid_edges(
    space: Sequence[int],
    *,
    diagonal: bool = False,
    periodic: Sequence[bool] | bool = False,
    strides: Sequence[int] = (1,),
) -> Tensor:
    """Edges between the points of a grid that lie `strides` steps apart along an axis.

    Parameters
    ----------
    space
        Points along each axis; points are numbered with the last axis fastest.
    diagonal
        Join also points that are apart along several axes.
    periodic
        Which axes wrap.
    strides
        Distances in steps. Strides that reach beyond an axis give no edges along it.

    Returns
    -------
    Tensor
        Shape ``(2, num_edges)``; see :func:`mesh_edges`.

    Raises
    ------
    InputError
        If a size or stride is not positive, or `periodic` does not fit `space`.

    Examples
    --------
    >>> grid_edges((3,))
    tensor([[1, 0, 2, 1],
            [0, 1, 1, 2]])
    >>> grid_edges((4, 4), diagonal=True, periodic=True).shape  # eight neighbours each
    torch.Size([2, 128])
    """
    wraps = (periodic,) * len(space) if isinstance(periodic, bool) else tuple(periodic)
    if not space or any(size < 1 for size in space) or len(wraps) != len(space):
        raise InputError(
            f"space={tuple(space)} must hold positive sizes, and periodic={periodic!r} one truth "
            "value an axis"
        )
    if not strides or any(stride < 1 for stride in strides):
        raise InputError(f"strides={tuple(strides)} must hold positive numbers, such as (1, 4)")
    return _grid_edges(tuple(space), diagonal, wraps, tuple(strides))


def check_edges(edges: Tensor, num_points: int) -> None:
    """Refuse edges that are not pairs of different points.

    Parameters
    ----------
    edges
        Shape ``(2, num_edges)`` or ``(batch, 2, num_edges)``; -1 fills up shorter lists of
        the second.
    num_points
        Number of points.

    Raises
    ------
    InputError
        If the shape or type is another, a number is out of range, or an edge is a loop.

    Examples
    --------
    >>> check_edges(torch.tensor([[0, 1], [1, 0]]), 2)
    """
    if edges.ndim not in (2, 3) or edges.shape[-2] != 2 or edges.dtype != torch.int64:
        raise InputError(
            f"edges of shape {tuple(edges.shape)} and type {edges.dtype} must be int64 of shape "
            "(2, num_edges) or (batch, 2, num_edges)"
        )
    lowest = PADDING if edges.ndim == 3 else 0
    if edges.numel() and not (lowest <= int(edges.min()) and int(edges.max()) < num_points):
        raise InputError(
            f"edges join points {int(edges.min())} to {int(edges.max())}, but points are numbered "
            f"from 0 to {num_points - 1}"
        )
    loops = (edges.select(-2, 0) == edges.select(-2, 1)) & (edges.select(-2, 0) != PADDING)
    if bool(loops.any()):
        raise InputError("an edge joins a point with itself; leave out such loops")


@functools.lru_cache(maxsize=32)
def _grid_edges(
    space: tuple[int, ...], diagonal: bool, periodic: tuple[bool, ...], strides: tuple[int, ...]
) -> Tensor:
    numbers = np.arange(math.prod(space)).reshape(space)
    places = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"), -1)
    sizes, found = np.array(space), [np.zeros((0, 2), dtype=np.int64)]
    for stride, step in itertools.product(
        strides, itertools.product((-1, 0, 1), repeat=len(space))
    ):
        if not any(step) or (not diagonal and np.count_nonzero(step) > 1):
            continue
        if any(s and stride >= size for s, size in zip(step, space, strict=True)):
            continue
        others = places + stride * np.array(step)
        inside = (((others >= 0) & (others < sizes)) | np.array(periodic)).all(-1)
        senders = numbers[tuple(np.moveaxis(others % sizes, -1, 0))]
        found.append(np.stack([senders[inside], numbers[inside]], 1))
    return _sorted(np.concatenate(found))


def _sorted(pairs: npt.NDArray[np.int64]) -> Tensor:
    """Pairs (sender, receiver), each once, without loops, sorted by receiver."""
    unique = np.unique(pairs[pairs[:, 0] != pairs[:, 1]][:, ::-1], axis=0)
    # tensors made under inference_mode could not be used in a later training step
    with torch.inference_mode(False):
        return torch.as_tensor(np.ascontiguousarray(unique[:, ::-1].T).astype(np.int64))
