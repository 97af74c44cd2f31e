"""Surrogates inside solvers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from neural.surrogate import Surrogate
from pdesolve.problems.base import Problem


def initial_guess(
    surrogate: str | Path | Surrogate,
    problem: Problem,
    mesh: StructuredGrid,
    *,
    strict: bool = False,
    scale: bool = True,
) -> Field:
    """A surrogate's prediction as the starting point of an iteration.

    It changes how many iterations are needed, not the answer: the solver's stopping test
    stays as it is.

    Parameters
    ----------
    surrogate
        A surrogate, or the path of its checkpoint.
    problem
        What is solved.
    mesh
        The grid that it is solved on.
    strict
        Refuse values outside the range seen in training, instead of warning.
    scale
        Multiply the prediction x by α = xᵀb / xᵀAx, which minimises the energy norm of the
        error of αx, so that even a bad prediction is no worse a start than zero is. For
        problems with a symmetric positive definite form on grids; costs one application
        of A.

    Returns
    -------
    Field
        The unknown of the problem, one channel.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read, or was trained on another family, channels, box
        or kind of grid.
    InputError
        If `strict` refuses, or the surrogate does not predict the problem's unknown.

    Examples
    --------
    >>> guess = initial_guess("best.ckpt", problem, problem.grid(64))  # doctest: +SKIP
    """
    if not isinstance(surrogate, Surrogate):
        if not isinstance(surrogate, str | Path):
            raise InputError(
                f"accelerate={surrogate!r} must be a Surrogate or the path of a checkpoint"
            )
        surrogate = Surrogate.load(surrogate)
    if problem.unknown not in surrogate.outputs:
        raise InputError(
            f"the surrogate predicts {surrogate.outputs}, the problem's unknown is "
            f"'{problem.unknown}'"
        )
    guess = surrogate.predict(problem, mesh, strict=strict).select([problem.unknown])
    return _scaled(guess, problem, mesh) if scale and problem.has_stencil else guess


def _scaled(guess: Field, problem: Problem, grid: StructuredGrid) -> Field:
    """The multiple of a guess that is nearest to the solution in the energy norm."""
    system = problem.discretize(grid)
    if not system.symmetric or system.constant_null_space:
        return guess
    values = guess.values[0]
    energy = float(np.sum(values * system.stencil.apply(values)))
    if energy <= 0:
        return guess
    factor = float(np.sum(values * system.right_hand_side)) / energy
    return Field(grid, factor * guess.values, guess.names)
