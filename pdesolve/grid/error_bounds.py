"""How far an approximate answer of a diffusion problem is from the exact discrete one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import Stencil
from pdesolve.grid.finite_volume import diffusion_offsets, diffusion_system
from pdesolve.grid.laplacian_inverse import dual_energy, homogeneous_conditions, is_invertible
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.boundary import Condition


@dataclass(frozen=True)
class ErrorBounds:
    """Size of the error of an approximation v to the solution of A u = b.

    Parameters
    ----------
    relative_residual
        ‖b − A v‖₂ / ‖b‖₂ (‖A v‖₂ if b = 0).
    lower, upper
        Bounds on ‖u − v‖_A / ‖v‖_A, where ‖w‖_A² = wᵀA w is the discrete energy; NaN where
        there is no bound.
    energy
        ‖v‖_A; NaN where it is not positive.
    """

    relative_residual: float
    lower: float = float("nan")
    upper: float = float("nan")
    energy: float = float("nan")


def error_bounds(
    system: LinearSystem, conditions: Mapping[str, Condition], approximation: FloatArray
) -> ErrorBounds:
    """Bounds on the error of an approximation, without solving the system.

    Let L be the same discretisation with a = 1. Where A is one of −∇·(a ∇·), its face
    weights lie between m and M times those of L, so m L ≤ A ≤ M L, and with the residual
    r = b − A v the error e = A⁻¹ r satisfies

    rᵀL⁻¹r / M ≤ ‖e‖_A² ≤ rᵀL⁻¹r / m.

    L is inverted by transforms of the axes. Upper and lower bound differ by the
    factor √(M/m) at most. The bounds hold for the discrete problem; its discretisation
    error comes on top.

    With convection A is not symmetric. Its symmetric part S = (A + Aᵀ)/2 gives the energy,
    and where m L ≤ S, eᵀS e = eᵀA e = eᵀr gives the upper bound alone.

    Parameters
    ----------
    system
        A and b.
    conditions
        Condition by side of the problem.
    approximation
        v, shape ``grid.shape``.

    Returns
    -------
    ErrorBounds
        With bounds where A or its symmetric part is a diffusion operator, and
        :func:`pdesolve.grid.laplacian_inverse.is_invertible`.

    Raises
    ------
    InputError
        If the shape does not fit.

    References
    ----------
    Axelsson, Karátson (2009), Equivalent operator preconditioning for elliptic problems,
    Numerical Algorithms 50, doi:10.1007/s11075-008-9233-4.

    Examples
    --------
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> problem = DarcyProblem(lambda x: 1.0 + x[0], dimension=2)
    >>> system = problem.discretize(problem.grid(8))
    >>> from scipy.sparse.linalg import spsolve
    >>> exact = spsolve(system.stencil.to_csr(), system.right_hand_side.ravel())
    >>> found = error_bounds(system, problem.boundary_conditions, 1.1 * exact.reshape(8, 8))
    >>> bool(found.lower <= 0.1 / 1.1 <= found.upper)
    True
    """
    values = np.asarray(approximation, dtype=np.float64)
    grid = system.stencil.grid
    if values.shape != grid.shape:
        raise InputError(f"an array of shape {values.shape} does not fit the grid's {grid.shape}")
    image = system.stencil.apply(values)
    residual = system.right_hand_side - image
    size = float(np.linalg.norm(system.right_hand_side))
    relative = float(np.linalg.norm(residual)) / (size if size > 0 else 1.0)
    ratios = _weight_ratios(system, conditions)
    energy = float(np.vdot(values, image))
    if ratios is None or not energy > 0:
        return ErrorBounds(relative)
    smallest, largest = ratios
    try:
        dual = dual_energy(grid, conditions, residual)
    except InputError:  # nearly singular
        return ErrorBounds(relative)
    return ErrorBounds(
        relative,
        float(np.sqrt(dual / largest / energy)) if system.symmetric else float("nan"),
        float(np.sqrt(dual / smallest / energy)),
        float(np.sqrt(energy * grid.cell_volume)),
    )


def _weight_ratios(
    system: LinearSystem, conditions: Mapping[str, Condition]
) -> tuple[float, float] | None:
    """Smallest and largest quotient of A's face weights by those of L.

    Of a system that is not symmetric those of its symmetric part, which may have more on
    its diagonal.
    """
    stencil = system.stencil
    grid = stencil.grid
    sides = homogeneous_conditions(grid, conditions)
    same = np.array_equal(stencil.offsets, diffusion_offsets(grid.dimension))
    if sides is None or not same or not is_invertible(grid, conditions):
        return None
    if not system.symmetric:
        stencil = _symmetric_part(stencil)
    unit = diffusion_system(grid, np.ones(grid.shape), np.zeros(grid.shape), sides).stencil
    quotients = []
    for own, reference in zip(_weights(stencil), _weights(unit), strict=True):
        scale = float(np.abs(stencil.diagonal()).max())
        present = reference > 1e-9 * float(unit.diagonal().max())
        beyond = own[~present] if system.symmetric else np.minimum(own[~present], 0.0)
        if (np.abs(beyond) > 1e-9 * scale).any() or (own[present] <= 0).any():
            return None
        quotients.append(own[present] / reference[present])
    together = np.concatenate([quotient.ravel() for quotient in quotients])
    return float(together.min()), float(together.max())


def _symmetric_part(stencil: Stencil) -> Stencil:
    transposed = stencil.transpose()
    order = [0]  # the centre; then the two neighbours along each axis change places
    for axis in range(stencil.grid.dimension):
        order += [2 + 2 * axis, 1 + 2 * axis]
    coefficients = 0.5 * (stencil.coefficients + transposed.coefficients[order])
    return Stencil(stencil.grid, stencil.offsets, coefficients)


def _weights(stencil: Stencil) -> list[FloatArray]:
    """Weights of faces (−A_ij), and of sides (row sums)."""
    return [*(-stencil.coefficients[1:]), stencil.coefficients.sum(axis=0)]
