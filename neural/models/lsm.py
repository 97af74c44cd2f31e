"""Latent spectral models on uniform grids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from neural.models.fields import Coordinates
from neural.models.latent_spectral_block import LatentSpectralBlock
from neural.models.spectral_convolution import positive_integer
from neural.models.unet import UNet


class LatentSpectralModel(UNet):
    r"""U-Net whose fields pass through latent tokens at every scale.

    It is :class:`neural.models.unet.UNet` with a
    :class:`~neural.models.latent_spectral_block.LatentSpectralBlock` on every skip connection
    and at the coarsest scale. Patches have the same number of points at all scales, so that a
    patch covers more and more of the domain; at the coarsest scale it is all of it, unless
    `patch` says otherwise.

    With padding to :math:`2^{S-1} p` points an axis every scale divides into patches of p.
    The default, :math:`p = \lceil n / 2^{S-1} \rceil` for n points, adds as few points as
    that allows, and gives the patches and paddings of the publication on each of its grids
    (41² 3 and 7; 64² 4 and 0; 85² 6 and 11; 129² 9 and 15; 221 × 51 (14, 4) and (3, 13)).
    A grid just above a multiple of 2^(S - 1) is padded most.

    Patches and convolutions belong to the grid: the model is for the resolution that it was
    trained at.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    width
        Channels C of the finest scale; a multiple of `num_heads`.
    patch
        Points of a patch along each axis (one number, or one an axis); from the grid when
        left out.
    num_tokens, num_bases, num_heads
        Of the blocks.
    num_scales, dimension, normalization, activation, projection_width
        As in :class:`neural.models.unet.UNet`.
    append_coordinates, coordinates
        As in :class:`neural.models.fno.FNO`. The publication has ``"vertex"``.

    Attributes
    ----------
    blocks : ModuleList
        One a scale, finest first.

    Raises
    ------
    InputError
        If a size is not a positive integer, an option is unknown, the heads do not divide the
        channels, or (when applied) the input has other channels or another dimension.

    References
    ----------
    H. Wu, T. Hu, H. Luo, J. Wang, M. Long (2023), Solving high-dimensional PDEs with latent
    spectral models, ICML, doi:10.48550/arXiv.2301.12664.

    Examples
    --------
    >>> import torch
    >>> model = LatentSpectralModel(1, 1, width=8)
    >>> model.patch_of((43, 48)), model.padding_of((43, 48))
    ((3, 3), (5, 0))
    >>> model(torch.ones(2, 1, 43, 48)).shape
    torch.Size([2, 1, 43, 48])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 32,
        patch: int | Sequence[int] | None = None,
        num_tokens: int = 4,
        num_bases: int = 12,
        num_heads: int = 8,
        num_scales: int = 5,
        dimension: int = 2,
        normalization: Literal["batch", "group", "none"] = "batch",
        activation: Literal["relu", "gelu"] = "relu",
        projection_width: int = 128,
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            width=width,
            num_scales=num_scales,
            dimension=dimension,
            normalization=normalization,
            activation=activation,
            projection_width=projection_width,
            append_coordinates=append_coordinates,
            coordinates=coordinates,
            patch=1 if patch is None else patch,
        )
        self.patch_from_grid = patch is None
        self.options |= {
            "patch": None if patch is None else list(self.patch),
            "num_tokens": positive_integer("num_tokens", num_tokens),
            "num_bases": positive_integer("num_bases", num_bases),
            "num_heads": positive_integer("num_heads", num_heads),
        }
        self.blocks = nn.ModuleList(
            LatentSpectralBlock(channels, num_tokens, num_bases, num_heads)
            for channels in self.channels
        )

    @property
    def refinement(self) -> int:
        """Points of the finest grid for one of the coarsest, along an axis."""
        return 1 << (len(self.channels) - 1)

    def patch_of(self, space: Sequence[int]) -> tuple[int, ...]:
        """Points of a patch along each axis of a grid."""
        if not self.patch_from_grid:
            return self.patch
        return tuple(-(-size // self.refinement) for size in space)

    def padding_of(self, space: Sequence[int]) -> tuple[int, ...]:
        """Points that are added at the upper end of each axis of a grid."""
        pairs = zip(space, self.patch_of(space), strict=True)
        return tuple(-size % (self.refinement * patch) for size, patch in pairs)

    def on_grid(self, values: Tensor) -> Tensor:
        """The network between the pointwise maps, ``(batch, width, *space)`` to the same."""
        space = values.shape[2:]
        values = self.mix(self._stages(self._pad(values, space), ()))
        for axis, size in enumerate(space):
            values = values.narrow(axis + 2, 0, size)
        return values

    def _stages(self, values: Tensor, at_scale: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
        coarsest = tuple(size // self.refinement for size in values.shape[2:])
        patch = coarsest if self.patch_from_grid else self.patch
        return super()._stages(
            values, at_scale or [partial(block, patch=patch) for block in self.blocks]
        )

    def _pad(self, values: Tensor, space: Sequence[int]) -> Tensor:
        extra = self.padding_of(space)
        return functional.pad(values, [n for e in reversed(extra) for n in (0, e)])
