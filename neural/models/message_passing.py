"""Encode, pass messages along edges, decode: a graph network for meshes and grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.fields import (
    ACTIVATIONS,
    Coordinates,
    check_choice,
    check_fields,
    grid_coordinates,
    space_dimension,
)
from neural.models.mesh_graph import PADDING, check_edges, grid_edges
from neural.models.point_fields import check_points
from neural.models.spectral_convolution import positive_integer

_AGGREGATIONS = ("mean", "sum")
_BLOCK = 2**21  # numbers in the messages of one block of samples


class MessageLayer(nn.Module):
    r"""One exchange of messages, then an update of every point.

    .. math::
        m_i = \bigoplus_{j \to i} \bigl(W \sigma(A h_i + B h_j + C e_{ij})\bigr), \qquad
        h_i \leftarrow h_i + \mathrm{norm}\bigl(N([h_i, m_i])\bigr)

    with the mean or the sum over the senders j of point i, and a network N of one hidden
    layer. As W is linear it is applied once a point, after the sum, and so is its bias.

    Parameters
    ----------
    width
        Channels of a point.
    edge_width
        Channels of e.
    aggregation
        ``"mean"`` or ``"sum"``.
    activation
        σ, ``"gelu"`` or ``"relu"``.

    Examples
    --------
    >>> layer = MessageLayer(8, 3, "mean", "gelu")
    >>> edges, nodes = torch.tensor([[1, 0], [0, 1]]), torch.ones(4, 2, 8)
    >>> layer(nodes, edges, torch.ones(4, 2, 3), torch.ones(2)).shape
    torch.Size([4, 2, 8])
    """

    def __init__(
        self,
        width: int,
        edge_width: int,
        aggregation: Literal["mean", "sum"],
        activation: Literal["gelu", "relu"],
    ) -> None:
        super().__init__()
        self.aggregation = aggregation
        self.activation = activation
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(edge_width, width, bias=False)
        self.message = nn.Linear(width, width)
        self.hidden = nn.Linear(2 * width, width)
        self.update = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: Tensor, edges: Tensor, features: Tensor, degree: Tensor) -> Tensor:
        """New values of the points.

        Parameters
        ----------
        nodes
            Shape ``(batch, num_points, width)``.
        edges
            Shape ``(2, num_edges)``, senders and receivers.
        features
            e, shape ``(batch or 1, num_edges, edge_width)``.
        degree
            Messages that each point receives, shape ``(num_points,)``.

        Returns
        -------
        Tensor
            Of the shape of `nodes`.
        """
        activate = ACTIVATIONS[self.activation]
        sent = self.sender(nodes).index_select(1, edges[0])
        received = self.receiver(nodes).index_select(1, edges[1])
        messages = activate(sent + received + self.edge(features))
        total = torch.zeros_like(nodes, dtype=messages.dtype).index_add(1, edges[1], messages)
        if self.aggregation == "mean":
            total = total / degree.clamp_min(1).to(total.dtype)[:, None]
        update = self.update(activate(self.hidden(torch.cat([nodes, self.message(total)], -1))))
        result: Tensor = nodes + self.norm(update)
        return result


class MessagePassingNetwork(nn.Module):
    """Graph network that sends messages along the edges of a mesh, or between grid points.

    Points hold the inputs and, unless switched off, their coordinates. An edge knows the
    difference of its ends' coordinates, their distance and the difference of their
    inputs. After `num_layers` exchanges a point has heard of all points that so many
    edges reach, and of no others: `strides` adds long edges on grids.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    dimension
        Number of coordinates, 1 to 3.
    width
        Channels of the hidden values.
    num_layers
        Number of exchanges.
    activation
        ``"gelu"`` or ``"relu"``.
    aggregation
        How a point joins its messages: ``"mean"`` or ``"sum"``.
    append_coordinates
        Whether coordinates are extra input channels. Without them the result does not
        change when all points are translated.
    coordinates
        Where the values of a grid sit, as in :class:`neural.models.fno.FNO`.
    length
        Unit of the differences of coordinates; the mean length of the graph's edges when
        left out.
    strides
        On grids: points so many steps apart along an axis are joined. Strides beyond the
        grid are left out.
    diagonal
        On grids: join points that are apart along several axes, too.
    periodic
        On grids: the axes that wrap, one truth value or one an axis.

    Attributes
    ----------
    options
        The arguments as plain values, from which an equal model can be made.
    resolution_invariant
        False: how far a message travels depends on the distance of the points.

    Raises
    ------
    InputError
        If a size is not positive, an option is unknown, or (when applied) the input,
        points or edges do not fit.

    Notes
    -----
    Messages are added in the order of the edges: on a processor two runs give the same
    numbers. On a GPU that needs ``trainer.deterministic: true``.

    References
    ----------
    J. Gilmer, S. S. Schoenholz, P. F. Riley, O. Vinyals, G. E. Dahl (2017), Neural message
    passing for quantum chemistry, ICML, doi:10.48550/arXiv.1704.01212.

    T. Pfaff, M. Fortunato, A. Sanchez-Gonzalez, P. W. Battaglia (2021), Learning mesh-based
    simulation with graph networks, ICLR, doi:10.48550/arXiv.2010.03409.

    J. Brandstetter, D. E. Worrall, M. Welling (2022), Message passing neural PDE solvers,
    ICLR, doi:10.48550/arXiv.2202.03376.

    Examples
    --------
    >>> model = MessagePassingNetwork(1, 1, width=8, num_layers=2)
    >>> model(torch.ones(2, 1, 9, 8)).shape
    torch.Size([2, 1, 9, 8])
    >>> edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    >>> model(torch.ones(2, 1, 3), points=torch.rand(3, 2), edges=edges).shape
    torch.Size([2, 1, 3])
    """

    resolution_invariant = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimension: int = 2,
        width: int = 32,
        num_layers: int = 6,
        activation: Literal["gelu", "relu"] = "gelu",
        aggregation: Literal["mean", "sum"] = "mean",
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
        length: float | None = None,
        strides: Sequence[int] = (1, 4, 16),
        diagonal: bool = False,
        periodic: bool | Sequence[bool] = False,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.dimension = space_dimension(dimension)
        self.width = width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("aggregation", aggregation, _AGGREGATIONS)
        check_choice("coordinates", coordinates)
        if length is not None and not 0 < length < float("inf"):
            raise InputError(f"length={length!r} must be a positive number, or be left out")
        self.strides = tuple(positive_integer("strides", stride) for stride in strides)
        if not self.strides:
            raise InputError("strides is empty; give at least one, such as [1]")
        wraps = (periodic,) * dimension if isinstance(periodic, bool) else tuple(periodic)
        if len(wraps) != dimension:
            raise InputError(f"periodic={periodic!r} must be one truth value, or {dimension}")
        self.append_coordinates = append_coordinates
        self.coordinates = coordinates
        self.length = length
        self.diagonal = diagonal
        self.periodic = wraps
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "dimension": self.dimension,
            "width": width,
            "num_layers": num_layers,
            "activation": activation,
            "aggregation": aggregation,
            "append_coordinates": append_coordinates,
            "coordinates": coordinates,
            "length": length,
            "strides": list(self.strides),
            "diagonal": diagonal,
            "periodic": list(wraps),
        }
        lifted = self.in_channels + (self.dimension if append_coordinates else 0)
        self.lift = nn.Sequential(nn.Linear(lifted, width), nn.GELU(), nn.Linear(width, width))
        edge_width = self.dimension + 1 + self.in_channels
        self.layers = nn.ModuleList(
            MessageLayer(width, edge_width, aggregation, activation) for _ in range(num_layers)
        )
        self.output = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, self.out_channels)
        )

    def forward(
        self, inputs: Tensor, points: Tensor | None = None, edges: Tensor | None = None
    ) -> Tensor:
        """Apply the network.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, *space)``; with `points`, ``(batch, in_channels,
            num_points)``.
        points
            Coordinates, shape ``(num_points, d)`` or ``(batch, num_points, d)``.
        edges
            Needed with points: senders and receivers, shape ``(2, num_edges)`` for all
            samples, or ``(batch, 2, num_edges)`` where -1 fills up shorter lists; see
            :mod:`neural.models.mesh_graph`.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space)`` or ``(batch, out_channels, num_points)``.
        """
        if points is None:
            check_fields(inputs, self.in_channels, self.dimension)
            if edges is not None:
                raise InputError("edges are for points; give the points as well")
            return self._on_grid(inputs)
        places = check_points(inputs, points, self.in_channels, self.dimension)
        if edges is None:
            raise InputError(
                "edges are missing: make them with mesh_edges(mesh) or "
                "nearest_neighbor_edges(points, 6) of neural.models.mesh_graph"
            )
        check_edges(edges, inputs.shape[-1])
        values = inputs.transpose(1, 2)
        if edges.ndim == 2:
            edges = edges.to(inputs.device)
            features = self._edge_features(values, places, edges)
            return self._pass(values, places, edges, features).transpose(1, 2)
        return self._one_graph(values, places, edges.to(inputs.device)).transpose(1, 2)

    def _on_grid(self, inputs: Tensor) -> Tensor:
        space = inputs.shape[2:]
        edges = grid_edges(
            space, diagonal=self.diagonal, periodic=self.periodic, strides=self.strides
        ).to(inputs.device)
        places = grid_coordinates(space, self.coordinates, inputs).flatten(0, -2)
        values = inputs.flatten(2).transpose(1, 2)
        features = self._edge_features(values, self._around(places, space), edges, wrap=True)
        result = self._pass(values, places, edges, features)
        return result.transpose(1, 2).reshape(len(inputs), self.out_channels, *space)

    def _around(self, places: Tensor, space: Sequence[int]) -> Tensor:
        """Coordinates with the last vertex of an axis that wraps one step before the first."""
        if self.coordinates == "cell":
            return places
        pairs = zip(space, self.periodic, strict=True)
        return places * places.new_tensor([1 - wraps / size for size, wraps in pairs])

    def _one_graph(self, values: Tensor, places: Tensor, edges: Tensor) -> Tensor:
        """Samples with edges of their own, as the parts of one large graph."""
        batch, count, _ = values.shape
        if len(edges) != batch:
            raise InputError(f"edges for {len(edges)} samples are given, inputs for {batch}")
        shifted = edges + count * torch.arange(batch, device=edges.device)[:, None, None]
        joined = shifted.transpose(0, 1)[:, (edges != PADDING).all(1)]
        places = places.expand(batch, count, self.dimension).reshape(1, -1, self.dimension)
        values = values.reshape(1, batch * count, -1)
        sample = joined[1] // count
        features = self._edge_features(values, places, joined, sample=sample)
        return self._pass(values, places, joined, features).reshape(batch, count, -1)

    def _pass(self, values: Tensor, places: Tensor, edges: Tensor, features: Tensor) -> Tensor:
        """Outputs ``(batch, num_points, out_channels)`` of inputs with channels last."""
        degree = torch.bincount(edges[1], minlength=values.shape[1])
        if self.append_coordinates:
            values = torch.cat([values, places.expand(*values.shape[:-1], -1)], -1)
        block = len(values)
        if values.device.type == "cpu":
            # Blocks this small are reused by the allocator; larger ones are fetched from the
            # system and cleared for every layer, which takes longer than the arithmetic.
            block = max(1, _BLOCK // (edges.shape[1] * self.width + 1))
        results = []
        for part, known in zip(values.split(block), features.split(block), strict=True):
            nodes = self.lift(part)
            for layer in self.layers:
                nodes = layer(nodes, edges, known, degree)
            results.append(self.output(nodes))
        return torch.cat(results) if len(results) > 1 else results[0]

    def _edge_features(
        self,
        values: Tensor,
        places: Tensor,
        edges: Tensor,
        *,
        wrap: bool = False,
        sample: Tensor | None = None,
    ) -> Tensor:
        """Steps, distances and differences of inputs, ``(batch, num_edges, channels)``.

        `sample` says to which sample each edge belongs where samples are joined to one graph.
        """
        senders, receivers = edges[0], edges[1]
        step = places[..., senders, :] - places[..., receivers, :]
        if wrap and any(self.periodic):  # the short way around
            wraps = torch.tensor(self.periodic, device=step.device)
            # half the way round has two signs: always the same one, whatever the rounding
            step = torch.where(wraps, step - (step + 0.5 + 1e-4).floor(), step)
        distance = step.norm(dim=-1, keepdim=True)
        if self.length is not None:
            unit = distance.new_full((1, 1), self.length)
        elif sample is None:
            unit = distance.mean(-2, keepdim=True)
        else:
            total = distance.new_zeros(int(sample.max()) + 1 if len(sample) else 1)
            total = total.index_add(0, sample, distance[0, :, 0])
            unit = (total / torch.bincount(sample).clamp_min(1))[sample][:, None]
        unit = unit.clamp_min(torch.finfo(distance.dtype).tiny)
        change = values[:, senders] - values[:, receivers]
        geometry = torch.cat([step / unit, distance / unit], -1)
        return torch.cat([geometry.expand(len(change), *geometry.shape[-2:]), change], -1)
