"""Convolution by learned Fourier multipliers on the lowest modes, in 1D, 2D and 3D."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from meshes.errors import InputError


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _bases(
    size: int, modes: int, half: bool, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """What :func:`_made_bases` gives; a constant of the grid for ``torch.compile``."""
    return _made_bases(size, modes, half, dtype, device)


@functools.lru_cache(maxsize=256)
def _made_bases(
    size: int, modes: int, half: bool, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Real matrices of the Fourier transforms along one axis, analysis and synthesis.

    On the half-spectrum axis the first takes values at the points to the real parts, then the
    imaginary parts, of frequencies 0 ... modes - 1: ``(2 modes, size)``. On the others both
    sides are complex: it takes each point's real and imaginary part, next to each other, to
    the real parts, then the imaginary parts, of frequencies 0 ... modes - 1, -1 ... -modes:
    ``(4 modes, 2 size)``. The second goes back. The factor 1/size and, on the half-spectrum
    axis, the weight 2 of the frequencies that stand for a conjugate pair are folded in.
    """
    frequency = np.arange(modes)
    if not half:
        frequency = np.concatenate([frequency, -1 - frequency])
    # the product is reduced modulo the size first, so that the angles keep full accuracy
    angle = 2.0 * np.pi * (np.outer(frequency, np.arange(size)) % size) / size
    cosine, sine = np.cos(angle), np.sin(angle)
    if half:
        multiplicity = np.ones((modes, 1))
        multiplicity[(frequency > 0) & (2 * frequency != size)] = 2.0
        rows = np.concatenate([cosine, -sine])
        synthesis = rows * np.tile(multiplicity, (2, 1))
    else:
        real, imaginary = np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)
        rows = np.concatenate([real, imaginary]).reshape(4 * modes, 2 * size)
        synthesis = rows  # e^{-iθ} and e^{iθ} are each other's adjoint
    # tensors made under inference_mode could not be used in a later training step
    with torch.inference_mode(False):
        return (
            torch.as_tensor(rows / size, dtype=dtype, device=device),
            torch.as_tensor(np.ascontiguousarray(synthesis.T), dtype=dtype, device=device),
        )


def _along(matrix: Tensor, values: Tensor, axis: int) -> Tensor:
    """Apply a matrix ``(rows, columns)`` along one axis of a contiguous array."""
    shape = values.shape
    flat = values.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    return torch.matmul(matrix, flat).view(*shape[:axis], matrix.shape[0], *shape[axis + 1 :])


class SpectralConvolution(nn.Module):
    r"""Linear map of fields that multiplies each kept Fourier mode by its own matrix.

    .. math:: (K v)(x) = \sum_{k \in \mathcal K} e^{2\pi i k \cdot x}\, R_k\, \hat v(k)

    with complex :math:`R_k` of shape ``(in_channels, out_channels)``. The kept set holds
    the frequencies -m ... m - 1 along every axis but the last, and 0 ... m - 1 along the
    last, whose negative half follows from v being real (for frequencies 0 and, on an even
    grid, size/2 of that axis the real part is taken, as an inverse real FFT does). So one
    set of weights acts on any grid that resolves the kept modes.

    The transforms are products with cosine and sine matrices, one axis at a time. With few
    kept modes this costs less than a full FFT of every channel, for every grid size alike
    (`benchmarks/fno_step.py` measures it), and it needs no care for odd sizes.

    Parameters
    ----------
    in_channels, out_channels
        Number of channels.
    modes
        Number m per axis; an entry m keeps 2m frequencies, or m on the last axis. The
        length is the dimension, 1 to 3.

    Attributes
    ----------
    weight : Parameter, shape (num_kept, in_channels, out_channels, 2)
        Real and imaginary parts. Kept modes are in row-major order of the axes; along a
        full axis the frequencies are 0, 1, ..., m - 1, then -1, -2, ..., -m.

    Raises
    ------
    InputError
        If a count is not a positive integer, there are more than 3 axes, or (when applied)
        the grid has too few points for the modes.

    References
    ----------
    Z. Li, N. Kovachki, K. Azizzadenesheli, B. Liu, K. Bhattacharya, A. Stuart,
    A. Anandkumar (2021), Fourier neural operator for parametric partial differential
    equations, ICLR, doi:10.48550/arXiv.2010.08895.

    Examples
    --------
    >>> layer = SpectralConvolution(2, 3, modes=(4, 4))
    >>> layer(torch.ones(5, 9, 10, 2)).shape
    torch.Size([5, 9, 10, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, modes: Sequence[int]) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        self.make_weights()
        self.reset_parameters()

    @property
    def kept_per_axis(self) -> tuple[int, ...]:
        """Number of kept frequencies along each axis."""
        return (*(2 * count for count in self.modes[:-1]), self.modes[-1])

    def make_weights(self) -> None:
        """Make the parameters, without values."""
        num_kept = math.prod(self.kept_per_axis)
        self.weight = nn.Parameter(torch.empty(num_kept, self.in_channels, self.out_channels, 2))

    def reset_parameters(self) -> None:
        """Draw real and imaginary parts from U[0, 1) / (in_channels · out_channels)."""
        nn.init.uniform_(self.weight, 0.0, 1.0 / (self.in_channels * self.out_channels))

    def forward(self, values: Tensor, plus: Tensor | None = None) -> Tensor:
        """Apply the convolution.

        Parameters
        ----------
        values
            Shape ``(batch, *space, in_channels)``: channels last.
        plus
            Added to the result, shape ``(batch, *space, out_channels)``; cheaper here than
            outside.

        Returns
        -------
        Tensor
            Shape ``(batch, *space, out_channels)``.
        """
        space = tuple(values.shape[1:-1])
        self.check_grid(space)
        with torch.autocast(values.device.type, enabled=False):
            # half precision loses the small modes; the transforms run in float32 at least
            dtype = next(self.parameters()).dtype
            work = values.to(torch.promote_types(values.dtype, dtype))
            mixed = self.mix(self._analyse(work.contiguous(), space))
            return self._synthesise(mixed, space, None if plus is None else plus.to(work.dtype))

    def mix(self, kept: Tensor) -> Tensor:
        """Multiply every kept mode by its matrix.

        Parameters
        ----------
        kept
            Complex, shape ``(batch, *kept_per_axis, in_channels)``.

        Returns
        -------
        Tensor
            Complex, shape ``(batch, *kept_per_axis, out_channels)``.
        """
        return mix_modes(kept, torch.view_as_complex(self.weight))

    def check_grid(self, space: Sequence[int]) -> None:
        """Refuse a grid that does not resolve the kept modes."""
        if len(space) != len(self.modes):
            raise InputError(
                f"the input has {len(space)} space axes, but modes={self.modes} is for "
                f"{len(self.modes)}"
            )
        for axis, (size, count) in enumerate(zip(space, self.modes, strict=True)):
            limit = size // 2 + 1 if axis == len(self.modes) - 1 else size // 2
            if count > limit:
                raise InputError(
                    f"modes[{axis}]={count} is more than a grid of {size} points resolves "
                    f"along that axis (at most {limit}); use fewer modes or a finer grid"
                )

    def _analyse(self, values: Tensor, space: Sequence[int]) -> Tensor:
        """Complex kept modes ``(batch, *kept, in_channels)``."""
        last, batch = len(space) - 1, values.shape[0]
        for axis in range(last, -1, -1):
            basis = self._bases_of(axis, space, values)[0]
            # the parts come out in front of the modes, beside the points of the next axis
            rows = values.reshape(batch * math.prod(space[:axis]), basis.shape[1], -1)
            values = torch.matmul(basis, rows)
        parts = values.view(batch, 2, *self.kept_per_axis, self.in_channels)
        return torch.view_as_complex(parts.movedim(1, -1).contiguous())

    def _synthesise(self, modes: Tensor, space: Sequence[int], plus: Tensor | None) -> Tensor:
        """Real field ``(batch, *space, out_channels)`` of complex kept modes."""
        last, batch = len(space) - 1, modes.shape[0]
        values = torch.view_as_real(modes).movedim(-1, 1)
        for axis in range(last + 1):
            basis = self._bases_of(axis, space, values)[1]
            rows = values.reshape(batch * math.prod(space[:axis]), basis.shape[1], -1)
            if axis == last and plus is not None:
                repeated = basis.expand(len(rows), *basis.shape)
                values = torch.baddbmm(plus.reshape(len(rows), space[axis], -1), repeated, rows)
            else:
                values = torch.matmul(basis, rows)
        return values.view(batch, *space, self.out_channels)

    def _bases_of(self, axis: int, space: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
        half = axis == len(space) - 1
        bases: tuple[Tensor, Tensor] = _bases(
            space[axis], self.modes[axis], half, like.dtype, like.device
        )
        return bases

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{self.in_channels}, {self.out_channels}, modes={self.modes}"


def mix_modes(kept: Tensor, matrices: Tensor) -> Tensor:
    """Multiply modes ``(batch, *kept, in)`` by matrices ``(prod(kept), in, out)``, all complex.

    Returns
    -------
    Tensor
        Shape ``(batch, *kept, out)``.

    Examples
    --------
    >>> modes, matrices = torch.ones(2, 3, 4, 5) + 0j, torch.ones(12, 5, 6) + 0j
    >>> mix_modes(modes, matrices).shape
    torch.Size([2, 3, 4, 6])
    """
    columns = kept.reshape(kept.shape[0], -1, kept.shape[-1]).transpose(0, 1)
    mixed = torch.bmm(columns, matrices)
    return mixed.transpose(0, 1).reshape(*kept.shape[:-1], matrices.shape[-1])


def positive_integer(name: str, given: object) -> int:
    """The number given, if it is an integer of at least 1.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> positive_integer("width", 32)
    32
    """
    if isinstance(given, bool) or not isinstance(given, numbers.Integral) or int(given) < 1:
        raise InputError(f"{name}={given!r} must be an integer of at least 1")
    return int(given)


def mode_counts(modes: Sequence[int]) -> tuple[int, ...]:
    """Check the number of modes per axis.

    Raises
    ------
    InputError
        If they are not one to three positive integers.

    Examples
    --------
    >>> mode_counts([12, 12])
    (12, 12)
    """
    if isinstance(modes, str | numbers.Number) or not 1 <= len(modes) <= 3:
        raise InputError(
            f"modes={modes!r} must hold one number per space axis, for one to three axes, "
            "such as [12, 12]"
        )
    return tuple(positive_integer(f"modes[{axis}]", count) for axis, count in enumerate(modes))
