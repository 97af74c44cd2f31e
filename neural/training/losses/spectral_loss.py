"""Losses of the amplitudes of waves in a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshes.errors import InputError
from neural.training.losses.base import FieldLoss, Reduction
from neural.training.losses.spectrum import BoxSpectrum, Extension


class SpectralLoss(FieldLoss):
    """A loss of the amplitudes of Laplace eigenfunctions on the box of the training data.

    Parameters
    ----------
    extension
        For the axes that do not wrap: ``"even"`` (cosines; fields of any boundary values)
        or ``"odd"`` (sines; for fields that are zero on the sides). See
        :class:`BoxSpectrum`.
    lengths
        Of the sides of the box; when left out, the first training file says them, and
        which axes wrap, through ``prepare``.
    periodic
        Which axes wrap, where `lengths` are given.
    reduction
        As in :class:`FieldLoss`.
    """

    def __init__(
        self,
        extension: Extension = "even",
        lengths: Sequence[float] | None = None,
        periodic: Sequence[bool] | bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.extension: Extension = extension
        self._box: BoxSpectrum | None = None
        self._fixed = lengths is not None
        if lengths is None:
            BoxSpectrum.of_box((1.0,), (False,), extension)  # checks the extension
            return
        wraps = (periodic,) * len(lengths) if isinstance(periodic, bool) else tuple(periodic)
        self._box = BoxSpectrum.of_box(lengths, wraps, extension)

    def prepare(self, info: Any) -> None:
        """Take the box of the training data, if none was given."""
        if not self._fixed:
            self._box = self._box_of(info)

    def check(self, info: Any) -> None:
        """Refuse a file on another box."""
        if not self._fixed and self._box_of(info) != self._box:
            raise InputError(
                f"the box of '{info.path}' is not that of the first training file; this loss is "
                "for data on one box. Give it lengths=[...], or train on one family"
            )

    def _box_of(self, info: Any) -> BoxSpectrum:
        if info.location not in ("cell", "vertex"):
            raise InputError(
                f"the values of '{info.path}' are not on a uniform grid (location="
                f"'{info.location}'), where waves have no fast transforms; use RelativeL2, or "
                "EnergyNorm with a matrix of the mesh"
            )
        lengths = [high - low for low, high in zip(info.lower, info.upper, strict=True)]
        return BoxSpectrum.of_box(lengths, info.periodic, self.extension, info.location)

    def take_box(self, box: BoxSpectrum) -> None:
        """Use the transforms of this box."""
        self._box, self._fixed = box, True

    @property
    def box(self) -> BoxSpectrum:
        """The transforms in use."""
        if self._box is None:
            raise InputError(
                "the loss does not know the box: give lengths=[...] (and periodic), or call "
                "prepare(info) with the info of a data set, as the trainer does"
            )
        return self._box
