"""Fields on a box as amplitudes of Laplace eigenfunctions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from meshes.errors import InputError, suggest
from neural.training.losses.base import at_least_float32

Basis = Literal["periodic", "even", "odd"]
Extension = Literal["even", "odd"]


@dataclass(frozen=True)
class BoxSpectrum:
    r"""Orthonormal transforms of fields on a uniform grid, with gradients.

    A periodic axis is expanded in exponentials; an axis that does not wrap in cosines
    (the field is continued evenly beyond the sides: slope zero there) or in sines
    (continued oddly: value zero there). Values sit at cell centres, or on periodic and
    even axes also at vertices. The wave number of mode n on an axis of length L is
    2π n / L on periodic axes and π n / L on the others.

    Parameters
    ----------
    lengths
        Of the sides of the box.
    bases
        ``"periodic"``, ``"even"`` or ``"odd"`` for each axis.
    location
        ``"cell"`` or ``"vertex"``. Even vertex axes have end values of half weight (the
        trapezoidal rule).

    Raises
    ------
    InputError
        If lengths are not positive, a basis is unknown, or an odd axis has vertices: its
        end values would be given, and nothing in a sine series can say that they differ.

    Examples
    --------
    >>> box = BoxSpectrum((1.0,), ("even",))
    >>> x = (torch.arange(4) + 0.5) / 4
    >>> box.amplitudes(torch.cos(math.pi * x)[None, None]).abs().argmax().item()
    1
    >>> (box.squared_wave_numbers((4,)).sqrt() / math.pi).round(decimals=3)
    tensor([0., 1., 2., 3.], dtype=torch.float64)
    """

    lengths: tuple[float, ...]
    bases: tuple[Basis, ...]
    location: str = "cell"

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.bases) or not self.lengths:
            raise InputError(
                f"lengths={self.lengths} and bases={self.bases} must have one entry an axis"
            )
        if not all(0 < length < math.inf for length in self.lengths):
            raise InputError(f"lengths={self.lengths} must be positive and finite")
        for basis in self.bases:
            if basis not in get_args(Basis):
                raise InputError(
                    f"the basis {basis!r} is unknown. {suggest(str(basis), get_args(Basis))}"
                )
        if self.location not in ("cell", "vertex"):
            raise InputError(f"location={self.location!r} must be 'cell' or 'vertex'")
        if self.location == "vertex" and "odd" in self.bases:
            raise InputError(
                "sine series (extension='odd') are for cell-centred axes or those that wrap; give "
                "extension='even' for values at vertices"
            )

    @classmethod
    def of_box(
        cls,
        lengths: Sequence[float],
        periodic: Sequence[bool],
        extension: Extension = "even",
        location: str = "cell",
    ) -> BoxSpectrum:
        """Exponentials along the axes that wrap, and one kind of series along the others."""
        bases = tuple("periodic" if wraps else extension for wraps in periodic)
        sizes = tuple(float(length) for length in lengths)
        return cls(sizes, cast("tuple[Basis, ...]", bases), location)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.lengths)

    def amplitudes(self, values: Tensor) -> Tensor:
        """Amplitudes ``(batch, channel, *modes)`` of fields ``(batch, channel, *space)``.

        The sum of their squared absolute values is that of the values (Parseval). Complex
        where an axis wraps. Modes of negative wave number along the last axis that wraps
        are counted in those of positive one.

        Raises
        ------
        InputError
            If the number of axes differs, or an even axis has a single vertex.
        """
        if values.ndim != self.dimension + 2:
            raise InputError(
                f"fields of shape {tuple(values.shape)} must have shape (batch, channel, *space) "
                f"with {self.dimension} axes of space, the box's"
            )
        values = at_least_float32(values)
        wrapped = []
        for axis, basis in enumerate(self.bases):
            if basis == "periodic":
                wrapped.append(axis + 2)
            else:
                values = _half_range(values, axis + 2, basis, self.location)
        if not wrapped:
            return values
        size = values.shape[wrapped[-1]]
        modes = torch.fft.rfftn(values, dim=wrapped, norm="ortho")
        pairs = _along(_pairs(size, modes.device), wrapped[-1], modes.ndim)
        scaled: Tensor = modes * pairs.to(values.dtype)
        return scaled

    def num_cells(self, shape: Sequence[int]) -> int:
        """Cells of the grid: one less than its points along even axes of vertices."""
        closed = self.location == "vertex"
        pairs = zip(shape, self.bases, strict=True)
        return math.prod(size - (closed and basis == "even") for size, basis in pairs)

    def waves(self, shape: Sequence[int], device: Any = None) -> list[Tensor]:
        """Wave number of each mode along each axis, in the order of ``amplitudes``."""
        found = []
        last = max((axis for axis, b in enumerate(self.bases) if b == "periodic"), default=-1)
        for axis, (size, length, basis) in enumerate(
            zip(shape, self.lengths, self.bases, strict=True)
        ):
            options: dict[str, Any] = {"dtype": torch.float64, "device": device}
            if basis == "periodic":
                frequencies = torch.fft.rfftfreq if axis == last else torch.fft.fftfreq
                found.append(frequencies(size, length / size, **options) * (2 * math.pi))
            else:
                first = 1 if basis == "odd" else 0
                numbers = torch.arange(first, first + size, **options)
                found.append(numbers * (math.pi / length))
        return found

    def squared_wave_numbers(self, shape: Sequence[int], device: Any = None) -> Tensor:
        """|k|² of every mode, shape ``modes``, float64."""
        total: Tensor | float = 0.0
        for axis, wave in enumerate(self.waves(shape, device)):
            total = total + _along(wave**2, axis, self.dimension)
        return cast("Tensor", total)


def _half_range(values: Tensor, axis: int, basis: Basis, location: str) -> Tensor:
    """Orthonormal cosine or sine amplitudes along an axis, as many as there are values."""
    size = values.shape[axis]
    flipped = values.flip(axis)
    numbers = torch.arange(size + 1, dtype=values.dtype, device=values.device)
    if location == "vertex":
        if size < 2:
            raise InputError(
                f"fields of shape {tuple(values.shape)} have one value along an axis that does not "
                "wrap; give at least two vertices, the ends of the side"
            )
        extended = torch.cat([values, flipped.narrow(axis, 1, size - 2)], axis)
        turned = torch.fft.rfft(extended, dim=axis, norm="ortho").real
        weights = torch.ones_like(numbers[:-1])
        weights[0] = weights[-1] = math.sqrt(0.5)
        return _scaled(turned, weights, axis)
    extended = torch.cat([values, flipped if basis == "even" else -flipped], axis)
    shift = torch.polar(torch.ones_like(numbers), numbers * (-math.pi / (2 * size)))
    turned = torch.fft.rfft(extended, dim=axis, norm="ortho") * _along(shift, axis, values.ndim)
    weights = torch.ones_like(numbers[:-1])
    if basis == "even":
        weights[0] = math.sqrt(0.5)
        return _scaled(turned.real.narrow(axis, 0, size), weights, axis)
    weights[-1] = math.sqrt(0.5)
    return _scaled(turned.imag.narrow(axis, 1, size), -weights, axis)


def _pairs(size: int, device: Any) -> Tensor:
    """√2 for modes that stand for two, of a real transform of `size` values."""
    weights = torch.full((size // 2 + 1,), math.sqrt(2.0), device=device, dtype=torch.float64)
    weights[0] = 1.0
    if size % 2 == 0:
        weights[-1] = 1.0
    return weights


def _scaled(values: Tensor, weights: Tensor, axis: int) -> Tensor:
    scaled: Tensor = values * _along(weights, axis, values.ndim)
    return scaled


def _along(values: Tensor, axis: int, ndim: int) -> Tensor:
    return values.reshape([-1 if other == axis else 1 for other in range(ndim)])
