"""Relative errors in bands of wave numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import Reduction, check_shapes, relative, total_of
from neural.training.losses.spectral_loss import SpectralLoss
from neural.training.losses.spectrum import Extension


class BandL2(SpectralLoss):
    r"""Weighted sum of relative L2 errors in bands of wave numbers.

    .. math:: \sum_b w_b \frac{\lVert P_b(u - \hat u)\rVert}
              {\max(\lVert P_b u\rVert,\ \phi \lVert u\rVert)}

    with P_b the projection onto the waves of band b. Short waves are a small part of most
    fields, so a loss of the whole field hardly sees them; here every band counts by its
    weight.

    Parameters
    ----------
    edges
        Where bands meet, rising, in waves per longest side of the box (a cosine of mode n
        is n/2 waves); the first band begins at 0, the last has no end. Edges [4, 12] give
        the bands below 4, from 4 to below 12, and from 12 on.
    weights
        w, one a band, not negative; equal and of sum 1 when left out.
    floor
        φ between 0 and 1: bands that hold less than this part of the target are not blown
        up further; a small one makes the first steps of training follow short waves alone.
        1 makes all errors relative to the whole field, 0 suits a metric.
    extension, lengths, periodic
        As in :class:`neural.training.losses.spectral_loss.SpectralLoss`.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If an argument is out of range; if (when applied) the box is not known, shapes do
        not fit, or a target (with ``floor=0`` one of its bands) is zero.

    Examples
    --------
    >>> x = torch.arange(32, dtype=torch.float64) / 32
    >>> u, e = torch.cos(2 * math.pi * x), torch.cos(16 * math.pi * x)
    >>> loss = BandL2(edges=[4], floor=0.1, lengths=[1.0], periodic=True)
    >>> errors = loss.errors((u + 0.01 * e)[None, None], u[None, None])
    >>> {band: round(float(value), 3) for band, value in errors.items()}
    {'below_4': 0.0, 'from_4': 0.1}
    """

    def __init__(
        self,
        edges: Sequence[float],
        weights: Sequence[float] | None = None,
        floor: float = 0.1,
        extension: Extension = "even",
        lengths: Sequence[float] | None = None,
        periodic: Sequence[bool] | bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(extension, lengths, periodic, reduction)
        self.edges = tuple(float(edge) for edge in edges)
        rising = all(low < high for low, high in zip((0.0, *self.edges), self.edges, strict=False))
        if not self.edges or not rising or not math.isfinite(self.edges[-1]):
            raise InputError(
                f"edges={list(edges)} must be finite, positive and rising, such as [4, 12]"
            )
        count = len(self.edges) + 1
        self.band_weights = (1 / count,) * count if weights is None else tuple(map(float, weights))
        if len(self.band_weights) != count or not all(0 <= w < math.inf for w in self.band_weights):
            raise InputError(
                f"weights={weights!r} must be {count} numbers of at least 0, one for each band: "
                f"{', '.join(self.names)}"
            )
        if not 0 <= floor <= 1:
            raise InputError(f"floor={floor!r} must lie between 0 and 1")
        self.floor = float(floor)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the bands, from long to short waves."""
        first = f"below_{self.edges[0]:g}"
        between = [
            f"{low:g}_to_{high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False)
        ]
        return (first, *between, f"from_{self.edges[-1]:g}")

    def errors(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Relative error of each band by its name, each of shape ``(batch,)``."""
        check_shapes(prediction, target)
        numbers = self.box.squared_wave_numbers(target.shape[2:], target.device).sqrt()
        numbers = numbers * (max(self.box.lengths) / (2 * math.pi))
        difference = self.box.amplitudes(prediction - target)
        field = self.box.amplitudes(target)
        least = self.floor * torch.linalg.vector_norm(field.flatten(1), dim=1)
        found = {}
        # half an edge's rounding must not move a wave that lies on it
        limits = [0.0, *(edge * (1 - 1e-9) for edge in self.edges), math.inf]
        for name, low, high in zip(self.names, limits, limits[1:], strict=False):
            chosen = (numbers >= low) & (numbers < high)
            error, norm = (
                torch.linalg.vector_norm((part * chosen).flatten(1), dim=1)
                for part in (difference, field)
            )
            found[name] = relative(error, torch.maximum(norm, least), f"band '{name}'")
        return found

    def terms(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """The weighted errors of the bands."""
        del inputs
        errors = self.errors(prediction, target)
        return {
            name: weight * error
            for (name, error), weight in zip(errors.items(), self.band_weights, strict=True)
        }

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""
        return total_of(self.terms(prediction, target, target))
