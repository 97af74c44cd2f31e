"""Few numbers a sample whose distances tell how alike two samples are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.stencil import IntArray
from pdesolve.data.samples import SampleTask

# Basis functions along each axis by dimension: about a hundred numbers a channel
DEFAULT_MODES = {1: 64, 2: 12, 3: 5}

# Spread relative to the largest value below which a column is rounding error
_CONSTANT = 1e-12


@lru_cache(maxsize=32)
def _axis_basis(size: int, modes: int, *, periodic: bool, vertex: bool) -> FloatArray:
    """Orthonormal rows (in the plain inner product of square-root-weighted values)."""
    index = np.arange(size)
    number = np.arange(min(modes, size))[:, None]
    if periodic:  # 1, cos, sin, cos, sin, ... of growing frequency
        frequency = (number + 1) // 2
        angle = 2 * np.pi * frequency * (index + (0.0 if vertex else 0.5)) / size
        rows = np.where(number % 2 == 1, np.cos(angle), np.sin(angle)) * np.sqrt(2 / size)
        rows[0] = np.sqrt(1 / size)
        rows[2 * frequency[:, 0] == size] = (-1.0) ** index / np.sqrt(size)
    elif vertex:  # DCT-I; with the trapezoidal rule's weights its rows are orthonormal
        ends = np.where((index == 0) | (index == size - 1), np.sqrt(0.5), 1.0)
        rows = np.cos(np.pi * number * index / (size - 1)) * np.sqrt(2 / (size - 1)) * ends
        rows *= ends[: len(number), None]
    else:  # DCT-II
        rows = np.cos(np.pi * number * (index + 0.5) / size) * np.sqrt(2 / size)
        rows[0] = np.sqrt(1 / size)
    rows.setflags(write=False)
    return np.asarray(rows, dtype=np.float64)


def truncated_cosine(values: FloatArray, grid: StructuredGrid, modes: int = 12) -> FloatArray:
    """The coefficients of a field in the smoothest cosines (sines too on periodic axes).

    With all coefficients kept, Σ_k |c_k|² = ‖v‖²_L2 in the grid's quadrature rule (midpoints
    for cells, trapezoids for vertices). The Euclidean distance of truncated coefficients
    therefore never exceeds the L2 distance of the fields. The basis is DCT-II on cells,
    DCT-I on vertices and the real Fourier basis on periodic axes.

    Parameters
    ----------
    values
        Shape ``(*grid.shape)`` or ``(channel, *grid.shape)``.
    grid
        Where the values are.
    modes
        Basis functions along each axis, at most the grid's size along it.

    Returns
    -------
    numpy.ndarray
        Shape ``(p,)`` or ``(channel, p)``, with p the product of ``min(modes, size)`` over
        the axes; in the unit of the values times that of length to half the dimension.

    Raises
    ------
    InputError
        If the shape does not fit, or `modes` is not a positive integer.

    References
    ----------
    Ahmed, Natarajan, Rao (1974), Discrete Cosine Transform, doi:10.1109/T-C.1974.223784.

    Examples
    --------
    >>> grid = StructuredGrid((32, 32))
    >>> coefficients = truncated_cosine(np.full((32, 32), 3.0), grid, modes=2)
    >>> np.allclose(coefficients, [3.0, 0.0, 0.0, 0.0])
    True
    """
    if isinstance(modes, bool) or not isinstance(modes, int | np.integer) or modes < 1:
        raise InputError(f"modes={modes!r} must be a positive integer")
    found = np.asarray(values, dtype=np.float64)
    if found.shape[-grid.dimension :] != grid.shape or found.ndim - grid.dimension not in (0, 1):
        raise InputError(
            f"values of shape {found.shape} do not fit {grid.shape}; give (*shape) or "
            "(channel, *shape)"
        )
    lead = found.shape[: -grid.dimension]
    found = found * np.sqrt(grid.quadrature_weights())
    for axis in range(grid.dimension):
        rows = _axis_basis(
            grid.shape[axis],
            int(modes),
            periodic=grid.periodic[axis],
            vertex=grid.location == "vertex",
        )
        # each product takes the first space axis and puts the coefficients last
        found = np.tensordot(found, rows, axes=(len(lead), 1))
    return found.reshape(*lead, -1)


def _parts(
    problem: Any, grid: StructuredGrid | None, scalars: Mapping[str, float], modes: int | None
) -> tuple[FloatArray, FloatArray]:
    """Coefficients by channel, shape ``(channel, q)``, and the scalars."""
    numbers = np.array([float(value) for value in scalars.values()])
    if grid is None:
        return np.empty((0, 0)), numbers
    kept = DEFAULT_MODES[grid.dimension] if modes is None else modes
    # two points a mode keep most of what is dropped from folding back onto what is kept
    coarse = grid.with_shape(tuple(min(size, max(2 * kept, 2)) for size in grid.shape))
    try:
        field = problem.input_fields(coarse)
    except InputError:  # data known on the grid alone
        coarse, field = grid, problem.input_fields(grid)
    return truncated_cosine(field.values, coarse, kept), numbers


def features_of(
    problem: Any,
    grid: StructuredGrid | None,
    scalars: Mapping[str, float] | None = None,
    modes: int | None = None,
) -> FloatArray:
    """What a sample is sorted by: its input fields' smooth parts, and its scalars.

    The fields are evaluated on the coarsest grid with two points a mode (on `grid` itself
    where the problem refuses), so that the cost does not depend on `grid`; there
    the distances bound those of the fields up to the folding of higher frequencies.

    Parameters
    ----------
    problem
        Anything with ``input_fields(grid)``.
    grid
        The grid that will be solved on; None to take the scalars only.
    scalars
        Scalar parameters by name.
    modes
        Basis functions along each axis; 64, 12 or 5 in one, two or three dimensions when
        left out.

    Returns
    -------
    numpy.ndarray
        Shape ``(p,)``: channel after channel, then the scalars.

    Examples
    --------
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> problem = DarcyProblem(2.0)
    >>> features_of(problem, problem.grid(64), {"rate": 5.0}, modes=1).round(12).tolist()
    [2.0, 5.0]
    """
    coefficients, numbers = _parts(problem, grid, scalars or {}, modes)
    return np.concatenate([coefficients.ravel(), numbers])


def feature_matrix(
    tasks: Sequence[SampleTask], grid: StructuredGrid | None, modes: int | None = None
) -> FloatArray:
    """Features of a list of samples, each channel and each scalar with the same weight.

    Parameters
    ----------
    tasks
        Samples with the same channels and scalars.
    grid, modes
        As for :func:`features_of`.

    Returns
    -------
    numpy.ndarray
        Shape ``(N, p)``, see :func:`standardize`. p is zero where nothing varies.

    Raises
    ------
    InputError
        Naming the sample whose inputs cannot be evaluated, or differ in kind from the first's.

    Examples
    --------
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> tasks = [SampleTask(i, DarcyProblem(1.0 + i), {"rate": 5.0}) for i in range(3)]
    >>> feature_matrix(tasks, tasks[0].problem.grid(16)).round(3).tolist()
    [[-1.225], [0.0], [1.225]]
    """
    rows: list[FloatArray] = []
    channels, numbers = 0, 0
    for task in tasks:
        try:
            coefficients, values = _parts(task.problem, grid, task.scalars, modes)
        except InputError as error:
            raise InputError(f"sample {task.index} cannot be sorted: {error}") from error
        row = np.concatenate([coefficients.ravel(), values])
        if rows and (len(row) != len(rows[0]) or len(coefficients) != channels):
            raise InputError(
                f"sample {task.index} has {len(row)} features in {len(coefficients)} channels, "
                f"sample {tasks[0].index} {len(rows[0])} in {channels}; sort samples of one "
                "family at a time"
            )
        channels, numbers = len(coefficients), len(values)
        rows.append(row)
    if not rows:
        return np.empty((0, 0))
    each = (len(rows[0]) - numbers) // max(channels, 1)
    groups = np.concatenate([np.repeat(np.arange(channels), each), channels + np.arange(numbers)])
    return standardize(np.stack(rows), groups)


def standardize(features: FloatArray, groups: IntArray | None = None) -> FloatArray:
    """Centre the columns, and scale groups of them to a mean square distance from 0 of one.

    Columns that do not vary are dropped: those with a standard deviation below 1e-12 of
    the largest value in their group.

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    groups
        Shape ``(p,)``: the group of each column; columns of a group keep their
        proportions. Each by itself when left out.

    Returns
    -------
    numpy.ndarray
        Shape ``(N, q)`` with q ≤ p.

    Raises
    ------
    InputError
        If a value is not finite; the message names the samples.

    Examples
    --------
    >>> standardize(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist()
    [[-1.0], [1.0]]
    """
    values = checked_features(features)
    kinds = np.arange(values.shape[1]) if groups is None else np.asarray(groups)
    if kinds.shape != (values.shape[1],):
        raise InputError(f"groups of shape {kinds.shape} do not fit {values.shape[1]} columns")
    if not len(values):
        return values.copy()
    names, group = np.unique(kinds, return_inverse=True)
    largest = np.zeros(len(names))
    np.maximum.at(largest, group, np.abs(values).max(axis=0))
    centred = values - values.mean(axis=0)
    variances = np.mean(centred**2, axis=0)
    varies = np.sqrt(variances) > _CONSTANT * largest[group]
    spread = np.sqrt(np.bincount(group, variances, len(names)))[group]
    scaled: FloatArray = centred[:, varies] / spread[varies]
    return scaled


def checked_features(features: FloatArray) -> FloatArray:
    """Features as a finite array of float64.

    Raises
    ------
    InputError
        If the array is not of shape ``(N, p)``, or a value is not finite.

    Examples
    --------
    >>> checked_features(np.array([[0.0], [np.nan]]))
    Traceback (most recent call last):
    meshes.errors.InputError: features of sample 1 are not finite; leave it out before sorting
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(
            f"features of shape {values.shape} must have shape (samples, numbers a sample)"
        )
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        shown = ", ".join(str(i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        samples, pronoun = ("sample", "it") if len(bad) == 1 else ("samples", "them")
        raise InputError(
            f"features of {samples} {shown} are not finite; leave {pronoun} out before sorting"
        )
    return values
