"""Affine normalisation of fields by statistics of the training data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest

Statistics = Literal["scalar", "channel", "point"]


class GaussianNormalizer(nn.Module):
    """(u − mean) / standard deviation, fitted on training data.

    Parameters
    ----------
    num_channels
        Channels of the fields.
    statistics
        ``"channel"``: one mean and deviation a channel; ``"scalar"``: one for all;
        ``"point"``: one for each channel and grid point, as in the recipe of the published
        Fourier neural operator, which ties the model to one grid. Points where a channel never
        varies, such as those on a boundary with given values, get the root mean square of the
        channel's deviations.

    Attributes
    ----------
    mean, deviation : Tensor
        Buffers, so they move and are saved with the model.
    minimum, maximum : Tensor, shape (num_channels,)
        Smallest and largest training value, for range checks.
    provenance
        What the statistics were computed from; empty while not fitted.

    Raises
    ------
    InputError
        If it is used before it is fitted, fields have other channels or another grid, or
        training values are constant or not finite.

    Examples
    --------
    >>> normalizer = GaussianNormalizer(1)
    >>> normalizer.fit([torch.tensor([[[1.0, 3.0]]])], {"family": "example"})
    >>> normalizer(torch.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]])
    """

    mean: Tensor
    deviation: Tensor
    minimum: Tensor
    maximum: Tensor

    def __init__(self, num_channels: int, statistics: Statistics = "channel") -> None:
        super().__init__()
        if statistics not in get_args(Statistics):
            raise InputError(
                f"statistics={statistics!r} is unknown. "
                f"{suggest(str(statistics), get_args(Statistics))}"
            )
        self.num_channels = num_channels
        self.statistics = statistics
        self.provenance: dict[str, Any] = {}
        for name in ("mean", "deviation"):
            self.register_buffer(name, torch.zeros(0))
        for name in ("minimum", "maximum"):
            self.register_buffer(name, torch.zeros(num_channels, dtype=torch.float64))

    @property
    def is_fitted(self) -> bool:
        """Whether statistics are present."""
        return bool(self.provenance)

    def fit(self, batches: Iterable[Tensor], provenance: Mapping[str, Any]) -> None:
        """Compute the statistics in one pass, in float64.

        Parameters
        ----------
        batches
            Training fields, each of shape ``(batch, channel, *space)``.
        provenance
            Plain values that say where they come from; not empty.
        """
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        shift: Tensor | None = None
        precision = torch.float64
        low = torch.full((self.num_channels,), math.inf, dtype=torch.float64)
        high = -low
        for batch in batches:
            self._check_channels(batch)
            values, precision = batch.double(), batch.dtype
            if not bool(torch.isfinite(values).all()):
                raise InputError("training values are not finite; check the data set")
            flat = values.transpose(0, 1).flatten(1)
            low = torch.minimum(low, flat.amin(1))
            high = torch.maximum(high, flat.amax(1))
            axes = self._axes(values)
            if shift is None:  # shifted sums lose no digits to a large mean
                shift = values.mean(axes, keepdim=True)
                total, squares = torch.zeros_like(shift), torch.zeros_like(shift)
            deviation = values - shift
            count += math.prod(values.shape[axis] for axis in axes)
            total = total + deviation.sum(axes, keepdim=True)
            squares = squares + deviation.square().sum(axes, keepdim=True)
        if shift is None:
            raise InputError("no training sample to compute statistics from")
        mean = total / count
        spread = (squares / count - mean.square()).clamp_min(0).sqrt()
        centre = shift + mean
        # what rounding alone makes of a constant is no variance either
        smallest = max(1e-12, 4 * torch.finfo(precision).eps) * centre.abs().clamp_min(1e-300)
        constant = spread <= smallest
        if bool(constant.flatten(2).all(-1).any()):
            channel = torch.nonzero(constant[0].flatten(1).all(-1))[0].item()
            raise InputError(
                f"training values of channel {channel} have zero variance with "
                f"statistics={self.statistics!r}; a constant field carries no information: leave "
                "it out" + ("" if self.statistics == "scalar" else ", or use statistics='scalar'")
            )
        if bool(constant.any()):  # some points of statistics='point'
            everywhere = spread.square().mean(tuple(range(2, spread.ndim)), keepdim=True).sqrt()
            spread = torch.where(constant, everywhere, spread)
        dtype = torch.get_default_dtype()
        self.mean, self.deviation = centre[0].to(dtype), spread[0].to(dtype)
        self.minimum, self.maximum = low, high
        self.provenance = dict(provenance)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise fields of shape ``(batch, channel, *space)``."""
        mean, deviation = self._for(values)
        return (values - mean) / deviation

    def inverse(self, values: Tensor) -> Tensor:
        """Undo the normalisation."""
        mean, deviation = self._for(values)
        return values * deviation + mean

    def state(self) -> dict[str, Any]:
        """Plain values that, with the buffers, restore this object."""
        return {
            "statistics": self.statistics,
            "num_channels": self.num_channels,
            "shape": list(self.mean.shape),
            "provenance": self.provenance,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> GaussianNormalizer:
        """An object with room for the buffers, which ``load_state_dict`` then fills."""
        normalizer = cls(state["num_channels"], state["statistics"])
        normalizer.allocate(state)
        return normalizer

    def allocate(self, state: Mapping[str, Any]) -> None:
        """Make buffers of the stored shape and take over the provenance."""
        for name in ("mean", "deviation"):
            setattr(self, name, torch.zeros(tuple(state["shape"]), device=self.minimum.device))
        self.provenance = dict(state["provenance"])

    def _axes(self, values: Tensor) -> tuple[int, ...]:
        space = tuple(range(2, values.ndim))
        return {"point": (0,), "channel": (0, *space), "scalar": (0, 1, *space)}[self.statistics]

    def _check_channels(self, values: Tensor) -> None:
        if values.ndim < 3 or values.shape[1] != self.num_channels:
            raise InputError(
                f"fields of shape {tuple(values.shape)} must have shape "
                f"(batch, {self.num_channels}, *space)"
            )

    def _for(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_fitted:
            raise InputError(
                "the normaliser has no statistics: fit it on the training data first "
                "(trainer.fit does), or load a checkpoint"
            )
        self._check_channels(values)
        if self.statistics == "point" and values.shape[1:] != self.mean.shape:
            raise InputError(
                f"statistics='point' were fitted on grid {tuple(self.mean.shape[1:])}, the field "
                f"is on {tuple(values.shape[2:])}; use statistics='channel' for other resolutions"
            )
        return self.mean.to(values.dtype), self.deviation.to(values.dtype)
