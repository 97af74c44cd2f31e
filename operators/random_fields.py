"""Gaussian random fields that are one function at every resolution."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid

Boundary = Literal["neumann", "dirichlet", "periodic"]

# modes an axis when the caller does not say; for alpha = 2, tau = 3 the tail left out
# carries 1e-9, 4e-5 and 1.6e-2 of the variance in one, two and three dimensions
DEFAULT_MODES = {1: 1024, 2: 128, 3: 32}

LARGEST_KEPT = 2**17
"""Values up to which those at the points asked for last are kept."""

LARGEST_BASIS = 2**18
"""Entries up to which the basis at points on a line is kept."""


def is_finite_number(value: object) -> bool:
    """Whether a value is a real number other than NaN and infinity.

    Examples
    --------
    >>> is_finite_number(1.5), is_finite_number("1.5"), is_finite_number(float("nan"))
    (True, False, False)
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    return math.isfinite(value)


def _eigenvalues(boundary: Boundary, num_modes: int, length: float) -> FloatArray:
    """Eigenvalues of −d²/dx² on [0, length] for basis numbers 0 .. num_modes − 1."""
    index = np.arange(num_modes, dtype=np.float64)
    if boundary == "neumann":
        return (np.pi * index / length) ** 2
    if boundary == "dirichlet":
        return (np.pi * (index + 1) / length) ** 2
    return (2 * np.pi * ((index + 1) // 2) / length) ** 2


def _basis(boundary: Boundary, num_modes: int, length: float, x: FloatArray) -> FloatArray:
    """Orthonormal eigenfunctions at points x in [0, length], shape (len(x), num_modes)."""
    index = np.arange(num_modes)
    scale = np.sqrt(2.0 / length)
    values: FloatArray
    if boundary == "dirichlet":
        values = scale * np.sin(np.pi * np.outer(x, index + 1) / length)
        return values
    if boundary == "neumann":
        values = scale * np.cos(np.pi * np.outer(x, index) / length)
    else:
        phase = 2 * np.pi * np.outer(x, (index + 1) // 2) / length
        values = scale * np.where(index % 2 == 1, np.cos(phase), np.sin(phase))
    values[:, 0] = np.sqrt(1.0 / length)
    return values


@lru_cache(maxsize=16)
def _mode_order(dimension: int, num_modes: int) -> npt.NDArray[np.intp]:
    """Place of each mode in the stream of noise: shells of growing largest index.

    The first ``n**dimension`` numbers of a longer stream are those of ``num_modes = n``.
    """
    modes = np.stack(np.meshgrid(*[np.arange(num_modes)] * dimension, indexing="ij"))
    flat = modes.reshape(dimension, -1)
    order = np.lexsort((*flat[::-1], flat.max(axis=0)))
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    place.flags.writeable = False
    return place


@lru_cache(maxsize=32)
def _basis_on_axis(
    boundary: Boundary, num_modes: int, lower: float, upper: float, axis: bytes
) -> FloatArray:
    points = np.frombuffer(axis)
    values = _basis(boundary, num_modes, upper - lower, points - lower)
    values.flags.writeable = False
    return values


@dataclass(frozen=True)
class GaussianRandomField:
    """g ~ N(0, σ² (−Δ + τ²)^(−α)) on a box, with the boundary condition of the Laplacian.

    With the eigenpairs (λ_k, φ_k) of −Δ (products of cosines, sines, or both, orthonormal
    in L²), a draw is g = Σ_k σ (λ_k + τ²)^(−α/2) ξ_k φ_k with independent standard normal
    ξ_k. The ξ_k are taken from the stream mode by mode in a fixed order, and the number
    of modes does not depend on any grid: a draw is one function, whatever mesh it is
    evaluated on.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    alpha
        Smoothness exponent; draws are finite almost surely for alpha > dimension / 2.
    tau
        Inverse length, in the inverse of the unit of length.
    boundary
        ``"neumann"``, ``"dirichlet"`` or ``"periodic"``.
    num_modes
        Basis functions an axis; 1024, 128 and 32 in one, two and three dimensions when
        left out.
    standard_deviation
        If given, σ is such that the variance averaged over the box is its square;
        otherwise σ = 1.
    zero_mean
        Leave out the constant mode (not for Dirichlet, which has none).
    lower, upper
        The box; the unit box when left out.

    References
    ----------
    Lord, Powell, Shardlow (2014), An Introduction to Computational Stochastic PDEs,
    doi:10.1017/CBO9781139017329.

    Examples
    --------
    >>> field = GaussianRandomField(2, alpha=2.0, tau=3.0)
    >>> draw = field.sample(np.random.default_rng(0))
    >>> coarse, fine = draw.on(StructuredGrid((5, 5))), draw.on(StructuredGrid((15, 15)))
    >>> bool(np.allclose(coarse, fine[1::3, 1::3]))
    True
    """

    dimension: int
    alpha: float = 2.0
    tau: float = 3.0
    boundary: Boundary = "neumann"
    num_modes: int | None = None
    standard_deviation: float | None = None
    zero_mean: bool = True
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2, 3):
            raise InputError(f"dimension={self.dimension!r} must be 1, 2 or 3")
        if self.boundary not in ("neumann", "dirichlet", "periodic"):
            raise InputError(
                f"boundary={self.boundary!r} must be 'neumann', 'dirichlet' or 'periodic'"
            )
        if not (is_finite_number(self.alpha) and self.alpha > self.dimension / 2):
            raise InputError(
                f"alpha={self.alpha!r} must exceed {self.dimension / 2}: below that a draw in "
                f"{self.dimension}D has no finite variance"
            )
        if not (is_finite_number(self.tau) and self.tau >= 0):
            raise InputError(f"tau={self.tau!r} must be finite and not negative")
        if self.tau == 0 and not self.zero_mean and self.boundary != "dirichlet":
            raise InputError("tau=0 gives the constant mode infinite variance; use zero_mean=True")
        if self.num_modes is not None and (
            isinstance(self.num_modes, bool)
            or not isinstance(self.num_modes, numbers.Integral)
            or self.num_modes < 2
        ):
            raise InputError(f"num_modes={self.num_modes!r} must be an integer of at least 2")
        sigma = self.standard_deviation
        if sigma is not None and not (is_finite_number(sigma) and sigma > 0):
            raise InputError(f"standard_deviation={sigma!r} must be positive and finite")
        box = StructuredGrid((2,) * self.dimension, self.lower, self.upper)  # checks the box
        object.__setattr__(self, "lower", box.lower)
        object.__setattr__(self, "upper", box.upper)

    @property
    def modes(self) -> int:
        """Basis functions an axis."""
        return self.num_modes or DEFAULT_MODES[self.dimension]

    def amplitudes(self) -> FloatArray:
        """Standard deviation of each mode's coefficient, shape ``(modes,) * dimension``."""
        return _amplitudes(self)

    def sample(self, rng: np.random.Generator) -> RandomFieldSample:
        """Draw one function."""
        noise = rng.standard_normal(self.modes**self.dimension)
        ordered = noise[_mode_order(self.dimension, self.modes)]
        coefficients = ordered.reshape((self.modes,) * self.dimension) * _amplitudes(self)
        return RandomFieldSample(self, coefficients)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "Gaussian random field",
            "covariance": "sigma^2 (-Laplacian + tau^2)^(-alpha)",
            "alpha": self.alpha,
            "tau": self.tau,
            "boundary": self.boundary,
            "modes an axis": self.modes,
            "standard deviation": self.standard_deviation,
            "constant mode": not self.zero_mean and self.boundary != "dirichlet",
        }


@lru_cache(maxsize=16)
def _amplitudes(field: GaussianRandomField) -> FloatArray:
    total = np.zeros(())
    for axis in range(field.dimension):
        length = field.upper[axis] - field.lower[axis]
        values = _eigenvalues(field.boundary, field.modes, length)
        total = np.add.outer(total, values)
    constant = (0,) * field.dimension
    has_constant = field.boundary != "dirichlet"
    shifted = total + field.tau**2
    if has_constant and field.zero_mean:
        shifted[constant] = np.inf
    result: FloatArray = shifted ** (-field.alpha / 2)
    if field.standard_deviation is not None:
        volume = np.prod(np.subtract(field.upper, field.lower))
        result *= field.standard_deviation / np.sqrt(np.sum(result**2) / volume)
    result.flags.writeable = False
    return result


@dataclass(frozen=True, eq=False)
class RandomFieldSample:
    """One draw, g = Σ_k c_k φ_k.

    Parameters
    ----------
    field
        What it was drawn from.
    coefficients
        Shape ``(modes,) * dimension``.
    """

    field: GaussianRandomField
    coefficients: FloatArray

    def inverse_laplacian(self) -> RandomFieldSample:
        """The u of mean zero (Dirichlet: zero on the sides) with −Δu = g.

        u has the field's boundary condition, and the same modes.

        Raises
        ------
        InputError
            If g has a constant part and constants are in the null space.

        Examples
        --------
        >>> field = GaussianRandomField(1, alpha=2.0, boundary="dirichlet", num_modes=4)
        >>> draw = field.sample(np.random.default_rng(0))
        >>> solved = draw.inverse_laplacian().coefficients
        >>> np.allclose(solved * (np.pi * np.arange(1, 5)) ** 2, draw.coefficients)
        True
        """
        field = self.field
        total = np.zeros(())
        for low, high in zip(field.lower, field.upper, strict=True):
            total = np.add.outer(total, _eigenvalues(field.boundary, field.modes, high - low))
        constant = (0,) * field.dimension
        if field.boundary != "dirichlet":
            if self.coefficients[constant] != 0:
                raise InputError("-Δu = g has a solution for g of mean zero only; use zero_mean")
            total[constant] = np.inf
        return RandomFieldSample(field, self.coefficients / total)

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points, shape ``grid.shape``.

        Raises
        ------
        InputError
            If the grid has another dimension or reaches out of the field's box.
        """
        field = self.field
        if grid.dimension != field.dimension:
            raise InputError(
                f"a {field.dimension}D random field cannot be put on a {grid.dimension}D grid"
            )
        if any(
            low < low0 - 1e-12 or high > high0 + 1e-12
            for low, high, low0, high0 in zip(
                grid.lower, grid.upper, field.lower, field.upper, strict=True
            )
        ):
            raise InputError(
                f"the grid's box {grid.lower} to {grid.upper} reaches out of the random field's "
                f"box {field.lower} to {field.upper}; give the field that box"
            )
        return self.on_axes(grid.axes())

    def on_axes(self, axes: tuple[FloatArray, ...]) -> FloatArray:
        """Values over a product of axes inside the field's box, such as a part of a grid."""
        points = tuple(axis.tobytes() for axis in axes)
        if math.prod(len(axis) for axis in axes) > LARGEST_KEPT:
            return _values_on_axes(self, points)
        return _kept_values_on_axes(self, points).copy()

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Values at points of shape ``(n, dimension)``, shape ``(n,)``.

        Raises
        ------
        InputError
            If a point is not finite or lies outside the field's box.
        """
        field = self.field
        where = np.atleast_2d(np.asarray(points, dtype=np.float64))
        if where.shape[1:] != (field.dimension,):
            raise InputError(
                f"points of shape {where.shape} must have shape (n, {field.dimension})"
            )
        slack = 1e-10 * np.subtract(field.upper, field.lower)
        inside = (where >= field.lower - slack) & (where <= field.upper + slack)
        if not inside.all():
            first = int(np.flatnonzero(~inside.all(axis=1))[0])
            raise InputError(
                f"{int((~inside.all(axis=1)).sum())} of {len(where)} points lie outside the random "
                f"field's box {field.lower} to {field.upper}; the first is "
                f"{tuple(where[first].tolist())}"
            )
        if field.dimension == 1 and len(where) * field.modes <= LARGEST_BASIS:
            return self.on_axes((np.ascontiguousarray(where[:, 0]),))
        result = np.empty(len(where))
        chunk = max(1, 4_000_000 // field.modes ** max(1, field.dimension - 1))
        for start in range(0, len(where), chunk):
            part = where[start : start + chunk]
            bases = [
                _basis(
                    field.boundary,
                    field.modes,
                    field.upper[axis] - field.lower[axis],
                    part[:, axis] - field.lower[axis],
                )
                for axis in range(field.dimension)
            ]
            values = np.tensordot(bases[0], self.coefficients, axes=(1, 0))
            for basis in bases[1:]:
                values = np.einsum("nk,nk...->n...", basis, values)
            result[start : start + chunk] = values
        return result


def _values_on_axes(draw: RandomFieldSample, axes: tuple[bytes, ...]) -> FloatArray:
    """Values over the product of axes, given as the bytes of their points."""
    field = draw.field
    bases = [
        _basis_on_axis(field.boundary, field.modes, field.lower[axis], field.upper[axis], points)
        for axis, points in enumerate(axes)
    ]
    values = draw.coefficients
    # few points first: on a side of a box one axis has a single one
    for axis in sorted(range(len(bases)), key=lambda axis: len(bases[axis])):
        values = np.moveaxis(np.tensordot(bases[axis], values, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(values)


@lru_cache(maxsize=8)
def _kept_values_on_axes(draw: RandomFieldSample, axes: tuple[bytes, ...]) -> FloatArray:
    """The same, kept: a problem's data are read for its input fields and for its equations."""
    return _values_on_axes(draw, axes)
