"""Errors of predicted fields on uniform grids.

Every function takes predictions and targets of shape ``(n, channel, *shape)`` and gives one
value a sample, shape ``(n,)``. Channels are measured together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.stencil import Stencil

BANDS = {"low": (0.0, 1 / 8), "middle": (1 / 8, 1 / 2), "high": (1 / 2, 2.0)}
"""Edges of the frequency bands as fractions of the largest frequency along an axis."""


def _checked(prediction: npt.ArrayLike, target: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    one, two = (np.asarray(given, dtype=np.float64) for given in (prediction, target))
    if one.shape != two.shape or one.ndim < 3:
        raise InputError(
            f"predictions of shape {one.shape} and targets of shape {two.shape} must have one "
            "shape (n, channel, *shape)"
        )
    for name, values in (("prediction", one), ("target", two)):
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if not finite.all():
            raise InputError(
                f"the {name} of sample {int(np.flatnonzero(~finite)[0])} is not finite"
            )
    return one, two


def _ratio(errors: FloatArray, norms: FloatArray, what: str) -> FloatArray:
    if (norms == 0).any():
        raise InputError(
            f"the {what} of target {int(np.flatnonzero(norms == 0)[0])} is zero: a relative error "
            "is not defined there"
        )
    ratios: FloatArray = errors / norms
    return ratios


def _norms(values: FloatArray) -> FloatArray:
    norms: FloatArray = np.sqrt(np.sum(values**2, axis=tuple(range(1, values.ndim))))
    return norms


def relative_l2(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """‖u − û‖₂ / ‖u‖₂.

    Examples
    --------
    >>> relative_l2([[[3.0, 0.0]]], [[[3.0, 4.0]]]).tolist()
    [0.8]
    """
    one, two = _checked(prediction, target)
    return _ratio(_norms(two - one), _norms(two), "norm")


def relative_maximum(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """Largest |u − û| over the largest |u|, of all points and channels.

    Examples
    --------
    >>> relative_maximum([[[1.0, 2.0]]], [[[1.0, 4.0]]]).tolist()
    [0.5]
    """
    one, two = _checked(prediction, target)
    axes = tuple(range(1, two.ndim))
    return _ratio(np.abs(two - one).max(axis=axes), np.abs(two).max(axis=axes), "maximum")


def root_mean_square_error(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """RMSE: the root of the mean of (u − û)² over points and channels."""
    one, two = _checked(prediction, target)
    errors: FloatArray = _norms(two - one) / np.sqrt(two[0].size)
    return errors


def normalized_error(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """NRMSE: the RMSE divided by the root mean square of u."""
    return relative_l2(prediction, target)


def variance_scaled_error(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    """VRMSE: the RMSE divided by the standard deviation of u in space, channel by channel.

    1 is the error of predicting the mean. Averaged over channels.
    """
    one, two = _checked(prediction, target)
    axes = tuple(range(2, two.ndim))
    errors = np.sqrt(np.mean((two - one) ** 2, axis=axes))
    ratios = _ratio(errors, np.std(two, axis=axes), "variance")
    means: FloatArray = ratios.mean(axis=1)
    return means


def relative_h1(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    grid: StructuredGrid,
    zero_sides: Sequence[str] = (),
) -> FloatArray:
    """√(‖e‖² + ‖∇e‖²) / √(‖u‖² + ‖∇u‖²) with e = u − û, by differences on the grid.

    Parameters
    ----------
    prediction, target
        Shape ``(n, channel, *shape)``.
    grid
        Where the values sit. The gradient uses differences of neighbouring values;
        periodic axes wrap.
    zero_sides
        Names of sides where u = 0 is given: on a cell grid the step of half a cell from the
        last value to the side counts too.
    """
    one, two = _checked(prediction, target)
    _check_grid(two, grid)

    def squares(values: FloatArray) -> FloatArray:
        total = grid.cell_volume * np.sum(values**2, axis=tuple(range(1, values.ndim)))
        for axis, step in enumerate(grid.spacing):
            where = axis + 2
            if grid.periodic[axis]:
                slopes = np.roll(values, -1, where) - values
            else:
                slopes = np.diff(values, axis=where)
            summed = np.sum((slopes / step) ** 2, axis=tuple(range(1, values.ndim)))
            total = total + grid.cell_volume * summed
            for side in zero_sides:
                if side[0] == AXIS_NAMES[axis] and grid.location == "cell":
                    end = np.take(values, 0 if side.endswith("lower") else -1, where)
                    squared = np.sum((2 * end / step) ** 2, axis=tuple(range(1, end.ndim)))
                    total = total + 0.5 * grid.cell_volume * squared
        result: FloatArray = total
        return result

    return np.sqrt(_ratio(squares(two - one), squares(two), "H1 norm"))


def relative_energy(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    operators: Sequence[Stencil] | Callable[[int], Stencil],
) -> FloatArray:
    """√(eᵀ A e / uᵀ A u) with e = u − û and each sample's own discrete operator A.

    Boundary terms are in A, so the energy includes the steps to the boundary values.

    Parameters
    ----------
    prediction, target
        One channel.
    operators
        A of sample i, a symmetric positive (semi)definite stencil: a sequence, or a
        function of i.

    Raises
    ------
    InputError
        If shapes do not fit or the energy of a target is not positive.
    """
    one, two = _checked(prediction, target)
    if two.shape[1] != 1:
        raise InputError(f"the energy norm is for one channel, not {two.shape[1]}")
    errors, norms = np.empty(len(two)), np.empty(len(two))
    for index in range(len(two)):
        operator = operators(index) if callable(operators) else operators[index]
        for store, values in ((errors, two[index, 0] - one[index, 0]), (norms, two[index, 0])):
            store[index] = np.sum(values * operator.apply(values))
    if (norms <= 0).any():
        raise InputError(
            f"the energy of target {int(np.flatnonzero(norms <= 0)[0])} is not positive: the "
            "operator is not positive definite"
        )
    return np.sqrt(np.maximum(errors, 0) / norms)


def band_errors(
    prediction: npt.ArrayLike, target: npt.ArrayLike, grid: StructuredGrid
) -> dict[str, FloatArray]:
    """Part of the error in each frequency band, relative to the whole of u.

    ‖P e‖ / ‖u‖ for the projection P onto the band, so that the squares of the bands sum to
    the square of the relative L2 error. Frequencies are those of a cosine transform (DCT-II)
    along axes that do not wrap, which has no jumps at the sides, and of a Fourier transform
    along axes that do; the band of a mode follows from the largest of its frequencies,
    each divided by the largest one that its axis resolves (:data:`BANDS`).

    Returns
    -------
    dict
        ``low``, ``middle`` and ``high``, each of shape ``(n,)``.
    """
    from scipy.fft import dctn, fftn

    one, two = _checked(prediction, target)
    _check_grid(two, grid)
    cosine = [axis + 2 for axis, wrap in enumerate(grid.periodic) if not wrap]
    fourier = [axis + 2 for axis, wrap in enumerate(grid.periodic) if wrap]
    spectrum: npt.NDArray[Any] = two - one
    if cosine:
        spectrum = dctn(spectrum, axes=cosine, norm="ortho")
    if fourier:
        spectrum = fftn(spectrum, axes=fourier, norm="ortho")
    largest = np.zeros(grid.shape)
    for axis, size in enumerate(grid.shape):
        if grid.periodic[axis]:
            frequency = np.abs(np.fft.fftfreq(size)) * 2
        else:
            frequency = np.arange(size) / size
        shape = [1] * grid.dimension
        shape[axis] = size
        largest = np.maximum(largest, frequency.reshape(shape))
    norms = _norms(two)
    return {
        name: _ratio(
            _norms(np.abs(spectrum) * ((largest >= low) & (largest < high))), norms, "norm"
        )
        for name, (low, high) in BANDS.items()
    }


def _check_grid(values: FloatArray, grid: StructuredGrid) -> None:
    if values.shape[2:] != grid.shape:
        raise InputError(f"fields of shape {values.shape[2:]} are not on the grid {grid.shape}")
