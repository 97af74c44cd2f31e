"""Transolver: a transformer over learned slices of the domain, on grids and on points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.fields import (
    Coordinates,
    check_choice,
    check_fields,
    grid_coordinates,
    space_dimension,
)
from neural.models.physics_attention import PhysicsAttention, Projection
from neural.models.point_fields import check_points
from neural.models.spectral_convolution import positive_integer


class Transolver(nn.Module):
    r"""Transformer for fields on grids of any size, and on points.

    Each layer sorts the points softly into a few slices, lets the slices' means attend to
    each other, and writes the result back (:class:`PhysicsAttention`):

    .. math::
        \tilde v = v_l + A_l(\mathrm{norm}(v_l)), \qquad
        v_{l+1} = \tilde v + M_l(\mathrm{norm}(\tilde v))

    with layer normalisation and pointwise networks M of one hidden layer. The cost is
    linear in the number of points.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    dimension
        Number of coordinates, 1 to 3.
    width
        Channels of the hidden fields.
    num_layers
        Number of layers.
    num_heads
        Heads of each layer; divides `width`.
    num_slices
        Slices a head.
    hidden_ratio
        Width of the hidden layer of M over `width`.
    projection
        ``"convolution"``: keys and values come from convolutions with 3 values along each
        axis, for grids only and tied to their spacing. ``"linear"``: from pointwise maps,
        for grids and points; the model then does not depend on the order of the points.
    append_coordinates
        Whether coordinates are extra input channels.
    coordinates
        Where the values of a grid sit, as in :class:`neural.models.fno.FNO`.
    num_references
        With n > 0, the coordinates are joined by the distances to the n^d points of a
        uniform grid over the unit box.
    local_temperature
        Whether each point learns how sharply it is sorted.

    Attributes
    ----------
    options
        The arguments as plain values, from which an equal model can be made.
    resolution_invariant
        Whether the model may be applied at another resolution than the trained one: true
        of the linear projection.

    Raises
    ------
    InputError
        If a size is not positive, an option is unknown, or (when applied) the input, the
        points or the mask do not fit.

    Notes
    -----
    The published models have 8 layers, 8 heads, width 128 (256 for Navier–Stokes) and 64
    slices (32); the defaults here are for a processor.

    References
    ----------
    H. Wu, H. Luo, H. Wang, J. Wang, M. Long (2024), Transolver: a fast transformer solver
    for PDEs on general geometries, ICML, doi:10.48550/arXiv.2402.02366.

    Examples
    --------
    >>> model = Transolver(1, 1, width=32, num_layers=2)
    >>> model(torch.ones(2, 1, 21, 16)).shape
    torch.Size([2, 1, 21, 16])
    >>> model = Transolver(1, 1, width=32, num_layers=2, projection="linear")
    >>> model(torch.ones(2, 1, 100), points=torch.rand(100, 2)).shape
    torch.Size([2, 1, 100])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dimension: int = 2,
        width: int = 64,
        num_layers: int = 4,
        num_heads: int = 4,
        num_slices: int = 32,
        hidden_ratio: int = 2,
        projection: Projection = "convolution",
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
        num_references: int = 0,
        local_temperature: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.dimension = space_dimension(dimension)
        width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        num_heads = positive_integer("num_heads", num_heads)
        num_slices = positive_integer("num_slices", num_slices)
        hidden_ratio = positive_integer("hidden_ratio", hidden_ratio)
        check_choice("coordinates", coordinates)
        if type(num_references) is not int or not 0 <= num_references <= 64:
            raise InputError(
                f"num_references={num_references!r} must be an integer between 0 and 64"
            )
        if num_references and not append_coordinates:
            raise InputError("num_references needs append_coordinates=True, or must be 0")
        self.append_coordinates = append_coordinates
        self.coordinates = coordinates
        self.num_references = num_references
        self.projection = projection
        self.resolution_invariant = projection == "linear"
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "dimension": self.dimension,
            "width": width,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "num_slices": num_slices,
            "hidden_ratio": hidden_ratio,
            "projection": projection,
            "append_coordinates": append_coordinates,
            "coordinates": coordinates,
            "num_references": num_references,
            "local_temperature": local_temperature,
        }
        extra = self.dimension + num_references**self.dimension if num_references else dimension
        lifted = self.in_channels + (extra if append_coordinates else 0)
        self.lift = nn.Sequential(
            nn.Linear(lifted, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(num_layers))
        self.attentions = nn.ModuleList(
            PhysicsAttention(
                width, num_heads, num_slices, projection, self.dimension, local_temperature
            )
            for _ in range(num_layers)
        )
        self.pointwise = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, hidden_ratio * width),
                nn.GELU(),
                nn.Linear(hidden_ratio * width, width),
            )
            for _ in range(num_layers)
        )
        self.output = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.out_channels))

    def forward(
        self, inputs: Tensor, points: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Apply the model.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, *space)``; with `points`, ``(batch, in_channels,
            num_points)``.
        points
            Coordinates, shape ``(num_points, d)`` or ``(batch, num_points, d)``, of size
            about one.
        mask
            1 where a point counts, 0 where it fills up a smaller cloud, shape ``(batch,
            num_points)``. Outputs at the latter mean nothing.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space)`` or ``(batch, out_channels, num_points)``.
        """
        if points is None:
            check_fields(inputs, self.in_channels, self.dimension)
            if mask is not None:
                raise InputError("a mask is for point clouds; give the points as well")
            places = grid_coordinates(inputs.shape[2:], self.coordinates, inputs)
        else:
            if self.projection != "linear":
                raise InputError(
                    "projection='convolution' is for grids; make the model with "
                    "projection='linear' to apply it on points"
                )
            places = check_points(inputs, points, self.in_channels, self.dimension, mask)
            if mask is not None:  # whatever stands there, nan included
                inputs = inputs.masked_fill((mask == 0).unsqueeze(1), 0.0)
        values = inputs.movedim(1, -1)
        if self.append_coordinates:
            features = self._features(places)
            values = torch.cat([values, features.expand(*values.shape[:-1], -1)], -1)
        values = self.lift(values)
        for norm, attention, pointwise in zip(
            self.attention_norms, self.attentions, self.pointwise, strict=True
        ):
            values = values + attention(norm(values), mask)
            values = values + pointwise(values)
        result: Tensor = self.output(values).movedim(-1, 1)
        return result

    def _features(self, places: Tensor) -> Tensor:
        """Coordinates and, if asked for, distances to reference points."""
        if not self.num_references:
            return places
        axes = (self.num_references,) * self.dimension
        references = grid_coordinates(axes, "vertex", places).flatten(0, -2)
        distances = (places[..., None, :] - references).norm(dim=-1)
        return torch.cat([places, distances], -1)
