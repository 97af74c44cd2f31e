"""Symmetries of the box, for data augmentation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from meshes.errors import InputError


@dataclass(frozen=True)
class Symmetry:
    """A reordering of the axes of a grid, then flips.

    Parameters
    ----------
    order
        New axis k is old axis ``order[k]``.
    flips
        Axes that are then reversed.

    Examples
    --------
    >>> import torch
    >>> Symmetry((1, 0), (0,)).apply(torch.tensor([[[1, 2], [3, 4]]]))
    tensor([[[2, 4],
             [1, 3]]])
    """

    order: tuple[int, ...]
    flips: tuple[int, ...]

    def apply(self, values: Tensor) -> Tensor:
        """Transform scalar fields of shape ``(channel, *shape)``."""
        moved = values.permute(0, *(axis + 1 for axis in self.order))
        return moved.flip([axis + 1 for axis in self.flips]) if self.flips else moved


class BoxSymmetries(Sequence[Symmetry]):
    """All flips of a box, and exchanges of axes that are equal in points and length.

    Solutions of a family that declares the symmetry ``"square"`` are transformed as the
    inputs are, so a transformed sample is an exact sample too. Holds for scalar fields;
    vector components would have to be exchanged as well.

    Parameters
    ----------
    shape
        Number of values along each axis.
    extent
        Length of each axis.

    Examples
    --------
    >>> len(BoxSymmetries((43, 43), (1.0, 1.0))), len(BoxSymmetries((43, 21), (1.0, 1.0)))
    (8, 4)
    """

    def __init__(self, shape: Sequence[int], extent: Sequence[float]) -> None:
        if len(shape) != len(extent):
            raise InputError(f"shape={shape} and extent={extent} must be equal in length")
        axes = range(len(shape))
        orders = [
            order
            for order in itertools.permutations(axes)
            if all(
                shape[new] == shape[old] and abs(extent[new] - extent[old]) <= 1e-12 * extent[new]
                for new, old in enumerate(order)
            )
        ]
        subsets = [
            subset
            for size in range(len(shape) + 1)
            for subset in itertools.combinations(axes, size)
        ]
        self._all = [Symmetry(order, flips) for order in orders for flips in subsets]

    def __len__(self) -> int:
        """Number of symmetries."""
        return len(self._all)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        """One symmetry; number 0 is the identity."""
        return self._all[index]
