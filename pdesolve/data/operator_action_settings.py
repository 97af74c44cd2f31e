"""Sizes of operator action, and the families that it is not for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshes.errors import InputError
from operators.random_fields import is_finite_number
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem

SOURCE = "source"
BOUNDARY_VALUES = "boundary_values"


@dataclass(frozen=True)
class OperatorActionSettings:
    """How solutions are put together.

    Parameters
    ----------
    basis
        Number of problems of the family that are solved.
    weights
        Number of these solutions in one sample.
    noise
        Root mean square of the smooth noise over that of the combination.

    Raises
    ------
    InputError
        If `basis` is less than 2, `weights` is not from 1 to `basis`, or `noise` is
        negative or not finite.

    Examples
    --------
    >>> OperatorActionSettings(basis=20, weights=5).describe()
    {'basis': 20, 'weights': 5, 'noise': 0.0}
    """

    basis: int = 64
    weights: int = 10
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("basis", 2), ("weights", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"{name}={value!r} must be an integer of {least} or more; "
                    "leave it out for the default"
                )
        if self.weights > self.basis:
            raise InputError(
                f"weights={self.weights} solutions a sample cannot be taken from basis={self.basis}"
                "; lower weights or raise basis"
            )
        if not is_finite_number(self.noise) or self.noise < 0:
            raise InputError(f"noise={self.noise!r} must be finite and not negative, such as 0.01")

    def describe(self) -> dict[str, Any]:
        """Plain values."""
        return {"basis": self.basis, "weights": self.weights, "noise": self.noise}


def operator_action_refusal(family: Any, problem: Problem) -> str:
    """Why the samples of a family cannot be made by operator action, or nothing.

    Examples
    --------
    >>> from pdesolve import DarcyFamily
    >>> family = DarcyFamily(2)
    >>> operator_action_refusal(family, family.problem({"coefficient": 1.0}))
    ''
    """
    if isinstance(problem, EvolutionProblem):
        return "is for steady problems; this one is in time"
    if family.has_own_mesh:
        return "needs a structured grid; this family brings a mesh of its own"
    if problem.is_nonlinear_on_grids:
        return "is for linear problems; combinations of solutions of this one mean nothing"
    if problem.has_block_system:
        return "is for one unknown a cell; this problem has several"
    if not problem.has_stencil:
        return "needs a linear form for the backend 'grid', which this problem does not have"
    if not hasattr(problem, SOURCE):
        return f"needs a problem with an attribute '{SOURCE}', the f of A u = f; this one has none"
    return ""
