"""Fourier multipliers in space and time between two sets of times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.spectral_convolution import mode_counts, positive_integer


class SpaceTimeConvolution(nn.Module):
    r"""Linear map of space-time fields that acts on each kept Fourier mode by itself.

    .. math::
        (K v)(x, \theta) = \mathrm{Re} \sum_{k, l} c_l\, e^{2\pi i (k \cdot x + l \theta)}
        (R_{kl}\, \hat v(k, l) + \delta\, b_{kl})

    The kept set holds -m ... m - 1 along the axes of space and l = 0 ... m - 1 in time,
    with :math:`c_0 = 1` and :math:`c_l = 2` otherwise. The phase θ in [0, 1) says where in
    the period of time a frame lies: those of the input and those of the output are chosen
    freely, so the map also changes the number of frames. Space goes through an FFT and time
    through a small dense matrix; the result at a phase is the value of one trigonometric
    polynomial, whatever other phases are asked for.

    Parameters
    ----------
    in_channels, out_channels
        Number of channels.
    modes
        Number m per axis, time last: two or three numbers.
    spectral_bias
        Whether there is a b; it starts at zero.

    Attributes
    ----------
    weight : Parameter, shape (num_kept, in_channels, out_channels, 2)
        Real and imaginary parts of R. Kept modes are in row-major order of the axes; along
        an axis of space the frequencies are 0, 1, ..., m - 1, then -m, ..., -1.
    bias : Parameter, shape (num_kept, out_channels, 2), or None
        Real and imaginary parts of b.

    Raises
    ------
    InputError
        If a count is not a positive integer, or (when applied) the grid has too few points.

    References
    ----------
    S. Cao, F. Brarda, R. Li, Y. Xi (2025), Spectral-Refiner: accurate fine-tuning of
    spatiotemporal Fourier neural operator for turbulent flows, ICLR,
    doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> layer = SpaceTimeConvolution(2, 3, modes=(4, 2))
    >>> frames, outputs = torch.arange(10) / 10, torch.arange(7) / 7
    >>> layer(torch.ones(5, 16, 10, 2), frames, outputs).shape
    torch.Size([5, 16, 7, 3])
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int],
        spectral_bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        if len(self.modes) < 2:
            raise InputError(
                f"modes={list(self.modes)} must hold one number per axis of space and then one "
                "for time, such as [12, 12, 5]"
            )
        num_kept = math.prod(self.kept_per_axis)
        self.weight = nn.Parameter(torch.empty(num_kept, self.in_channels, self.out_channels, 2))
        nn.init.uniform_(self.weight, 0.0, 1.0 / (self.in_channels * self.out_channels))
        self.bias = (
            nn.Parameter(torch.zeros(num_kept, self.out_channels, 2)) if spectral_bias else None
        )

    @property
    def kept_per_axis(self) -> tuple[int, ...]:
        """Number of kept frequencies along each axis."""
        return (*(2 * count for count in self.modes[:-1]), self.modes[-1])

    def forward(
        self, values: Tensor, phases: Tensor, output_phases: Tensor, bias_scale: float = 1.0
    ) -> Tensor:
        """Apply the map.

        Parameters
        ----------
        values
            Shape ``(batch, *space, frames, in_channels)``: channels last.
        phases, output_phases
            θ of the frames of input and output, each in [0, 1).
        bias_scale
            δ.

        Returns
        -------
        Tensor
            Shape ``(batch, *space, len(output_phases), out_channels)``.
        """
        spectrum = self.analyse(values, phases, num_samples=len(phases))
        return self.synthesise(
            self.multiply(spectrum, bias_scale), values.shape[1:-2], output_phases
        )

    def analyse(self, values: Tensor, phases: Tensor, num_samples: int) -> Tensor:
        """Kept coefficients of a field, complex ``(batch, num_kept, in_channels)``.

        Parameters
        ----------
        values
            Shape ``(batch, *space, frames, in_channels)``.
        phases
            θ of the frames.
        num_samples
            Equally spaced frames that would fill the period; those not given count as zero.
            Modes of time that so many do not resolve are set to zero.
        """
        space = tuple(values.shape[1:-2])
        self._check_space(space)
        with torch.autocast(values.device.type, enabled=False):
            # half precision loses the small modes
            work = values.to(torch.promote_types(values.dtype, self.weight.dtype))
            resolved = torch.arange(self.modes[-1])[:, None] < (num_samples + 1) // 2
            waves = self._waves(phases) * resolved / num_samples
            basis = torch.cat([waves.real, -waves.imag]).T.to(work)
            # time last: one product of matrices for all points and channels
            real, imaginary = (work.transpose(-1, -2) @ basis).chunk(2, -1)
            modes = torch.complex(real, imaginary)
            axes = tuple(range(1, len(space) + 1))
            modes = torch.fft.fftn(modes, dim=axes, norm="forward")
            for axis, size, count in zip(axes, space, self.modes, strict=False):
                low, high = modes.narrow(axis, 0, count), modes.narrow(axis, size - count, count)
                modes = torch.cat([low, high], axis)
            return modes.transpose(-1, -2).flatten(1, -2)

    def multiply(self, spectrum: Tensor, bias_scale: float = 1.0) -> Tensor:
        """R times coefficients plus δ b, complex ``(batch, num_kept, out_channels)``."""
        weight = torch.view_as_complex(self.weight)
        mixed = torch.bmm(spectrum.transpose(0, 1), weight).transpose(0, 1)
        if self.bias is not None:
            mixed = mixed + bias_scale * torch.view_as_complex(self.bias)
        return mixed

    def synthesise(
        self, spectrum: Tensor, space: Sequence[int], phases: Tensor, derivative: int = 0
    ) -> Tensor:
        """Field of coefficients, ``(batch, *space, len(phases), out_channels)``.

        Parameters
        ----------
        spectrum
            Complex, shape ``(batch, num_kept, out_channels)``.
        space
            Points along each axis.
        phases
            θ of the frames.
        derivative
            How often to differentiate with respect to θ.
        """
        self._check_space(space)
        modes = spectrum.unflatten(1, self.kept_per_axis).transpose(-1, -2)
        for axis, size in enumerate(space):
            count = self.modes[axis]
            low, high = modes.narrow(axis + 1, 0, count), modes.narrow(axis + 1, count, count)
            shape = list(modes.shape)
            shape[axis + 1] = size - 2 * count
            modes = torch.cat([low, modes.new_zeros(shape), high], axis + 1)
        axes = tuple(range(1, len(space) + 1))
        modes = torch.fft.ifftn(modes, dim=axes, norm="forward")
        frequency = torch.arange(self.modes[-1])[:, None]
        waves = torch.where(frequency == 0, 1.0, 2.0) * self._waves(phases)
        waves = waves * (2j * math.pi * frequency) ** derivative
        basis = torch.cat([waves.real, -waves.imag]).to(modes.real)
        values: Tensor = torch.cat([modes.real, modes.imag], -1) @ basis
        return values.transpose(-1, -2)

    def _waves(self, phases: Tensor) -> Tensor:
        """The waves exp(2πi l θ), shape ``(modes in time, frames)``, on the CPU."""
        phases = phases.detach().to("cpu", torch.float64)
        frequency = torch.arange(self.modes[-1], dtype=torch.float64)[:, None]
        return torch.exp(2j * math.pi * torch.remainder(frequency * phases, 1.0))

    def _check_space(self, space: Sequence[int]) -> None:
        if len(space) != len(self.modes) - 1:
            raise InputError(
                f"the field has {len(space)} axes of space, but modes={list(self.modes)} is for "
                f"{len(self.modes) - 1}"
            )
        for axis, (size, count) in enumerate(zip(space, self.modes, strict=False)):
            if 2 * count > size:
                raise InputError(
                    f"modes[{axis}]={count} is more than a grid of {size} points resolves along "
                    f"that axis (at most {size // 2}); use fewer modes or a finer grid"
                )

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{self.in_channels}, {self.out_channels}, modes={self.modes}"
