"""The last, linear step of the space-time Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.fields import check_choice
from neural.models.space_time_convolution import SpaceTimeConvolution
from neural.models.spectral_convolution import mode_counts, positive_integer

OutputTimes = Literal["same horizon", "published"]
_RULES = ("same horizon", "published")


class SpectralHead(nn.Module):
    r"""From a latent field to the frames of the answer, by a multiplier and a bias on modes.

    The L latent frames stand behind the last input frame, L + 1 in all, and as many zeros
    stand in front, because the answer is not periodic in time:

    .. math::
        Y_{kl} = R_{kl}\, \hat v(k, l) + \delta\, b_{kl}, \qquad
        u(x, t_j) = u_0(x) + \mathrm{Re} \sum_{k, l} c_l\, e^{2\pi i (k \cdot x + l \theta_j)}
        Y_{kl}

    with the last input frame u₀. The step is affine in R and b, and all of it is a known
    trigonometric polynomial in time, which :meth:`frames` also differentiates.

    The second half of the period stands for the last input frame (θ = 1/2) and what
    follows. Frame j = 1 ... J of the answer lies at :math:`\theta_j = (1 + s_j)/2` with
    s_j = (j/J) L/(L + 1): any number of frames divides the same span of time, whose end is the
    last latent frame. With ``output_times="published"`` it is s_j = j/(J + 1), so that the
    span moves a little with J; both are the same for J = L.

    Parameters
    ----------
    channels
        Of latent field and answer.
    modes
        Number m per axis, time last.
    bias_scale
        δ; 0.1 in training in the publication, and 1 in its refinement.
    output_times
        Where the frames lie in the period.

    Attributes
    ----------
    convolution : SpaceTimeConvolution
        Holds R and b, :attr:`SpaceTimeConvolution.weight` and ``bias``.

    Raises
    ------
    InputError
        If an option is out of range, or (when applied) fields do not fit.

    References
    ----------
    S. Cao, F. Brarda, R. Li, Y. Xi (2025), Spectral-Refiner: accurate fine-tuning of
    spatiotemporal Fourier neural operator for turbulent flows, ICLR,
    doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> head = SpectralHead(1, modes=(8, 8, 5))
    >>> latent, last = torch.randn(2, 1, 32, 32, 10), torch.randn(2, 1, 32, 32)
    >>> head(latent, last, num_out=40).shape
    torch.Size([2, 1, 32, 32, 40])
    >>> larger = head.enlarged((16, 16, 6))
    >>> larger(latent, last, num_out=40).dtype
    torch.float64
    """

    def __init__(
        self,
        channels: int,
        modes: Sequence[int],
        bias_scale: float = 0.1,
        output_times: OutputTimes = "same horizon",
    ) -> None:
        super().__init__()
        check_choice("output_times", output_times, _RULES)
        if not 0 < bias_scale < float("inf"):
            raise InputError(f"bias_scale={bias_scale!r} must be a positive number")
        self.channels = positive_integer("channels", channels)
        self.bias_scale = float(bias_scale)
        self.output_times = output_times
        self.convolution = SpaceTimeConvolution(channels, channels, modes, spectral_bias=True)

    @property
    def modes(self) -> tuple[int, ...]:
        """Modes per axis, time last."""
        return self.convolution.modes

    def forward(
        self,
        latent: Tensor,
        last_frame: Tensor,
        num_out: int,
        bias_scale: float | None = None,
    ) -> Tensor:
        """Frames of the answer.

        Parameters
        ----------
        latent
            Shape ``(batch, channels, *space, L)``.
        last_frame
            The last input frame, shape ``(batch, channels, *space)``.
        num_out
            Number of frames J.
        bias_scale
            δ, the head's own when left out.

        Returns
        -------
        Tensor
            Shape ``(batch, channels, *space, num_out)``.
        """
        spectrum = self.spectrum(latent, last_frame)
        return self.frames(spectrum, last_frame, num_out, latent.shape[-1], bias_scale)

    def spectrum(self, latent: Tensor, last_frame: Tensor) -> Tensor:
        """What R is applied to: complex ``(batch, num_kept, channels)``.

        It does not depend on R and b, so an iteration over these computes it once.
        """
        self._check(latent, last_frame)
        values = torch.cat([last_frame[..., None], latent.to(last_frame.dtype)], -1)
        num_given = values.shape[-1]
        if self.modes[-1] > num_given:
            raise InputError(
                f"modes[-1]={self.modes[-1]} is more than {num_given - 1} latent frames resolve "
                f"(at most {num_given})"
            )
        phases = 0.5 + torch.arange(num_given, dtype=torch.float64) / (2 * num_given)
        return self.convolution.analyse(values.movedim(1, -1), phases, num_samples=2 * num_given)

    def frames(
        self,
        spectrum: Tensor,
        last_frame: Tensor,
        num_out: int,
        latent_frames: int,
        bias_scale: float | None = None,
        derivative: int = 0,
    ) -> Tensor:
        """Frames of the answer, or their derivatives in time, of :meth:`spectrum`.

        Parameters
        ----------
        spectrum
            Complex, shape ``(batch, num_kept, channels)``.
        last_frame
            Shape ``(batch, channels, *space)``.
        num_out
            Number of frames J.
        latent_frames
            L.
        bias_scale
            δ, the head's own when left out.
        derivative
            How often to differentiate in time, exactly. The unit of time is the step from one
            output frame to the next: divide by its length (to the power of the order).

        Returns
        -------
        Tensor
            Shape ``(batch, channels, *space, num_out)``.
        """
        num_out = positive_integer("num_out", num_out)
        scale = self.bias_scale if bias_scale is None else bias_scale
        share = self._share(num_out, latent_frames)
        phases = 0.5 + 0.5 * share * torch.arange(1, num_out + 1, dtype=torch.float64)
        with torch.autocast(last_frame.device.type, enabled=False):
            mixed = self.convolution.multiply(spectrum, scale)
            space = last_frame.shape[2:]
            values = self.convolution.synthesise(mixed, space, phases, derivative)
            values = values.movedim(-1, 1)
            if derivative:
                return values * (0.5 * share) ** derivative
            return values + last_frame[..., None]

    def enlarged(self, modes: Sequence[int]) -> SpectralHead:
        """A float64 copy that keeps more modes; those that are new have R = b = 0.

        Raises
        ------
        InputError
            If an axis would keep fewer modes than now.
        """
        modes = mode_counts(modes)
        if len(modes) != len(self.modes) or any(
            new < old for new, old in zip(modes, self.modes, strict=False)
        ):
            raise InputError(
                f"modes={list(modes)} must hold at least the modes of this head, "
                f"{list(self.modes)}, along every axis"
            )
        copy = SpectralHead(self.channels, modes, self.bias_scale, self.output_times)
        copy = copy.to(self.convolution.weight.device, torch.float64)
        numbers = _positions(self.modes, modes).to(self.convolution.weight.device)
        with torch.no_grad():
            for name in ("weight", "bias"):
                target, source = getattr(copy.convolution, name), getattr(self.convolution, name)
                target.zero_()
                target[numbers] = source.to(torch.float64)
        return copy

    def _share(self, num_out: int, latent_frames: int) -> float:
        """Step between output frames as a share of the half period."""
        if self.output_times == "published":
            return 1.0 / (num_out + 1)
        return latent_frames / (latent_frames + 1) / num_out

    def _check(self, latent: Tensor, last_frame: Tensor) -> None:
        if (
            latent.ndim != len(self.modes) + 2
            or latent.shape[:-1] != last_frame.shape
            or latent.shape[1] != self.channels
        ):
            raise InputError(
                f"latent of shape {tuple(latent.shape)} and last_frame of shape "
                f"{tuple(last_frame.shape)} do not fit this head: it takes (batch, "
                f"{self.channels}, *space, frames) and (batch, {self.channels}, *space) with "
                f"{len(self.modes) - 1} axes of space"
            )


def _positions(old: Sequence[int], new: Sequence[int]) -> Tensor:
    """Numbers among the new kept modes of the old ones, in their order."""
    numbers = torch.zeros((1,) * len(old), dtype=torch.long)
    for axis, (few, many) in enumerate(zip(old, new, strict=True)):
        is_time = axis == len(old) - 1
        low = torch.arange(few)
        along = low if is_time else torch.cat([low, 2 * many - few + low])
        shape = [1] * len(old)
        shape[axis] = -1
        numbers = numbers * (many if is_time else 2 * many) + along.view(shape)
    return numbers.flatten()
