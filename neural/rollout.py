"""One step of a trained model in time, and many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest
from neural.training.normalizers import GaussianNormalizer, Statistics

Output = Literal["state", "increment"]
FrameStatistics = Literal["scalar", "channel", "point", "none"]


class FramePredictor(nn.Module):
    r"""Frames that follow the given ones, by a model of normalised fields.

    With the normalised frames w of the past and static fields s, a step is

    .. math:: (w_{n+1}, \ldots, w_{n+k}) = M(w_{n-h+1}, \ldots, w_n, s)

    or, with ``output="increment"``, w_n plus the increments that M gives, scaled by the
    mean and deviation of the differences of neighbouring frames. A rollout repeats it
    with the newest h frames.

    Parameters
    ----------
    model
        Either takes ``(batch, h·channel + static_channel, *space)``, the channels of the
        oldest frame first, and gives ``(batch, k·channel, *space)``; or, with an attribute
        ``space_time = True``, is called as ``model(history, k)`` with ``(batch, channel +
        static_channel, *space, h)`` and gives ``(batch, channel, *space, k)``.
    num_state, num_static
        Channels of a frame, and channels that do not change in time.
    frames_in
        h.
    frames_per_step
        k.
    output
        What the model gives: the ``"state"`` or its ``"increment"``.
    statistics
        Of the normalisers, see :class:`neural.training.normalizers.GaussianNormalizer`;
        ``"none"`` leaves fields in their own units.

    Raises
    ------
    InputError
        If an option is unknown, or (when applied) frames or channels do not fit.

    Examples
    --------
    >>> model = nn.Conv2d(2, 1, 1)
    >>> predictor = FramePredictor(model, num_state=1, num_static=0, frames_in=2)
    >>> frames = torch.randn(5, 4, 1, 8, 8)
    >>> predictor.fit(lambda: [(frames, torch.zeros(5, 0, 8, 8))], {"made by": "hand"})
    >>> predictor.rollout(frames[:, :2], torch.zeros(5, 0, 8, 8), 6).shape
    torch.Size([5, 6, 1, 8, 8])
    """

    def __init__(
        self,
        model: nn.Module,
        num_state: int,
        num_static: int,
        frames_in: int,
        frames_per_step: int = 1,
        output: Output = "state",
        statistics: FrameStatistics = "channel",
    ) -> None:
        super().__init__()
        for name, given, allowed in (
            ("output", output, get_args(Output)),
            ("statistics", statistics, get_args(FrameStatistics)),
        ):
            if given not in allowed:
                raise InputError(f"{name}={given!r} is unknown. {suggest(str(given), allowed)}")
        self.model = model
        self.num_state, self.num_static = num_state, num_static
        self.frames_in, self.frames_per_step = frames_in, frames_per_step
        self.output, self.statistics = output, statistics
        kind: Statistics = "channel" if statistics == "none" else statistics
        self.normalizers = nn.ModuleDict({"state": GaussianNormalizer(num_state, kind)})
        if num_static:
            self.normalizers["static"] = GaussianNormalizer(num_static, kind)
        if output == "increment":
            self.normalizers["increment"] = GaussianNormalizer(num_state, kind)

    @property
    def space_time(self) -> bool:
        """Whether the model has an axis of time."""
        return bool(getattr(self.model, "space_time", False))

    @property
    def is_fitted(self) -> bool:
        """Whether the normalisers have statistics."""
        return all(self.normalizer(name).is_fitted for name in self.normalizers)

    def fit(
        self,
        trajectories: Callable[[], Iterable[tuple[Tensor, Tensor]]],
        provenance: Mapping[str, Any],
    ) -> None:
        """Compute the statistics of training data.

        Parameters
        ----------
        trajectories
            Gives, each time it is called, pairs of frames ``(n, frame, channel, *space)`` and
            static channels ``(n, static_channel, *space)``.
        provenance
            Plain values that say where they come from; not empty.
        """
        state = self.normalizer("state")
        state.fit((frames.flatten(0, 1) for frames, _ in trajectories()), provenance)
        if self.statistics == "none":
            _neutral(state)
        if self.num_static:
            static = self.normalizer("static")
            static.fit((values for _, values in trajectories()), provenance)
            if self.statistics == "none":
                _neutral(static)
        if self.output == "increment":
            differences = (
                state(frames.flatten(0, 1)).view(frames.shape).diff(dim=1).flatten(0, 1)
                for frames, _ in trajectories()
            )
            self.normalizer("increment").fit(differences, provenance)

    def normalise(self, history: Tensor, static: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised frames and static channels, of the same shapes.

        Raises
        ------
        InputError
            If frames or channels do not fit.
        """
        if history.ndim < 4 or history.shape[1:3] != (self.frames_in, self.num_state):
            raise InputError(
                f"history of shape {tuple(history.shape)} does not fit: it must be (batch, "
                f"{self.frames_in}, {self.num_state}, *space), that is frames, then channels"
            )
        expected = (history.shape[0], self.num_static, *history.shape[3:])
        if static.shape != expected:
            raise InputError(
                f"static fields of shape {tuple(static.shape)} must have shape {expected} beside "
                f"a history of shape {tuple(history.shape)}"
            )
        frames = self.normalizer("state")(history.flatten(0, 1)).view(history.shape)
        return frames, self.normalizer("static")(static) if self.num_static else static

    def denormalise(self, frames: Tensor) -> Tensor:
        """Frames ``(batch, frame, channel, *space)`` in their own units."""
        return self.normalizer("state").inverse(frames.flatten(0, 1)).view(frames.shape)

    def step(self, history: Tensor, static: Tensor) -> Tensor:
        """The next k frames of h frames, all normalised."""
        last = history[:, -1:]
        if self.space_time:
            fields = history.movedim(1, -1)
            if self.num_static:
                still = static.unsqueeze(-1).expand(*static.shape, self.frames_in)
                fields = torch.cat([fields, still], 1)
            found = self.model(fields, self.frames_per_step).movedim(-1, 1)
        else:
            found = self.model(torch.cat([history.flatten(1, 2), static], 1))
            found = found.unflatten(1, (self.frames_per_step, self.num_state))
        if self.output == "state":
            frames: Tensor = found
            return frames
        increments = self.normalizer("increment").inverse(found.flatten(0, 1))
        return last + increments.view(found.shape)

    def advance(self, history: Tensor, frames: Tensor) -> Tensor:
        """The newest h frames of a history and the frames that follow it."""
        return torch.cat([history, frames], 1)[:, -self.frames_in :]

    def rollout(self, history: Tensor, static: Tensor, num_frames: int) -> Tensor:
        """The next frames, in the units of the data.

        Parameters
        ----------
        history
            Shape ``(batch, frames_in, channel, *space)``, oldest first.
        static
            Shape ``(batch, static_channel, *space)``.
        num_frames
            How many.

        Returns
        -------
        Tensor
            Shape ``(batch, num_frames, channel, *space)``.
        """
        if num_frames < 1:
            raise InputError(f"num_frames={num_frames} must be an integer of at least 1")
        recent, fields = self.normalise(history, static)
        found: list[Tensor] = []
        while sum(frames.shape[1] for frames in found) < num_frames:
            found.append(self.step(recent, fields))
            recent = self.advance(recent, found[-1])
        return self.denormalise(torch.cat(found, 1)[:, :num_frames])

    def forward(self, history: Tensor, static: Tensor) -> Tensor:
        """One step, in the units of the data."""
        return self.rollout(history, static, self.frames_per_step)

    def state(self) -> dict[str, Any]:
        """Plain values that, with a model and the weights, restore this object."""
        return {
            "num_state": self.num_state,
            "num_static": self.num_static,
            "frames_in": self.frames_in,
            "frames_per_step": self.frames_per_step,
            "output": self.output,
            "statistics": self.statistics,
            "normalizers": {name: self.normalizer(name).state() for name in self.normalizers},
        }

    @classmethod
    def from_state(cls, model: nn.Module, state: Mapping[str, Any]) -> FramePredictor:
        """An object with room for the weights, which ``load_state_dict`` then fills."""
        options = {key: value for key, value in state.items() if key != "normalizers"}
        predictor = cls(model, **options)
        predictor.allocate(state)
        return predictor

    def allocate(self, state: Mapping[str, Any]) -> None:
        """Make buffers of the stored shapes, and take over where statistics come from."""
        self.frames_per_step = int(state["frames_per_step"])
        for name in self.normalizers:
            self.normalizer(name).allocate(state["normalizers"][name])

    def normalizer(self, name: str) -> GaussianNormalizer:
        """That of ``state``, ``static`` or ``increment``."""
        return cast("GaussianNormalizer", self.normalizers[name])


def _neutral(normalizer: GaussianNormalizer) -> None:
    """Statistics that change nothing; the ranges stay."""
    normalizer.mean = torch.zeros_like(normalizer.mean)
    normalizer.deviation = torch.ones_like(normalizer.deviation)
