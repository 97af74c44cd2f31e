"""The U-Net: convolutions on grids of halved size, and skip connections between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from neural.models.fields import (
    Coordinates,
    check_choice,
    check_fields,
    space_dimension,
    with_coordinates,
)
from neural.models.spectral_convolution import positive_integer

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_LINEAR = ("linear", "bilinear", "trilinear")
_NORMALIZATIONS = ("batch", "group", "none")
_GROUPS = 8


class UNet(nn.Module):
    r"""U-Net on uniform grids in 1D, 2D or 3D.

    A pointwise affine map lifts input and coordinates to C channels. On the way down,
    scale s = 1 ... S gives a field :math:`x_s` by two convolutions of 3 points an axis
    (each followed by normalisation and activation) after a maximum over blocks of 2 points
    an axis, with C, 2C, 4C, ... channels and as many at the last scale as at the one before.
    On the way up, the field is interpolated (multi-)linearly to twice the points, end
    points kept, joined to :math:`x_s`, and passed through two convolutions whose middle has
    half the channels of their input. Three pointwise maps, a GELU before the last, give the
    output.

    The blocks of other methods are put in at every scale by `at_scale` of :meth:`forward`:
    with :math:`x_s` replaced by :math:`S_s(x_s)` this is the frame of a latent spectral
    model, so that the two differ in those blocks only.

    Convolutions see neighbours of the grid, not of the domain: a U-Net belongs to the
    resolution that it was trained at.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    width
        C.
    num_scales
        S; the coarsest grid has 2^(S - 1) times fewer points an axis.
    dimension
        Number of space axes.
    normalization
        ``"batch"``, ``"group"`` (of up to 8 groups of channels), or ``"none"``.
    activation
        ``"relu"`` or ``"gelu"``.
    projection_width
        Channels before the last map.
    append_coordinates, coordinates
        As in :class:`neural.models.fno.FNO`.
    patch
        The lifted field is padded with zeros at the upper end of each axis until the coarsest
        grid has a multiple of this many points (one number, or one an axis); what is added
        is cut off at the end. So grids of any size are allowed.

    Attributes
    ----------
    channels : tuple of int
        Channels of the fields x_1 ... x_S.

    Raises
    ------
    InputError
        If a size is not a positive integer, an option is unknown, or (when applied) the
        input has other channels or another dimension, or (in training) batch normalisation
        has a single value of a channel.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox (2015), U-Net: convolutional networks for biomedical
    image segmentation, MICCAI, doi:10.1007/978-3-319-24574-4_28.

    H. Wu, T. Hu, H. Luo, J. Wang, M. Long (2023), Solving high-dimensional PDEs with latent
    spectral models, ICML, doi:10.48550/arXiv.2301.12664.

    Examples
    --------
    >>> model = UNet(1, 1, width=8)
    >>> model.channels
    (8, 16, 32, 64, 64)
    >>> model(torch.ones(2, 1, 43, 44)).shape
    torch.Size([2, 1, 43, 44])
    """

    resolution_invariant = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        num_scales: int = 5,
        dimension: int = 2,
        normalization: Literal["batch", "group", "none"] = "batch",
        activation: Literal["relu", "gelu"] = "relu",
        projection_width: int = 128,
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
        patch: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        width = positive_integer("width", width)
        num_scales = positive_integer("num_scales", num_scales)
        self.dimension = space_dimension(dimension)
        projection_width = positive_integer("projection_width", projection_width)
        check_choice("normalization", normalization, _NORMALIZATIONS)
        check_choice("activation", activation, _ACTIVATIONS)
        check_choice("coordinates", coordinates)
        self.append_coordinates = append_coordinates
        self.coordinates = coordinates
        self.patch = _patch_sizes(patch, self.dimension)
        self.channels = tuple(
            width * 2 ** max(0, min(scale, num_scales - 2)) for scale in range(num_scales)
        )
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "width": width,
            "num_scales": num_scales,
            "dimension": self.dimension,
            "normalization": normalization,
            "activation": activation,
            "projection_width": projection_width,
            "append_coordinates": append_coordinates,
            "coordinates": coordinates,
            "patch": list(self.patch),
        }

        def double(inner: int, middle: int, outer: int) -> nn.Sequential:
            return _double_convolution(
                (inner, middle, outer), self.dimension, normalization, _ACTIVATIONS[activation]
            )

        sizes = self.channels
        self.lift = nn.Linear(
            self.in_channels + (self.dimension if append_coordinates else 0), width
        )
        self.pool = _POOLS[self.dimension - 1](2)
        self.down = nn.ModuleList(
            double(sizes[max(scale - 1, 0)], sizes[scale], sizes[scale])
            for scale in range(num_scales)
        )
        self.up = nn.ModuleList(
            double(2 * sizes[scale], sizes[scale], sizes[max(scale - 1, 0)])
            for scale in range(num_scales - 2, -1, -1)
        )
        self.mix = CONVOLUTIONS[self.dimension - 1](width, width, 1)
        self.hidden = nn.Linear(width, projection_width)
        self.output = nn.Linear(projection_width, self.out_channels)

    def forward(
        self, inputs: Tensor, at_scale: Sequence[Callable[[Tensor], Tensor]] = ()
    ) -> Tensor:
        """Apply the network.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, *space)``.
        at_scale
            One map a scale, finest first, applied to the field that passes on to the way up:
            ``(batch, channels[s], *space_s)`` to the same shape, where the points along
            axis i of every space_s are a multiple of ``patch[i]``. The way down goes on from
            the field before the map.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space)``.
        """
        check_fields(inputs, self.in_channels, self.dimension)
        if at_scale and len(at_scale) != len(self.channels):
            raise InputError(
                f"at_scale has {len(at_scale)} maps, this network {len(self.channels)} scales"
            )
        space = inputs.shape[2:]
        values = with_coordinates(inputs, self.coordinates if self.append_coordinates else None)
        values = self._pad(self.lift(values).movedim(-1, 1), space)
        values = self.mix(self._stages(values, at_scale))
        for axis, size in enumerate(space):
            values = values.narrow(axis + 2, 0, size)
        values = self.hidden(values.movedim(1, -1))
        result: Tensor = self.output(functional.gelu(values)).movedim(-1, 1)
        return result

    def _stages(self, values: Tensor, at_scale: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        """Down and up again, ``(batch, width, *space)`` to the same shape."""
        coarsest = [size >> (len(self.channels) - 1) for size in values.shape[2:]]
        batch_norm = self.options["normalization"] == "batch"
        if self.training and batch_norm and len(values) * math.prod(coarsest) == 1:
            raise InputError(
                "one sample whose coarsest grid is one point cannot be normalised over the batch: "
                "give two samples or more, fewer num_scales, or normalization='group'"
            )
        skips = []
        for scale, convolution in enumerate(self.down):
            values = convolution(self.pool(values) if scale else values)
            skips.append(at_scale[scale](values) if at_scale else values)
        values = skips.pop()
        for convolution in self.up:
            skip = skips.pop()
            fine = functional.interpolate(
                values, skip.shape[2:], mode=_LINEAR[self.dimension - 1], align_corners=True
            )
            values = convolution(torch.cat([skip, fine], 1))
        return values

    def _pad(self, values: Tensor, space: Sequence[int]) -> Tensor:
        factor = 2 ** (len(self.channels) - 1)
        extra = [-size % (factor * patch) for size, patch in zip(space, self.patch, strict=True)]
        if not any(extra):
            return values
        return functional.pad(values, [n for e in reversed(extra) for n in (0, e)])


def _double_convolution(
    channels: tuple[int, int, int],
    dimension: int,
    normalization: str,
    activation: type[nn.Module],
) -> nn.Sequential:
    """Two convolutions of three points an axis, each normalised and activated."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(channels):
        bias = normalization == "none"  # a norm would take it out again
        layers.append(CONVOLUTIONS[dimension - 1](inner, outer, 3, padding=1, bias=bias))
        if normalization == "batch":
            layers.append(_BATCH_NORMS[dimension - 1](outer))
        elif normalization == "group":
            layers.append(nn.GroupNorm(math.gcd(_GROUPS, outer), outer))
        layers.append(activation())
    return nn.Sequential(*layers)


def _patch_sizes(patch: int | Sequence[int], dimension: int) -> tuple[int, ...]:
    given = (patch,) * dimension if isinstance(patch, int) else tuple(patch)
    if len(given) != dimension:
        raise InputError(f"patch={patch!r} must be one number or {dimension}, one an axis")
    return tuple(positive_integer(f"patch[{axis}]", size) for axis, size in enumerate(given))
