"""Steps of a model through a training window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from meshes.errors import InputError
from neural.models.spectral_convolution import positive_integer
from neural.rollout import FramePredictor


@dataclass(frozen=True)
class Unrolling:
    """How far training goes through a window, and with which past.

    Parameters
    ----------
    steps
        Steps of the model; when left out, as many as fill the future of the windows.
    push_forward
        Only the first and the last step count, and no gradient flows into the past of the
        last.
    noise
        Standard deviation of the noise on the normalised frames of the past.
    noise_seed
        Fixes the noise.

    Raises
    ------
    InputError
        If an option is out of range, or (when used) windows are shorter than the steps.

    References
    ----------
    Sanchez-Gonzalez et al. (2020), doi:10.48550/arXiv.2002.09405: noise. Brandstetter et
    al. (2022), doi:10.48550/arXiv.2202.03376: push-forward.

    Examples
    --------
    >>> Unrolling().num_steps(frames_out=10, frames_per_step=4)
    3
    """

    steps: int | None = None
    push_forward: bool = False
    noise: float = 0.0
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is not None:
            positive_integer("unroll", self.steps)
        if isinstance(self.noise, bool) or not 0 <= self.noise < 10 or self.noise_seed < 0:
            raise InputError(
                f"noise={self.noise!r} must lie between 0 and 10 (it is relative to the deviation "
                f"of the fields) and noise_seed={self.noise_seed!r} be at least 0"
            )

    def num_steps(self, frames_out: int, frames_per_step: int) -> int:
        """Steps in windows with so many frames of future."""
        available = math.ceil(frames_out / frames_per_step)
        if self.steps is not None and self.steps > available:
            raise InputError(
                f"unroll={self.steps} steps of {frames_per_step} frames are longer than the future "
                f"of the training windows, {frames_out} frames; raise data.frames_out or lower "
                "unroll"
            )
        return available if self.steps is None else self.steps

    def predict(
        self, predictor: FramePredictor, batch: tuple[Tensor, Tensor, Tensor, Tensor], epoch: int
    ) -> tuple[Tensor, Tensor]:
        """Predicted frames that count, and what they should be, in the data's units.

        Parameters
        ----------
        predictor
            Fitted.
        batch
            History, static fields, future, and numbers of the windows.
        epoch
            Of the training: noise differs from one to the next.

        Returns
        -------
        found, wanted
            Shape ``(batch, frame, channel, *space)``.
        """
        history, static, future, numbers = batch
        recent, fields = predictor.normalise(history, static)
        if self.noise:
            recent = recent + self.noise * self.noise_like(recent, numbers, epoch)
        size = predictor.frames_per_step
        steps = self.num_steps(future.shape[1], size)
        found: list[Tensor] = []
        for step in range(steps):
            pushed = self.push_forward and step > 0
            counted = not self.push_forward or step in (0, steps - 1)
            with torch.set_grad_enabled(counted and torch.is_grad_enabled()):
                frames = predictor.step(recent.detach() if pushed else recent, fields)
            recent = predictor.advance(recent, frames)
            found.append(frames)
        predicted = torch.cat(found, 1)[:, : future.shape[1]]
        wanted = future[:, : predicted.shape[1]]
        if self.push_forward and steps > 2:
            last = slice((steps - 1) * size, None)
            predicted = torch.cat([predicted[:, :size], predicted[:, last]], 1)
            wanted = torch.cat([wanted[:, :size], wanted[:, last]], 1)
        return predictor.denormalise(predicted), wanted

    def noise_like(self, frames: Tensor, numbers: Tensor, epoch: int) -> Tensor:
        """Standard normal noise that depends on seed, epoch and window alone.

        So resumed runs and runs on several processes repeat it.
        """
        drawn = torch.empty_like(frames)
        generator = torch.Generator(device=frames.device)
        for row, number in zip(drawn, numbers.tolist(), strict=True):
            generator.manual_seed(_mixed(self.noise_seed, epoch, number))
            row.normal_(generator=generator)
        return drawn


def _mixed(*numbers: int) -> int:
    """One seed of several numbers."""
    seed = 0
    for number in numbers:
        seed = (seed * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return seed
