"""The problems behind the samples of a data set."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.structured import FloatArray, StructuredGrid
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.registry import FAMILIES, get_family
from pdesolve.random_streams import sample_generator


def problems_of(
    info: Any,
    indices: Sequence[int] | npt.NDArray[np.int64],
    inputs: FloatArray,
    grid: StructuredGrid,
) -> tuple[list[Problem], str]:
    """Draw the problems of samples again, from family, seed, split and number.

    Parameters
    ----------
    info
        Of the data set.
    indices
        Sample numbers.
    inputs
        Their input fields, shape ``(n, channel, *shape)``, for comparison.
    grid
        Where these are.

    Returns
    -------
    problems, remark
        All problems; or none, with the reason.
    """  # fmt: skip
    if info.family not in FAMILIES or info.seed is None:
        return [], f"the problems of family '{info.family}' cannot be drawn again"
    distribution = info.settings.get("strategy", {}).get("distribution")
    if distribution:
        return [], f"the samples are no problems of the family: {distribution}"
    family = get_family(info.family, **info.settings.get("family", {}).get("given_options", {}))
    problems = []
    for row, number in enumerate(indices):
        generator = sample_generator(info.seed, info.split, int(number))
        problem = family.problem(family.sample(generator))
        drawn = problem.input_fields(grid).values
        if drawn.shape != inputs[row].shape or not np.allclose(drawn, inputs[row], rtol=1e-5):
            return [], (
                f"family '{info.family}' draws other inputs here than the file holds; "
                + (
                    "they were projected from a finer grid"
                    if solved_finer(info)
                    else "another release may have written it"
                )
            )
        problems.append(problem)
    return problems, ""


def solved_finer(info: Any) -> str:
    """Why certificates cannot be compared with the stored solutions; empty if they can.

    A certificate is about the discrete equations of the grid that is stored, which solutions
    from a finer grid do not satisfy.
    """
    solved = info.settings.get("strategy", {}).get("solved_on")
    if solved is None or tuple(solved) == tuple(info.shape):
        return ""
    fine, coarse = (" × ".join(map(str, sizes)) for sizes in (solved, info.shape))
    return (
        f"no certificate: the samples were solved on {fine} and are no solutions of the discrete "
        f"equations on {coarse}"
    )


def solved_by_another(info: Any, backend: str) -> str:
    """Remark that the stored solutions are of another backend than certificates; else empty.

    Parameters
    ----------
    info
        Of the data set.
    backend
        Whose discrete equations the certificates are about.
    """
    other = info.settings.get("strategy", {}).get("backend", backend)
    if other == backend:
        return ""
    return (
        f"certificates are about the equations of backend '{backend}', the samples were solved by "
        f"'{other}': the difference of the two counts in the quotient of bound and error"
    )


def zero_sides_of(problem: Problem, grid: StructuredGrid) -> tuple[str, ...]:
    """Names of the sides where the value zero is given."""
    given = problem.boundary_conditions
    conditions = {side: given.get(side, given.get("all")) for side in grid.side_names}
    return tuple(
        side
        for side, condition in conditions.items()
        if isinstance(condition, Dirichlet)
        and isinstance(condition.value, numbers.Real)
        and float(condition.value) == 0.0
    )
