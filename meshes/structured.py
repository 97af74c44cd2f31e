"""Uniform grids on boxes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError

Location = Literal["cell", "vertex"]
FloatArray = npt.NDArray[np.float64]

AXIS_NAMES = ("x", "y", "z")


def _numbers(name: str, given: object, dimension: int, *, default: float) -> tuple[float, ...]:
    if isinstance(given, tuple) and not given:
        given = default
    if isinstance(given, numbers.Real):
        given = (given,) * dimension
    if not isinstance(given, Sequence | np.ndarray) or not all(
        isinstance(value, numbers.Real) for value in given
    ):
        raise InputError(f"{name}={given!r} must be a number or {dimension} numbers")
    values = tuple(float(value) for value in given)
    if len(values) != dimension:
        raise InputError(
            f"{name}={given!r} has {len(values)} entries; the grid has {dimension} axes"
        )
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"{name}={given!r} must be finite")
    return values


@dataclass(frozen=True)
class StructuredGrid:
    """A uniform grid on the box [lower, upper], in one, two or three dimensions.

    Axis 0 of every array is x, axis 1 is y, axis 2 is z. With ``location="cell"`` there
    are ``shape[k]`` cells along axis k and values sit at their centres,
    ``lower + (i + 1/2) h`` with ``h = (upper - lower) / shape``. With
    ``location="vertex"`` values sit at ``lower + i h``, both ends included
    (``h = (upper - lower) / (shape - 1)``), except on periodic axes, where the upper end
    is the lower one and is left out (``h = (upper - lower) / shape``).

    Parameters
    ----------
    shape
        Number of values along each axis.
    lower, upper
        Corners of the box, one number an axis (or one for all), in the problem's unit
        of length.
    periodic
        Whether each axis wraps.
    location
        Where values sit.

    Raises
    ------
    InputError
        If a size is not a positive integer, a corner is not finite or
        ``upper <= lower``, or the dimension is not 1, 2 or 3.

    Examples
    --------
    >>> grid = StructuredGrid((4, 2), upper=(2.0, 1.0))
    >>> grid.spacing
    (0.5, 0.5)
    >>> grid.axes()[0]
    array([0.25, 0.75, 1.25, 1.75])
    """

    shape: tuple[int, ...]
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    periodic: tuple[bool, ...] = ()
    location: Location = "cell"

    def __post_init__(self) -> None:
        given: object = self.shape
        if isinstance(given, numbers.Real):
            given = (given,)
        if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str):
            raise InputError(f"shape={given!r} must be an integer or a tuple of 1 to 3 integers")
        sizes = tuple(given)
        if not 1 <= len(sizes) <= 3:
            raise InputError(f"shape={given!r} has {len(sizes)} axes; grids have 1, 2 or 3")
        for size in sizes:
            if isinstance(size, bool) or not isinstance(size, numbers.Integral):
                raise InputError(f"shape={given!r} must hold integers, not {size!r}")
            if int(size) < 1:
                raise InputError(f"shape={given!r} must hold positive sizes, not {size}")
        shape = tuple(int(size) for size in sizes)
        dimension = len(shape)
        lower = _numbers("lower", self.lower, dimension, default=0.0)
        upper = _numbers("upper", self.upper, dimension, default=1.0)
        for axis in range(dimension):
            if not upper[axis] > lower[axis]:
                raise InputError(
                    f"axis {AXIS_NAMES[axis]}: upper={upper[axis]} must be greater than "
                    f"lower={lower[axis]}"
                )
        wraps: object = self.periodic
        if isinstance(wraps, tuple) and not wraps:
            wraps = False
        if isinstance(wraps, bool):
            wraps = (wraps,) * dimension
        if (
            not isinstance(wraps, Sequence | np.ndarray)
            or len(wraps) != dimension
            or not all(isinstance(wrap, bool | np.bool_) for wrap in wraps)
        ):
            raise InputError(f"periodic={wraps!r} must hold {dimension} truth values")
        if self.location not in ("cell", "vertex"):
            raise InputError(f"location={self.location!r} must be 'cell' or 'vertex'")
        if self.location == "vertex" and any(
            size < 2 and not wrap for size, wrap in zip(shape, wraps, strict=True)
        ):
            raise InputError(f"shape={shape}: a vertex grid needs two points an axis")
        for name, value in (
            ("shape", shape),
            ("lower", lower),
            ("upper", upper),
            ("periodic", tuple(bool(wrap) for wrap in wraps)),
        ):
            object.__setattr__(self, name, value)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def num_points(self) -> int:
        """Number of values of one channel."""
        return math.prod(self.shape)

    @property
    def extent(self) -> tuple[float, ...]:
        """Side lengths of the box."""
        return tuple(b - a for a, b in zip(self.lower, self.upper, strict=True))

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring values along each axis."""
        return tuple(
            length / (size - 1 if self.location == "vertex" and not wrap else size)
            for length, size, wrap in zip(self.extent, self.shape, self.periodic, strict=True)
        )

    @property
    def cell_volume(self) -> float:
        """Product of the spacings."""
        return math.prod(self.spacing)

    @property
    def side_names(self) -> tuple[str, ...]:
        """Names of the sides that need a boundary condition."""
        return tuple(
            f"{AXIS_NAMES[axis]}_{end}"
            for axis in range(self.dimension)
            if not self.periodic[axis]
            for end in ("lower", "upper")
        )

    def axes(self) -> tuple[FloatArray, ...]:
        """Coordinates along each axis, ``dimension`` arrays of shape ``(shape[k],)``."""
        shift = 0.5 if self.location == "cell" else 0.0
        return tuple(
            low + (np.arange(size, dtype=np.float64) + shift) * np.float64(step)
            for low, size, step in zip(self.lower, self.shape, self.spacing, strict=True)
        )

    def points(self) -> FloatArray:
        """Coordinates of all values, shape ``(dimension, *shape)``."""
        return np.stack(np.meshgrid(*self.axes(), indexing="ij"))

    def with_shape(self, shape: Sequence[int] | int) -> StructuredGrid:
        """The same box with another number of values."""
        sizes = (
            tuple(shape) if isinstance(shape, Sequence | np.ndarray) else (shape,) * self.dimension
        )
        if len(sizes) != self.dimension:
            raise InputError(f"shape={shape!r} must have {self.dimension} entries")
        return replace(self, shape=sizes)

    def quadrature_weights(self) -> FloatArray:
        """Weights of the midpoint (cell) or trapezoidal (vertex) rule, shape ``shape``."""
        weights = np.full(self.shape, self.cell_volume)
        if self.location == "vertex":
            for axis, wrap in enumerate(self.periodic):
                if not wrap:
                    ends = [slice(None)] * self.dimension
                    for end in (0, -1):
                        ends[axis] = end  # type: ignore[call-overload]
                        weights[tuple(ends)] *= 0.5
        return weights
