"""A model together with the mesh, or the kind of point clouds, that it is trained on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh
from neural.models.mesh_graph import check_edges, mesh_edges, nearest_neighbor_edges
from neural.models.neighbor_edges import NeighborEdges
from neural.models.spectral_convolution import positive_integer


class OnMesh(nn.Module):
    """Gives a model of points the coordinates and edges, so that it is called with fields alone.

    On one mesh, coordinates and edges are buffers: they are in the checkpoint and move with
    the model. Where every sample has points of its own, these are the first channels of
    the inputs (in any affine scaling), and edges are those of common cells or lead to the
    nearest points, which are searched once for each set of points.

    Parameters
    ----------
    in_channels, out_channels
        Channels of the data, coordinates and mask included.
    model
        Name and options of a registered model of points, such as ``{"name": "transolver",
        "projection": "linear"}``; channels and dimension are filled in. It sees scaled
        points, so that options in the unit of the points have no place here.
    mesh
        A file of :func:`neural.training.mesh_files.write_mesh_samples`, such as the training
        data. Points, cells and the arguments that follow are taken from it.
    dimension
        Number of coordinates.
    num_points, num_edges
        Sizes of the buffers; 0 for none.
    moving
        Whether every sample has points of its own.
    masked
        Whether the last input channel says with a positive value that a point counts, and
        with another that it fills up a smaller cloud.
    num_neighbors
        Edges a point where there are no cells.

    Attributes
    ----------
    points : Tensor, shape (num_points, d)
        Shifted and scaled, all axes alike, so that the longest side is 1.
    edges : Tensor, shape (2, num_edges)
        Senders and receivers.
    options
        Plain values without the file: with them an equal model is made whose buffers a
        checkpoint fills.

    Raises
    ------
    InputError
        If the model does not take points, or (when applied) the fields are on others.

    Examples
    --------
    >>> mesh = UnstructuredMesh([[0.0, 0], [2, 0], [2, 2], [0, 2]], [[0, 1, 2], [0, 2, 3]])
    >>> model = OnMesh.from_mesh(
    ...     1, 1, {"name": "message-passing", "width": 8, "num_layers": 2}, mesh)
    >>> model(torch.ones(5, 1, 4)).shape
    torch.Size([5, 1, 4])
    >>> model.points[2], model.options["num_edges"]
    (tensor([1., 1.]), 10)
    """

    takes_grids = False
    resolution_invariant = False
    points: Tensor
    edges: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        model: dict[str, Any],
        mesh: str | None = None,
        dimension: int = 2,
        num_points: int = 0,
        num_edges: int = 0,
        moving: bool = False,
        masked: bool = False,
        num_neighbors: int = 6,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self._neighbors = NeighborEdges(num_neighbors)
        places, links = torch.zeros(num_points, dimension), torch.zeros(2, num_edges).long()
        if mesh is not None:
            moving, masked, places, links = _from_file(mesh, num_neighbors)
            dimension = places.shape[1]
        elif num_points == 0 and not moving:
            raise InputError(
                "there are no points: give mesh, the path of a file of write_mesh_samples, or "
                "make the model with OnMesh.from_mesh"
            )
        self.dimension = positive_integer("dimension", dimension)
        self.moving, self.masked = bool(moving), bool(masked)
        self.register_buffer("points", places)
        self.register_buffer("edges", links)
        self.model = _inner(
            model, self.in_channels - int(masked), self.out_channels, self.dimension
        )
        accepted = inspect.signature(self.model.forward).parameters
        self._takes_edges, self._takes_mask = "edges" in accepted, "mask" in accepted
        if self.masked and not self._takes_mask:
            raise InputError(
                f"samples have different numbers of points, which '{model['name']}' cannot mask; "
                "use 'transolver', or write files with equally many points"
            )
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "model": dict(model),
            "mesh": None,
            "dimension": self.dimension,
            "num_points": len(self.points),
            "num_edges": self.edges.shape[1],
            "moving": self.moving,
            "masked": self.masked,
            "num_neighbors": self._neighbors.num_neighbors,
        }

    @classmethod
    def from_mesh(
        cls, in_channels: int, out_channels: int, model: dict[str, Any], mesh: UnstructuredMesh
    ) -> OnMesh:
        """A model on the vertices of a mesh, with the edges of its cells."""
        edges = mesh_edges(mesh)
        made = cls(
            in_channels,
            out_channels,
            model,
            dimension=mesh.dimension,
            num_points=mesh.num_points,
            num_edges=edges.shape[1],
        )
        made.points = _scaled(torch.as_tensor(mesh.points.copy()))
        made.edges = edges
        return made

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the model.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, num_points)``.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, num_points)``.
        """
        if inputs.ndim != 3 or inputs.shape[1] != self.in_channels:
            raise InputError(
                f"input of shape {tuple(inputs.shape)} does not fit this model: it takes "
                f"(batch, {self.in_channels}, num_points)"
            )
        if not self.moving and inputs.shape[2] != len(self.points):
            raise InputError(
                f"fields on {inputs.shape[2]} points do not fit this model: its mesh has "
                f"{len(self.points)}"
            )
        given: dict[str, Tensor] = {"points": self.points}
        if self.masked:
            given["mask"] = (inputs[:, -1] > 0).to(inputs.dtype)
            inputs = inputs[:, :-1]
        if self.moving:
            given["points"] = inputs[:, : self.dimension].transpose(1, 2)
        if self._takes_edges:
            joined = self.edges.shape[1] > 0
            given["edges"] = self.edges if joined else self._neighbors(given["points"])
        result: Tensor = self.model(inputs, **given)
        return result


def _from_file(path: str, num_neighbors: int) -> tuple[bool, bool, Tensor, Tensor]:
    """Whether points move and are masked; points (none if they move) and edges of a file."""
    from neural.training.mesh_files import MeshFileReader

    reader = MeshFileReader(Path(path))
    info, edges = reader.info, torch.zeros(2, 0, dtype=torch.int64)
    points = reader.points[0] if info.moving else reader.points
    if reader.cells is not None:
        mesh = UnstructuredMesh(points, reader.cells, reader.cell_type)  # type: ignore[arg-type]
        edges = mesh_edges(mesh)
    elif not info.moving:
        edges = nearest_neighbor_edges(points, min(num_neighbors, len(points) - 1))
    check_edges(edges, len(points))
    places = torch.zeros(0, info.dimension) if info.moving else _scaled(torch.as_tensor(points))
    return info.moving, info.masked, places, edges


def _scaled(points: Tensor) -> Tensor:
    low, high = points.amin(0), points.amax(0)
    return ((points - low) / (high - low).max()).to(torch.get_default_dtype())


def _inner(
    given: Mapping[str, Any], in_channels: int, out_channels: int, dimension: int
) -> nn.Module:
    from neural.models.registry import build_model, get_model

    if not isinstance(given, Mapping) or "name" not in given:
        raise InputError(f"model={given!r} needs a 'name', such as 'transolver'")
    kind = get_model(given["name"])
    if "points" not in inspect.signature(kind.forward).parameters:
        raise InputError(
            f"'{given['name']}' takes no points; take a model of points, such as 'transolver' or "
            "'message-passing'"
        )
    options = {key: value for key, value in given.items() if key != "name"}
    for key in ("lower", "upper"):
        if options.get(key) is not None:
            raise InputError(
                f"model: {{{key}: {options[key]}}} is in the unit of the points, which 'on-mesh' "
                "scales; leave it out"
            )
    known = inspect.signature(kind).parameters
    filled = {"dimension": dimension} if "dimension" in known else {}
    channels = {"in_channels": in_channels, "out_channels": out_channels}
    return build_model(given["name"], {**filled, **channels, **options})
