"""Few numbers a sample whose distances tell how alike two samples are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.data.samples import SampleTask
from pdesolve.sequences.cosines import truncated_cosine
from pdesolve.sequences.standardization import standardize

# Basis functions along each axis by dimension: about a hundred numbers a channel
DEFAULT_MODES = {1: 64, 2: 12, 3: 5}


def _parts(
    problem: Any, grid: StructuredGrid | None, scalars: Mapping[str, float], modes: int | None
) -> tuple[FloatArray, FloatArray]:
    """Coefficients by channel, shape ``(channel, q)``, and the scalars that are no channel."""
    if grid is None:
        return np.empty((0, 0)), np.array([float(value) for value in scalars.values()])
    kept = DEFAULT_MODES[grid.dimension] if modes is None else modes
    # two points a mode keep most of what is dropped from folding back onto what is kept
    coarse = grid.with_shape(tuple(min(size, max(2 * kept, 2)) for size in grid.shape))
    try:
        field = problem.input_fields(coarse)
    except InputError:  # data known on the grid alone
        coarse, field = grid, problem.input_fields(grid)
    numbers = [float(value) for name, value in scalars.items() if name not in field.names]
    return truncated_cosine(field.values, coarse, kept), np.array(numbers)


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
        Scalar parameters by name; those that are channels too are left out.
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
            raise InputError(
                f"sample {task.index} cannot be sorted: {str(error).rstrip('.')}. Correct what the "
                "family draws, or solve in the order of the numbers (order='index')"
            ) from error
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
