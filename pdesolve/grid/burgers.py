"""Burgers' equation on a block of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.block import GridBlock
from meshes.structured import FloatArray
from operators.spatial import as_spatial_function
from pdesolve.grid.advection import DEFAULT_METHOD, LIMITED_SHARE
from pdesolve.grid.block_data import BlockCoefficient, on_block
from pdesolve.grid.block_rates import apply_stencil, face_differences, face_states, flow_sides
from pdesolve.grid.finite_volume import block_system, diffusion_offsets
from pdesolve.grid.limiters import LIMITERS
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic
from pdesolve.problems.boxes import check_grid, conditions_on

if TYPE_CHECKING:
    from pdesolve.problems.burgers import BurgersProblem

IMEX_METHOD = {
    "ts_type": "arkimex",
    "ts_arkimex_type": "3",
    "ksp_type": "cg",
    "ksp_rtol": 1e-10,
    "pc_type": "bjacobi",
}


def godunov_flux(below: FloatArray, above: FloatArray) -> FloatArray:
    """The flux u²/2 of the exact solution to the Riemann problem at each face.

    References
    ----------
    LeVeque (2002), Finite Volume Methods for Hyperbolic Problems, section 12.1,
    doi:10.1017/CBO9780511791253.

    Examples
    --------
    >>> godunov_flux(np.array([1.0, -1.0]), np.array([-1.0, 1.0]))  # shock, rarefaction
    array([0.5, 0. ])
    """
    result: FloatArray = 0.5 * np.maximum(np.maximum(below, 0.0), -np.minimum(above, 0.0)) ** 2
    return result


def _upwind_speed(below: FloatArray, above: FloatArray) -> FloatArray:
    """The velocity at the faces of the same Riemann problems."""
    result: FloatArray = np.where(
        below + above >= 0, np.maximum(below, 0.0), np.minimum(above, 0.0)
    )
    return result


def burgers_on_block(problem: BurgersProblem, block: GridBlock) -> GridEvolution:
    """Godunov fluxes of limited linear reconstructions; the viscous terms are stiff.

    In 1D the scheme is in conservation form. In 2D, where u·∇u is no divergence, the
    derivative of component i along j ≠ i is a_j ∂u_i/∂x_j with the upwind state of u_i
    at the faces, in the form (a u)_j − u a_j.
    """
    check_grid(problem, block.grid)
    conditions = conditions_on(problem, block.grid, (Dirichlet, Neumann, Periodic))
    sides = flow_sides(block, conditions)
    limiter = LIMITERS[problem.limiter]
    spacing = block.grid.spacing
    size = block.dimension

    given = [
        max(
            (float(np.abs(v).max()) for (a, _), v in sides.items() if a == axis and v is not None),
            default=0.0,
        )
        for axis in range(size)
    ]

    def rate(time: float, u: FloatArray) -> FloatArray:
        del time
        result = np.zeros((size, *block.shape))
        for axis in range(size):
            below, above = face_states(block, u[axis], axis, limiter, sides)
            fluxes = godunov_flux(below, above)
            result[axis] -= face_differences(fluxes, axis, spacing[axis])
            if size == 1:
                continue
            speed = _upwind_speed(below, above)
            for other in range(size):
                if other == axis:
                    continue
                below, above = face_states(block, u[other], axis, limiter, sides)
                carried = np.where(speed > 0, below, above)
                centre = u[other][block.inner]
                result[other] -= face_differences(speed * carried, axis, spacing[axis])
                result[other] += centre * face_differences(speed, axis, spacing[axis])
        return result

    def convective_step(time: float, u: FloatArray) -> float:
        del time
        inverse = sum(
            max(float(np.abs(u[axis]).max()), given[axis]) / spacing[axis] for axis in range(size)
        )
        return LIMITED_SHARE / inverse if inverse > 0 else float("inf")

    initial = np.stack(
        [on_block(as_spatial_function(part), block) for part in problem.initial]  # type: ignore[attr-defined]
    )
    conserved = {"energy": lambda u: 0.5 * (u**2).sum(axis=0)}
    if size == 1:
        conserved = {"mass": lambda u: u[0], **conserved}
    if problem.viscosity == 0:
        return GridEvolution(
            names=problem.unknowns,
            initial=initial,
            rate=rate,
            stable_step=convective_step,
            method=dict(DEFAULT_METHOD),
            conserved=conserved,
        )

    offsets = diffusion_offsets(size)
    coefficient = BlockCoefficient.of_function(
        as_spatial_function(problem.viscosity), block, name="viscosity"
    )
    system = block_system(block, coefficient, np.zeros(block.shape), conditions)
    viscous = np.zeros((len(offsets), size, size, *block.shape))
    for component in range(size):
        viscous[:, component, component] = -system.coefficients
    diffusive_step = 2.0 / float(np.abs(system.coefficients).sum(axis=0).max())

    def stiff_rate(time: float, u: FloatArray) -> FloatArray:
        del time
        return np.stack(
            [
                system.right_hand_side - apply_stencil(block, offsets, system.coefficients, part)
                for part in u
            ]
        )

    def stable_step(time: float, u: FloatArray) -> float:
        return 1.0 / (1.0 / convective_step(time, u) + 1.0 / diffusive_step)

    return GridEvolution(
        names=problem.unknowns,
        initial=initial,
        rate=rate,
        stiff_rate=stiff_rate,
        stiff_jacobian=lambda time, u: viscous,  # noqa: ARG005
        offsets=offsets,
        couplings=tuple((s, c, c) for s in range(len(offsets)) for c in range(size)),
        stable_step=stable_step,
        stable_step_of_rate=convective_step,
        stiff_linear=True,
        method=dict(IMEX_METHOD),
        conserved=conserved,
    )
