"""Values on a mesh: the one type that packages exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError, suggest
from meshes.interpolation import interpolate_on_cells, interpolate_on_grid
from meshes.structured import FloatArray, Location, StructuredGrid
from meshes.unstructured import UnstructuredMesh

Mesh = StructuredGrid | UnstructuredMesh


@dataclass(frozen=True, eq=False)
class Field:
    """Named channels of real values on a mesh.

    Parameters
    ----------
    mesh
        Where the values live.
    values
        Shape ``(channel, *shape)`` on a :class:`StructuredGrid`, ``(channel,
        num_points)`` or ``(channel, num_cells)`` on an :class:`UnstructuredMesh`.
        A single scalar channel may leave out the first axis.
    names
        One name a channel.
    location
        ``"cell"`` or ``"vertex"``. A structured grid has it already.

    Raises
    ------
    InputError
        If the shape does not fit the mesh, a value is complex or not finite, or names
        repeat or do not match the channels.

    Notes
    -----
    In parallel a field is the part of the process that holds it.

    Examples
    --------
    >>> grid = StructuredGrid((2, 2))
    >>> field = Field(grid, [[1.0, 2.0], [3.0, 4.0]], names=("u",))
    >>> field.values.shape
    (1, 2, 2)
    >>> float(field.evaluate([[0.5, 0.5]])[0, 0])
    2.5
    """

    mesh: Mesh
    values: FloatArray
    names: tuple[str, ...] = ("u",)
    location: Location | None = None

    def __post_init__(self) -> None:
        location = self.location or (
            self.mesh.location if isinstance(self.mesh, StructuredGrid) else "vertex"
        )
        if isinstance(self.mesh, StructuredGrid):
            if location != self.mesh.location:
                raise InputError(
                    f"location={location!r} differs from the grid's {self.mesh.location!r}; make "
                    "the field on a grid of that location"
                )
            space: tuple[int, ...] = self.mesh.shape
        elif isinstance(self.mesh, UnstructuredMesh):
            if location not in ("cell", "vertex"):
                raise InputError(f"location={location!r} must be 'cell' or 'vertex'")
            space = (self.mesh.num_points if location == "vertex" else self.mesh.num_cells,)
        else:
            raise InputError(
                f"mesh is a {type(self.mesh).__name__}; a field lives on a StructuredGrid or an "
                "UnstructuredMesh"
            )
        raw = np.asarray(self.values)
        if np.iscomplexobj(raw):
            raise InputError("a field holds real values; give real and imaginary part as channels")
        values = np.ascontiguousarray(raw, dtype=np.float64)
        if values.shape == space:
            values = values[None]
        if values.shape[1:] != space:
            raise InputError(
                f"values of shape {values.shape} do not fit the mesh: expected (channel, "
                f"{', '.join(str(size) for size in space)}) for {location} values"
            )
        if values.shape[0] == 0:
            raise InputError("a field needs at least one channel")
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        if len(names) != values.shape[0] or len(set(names)) != len(names):
            raise InputError(
                f"names={names} must hold {values.shape[0]} different names, one a channel"
            )
        if not np.isfinite(values).all():
            where = tuple(int(index) for index in np.argwhere(~np.isfinite(values))[0])
            raise InputError(
                f"field '{names[where[0]]}' is not finite: {values[where]} at index {where[1:]}"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "location", location)

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return int(self.values.shape[0])

    def __getitem__(self, name: str) -> FloatArray:
        """Values of one channel, without the channel axis."""
        if name not in self.names:
            raise InputError(f"no channel '{name}'. {suggest(name, self.names)}")
        channel: FloatArray = self.values[self.names.index(name)]
        return channel

    def evaluate(
        self, points: npt.ArrayLike, *, method: Literal["linear", "nearest"] = "linear"
    ) -> FloatArray:
        """Interpolate at points.

        Parameters
        ----------
        points
            Shape ``(n, dimension)``.
        method
            ``"linear"``: multilinear between grid values (linear extrapolation within
            half a cell of the boundary of a cell grid), or linear on simplices;
            ``"nearest"``: the value of the nearest grid value, or the containing cell.

        Returns
        -------
        ndarray
            Shape ``(channel, n)``.

        Raises
        ------
        InputError
            If a point lies outside the mesh.
        """
        where = np.atleast_2d(np.asarray(points, dtype=np.float64))
        if where.shape[1:] != (self.mesh.dimension,):
            raise InputError(
                f"points of shape {where.shape} must have shape (n, {self.mesh.dimension})"
            )
        if isinstance(self.mesh, StructuredGrid):
            return interpolate_on_grid(self.mesh, self.values, where, method)
        cellwise = self.location == "cell" or method == "nearest"
        return interpolate_on_cells(
            self.mesh, self.values, where, cellwise=cellwise, at_vertices=self.location == "vertex"
        )

    def resample(self, mesh: Mesh, *, method: Literal["linear", "nearest"] = "linear") -> Field:
        """The field on another mesh of the same domain, by :meth:`evaluate`."""
        if isinstance(mesh, StructuredGrid):
            if mesh == self.mesh:
                return self
            points = mesh.points().reshape(mesh.dimension, -1).T
            values = self.evaluate(points, method=method)
            return Field(mesh, values.reshape(-1, *mesh.shape), self.names)
        values = self.evaluate(mesh.points, method=method)
        return Field(mesh, values, self.names, "vertex")

    def norm(self) -> float:
        """Discrete L2 norm, sqrt(∫ Σ_c u_c²) with the mesh's quadrature."""
        if isinstance(self.mesh, StructuredGrid):
            weights = self.mesh.quadrature_weights()
        else:
            weights = self.mesh.quadrature_weights(self.location or "vertex")
        return float(np.sqrt(np.sum(weights * np.sum(self.values**2, axis=0))))

    def select(self, names: Sequence[str]) -> Field:
        """The named channels, in the order given."""
        return Field(
            self.mesh, np.stack([self[name] for name in names]), tuple(names), self.location
        )
