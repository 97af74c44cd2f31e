"""Spectral convolutions with fewer weights: low-rank ones, and sums over single axes."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.fields import check_choice
from neural.models.spectral_convolution import (
    SpectralConvolution,
    _along,
    _bases,
    mix_modes,
    mode_counts,
    positive_integer,
)

Factorization = Literal["dense", "axes", "tucker", "cp"]
Rank = float | Sequence[int]
FACTORIZATIONS = ("dense", "axes", "tucker", "cp")
DEFAULT_RANK = 0.1


def make_convolution(
    in_channels: int,
    out_channels: int,
    modes: Sequence[int],
    factorization: Factorization = "dense",
    rank: Rank | None = None,
) -> nn.Module:
    """A spectral convolution of the kind asked for.

    Parameters
    ----------
    in_channels, out_channels, modes
        As in :class:`neural.models.spectral_convolution.SpectralConvolution`.
    factorization
        ``"dense"``: a matrix a mode; ``"axes"``: :class:`AxisConvolution`; ``"tucker"``:
        :class:`TuckerConvolution`; ``"cp"``: :class:`CPConvolution`.
    rank
        Of ``"tucker"`` and ``"cp"``, 0.1 when left out; the others have none.

    Raises
    ------
    InputError
        If the kind is unknown, or a rank is given that is not possible or has no meaning.

    Examples
    --------
    >>> layer = make_convolution(2, 3, (4, 4), "cp", rank=5)
    >>> layer(torch.ones(5, 9, 10, 2)).shape
    torch.Size([5, 9, 10, 3])
    """
    check_choice("factorization", factorization, FACTORIZATIONS)
    if factorization in ("dense", "axes"):
        if rank is not None:
            raise InputError(
                f"rank={rank!r} has no meaning with factorization='{factorization}'; leave it out"
            )
        kind = SpectralConvolution if factorization == "dense" else AxisConvolution
        return kind(in_channels, out_channels, modes)
    chosen = DEFAULT_RANK if rank is None else rank
    if factorization == "cp":
        return CPConvolution(in_channels, out_channels, modes, chosen)
    return TuckerConvolution(in_channels, out_channels, modes, chosen)


class TuckerConvolution(SpectralConvolution):
    r"""Spectral convolution whose weights are a small core times one matrix an index.

    .. math:: R_{k_1 \ldots k_d\, i\, o} = \sum_{r_1 \ldots r_d\, p\, q} G_{r_1 \ldots r_d\, p\, q}
        U^{(1)}_{k_1 r_1} \cdots U^{(d)}_{k_d r_d}\, A_{i p}\, B_{o q}

    with everything complex. The channels are reduced from i to p first, the modes are
    mixed by matrices of p rows and q columns, and o channels are made of q last; the tensor R is
    never formed. It has :math:`2\,(\prod r + \sum n r)` real parameters, where the products and
    sums run over all d + 2 indices and n is the length of an index.

    Parameters
    ----------
    in_channels, out_channels, modes
        As in :class:`neural.models.spectral_convolution.SpectralConvolution`.
    rank
        d + 2 integers, the ranks; one integer, for all of them (where the index is as
        long); or a float up to 1, the part of the parameters of a dense layer to have at most:
        all ranks are then about the same fraction of their lengths.

    Raises
    ------
    InputError
        If a rank is not possible, and as for a dense layer.

    References
    ----------
    J. Kossaifi, N. Kovachki, K. Azizzadenesheli, A. Anandkumar (2023), Multi-grid tensorized
    Fourier neural operator for high-resolution PDEs, doi:10.48550/arXiv.2310.00120.

    Examples
    --------
    >>> layer = TuckerConvolution(8, 8, (6, 6), rank=(4, 3, 8, 8))
    >>> sum(weights.numel() for weights in layer.parameters())
    1924
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        rank: Rank = DEFAULT_RANK,
    ) -> None:
        self._given = rank
        super().__init__(in_channels, out_channels, modes)

    def make_weights(self) -> None:
        """Make core and factors, without values."""
        lengths = (*self.kept_per_axis, self.in_channels, self.out_channels)
        self.ranks = _tucker_ranks(self._given, lengths)
        self.core = nn.Parameter(torch.empty(*self.ranks, 2))
        self.factors = nn.ParameterList(
            torch.empty(length, rank, 2) for length, rank in zip(lengths, self.ranks, strict=True)
        )

    def reset_parameters(self) -> None:
        """Draw normal numbers, so that modes come out about as large as they go in."""
        _draw([self.core, *self.factors], math.prod(self.ranks), self)

    def mix(self, kept: Tensor) -> Tensor:
        """Multiply every kept mode by its matrix; see the dense layer."""
        *along, into, out = (torch.view_as_complex(factor) for factor in self.factors)
        matrices = torch.view_as_complex(self.core)
        for factor in along:  # each product moves the next index to the front
            matrices = torch.tensordot(matrices, factor, dims=([0], [1]))
        matrices = matrices.flatten(2).movedim(2, 0)
        return mix_modes(kept @ into, matrices) @ out.T


class CPConvolution(SpectralConvolution):
    r"""Spectral convolution whose weights are a sum of products of vectors.

    .. math:: R_{k_1 \ldots k_d\, i\, o} =
        \sum_{r=1}^{\rho} U^{(1)}_{k_1 r} \cdots U^{(d)}_{k_d r}\, A_{i r}\, B_{o r}

    with everything complex: the channels become ρ terms, every mode scales each term by a
    number, and the terms become channels. It has :math:`2 \rho \sum n` real parameters, where the
    sum runs over the lengths of all d + 2 indices. For large ρ and batches it is cheaper to
    form R first, and this is done then.

    Parameters
    ----------
    in_channels, out_channels, modes
        As in :class:`neural.models.spectral_convolution.SpectralConvolution`.
    rank
        An integer, ρ; or a float up to 1, the part of the parameters of a dense layer to have at
        most.

    Raises
    ------
    InputError
        If the rank is not possible, and as for a dense layer.

    References
    ----------
    J. Kossaifi, N. Kovachki, K. Azizzadenesheli, A. Anandkumar (2023), Multi-grid tensorized
    Fourier neural operator for high-resolution PDEs, doi:10.48550/arXiv.2310.00120.

    Examples
    --------
    >>> layer = CPConvolution(32, 32, (12, 12), rank=16)
    >>> sum(weights.numel() for weights in layer.parameters())
    3200
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        rank: Rank = DEFAULT_RANK,
    ) -> None:
        self._given = rank
        super().__init__(in_channels, out_channels, modes)

    def make_weights(self) -> None:
        """Make the factors, without values."""
        lengths = (*self.kept_per_axis, self.in_channels, self.out_channels)
        self.rank = _cp_rank(self._given, lengths)
        self.factors = nn.ParameterList(torch.empty(length, self.rank, 2) for length in lengths)

    def reset_parameters(self) -> None:
        """Draw normal numbers, so that modes come out about as large as they go in."""
        _draw(list(self.factors), self.rank, self)

    def mix(self, kept: Tensor) -> Tensor:
        """Multiply every kept mode by its matrix; see the dense layer."""
        *along, into, out = (torch.view_as_complex(factor) for factor in self.factors)
        scale = along[0]
        for factor in along[1:]:
            scale = scale.unsqueeze(-2) * factor
        channels, batch = (len(into), len(out)), kept.shape[0]
        if (self.rank + batch) * math.prod(channels) < batch * self.rank * sum(channels):
            # the matrices of all modes, made once, cost less than a sum over terms a sample
            terms = (into.unsqueeze(1) * out).flatten(0, 1)
            matrices = scale.flatten(0, -2) @ terms.T
            return mix_modes(kept, matrices.unflatten(1, channels))
        return ((kept @ into) * scale) @ out.T


class AxisConvolution(nn.Module):
    r"""Sum of spectral convolutions along single axes.

    .. math:: (K v)(x) = \sum_{a=1}^{d} \sum_{k=-m_a+1}^{m_a-1}
        e^{2\pi i k x_a}\, R^{(a)}_k\, (\mathcal F_a v)(k), \qquad R^{(a)}_{-k} = \bar R^{(a)}_k

    where :math:`\mathcal F_a` transforms along axis a and leaves the others alone. The
    matrices R number :math:`\sum m_a` instead of a product, with
    :math:`2 \cdot \text{in} \cdot \text{out} \cdot \sum_a m_a` real parameters, and all frequencies
    of the other axes pass.

    Parameters
    ----------
    in_channels, out_channels
        Number of channels.
    modes
        Number m per axis: frequencies 0 ... m - 1 are kept. The length is the dimension.

    Attributes
    ----------
    weights : ParameterList
        Of shapes (m_a, in_channels, out_channels, 2).

    Raises
    ------
    InputError
        As :class:`neural.models.spectral_convolution.SpectralConvolution`.

    References
    ----------
    A. Tran, A. Mathews, L. Xie, C. S. Ong (2023), Factorized Fourier neural operators, ICLR,
    doi:10.48550/arXiv.2111.13802.

    Examples
    --------
    >>> layer = AxisConvolution(2, 3, modes=(4, 4))
    >>> layer(torch.ones(5, 9, 10, 2)).shape
    torch.Size([5, 9, 10, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, modes: Sequence[int]) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        self.weights = nn.ParameterList(
            torch.empty(count, self.in_channels, self.out_channels, 2) for count in self.modes
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw normal numbers whose sum over the input channels has variance 1 / d."""
        deviation = math.sqrt(0.5 / (self.in_channels * len(self.modes)))
        for weight in self.weights:
            nn.init.normal_(weight, 0.0, deviation)

    def forward(self, values: Tensor, plus: Tensor | None = None) -> Tensor:
        """Apply the convolution.

        Parameters
        ----------
        values
            Shape ``(batch, *space, in_channels)``: channels last.
        plus
            Added to the result, shape ``(batch, *space, out_channels)``.

        Returns
        -------
        Tensor
            Shape ``(batch, *space, out_channels)``.
        """
        space = tuple(values.shape[1:-1])
        self.check_grid(space)
        with torch.autocast(values.device.type, enabled=False):
            work = values.to(torch.promote_types(values.dtype, self.weights[0].dtype)).contiguous()
            parts = [
                self._along_axis(work, axis + 1, torch.view_as_complex(weight))
                for axis, weight in enumerate(self.weights)
            ]
            first = parts.pop() if plus is None else plus.to(work.dtype)
            return functools.reduce(torch.add, parts, first)

    def check_grid(self, space: Sequence[int]) -> None:
        """Refuse a grid that does not resolve the kept modes."""
        if len(space) != len(self.modes):
            raise InputError(
                f"the input has {len(space)} space axes, but modes={self.modes} is for "
                f"{len(self.modes)}"
            )
        for axis, (size, count) in enumerate(zip(space, self.modes, strict=True)):
            if count > size // 2 + 1:
                raise InputError(
                    f"modes[{axis}]={count} is more than a grid of {size} points resolves "
                    f"along that axis (at most {size // 2 + 1}); use fewer modes or a finer grid"
                )

    def _along_axis(self, values: Tensor, axis: int, matrices: Tensor) -> Tensor:
        size, count = values.shape[axis], matrices.shape[0]
        analysis, synthesis = _bases(size, count, True, values.dtype, values.device)
        parts = _along(analysis, values, axis).unflatten(axis, (2, count))
        modes = torch.complex(*parts.unbind(axis)).movedim(axis, 0)
        mixed = torch.bmm(modes.flatten(1, -2), matrices)
        mixed = mixed.view(*modes.shape[:-1], self.out_channels).movedim(0, axis)
        return _along(synthesis, torch.cat([mixed.real, mixed.imag], axis), axis)

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{self.in_channels}, {self.out_channels}, modes={self.modes}"


def _draw(tensors: Sequence[Tensor], num_terms: int, layer: SpectralConvolution) -> None:
    """Fill factors so that the mean square of an entry of R is 1 / in_channels.

    The small weights that a dense layer starts with would make products of factors start
    slowly, because the gradient on each factor is a product of the others.
    """
    wanted = 1.0 / layer.in_channels
    # of a complex entry, and one share for each factor of a term
    square = (wanted / num_terms) ** (1.0 / len(tensors))
    for tensor in tensors:
        nn.init.normal_(tensor, 0.0, math.sqrt(square / 2.0))


def _fraction(rank: Any) -> float | None:
    """The rank, if it is a part of the dense parameters."""
    if isinstance(rank, float):
        if not 0.0 < rank <= 1.0:
            raise InputError(
                f"rank={rank!r} must lie between 0 and 1: as a float it is the part of a dense "
                "layer's parameters to have at most; give an integer for a number of terms"
            )
        return rank
    return None


def _cp_rank(rank: Any, lengths: Sequence[int]) -> int:
    fraction = _fraction(rank)
    if fraction is None:
        return positive_integer("rank", rank)
    return max(1, int(fraction * math.prod(lengths) / sum(lengths)))


def _tucker_ranks(rank: Any, lengths: Sequence[int]) -> tuple[int, ...]:
    fraction = _fraction(rank)
    if fraction is not None:
        return _scaled_ranks(fraction, lengths)
    if isinstance(rank, numbers.Number):
        largest = positive_integer("rank", rank)
        return tuple(min(largest, length) for length in lengths)
    if isinstance(rank, str) or len(rank) != len(lengths):
        raise InputError(
            f"rank={rank!r} must be one number or {len(lengths)}: one for each of the axes, the "
            f"input and the output channels, of lengths {tuple(lengths)}"
        )
    ranks = tuple(positive_integer(f"rank[{i}]", value) for i, value in enumerate(rank))
    for i, (value, length) in enumerate(zip(ranks, lengths, strict=True)):
        if value > length:
            raise InputError(f"rank[{i}]={value} is more than the length {length} of that index")
    return ranks


def _scaled_ranks(fraction: float, lengths: Sequence[int]) -> tuple[int, ...]:
    """The largest ranks, about the same part of the lengths, that keep to the fraction."""
    allowed = fraction * math.prod(lengths)
    best = (1,) * len(lengths)
    for step in range(1, 257):
        ranks = tuple(max(1, round(length * step / 256)) for length in lengths)
        count = math.prod(ranks) + sum(n * r for n, r in zip(lengths, ranks, strict=True))
        if count > allowed:
            break
        best = ranks
    return best
