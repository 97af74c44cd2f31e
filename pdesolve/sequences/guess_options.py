"""PETSc's own first guesses, and what they are good for."""

from __future__ import annotations

from typing import Any

from meshes.errors import InputError, suggest

_PETSC_GUESSES: dict[str, dict[str, Any]] = {
    "none": {},
    "fischer": {"ksp_guess_type": "fischer", "ksp_guess_fischer_model": "1,{count}"},
    "pod": {"ksp_guess_type": "pod", "ksp_guess_pod_size": "{count}"},
}


def guess_parameters(name: str, count: int = 10) -> dict[str, Any]:
    """Options of PETSc's own guesses, for right-hand sides of an operator that repeats.

    PETSc drops what it has collected whenever the values of the matrix change (or the
    matrix is another one), unless the preconditioner is reused (``ksp_reuse_preconditioner``);
    in a sequence of different operators these options therefore do nothing. Use
    :class:`pdesolve.sequences.NeighborProjection` there. They also replace any guess that
    the caller gives: with ``ksp_guess_type`` the contents of the solution vector are not
    read.

    Parameters
    ----------
    name
        ``none``, ``fischer`` (projection on the last solutions, A-orthogonalised, begun anew
        when full) or ``pod`` (on the dominant part of a window of the last ones).
    count
        How many solutions to keep.

    Returns
    -------
    dict
        PETSc options.

    Raises
    ------
    InputError
        For an unknown name, or a count below one.

    References
    ----------
    Fischer (1998), Projection techniques for iterative solution of Ax = b with successive
    right-hand sides, doi:10.1016/S0045-7825(98)00012-7; Markovinović, Jansen (2006),
    Accelerating iterative solution methods using reduced-order models as solution predictors,
    doi:10.1002/nme.1721.

    Examples
    --------
    >>> guess_parameters("pod", 5)
    {'ksp_guess_type': 'pod', 'ksp_guess_pod_size': '5'}
    """
    if name not in _PETSC_GUESSES:
        raise InputError(f"there is no guess '{name}'. {suggest(name, _PETSC_GUESSES)}")
    if isinstance(count, bool) or count < 1:
        raise InputError(f"count={count!r} must be a positive integer; 10 is usual")
    return {key: value.format(count=count) for key, value in _PETSC_GUESSES[name].items()}
