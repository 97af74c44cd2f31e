"""Attention to a few learned tokens for each patch, with a trigonometric update of the tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from neural.models.spectral_convolution import positive_integer


class LatentSpectralBlock(nn.Module):
    r"""Residual map of a field that acts on each patch through a few latent tokens.

    With x the values at the L points of a patch and, for each head, learned tokens
    :math:`T_0`,

    .. math::
        T_1 &= T_0 + \mathrm{softmax}(T_0 (W_K x)^\top)\, W_V x \\
        T_2 &= T_1 + \sum_{k=0}^{K-1} a_k \sin(\pi k T_1 / K) + b_k \cos(\pi k T_1 / K) \\
        y &= x + \mathrm{softmax}((W_Q x)\, T_2^\top)\, T_2

    The first softmax runs over the points, the second over the tokens, and neither is
    scaled. The series acts on each value by itself; its coefficients belong to the channel
    and are the same for all tokens and patches. The cost grows linearly with the number of
    points. Patches do not see each other.

    Parameters
    ----------
    width
        Channels C; a multiple of `num_heads`.
    num_tokens
        Tokens of each head.
    num_bases
        Frequencies K of the series.
    num_heads
        Groups that the channels are split into.

    Attributes
    ----------
    tokens : Parameter, shape (num_tokens, width)
        :math:`T_0` of all heads, drawn from U[0, 1) / C; channels C/H h ... C/H (h + 1) - 1
        belong to head h of H.
    coefficients : Parameter, shape (width, 2 num_bases)
        The a, then the b, of each channel, drawn from U[0, 1) / C. The first a stands
        before sin 0 and has no effect; it is kept for the published number of parameters.
    key_value, query
        :math:`W_K` and :math:`W_V` in one affine map, and :math:`W_Q`. The bias of the
        keys has no effect either: it adds the same number to all that a softmax compares.

    Raises
    ------
    InputError
        If a number is not a positive integer or the heads do not divide the channels; when
        applied, if the patch does not divide the grid.

    Notes
    -----
    Keys are never formed: :math:`T_0 W_K` has a few rows where :math:`W_K x` has one a point.
    The heads share one matrix product each way, with tokens that are zero outside the
    channels of their head.

    References
    ----------
    H. Wu, T. Hu, H. Luo, J. Wang, M. Long (2023), Solving high-dimensional PDEs with latent
    spectral models, ICML, doi:10.48550/arXiv.2301.12664.

    Examples
    --------
    >>> block = LatentSpectralBlock(16)
    >>> block(torch.ones(2, 16, 12, 6), patch=(4, 3)).shape
    torch.Size([2, 16, 12, 6])
    """

    def __init__(
        self, width: int, num_tokens: int = 4, num_bases: int = 12, num_heads: int = 8
    ) -> None:
        super().__init__()
        self.width = positive_integer("width", width)
        self.num_tokens = positive_integer("num_tokens", num_tokens)
        self.num_bases = positive_integer("num_bases", num_bases)
        self.num_heads = positive_integer("num_heads", num_heads)
        if self.width % self.num_heads:
            raise InputError(
                f"width={width} must be a multiple of num_heads={num_heads}: each head has its "
                "own channels"
            )
        self.tokens = nn.Parameter(torch.rand(num_tokens, width) / width)
        self.coefficients = nn.Parameter(torch.rand(width, 2 * num_bases) / width)
        self.key_value = nn.Linear(width, 2 * width)
        self.query = nn.Linear(width, width)

    def forward(self, values: Tensor, patch: Sequence[int]) -> Tensor:
        """Apply the block.

        Parameters
        ----------
        values
            Shape ``(batch, width, *space)``.
        patch
            Points of a patch along each axis; they divide the grid.

        Returns
        -------
        Tensor
            Shape ``(batch, width, *space)``.
        """
        batch, _, *space = values.shape
        if len(patch) != len(space) or any(
            size % part for size, part in zip(space, patch, strict=True)
        ):
            raise InputError(
                f"patch={tuple(patch)} does not divide a grid of {tuple(space)} points; give one "
                "divisor of its size for each axis, or pad the field"
            )
        points = split_patches(values, patch)
        tokens = self.updated(self.encoded(points))
        return join_patches(points + self.decoded(points, tokens), batch, space, patch)

    def encoded(self, points: Tensor) -> Tensor:
        """Tokens of each patch, ``(patches, num_tokens, width)``.

        Parameters
        ----------
        points
            Shape ``(patches, L, width)``.
        """
        keys, _ = self.key_value.weight.chunk(2)
        weights = functional.softmax(points @ (self._by_head(self.tokens) @ keys).T, 1)
        values = functional.linear(
            points, self.key_value.weight[self.width :], self.key_value.bias[self.width :]
        )
        summed = (weights.transpose(1, 2) @ values).view(
            -1, self.num_tokens, self.num_heads, self.num_heads, self.width // self.num_heads
        )
        own = summed.diagonal(dim1=2, dim2=3).transpose(2, 3)  # each head keeps its channels
        return self.tokens + own.flatten(2)

    def updated(self, tokens: Tensor) -> Tensor:
        """Tokens with the trigonometric series of their values added; shapes as given."""
        angles = tokens * (math.pi / self.num_bases)
        return tokens + _trigonometric_series(self.coefficients.to(tokens.dtype), angles)

    def decoded(self, points: Tensor, tokens: Tensor) -> Tensor:
        """What the tokens of its patch give each point, ``(patches, L, width)``."""
        spread = self._by_head(tokens)
        scores = self.query(points) @ spread.transpose(1, 2)
        weights = functional.softmax(scores.unflatten(-1, (self.num_tokens, self.num_heads)), 2)
        return weights.flatten(2) @ spread

    def _by_head(self, tokens: Tensor) -> Tensor:
        """Each token once a head, zero but for that head's channels: ``(..., T H, width)``."""
        own = torch.eye(self.num_heads, dtype=tokens.dtype, device=tokens.device)
        own = own.repeat_interleave(self.width // self.num_heads, 1)
        return (tokens.unsqueeze(-2) * own).flatten(-3, -2)


def _trigonometric_series(coefficients: Tensor, angles: Tensor) -> Tensor:
    r"""Sum over k of a[c, k] sin(k θ) + b[c, k] cos(k θ) for θ of each channel c.

    Coefficients are ``(channels, 2 K)``, a before b; angles ``(..., channels)``.
    """
    if angles.device.type == "cpu":
        return _by_recurrence(coefficients, angles)
    return _by_terms(coefficients, angles)


def _by_recurrence(coefficients: Tensor, angles: Tensor) -> Tensor:
    """The series by Clenshaw's recurrence.

    One sine and one cosine of θ in place of one for each k, in many small steps: fast where
    arithmetic takes the time.
    """
    sine, cosine = coefficients.T.chunk(2)
    first, twice = angles.cos(), 2 * angles.cos()
    odd = even = odd_before = even_before = torch.zeros_like(angles)
    for k in range(len(sine) - 1, 0, -1):
        odd, odd_before = torch.addcmul(sine[k] - odd_before, twice, odd), odd
        even, even_before = torch.addcmul(cosine[k] - even_before, twice, even), even
    return cosine[0] + first * even - even_before + angles.sin() * odd


def _by_terms(coefficients: Tensor, angles: Tensor) -> Tensor:
    """The series term by term, in few large steps: fast where starting a step takes the time."""
    count = coefficients.shape[1] // 2
    numbers = torch.arange(2 * count, dtype=angles.dtype, device=angles.device)
    turn = (numbers < count).to(angles.dtype) * (-math.pi / 2)  # a sine is a cosine turned
    terms = torch.addcmul(turn, angles[..., None], numbers % count).cos()
    return (terms * coefficients).sum(-1)


def split_patches(values: Tensor, patch: Sequence[int]) -> Tensor:
    """The points of each patch in one row, ``(batch * patches, L, channels)``.

    Parameters
    ----------
    values
        Shape ``(batch, channels, *space)``.
    patch
        Divisors of the sizes.

    Examples
    --------
    >>> split_patches(torch.arange(6.0).view(1, 1, 6), (3,))[:, :, 0]
    tensor([[0., 1., 2.],
            [3., 4., 5.]])
    """
    batch, channels, *space = values.shape
    sizes = [n for size, part in zip(space, patch, strict=True) for n in (size // part, part)]
    first = range(2, 2 + 2 * len(patch), 2)
    order = (0, *first, *(axis + 1 for axis in first), 1)
    rows = values.reshape(batch, channels, *sizes).permute(order)
    return rows.reshape(-1, math.prod(patch), channels)


def join_patches(points: Tensor, batch: int, space: Sequence[int], patch: Sequence[int]) -> Tensor:
    """The field ``(batch, channels, *space)`` that :func:`split_patches` cut.

    Examples
    --------
    >>> field = torch.randn(2, 3, 4, 6)
    >>> torch.equal(join_patches(split_patches(field, (2, 3)), 2, (4, 6), (2, 3)), field)
    True
    """
    counts = [size // part for size, part in zip(space, patch, strict=True)]
    dimension = len(patch)
    order = [0, 2 * dimension + 1]
    for axis in range(dimension):
        order += [1 + axis, 1 + dimension + axis]
    parts = points.view(batch, *counts, *patch, points.shape[-1])
    return parts.permute(order).reshape(batch, points.shape[-1], *space)
