"""The constant-coefficient operator nearest to a stencil matrix, and its scaling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.pc.fast_poisson import DIRICHLET, NEUMANN, AxisTransform, FastSolver

Scaling = Literal["auto", "smooth", "diagonal", "none"]
SCALINGS: tuple[str, ...] = get_args(Scaling)

RatioScaling = Literal["smooth", "diagonal", "none"]
RATIO_SCALINGS: tuple[str, ...] = get_args(RatioScaling)
"""Ways to scale from one matrix to another."""

SMOOTHING_MODES = 16
"""Half-waves along the longest side that the smoothed scaling keeps by half, by measurement."""

MOST_LEFT = 0.75
"""Part of the range of log a that smoothing may leave before it is not worth its while."""

# row sums and ratios below this, relative to the diagonal, are rounding
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class StencilValues:
    """The entries of a matrix on a grid that couple a cell to itself and its neighbours.

    Parameters
    ----------
    diagonal
        Shape of the grid.
    couplings
        −Σ_j A_ij over the neighbours j of cell i along each axis, shape ``(d, *shape)``.
    row_sums
        Σ_j A_ij over all entries.
    periodic
        Whether each axis wraps.
    """

    diagonal: FloatArray
    couplings: FloatArray
    row_sums: FloatArray
    periodic: tuple[bool, ...]

    @property
    def inner(self) -> tuple[slice, ...]:
        """The cells that touch no side of the box."""
        return tuple(slice(None) if wrap else slice(1, -1) for wrap in self.periodic)


@dataclass(frozen=True, eq=False)
class ConstantOperator:
    """S (Σ_k w_k T_k + σ) S with a positive diagonal matrix S.

    Parameters
    ----------
    sides
        Weights of the lower and upper side of each axis (see
        :class:`pdesolve.pc.AxisTransform`), or None where it wraps.
    weights
        w_k of each axis.
    shift
        σ.
    scale
        The diagonal of S, of the grid's shape.
    """

    sides: tuple[tuple[float, float] | None, ...]
    weights: tuple[float, ...]
    shift: float
    scale: FloatArray

    def transforms(self) -> tuple[AxisTransform, ...]:
        """The bases in which the operator between the scalings is diagonal."""
        return tuple(
            AxisTransform(size, periodic=True) if side is None else AxisTransform(size, *side)
            for size, side in zip(self.scale.shape, self.sides, strict=True)
        )


def nearest_constant_operator(
    values: StencilValues, scaling: Scaling = "auto", shift: float | None = None
) -> ConstantOperator:
    """Read the sides, the axes' weights, the shift and the scaling off a matrix.

    Of A = −∇·(a ∇·) + c in cell-centred finite volumes: row sums of inner cells are c;
    what the rows next to a side have more is the side's weight; the mean of the entries
    towards the neighbours along axis k is w_k; and diag(A − c) / diag(Σ w_k T_k), which is
    a locally, gives S². For constant a and c the result is A itself.

    With S² = a (``"diagonal"``) the highest frequencies are met exactly, but the scaled
    operator has the potential Δ√a / √a, which is large where a is rough; with a constant S
    (``"none"``) there is none, and the condition number is the contrast of a.
    ``"smooth"`` takes exp((1 − ℓ²Δ)⁻¹ log a) with ℓ = L / 16π for the longest side L.
    ``"auto"`` is ``"smooth"``, but ``"none"`` where the smoothing leaves more than
    three quarters of the range of log a, as it does for jumps between two values.

    Parameters
    ----------
    values
        The matrix.
    scaling
        ``"auto"``, ``"smooth"``, ``"diagonal"`` or ``"none"``.
    shift
        c where it should not be inferred.

    Raises
    ------
    InputError
        If there is no such scaling, an axis has fewer than three cells, or a diagonal
        entry (less c) or a mean coupling is not positive.

    References
    ----------
    Concus, Golub (1973), Use of fast direct methods for the efficient numerical solution
    of nonseparable elliptic equations, SIAM Journal on Numerical Analysis 10(6),
    doi:10.1137/0710092.

    Examples
    --------
    >>> diagonal, couplings = np.array([15.0, 10.0, 15.0]), np.array([[5.0, 10.0, 5.0]])
    >>> values = StencilValues(diagonal, couplings, diagonal - couplings[0], (False,))
    >>> found = nearest_constant_operator(values)
    >>> found.sides, found.weights, found.scale.tolist()
    (((2.0, 2.0),), (5.0,), [1.0, 1.0, 1.0])
    """
    shape = values.diagonal.shape
    if scaling not in SCALINGS:
        raise InputError(f"there is no scaling {scaling!r}. {suggest(str(scaling), SCALINGS)}")
    if min(shape) < 3:
        raise InputError(
            f"the grid of shape {shape} must have three cells or more along every axis: sides "
            "and shift are read off the rows of the matrix. Use a direct solver for it"
        )
    noise = _ROUNDING * float(np.abs(values.diagonal).max())
    reaction = _reaction(values, noise)
    excess = values.row_sums - reaction
    sides = tuple(
        None if wrap else _sides(values, excess, axis, noise)
        for axis, wrap in enumerate(values.periodic)
    )
    weights = tuple(_mean_coupling(values, axis) for axis in range(len(shape)))
    diffusion = values.diagonal - reaction
    if not diffusion.min() > 0:
        where = tuple(int(i) for i in np.unravel_index(int(diffusion.argmin()), shape))
        raise InputError(
            f"the diagonal entry of cell {where} is {diffusion[where]:.6g}, less the zeroth-order "
            "term; all must be positive, as those of −∇·(a ∇u) are. Give the matrix that sign, or "
            "use another preconditioner such as gamg or ilu"
        )
    squares = _scaled(diffusion / _diagonal(shape, sides, weights), weights, values, scaling)
    return ConstantOperator(
        sides,
        weights,
        float((reaction / squares).mean()) if shift is None else shift,
        np.sqrt(squares),
    )


def _scaled(
    coefficient: FloatArray, weights: tuple[float, ...], values: StencilValues, scaling: Scaling
) -> FloatArray:
    """S² for the local coefficient."""
    if scaling == "diagonal":
        return coefficient
    constant = np.full(coefficient.shape, coefficient.mean())
    if scaling == "none":
        return constant
    logarithm = np.log(coefficient)
    smooth = _smoothing(coefficient.shape, weights, values.periodic).solve(logarithm.copy())
    if scaling == "auto" and np.ptp(logarithm - smooth) > MOST_LEFT * np.ptp(logarithm):
        return constant
    result: FloatArray = np.exp(smooth)
    return result


def smoothed(positive: FloatArray, periodic: tuple[bool, ...]) -> FloatArray:
    """exp((1 − ℓ²Δ)⁻¹ log q) with zero slope at the sides and ℓ = L / 16π, for cubic cells.

    Parameters
    ----------
    positive
        q > 0 on a grid.
    periodic
        Whether each axis wraps.

    Examples
    --------
    >>> smoothed(np.full((4, 4), 3.0), (False, True)).round(12).max()
    np.float64(3.0)
    """
    ones = (1.0,) * positive.ndim
    result: FloatArray = np.exp(_smoothing(positive.shape, ones, periodic).solve(np.log(positive)))
    return result


def _smoothing(
    shape: tuple[int, ...], weights: tuple[float, ...], periodic: tuple[bool, ...]
) -> FastSolver:
    """(1 − ℓ²Δ)⁻¹ with zero slope at the sides."""
    # in units of h: ℓ²/h_k² = w_k · ratio, and w_k / n_k² is least along the longest side
    longest = min(weight / size**2 for weight, size in zip(weights, shape, strict=True))
    ratio = 1.0 / ((math.pi * SMOOTHING_MODES) ** 2 * longest)
    transforms = [
        AxisTransform(size, NEUMANN, NEUMANN, wrap)
        for size, wrap in zip(shape, periodic, strict=True)
    ]
    return FastSolver(transforms, [ratio * weight for weight in weights], 1.0)


def _reaction(values: StencilValues, noise: float) -> FloatArray:
    """Row sums of inner cells, carried on to the cells at the sides."""
    inner = values.row_sums[values.inner]
    if np.abs(inner).max() <= noise:
        return np.zeros(values.diagonal.shape)
    return np.pad(inner, [(0, 0) if wrap else (1, 1) for wrap in values.periodic], mode="edge")


def _sides(
    values: StencilValues, excess: FloatArray, axis: int, noise: float
) -> tuple[float, float]:
    """Weights of the two sides of an axis, from the cells that touch no other side."""
    found = []
    for upper in (False, True):
        window = list(values.inner)
        window[axis] = slice(-1, None) if upper else slice(0, 1)
        more = excess[tuple(window)]
        opposite = values.couplings[axis][tuple(window)]
        found.append(_side_weight(more, opposite, noise))
    return found[0], found[1]


def _side_weight(excess: FloatArray, opposite: FloatArray, noise: float) -> float:
    """The weight of one side relative to inner faces.

    Where u is given, 2 a_i over the harmonic average of a_i and a_j is 1 + a_i / a_j > 1.
    """
    if np.abs(excess).max() <= noise:
        return NEUMANN
    mean = float(excess.mean() / opposite.mean())
    if not (math.isfinite(mean) and mean > 0):
        return NEUMANN
    uniform = np.ptp(excess) <= _ROUNDING * excess.max() and np.ptp(opposite) <= noise
    if abs(mean - DIRICHLET) <= 1e-8 or (not uniform and (excess > opposite).all()):
        return DIRICHLET
    return mean


def _mean_coupling(values: StencilValues, axis: int) -> float:
    """Mean entry towards the neighbours along an axis, at faces inside the box."""
    size = values.diagonal.shape[axis]
    sums = values.couplings[axis]
    if values.periodic[axis]:
        mean = float(sums.mean()) / 2
    else:
        mean = float(sums.sum()) / (2 * (sums.size // size) * (size - 1))
    if not (math.isfinite(mean) and mean > 0):
        raise InputError(
            f"the entries of the matrix towards the neighbours along {AXIS_NAMES[axis]} have the "
            f"mean {-mean:.6g}; it must be finite and negative, as in −∇·(a ∇u). Give "
            "the matrix that sign, or use another preconditioner such as gamg or ilu"
        )
    return mean


def _diagonal(
    shape: tuple[int, ...],
    sides: tuple[tuple[float, float] | None, ...],
    weights: tuple[float, ...],
) -> FloatArray:
    """The diagonal of Σ_k w_k T_k."""
    diagonal = np.zeros(shape)
    for axis, (side, weight) in enumerate(zip(sides, weights, strict=True)):
        line = np.full(shape[axis], 2.0)
        if side is not None:
            line[0], line[-1] = 1.0 + side[0], 1.0 + side[1]
        along = [1] * len(shape)
        along[axis] = shape[axis]
        diagonal += weight * line.reshape(along)
    return diagonal
