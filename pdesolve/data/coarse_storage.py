"""Samples that are solved on more points than are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.data.samples import BY_NUMBER, SampleRecord, SampleTask, Schedule, Strategy

BY_MODES = "Fourier modes that the storage grid resolves"
BY_CELLS = "means over the cells in each cell of the storage grid"
BY_POINTS = "values at the points of the storage grid"
STORAGES = ("projection", "points")


class CoarseStorage:
    """A strategy on a fine grid whose records are on the storage grid.

    Inputs and outputs alike are projected: Fourier modes below half the number of stored
    points are kept, or cells are averaged. Picking points instead folds high modes onto
    low ones, and a stored coefficient then does not determine the stored solution; published
    data sets are often made so.

    Parameters
    ----------
    inner
        Solves on the fine grid.
    solved, stored
        The grids, of one box.
    backend
        ``"spectral"`` keeps modes, ``"grid"`` averages cells.
    storage
        ``"projection"``, or ``"points"``: values at those points of the fine grid that are
        points of the storage grid.

    Raises
    ------
    InputError
        If the backend has no such projection, or the grids do not fit.
    """

    def __init__(
        self,
        inner: Strategy,
        solved: StructuredGrid,
        stored: StructuredGrid,
        backend: str,
        storage: str = "projection",
    ) -> None:
        check_storage(solved, stored, backend, storage)
        self.inner, self.solved, self.stored = inner, solved, stored
        self.by_points = storage == "points"
        self.by_modes = backend == "spectral" and not self.by_points
        places = np.ix_(*shared_points(solved, stored)) if self.by_points else ()
        self._places: tuple[Any, ...] = (Ellipsis, *places)
        self.schedule: Schedule = getattr(inner, "schedule", BY_NUMBER)
        self.extra_inputs: tuple[str, ...] = tuple(getattr(inner, "extra_inputs", ()))
        self.extra_units: Mapping[str, str] = getattr(inner, "extra_units", {})
        self._matrices = _mode_matrices(solved, stored) if self.by_modes else []

    def describe(self) -> Mapping[str, Any]:
        """What the inner strategy says, where it solves, and how its fields are stored."""
        return {
            **self.inner.describe(),
            "solved_on": list(self.solved.shape),
            "stored_as": BY_POINTS if self.by_points else (BY_MODES if self.by_modes else BY_CELLS),
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Records of the inner strategy, projected."""
        for found in self.inner.solve(tasks):
            yield replace(
                found, inputs=self.project(found.inputs), outputs=self.project(found.outputs)
            )

    def project(self, values: FloatArray) -> FloatArray:
        """Fields ``(..., *solved.shape)`` on the storage grid."""
        if self.by_points:
            return np.ascontiguousarray(values[self._places])
        if not self.by_modes:
            return cell_means(values, self.stored.shape)
        leading = values.ndim - self.solved.dimension
        for axis, matrix in enumerate(self._matrices):
            values = np.moveaxis(
                np.tensordot(values, matrix, axes=(leading + axis, 1)), -1, leading + axis
            )
        return np.ascontiguousarray(values)

    def close(self) -> None:
        """Close the inner strategy."""
        self.inner.close()


def check_storage(
    solved: StructuredGrid, stored: StructuredGrid, backend: str, storage: str = "projection"
) -> None:
    """Whether fields on one grid can be stored on another one.

    Raises
    ------
    InputError
        If they cannot.

    Examples
    --------
    >>> check_storage(StructuredGrid((8,)), StructuredGrid((4,)), "grid")
    """
    if storage not in STORAGES:
        raise InputError(f"storage={storage!r} must be one of {', '.join(STORAGES)}")
    if backend not in ("spectral", "grid"):
        raise InputError(
            f"solve_shape is for the backends 'spectral' and 'grid'; with '{backend}' give a "
            "finer mesh or a higher degree"
        )
    for fine, coarse in zip(solved.shape, stored.shape, strict=True):
        if fine < coarse:
            raise InputError(
                f"solve_shape={solved.shape} is coarser than the storage grid {stored.shape}; it "
                "must be finer, or as fine"
            )
        if backend == "grid" and storage == "projection" and fine % coarse:
            raise InputError(
                f"solve_shape={solved.shape} is no multiple of the storage grid {stored.shape}; "
                f"cells are averaged, so that {coarse} cells want a multiple of {coarse}"
            )
    if storage == "points":
        shared_points(solved, stored)
    elif backend == "grid" and "vertex" in (solved.location, stored.location):
        raise InputError("solve_shape is for values in cells; this problem has them at vertices")


def shared_points(solved: StructuredGrid, stored: StructuredGrid) -> list[NDArray[np.intp]]:
    """For each axis, which points of the fine grid are those of the storage grid.

    Raises
    ------
    InputError
        If some are not.

    Examples
    --------
    >>> shared_points(StructuredGrid((9,)), StructuredGrid((3,)))
    [array([1, 4, 7])]
    """
    found = []
    for fine, coarse, spacing in zip(solved.axes(), stored.axes(), solved.spacing, strict=True):
        places = np.rint((coarse - fine[0]) / spacing).astype(np.intp)
        if np.abs(fine[places.clip(0, len(fine) - 1)] - coarse).max() > 1e-6 * spacing:
            raise InputError(
                f"solve_shape={solved.shape} does not have the points of the storage grid "
                f"{stored.shape}, which storage='points' picks; "
                + (
                    f"the middles of {len(coarse)} cells are among those of 3, 5, 7, ... times as "
                    "many"
                    if solved.location == "cell"
                    else "give a whole multiple of the intervals"
                )
            )
        found.append(places)
    return found


def cell_means(values: FloatArray, shape: Sequence[int]) -> FloatArray:
    """Means over blocks of cells, so that ``(..., *fine)`` becomes ``(..., *shape)``.

    Examples
    --------
    >>> cell_means(np.array([1.0, 3.0, 5.0, 7.0]), (2,))
    array([2., 6.])
    """
    leading = values.ndim - len(shape)
    split = [
        part
        for size, fine in zip(shape, values.shape[leading:], strict=True)
        for part in (size, fine // size)
    ]
    blocks = values.reshape(*values.shape[:leading], *split)
    means: FloatArray = blocks.mean(axis=tuple(range(leading + 1, blocks.ndim, 2)))
    return means


def _mode_matrices(solved: StructuredGrid, stored: StructuredGrid) -> list[FloatArray]:
    """For each axis the projection to modes |k| < m/2, evaluated at the m stored points."""
    found = []
    for fine, coarse, period in zip(solved.axes(), stored.axes(), solved.extent, strict=True):
        highest = len(fine) // 2 if len(fine) == len(coarse) else (len(coarse) - 1) // 2
        phase = 2 * np.pi / period * (coarse[:, None] - fine[None, :])
        weights = np.full(highest + 1, 2.0)
        weights[0] = 1.0
        if 2 * highest == len(fine):
            weights[-1] = 1.0
        matrix = sum(weight * np.cos(k * phase) for k, weight in enumerate(weights)) / len(fine)
        found.append(np.asarray(matrix))
    return found
