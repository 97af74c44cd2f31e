"""Fourier transforms between scattered points and uniform grids, and a learned map of points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.spectral_convolution import mode_counts, positive_integer


def kept_frequencies(modes: Sequence[int]) -> list[list[int]]:
    """Frequencies along each axis: 0 ... m - 1, -m ... -1, and 0 ... m - 1 on the last.

    Examples
    --------
    >>> kept_frequencies((2, 3))
    [[0, 1, -2, -1], [0, 1, 2]]
    """
    full = [[*range(count), *range(-count, 0)] for count in modes[:-1]]
    return [*full, list(range(modes[-1]))]


def point_modes(
    values: Tensor, positions: Tensor, modes: Sequence[int], mask: Tensor | None = None
) -> Tensor:
    r"""Fourier coefficients of values at scattered points of the periodic unit box.

    .. math:: \hat v(k) = \frac1n \sum_{j=1}^n v_j\, e^{-2\pi i k \cdot \xi_j}

    On a uniform grid :math:`\xi_j = j / n` it is the discrete Fourier transform.

    Parameters
    ----------
    values
        Shape ``(batch, num_points, channels)``.
    positions
        ξ, shape ``(num_points, d)`` or ``(batch, num_points, d)``.
    modes
        m of each axis, see :func:`kept_frequencies`.
    mask
        0 where a point does not count, shape ``(batch, num_points)``.

    Returns
    -------
    Tensor
        Complex, shape ``(batch, num_kept, channels)``, the kept modes in row-major order.

    Examples
    --------
    >>> positions = torch.arange(8.0)[:, None] / 8
    >>> wave = torch.cos(2 * torch.pi * positions)[None]
    >>> point_modes(wave, positions, (3,))[0, :, 0].real.round(decimals=4).tolist()
    [0.0, 0.5, 0.0]
    """
    if mask is None:
        weighted = values / values.shape[1]
    else:
        weighted = values * (mask / mask.sum(1, keepdim=True)).unsqueeze(-1)
    waves = _waves(positions, modes)
    if waves.ndim == 2:
        waves = waves.expand(values.shape[0], *waves.shape)
    return waves.mH @ weighted.to(waves.dtype)


def modes_at_points(coefficients: Tensor, positions: Tensor, modes: Sequence[int]) -> Tensor:
    r"""Values of a real Fourier series at scattered points.

    .. math:: v(\xi) = \mathrm{Re} \sum_k w_k\, \hat v(k)\, e^{2\pi i k \cdot \xi}

    with :math:`w_k = 2` where the last frequency is positive, for the negative half that is
    not kept, and 1 elsewhere.

    Parameters
    ----------
    coefficients
        Complex, shape ``(batch, num_kept, channels)``.
    positions, modes
        As in :func:`point_modes`.

    Returns
    -------
    Tensor
        Shape ``(batch, num_points, channels)``.

    Examples
    --------
    >>> modes_at_points(torch.tensor([[[0j], [0.5]]]), torch.tensor([[0.0], [0.5]]), (2,))[0, :, 0]
    tensor([ 1., -1.])
    """
    waves = _waves(positions, modes)
    twice = torch.full((modes[-1],), 2.0, dtype=positions.dtype, device=positions.device)
    twice[0] = 1.0
    weights = twice.repeat(coefficients.shape[1] // modes[-1]).unsqueeze(-1)
    return (waves @ (coefficients * weights)).real


def grid_modes(values: Tensor, modes: Sequence[int]) -> Tensor:
    """The same as :func:`point_modes` on a uniform grid, by the fast transform.

    Parameters
    ----------
    values
        Shape ``(batch, *space, channels)``.
    modes
        At most half the points of each axis.

    Examples
    --------
    >>> grid_modes(torch.ones(1, 8, 8, 1), (2, 2))[0, :3, 0].real
    tensor([1., 0., 0.])
    """
    axes = list(range(1, values.ndim - 1))
    found = torch.fft.rfftn(values, dim=axes, norm="forward")
    for axis, frequencies in zip(axes, kept_frequencies(modes), strict=True):
        chosen = [k % values.shape[axis] for k in frequencies]
        found = found.index_select(axis, torch.tensor(chosen, device=values.device))
    kept: Tensor = found.flatten(1, -2)
    return kept


def modes_on_grid(coefficients: Tensor, shape: Sequence[int], modes: Sequence[int]) -> Tensor:
    """The same as :func:`modes_at_points` on the grid j / n, ``(batch, *shape, channels)``.

    Examples
    --------
    >>> modes_on_grid(torch.tensor([[[0j], [0.5]]]), (4,), (2,))[0, :, 0]
    tensor([ 1.,  0., -1.,  0.])
    """
    axes = list(range(1, len(shape) + 1))
    frequencies = kept_frequencies(modes)
    values = coefficients.unflatten(1, [len(kept) for kept in frequencies])
    for axis, count in zip(axes[:-1], modes[:-1], strict=True):
        positive, negative = values.split(count, axis)
        size = list(values.shape)
        size[axis] = shape[axis - 1] - 2 * count
        values = torch.cat([positive, values.new_zeros(size), negative], axis)
    field: Tensor = torch.fft.irfftn(values, s=list(shape), dim=axes, norm="forward")
    return field


def check_resolved(shape: Sequence[int], modes: Sequence[int]) -> None:
    """Refuse a grid with fewer than 2 m points along an axis.

    Raises
    ------
    InputError
        If there is one, or the numbers of axes differ.

    Examples
    --------
    >>> check_resolved((32, 32), (12, 12))
    """
    if len(shape) != len(modes) or any(n < 2 * m for n, m in zip(shape, modes, strict=True)):
        raise InputError(
            f"a grid of {tuple(shape)} points does not resolve modes={tuple(modes)}; each axis "
            "needs at least twice as many points as modes"
        )


def _waves(positions: Tensor, modes: Sequence[int]) -> Tensor:
    """exp(2πi k·ξ), shape ``(..., num_points, num_kept)``."""
    frequencies = torch.meshgrid(
        *(
            torch.tensor(kept, dtype=positions.dtype, device=positions.device)
            for kept in kept_frequencies(modes)
        ),
        indexing="ij",
    )
    angles = 2 * math.pi * (positions @ torch.stack(frequencies).flatten(1))
    return torch.polar(torch.ones_like(angles), angles)


class ModeWeights(nn.Module):
    r"""A matrix for each kept mode: :math:`\hat v(k) \to R_k\, \hat v(k)`.

    Parameters
    ----------
    in_channels, out_channels
        Sizes of the matrices.
    modes
        m of each axis, see :func:`kept_frequencies`.

    Attributes
    ----------
    weight : Parameter, shape (num_kept, in_channels, out_channels, 2)
        Real and imaginary parts, drawn from U[0, 1) / (in_channels · out_channels).

    Examples
    --------
    >>> ModeWeights(2, 3, (2, 2))(torch.ones(1, 8, 2, dtype=torch.complex64)).shape
    torch.Size([1, 8, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, modes: Sequence[int]) -> None:
        super().__init__()
        count = math.prod(len(kept) for kept in kept_frequencies(mode_counts(modes)))
        drawn = torch.rand(count, in_channels, out_channels, 2) / (in_channels * out_channels)
        self.weight = nn.Parameter(drawn)

    def forward(self, coefficients: Tensor) -> Tensor:
        """Complex, ``(batch, num_kept, in_channels)`` to ``(batch, num_kept, out_channels)``."""
        mixed = torch.bmm(coefficients.transpose(0, 1), torch.view_as_complex(self.weight))
        return mixed.transpose(0, 1)


class CoordinateMap(nn.Module):
    r"""Learned deformation of the unit box, :math:`\xi = x + f(x)`.

    f is a network of three layers on the features x, its distance r and direction (x - c)/r
    from the centre c, and :math:`\sin(2^s \pi x_a)`, :math:`\cos(2^s \pi x_a)` for
    s = 0 ... `num_octaves` - 1. Its last layer starts small, so that ξ starts close to x.

    Parameters
    ----------
    dimension
        Number d of coordinates.
    width
        Of the hidden layers.
    num_octaves
        Number of pairs of sine and cosine for each coordinate.

    References
    ----------
    Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
    deformations for PDEs on general geometries, Journal of Machine Learning Research 24,
    doi:10.48550/arXiv.2207.05209.

    Examples
    --------
    >>> CoordinateMap(2)(torch.rand(5, 2)).shape
    torch.Size([5, 2])
    """

    def __init__(self, dimension: int, width: int = 32, num_octaves: int = 4) -> None:
        super().__init__()
        self.dimension = positive_integer("dimension", dimension)
        self.num_octaves = positive_integer("num_octaves", num_octaves)
        features = dimension * (2 + 2 * num_octaves) + 1
        last = nn.Linear(width, dimension)
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias.zero_()
        self.layers = nn.Sequential(
            nn.Linear(features, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), last
        )

    def forward(self, points: Tensor) -> Tensor:
        """Shape ``(..., num_points, d)`` to the same."""
        offset = points - 0.5
        squares = offset.square().sum(-1, keepdim=True)
        radius = (squares + 1e-12).sqrt()  # differentiable at the centre
        scales = math.pi * 2.0 ** torch.arange(
            self.num_octaves, dtype=points.dtype, device=points.device
        )
        angles = (points.unsqueeze(-1) * scales).flatten(-2)
        features = torch.cat([points, radius, offset / radius, angles.sin(), angles.cos()], -1)
        shift: Tensor = self.layers(features)
        return points + shift
