"""Errors of predicted fields by the length of waves.

Predictions and targets have shape ``(n, channel, *shape)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from neural.training.losses.sobolev import RelativeSobolev
from neural.training.losses.spectrum import Basis, BoxSpectrum

_NOTHING = 1e-14  # of the squared norm: less than single precision resolves


def waves_of(grid: StructuredGrid, zero_sides: Sequence[str] = ()) -> BoxSpectrum:
    """The waves that fields on a grid are made of.

    Exponentials along axes that wrap, sines between two sides where the value zero is given
    (on cell grids), cosines else.

    Examples
    --------
    >>> waves_of(StructuredGrid((4, 4)), ["x_lower", "x_upper"]).bases
    ('odd', 'even')
    """
    bases: list[Basis] = []
    for axis, wraps in zip(AXIS_NAMES, grid.periodic, strict=False):
        zero = {f"{axis}_lower", f"{axis}_upper"} <= set(zero_sides) and grid.location == "cell"
        bases.append("periodic" if wraps else "odd" if zero else "even")
    lengths = tuple(high - low for low, high in zip(grid.lower, grid.upper, strict=True))
    return BoxSpectrum(lengths, tuple(bases), grid.location)


def relative_sobolev(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    grid: StructuredGrid,
    order: float = -1.0,
    zero_sides: Sequence[str] = (),
) -> FloatArray:
    """‖u − û‖ / ‖u‖ in the norm of H^s, see :class:`neural.training.losses.RelativeSobolev`.

    Parameters
    ----------
    prediction, target
        Fields.
    grid
        Where the values sit.
    order
        s.
    zero_sides
        Names of sides where u = 0 is given.

    Returns
    -------
    array
        Shape ``(n,)``; with α = 1/L² for the longest side L, so that the unit of length
        does not matter.

    Examples
    --------
    >>> grid = StructuredGrid((8,), periodic=True)
    >>> u = np.cos(2 * np.pi * grid.axes()[0])[None, None]
    >>> e = np.cos(4 * np.pi * grid.axes()[0])[None, None]
    >>> relative_sobolev(u + e, u, grid).round(3).tolist()
    [0.505]
    """
    one, two = _pair(prediction, target, grid)
    waves = waves_of(grid, zero_sides)
    norm = RelativeSobolev(order, 1.0 / max(waves.lengths) ** 2)
    norm.take_box(waves)
    found: FloatArray = norm.per_sample(one, two).numpy()
    return found


def octave_errors(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    grid: StructuredGrid,
    zero_sides: Sequence[str] = (),
) -> dict[str, float]:
    """Relative error of the waves in each octave, over all samples together.

    √(Σ ‖P e‖² / Σ ‖P u‖²) with e = u − û and P the projection onto the waves of the
    octave. Near 1 nothing of these waves is predicted.

    Returns
    -------
    dict
        By octave, in waves per longest side of the box: ``"0-1"``, ``"1-2"``, ``"2-4"``
        and so on (each without its upper end); those in which the targets have less than
        1e-7 of their norm, which single precision does not resolve, are left out.

    Examples
    --------
    >>> grid = StructuredGrid((16,), periodic=True)
    >>> x = grid.axes()[0]
    >>> u = (np.cos(2 * np.pi * x) + np.cos(10 * np.pi * x))[None, None]
    >>> found = octave_errors(0.9 * np.cos(2 * np.pi * x)[None, None], u, grid)
    >>> {octave: round(error, 3) for octave, error in found.items()}
    {'1-2': 0.1, '4-8': 1.0}
    """
    one, two = _pair(prediction, target, grid)
    waves = waves_of(grid, zero_sides)
    numbers = waves.squared_wave_numbers(grid.shape).sqrt() * max(waves.lengths) / (2 * math.pi)
    octaves = torch.floor(torch.log2(numbers.clamp(min=0.5) * (1 + 1e-9))).long() + 1
    energies = []
    for values in (two - one, two):
        squares = waves.amplitudes(values).abs().square().sum((0, 1))
        summed = torch.zeros(int(octaves.max()) + 1, dtype=torch.float64)
        energies.append(summed.index_add(0, octaves.flatten(), squares.flatten()))
    found = {}
    for octave, (error, content) in enumerate(zip(*energies, strict=True)):
        if content > _NOTHING * energies[1].sum():
            low, high = (0, 1) if octave == 0 else (2 ** (octave - 1), 2**octave)
            found[f"{low}-{high}"] = float((error / content).sqrt())
    return found


def _pair(
    prediction: npt.ArrayLike, target: npt.ArrayLike, grid: StructuredGrid
) -> tuple[torch.Tensor, torch.Tensor]:
    arrays = [np.asarray(given, dtype=np.float64) for given in (prediction, target)]
    for values in arrays:
        if values.shape != arrays[0].shape or values.shape[2:] != grid.shape:
            raise InputError(
                f"fields of shapes {arrays[0].shape} and {arrays[1].shape} must have one shape "
                f"(n, channel, *{grid.shape}), the grid's"
            )
    one, two = (torch.as_tensor(values) for values in arrays)
    return one, two
