"""A latent spectral model on scattered points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from neural.models.fields import Coordinates, check_choice, check_fields, grid_coordinates
from neural.models.lsm import LatentSpectralModel
from neural.models.point_fields import check_points
from neural.models.point_transform import (
    CoordinateMap,
    ModeWeights,
    check_resolved,
    grid_modes,
    modes_at_points,
    modes_on_grid,
    point_modes,
)
from neural.models.spectral_convolution import mode_counts


class PointLatentSpectralModel(nn.Module):
    r"""Latent spectral model on the points of a mesh or a cloud, in 2D or 3D.

    Points x are carried by a learned map ξ(x) into a periodic box. A few Fourier modes of
    the lifted values at the points, each multiplied by its own matrix, make a field on a
    uniform latent grid; the layers of :class:`neural.models.lsm.LatentSpectralModel` act on
    it; Fourier modes of the result, again with matrices of their own, are evaluated at the
    points:

    .. math::
        v = P [a, x], \quad
        w = \mathcal F^{-1} R\, \mathcal F_\xi v + B \eta, \quad
        u = Q(\mathcal F_\xi^{-1} R'\, \mathcal F\, \mathrm{LSM}(w) + W v)

    with η the coordinates of the latent grid. The order of points has no influence, their
    number may differ from sample to sample, and a mask lets clouds of different size share a
    batch. Points that are denser in one place count more there, as the transform is a mean
    over points.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    width
        Channels C; a multiple of `num_heads`.
    modes
        Modes m per axis that pass between points and grid. The length is the dimension.
    grid
        Points of the latent grid along each axis, at least 2 m.
    lower, upper
        Opposite corners of the box that holds all domains, in the unit of the points, given
        together. When left out, each sample's own points are scaled to the unit box.
    padding
        The periodic box is longer by this part of the domain's box, so that values at
        opposite sides need not agree.
    patch, num_tokens, num_bases, num_heads, num_scales, normalization, activation
        As in :class:`neural.models.lsm.LatentSpectralModel`, on the latent grid.
    projection_width
        Channels before the last map.
    append_coordinates
        Whether x, scaled to the unit box, is part of the input.
    coordinates
        Where points of a uniform grid lie, if the model is applied without points, see
        :class:`neural.models.fno.FNO`.

    Attributes
    ----------
    options
        The arguments as plain values, from which an equal model can be made.

    Raises
    ------
    InputError
        If a size is not a positive integer, an option is unknown, the box is empty, the
        latent grid does not resolve the modes, or (when applied) the input, points or mask do
        not fit or points lie outside the box.

    Notes
    -----
    The publication adds B' x in place of W v; v holds x, so that W v can be the same. It has no
    padding, modes 12, a grid of 96² and width 32 for the elasticity problem of its tables.

    References
    ----------
    H. Wu, T. Hu, H. Luo, J. Wang, M. Long (2023), Solving high-dimensional PDEs with latent
    spectral models, ICML, doi:10.48550/arXiv.2301.12664.

    Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
    deformations for PDEs on general geometries, Journal of Machine Learning Research 24,
    doi:10.48550/arXiv.2207.05209.

    Examples
    --------
    >>> model = PointLatentSpectralModel(1, 1, width=8, modes=(4, 4), grid=(16, 16))
    >>> model(torch.ones(2, 1, 50), points=torch.rand(50, 2)).shape
    torch.Size([2, 1, 50])
    """

    resolution_invariant = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        modes: Sequence[int] = (12, 12),
        grid: Sequence[int] = (96, 96),
        lower: Sequence[float] | None = None,
        upper: Sequence[float] | None = None,
        padding: float = 0.1,
        patch: int | Sequence[int] | None = None,
        num_tokens: int = 4,
        num_bases: int = 12,
        num_heads: int = 8,
        num_scales: int = 5,
        normalization: Literal["batch", "group", "none"] = "batch",
        activation: Literal["relu", "gelu"] = "relu",
        projection_width: int = 128,
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
    ) -> None:
        super().__init__()
        self.modes = mode_counts(modes)
        self.dimension = len(self.modes)
        self.grid = mode_counts(grid)
        check_resolved(self.grid, self.modes)
        self.box = _box(lower, upper, self.dimension)
        if not 0 <= padding <= 1:
            raise InputError(f"padding={padding!r} must lie between 0 and 1")
        check_choice("coordinates", coordinates)
        self.padding = float(padding)
        self.append_coordinates = append_coordinates
        self.coordinates = coordinates
        # its pointwise maps are applied to points, its convolutions on the latent grid
        self.network = LatentSpectralModel(
            in_channels,
            out_channels,
            width=width,
            patch=patch,
            num_tokens=num_tokens,
            num_bases=num_bases,
            num_heads=num_heads,
            num_scales=num_scales,
            dimension=self.dimension,
            normalization=normalization,
            activation=activation,
            projection_width=projection_width,
            append_coordinates=append_coordinates,
        )
        self.in_channels, self.out_channels = self.network.in_channels, self.network.out_channels
        self.map = CoordinateMap(self.dimension)
        self.to_grid = ModeWeights(width, width, self.modes)
        self.grid_coordinates = nn.Linear(self.dimension, width)
        self.to_points = ModeWeights(width, width, self.modes)
        self.pointwise = nn.Linear(width, width)
        self.options: dict[str, Any] = {
            **self.network.options,
            "modes": list(self.modes),
            "grid": list(self.grid),
            "lower": list(self.box[0]) if self.box else None,
            "upper": list(self.box[1]) if self.box else None,
            "padding": self.padding,
            "coordinates": coordinates,
        }
        del self.options["dimension"]

    def forward(
        self, inputs: Tensor, points: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Apply the model.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, num_points)``; without `points`, on a uniform grid of
            the box, ``(batch, in_channels, *space)``.
        points
            Coordinates in the box, shape ``(num_points, d)`` or ``(batch, num_points, d)``.
        mask
            1 where a point counts, 0 where it fills up a smaller cloud, shape ``(batch,
            num_points)``. Outputs at the latter mean nothing.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, num_points)`` or ``(batch, out_channels, *space)``.
        """
        if points is None:
            check_fields(inputs, self.in_channels, self.dimension)
            if mask is not None:
                raise InputError("a mask is for point clouds; give the points as well")
            places = grid_coordinates(inputs.shape[2:], self.coordinates, inputs).flatten(0, -2)
        else:
            places = check_points(inputs, points, self.in_channels, self.dimension, mask)
            if mask is not None:  # whatever stands there, nan included
                inputs = inputs.masked_fill((mask == 0).unsqueeze(1), 0.0)
            places = self._scaled(places, mask)
        values = inputs.flatten(2).transpose(1, 2)
        if self.append_coordinates:
            values = torch.cat([values, places.expand(*values.shape[:2], -1)], -1)
        lifted = self.network.lift(values)
        positions = self.map(places) / (1 + self.padding)
        field = self._to_grid(lifted, positions, mask).movedim(-1, 1)
        field = self.network.on_grid(field).movedim(1, -1)
        joined = self._to_points(field, positions).to(lifted.dtype) + self.pointwise(lifted)
        result: Tensor = self.network.output(functional.gelu(self.network.hidden(joined)))
        return result.transpose(1, 2).reshape(-1, self.out_channels, *inputs.shape[2:])

    def _to_grid(self, values: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        with torch.autocast(values.device.type, enabled=False):
            # half precision loses the small modes
            dtype = self.to_grid.weight.dtype
            found = point_modes(values.to(dtype), positions.to(dtype), self.modes, mask)
            field = modes_on_grid(self.to_grid(found), self.grid, self.modes)
            steps = [torch.arange(n, dtype=dtype, device=field.device) / n for n in self.grid]
            places = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1)
            result: Tensor = field + self.grid_coordinates(places)
            return result

    def _to_points(self, field: Tensor, positions: Tensor) -> Tensor:
        with torch.autocast(field.device.type, enabled=False):
            dtype = self.to_points.weight.dtype
            found = self.to_points(grid_modes(field.to(dtype), self.modes))
            return modes_at_points(found, positions.to(dtype), self.modes)

    def _scaled(self, points: Tensor, mask: Tensor | None) -> Tensor:
        """Coordinates with the box scaled to the unit box; masked points in its middle."""
        counts = torch.ones_like(points[..., 0], dtype=torch.bool)
        if mask is not None:
            counts = counts & (mask != 0)
        inside = counts.unsqueeze(-1)
        if self.box:
            lower, upper = points.new_tensor(self.box[0]), points.new_tensor(self.box[1])
        else:
            infinite = points.new_tensor(float("inf"))
            lower = torch.where(inside, points, infinite).amin(-2, keepdim=True)
            upper = torch.where(inside, points, -infinite).amax(-2, keepdim=True)
        sides = (upper - lower).clamp_min(torch.finfo(points.dtype).tiny)
        scaled = (points - lower) / sides
        wrong = ((scaled < -1e-3) | (scaled > 1 + 1e-3) | ~scaled.isfinite()).any(-1) & counts
        if bool(wrong.any()):
            raise InputError(
                f"{int(wrong.sum())} points are not finite or lie outside the box {self.box}; make "
                "the model with the lower and upper corners of a box that holds all points"
            )
        return torch.where(inside, scaled, 0.5)


def _box(
    lower: Sequence[float] | None, upper: Sequence[float] | None, dimension: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if lower is None and upper is None:
        return None
    low, high = (tuple(float(value) for value in given or ()) for given in (lower, upper))
    if len(low) != dimension or len(high) != dimension:
        raise InputError(
            f"lower={lower} and upper={upper} must hold {dimension} numbers each, or both be left "
            "out"
        )
    if not all(a < b and abs(a) + abs(b) < float("inf") for a, b in zip(low, high, strict=True)):
        raise InputError(f"the box from {low} to {high} must be finite, lower below upper")
    return low, high
