"""Transport by a given velocity on a block of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from operators.spatial import as_spatial_function
from pdesolve.grid.block_data import on_block
from pdesolve.grid.block_rates import Sides, face_differences, face_states, flow_sides
from pdesolve.grid.convection import Convection
from pdesolve.grid.limiters import LIMITERS
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic
from pdesolve.problems.boxes import check_grid, conditions_on

if TYPE_CHECKING:
    from pdesolve.problems.advection import AdvectionProblem

DEFAULT_METHOD = {"ts_type": "ssp", "ts_ssp_type": "rks3", "ts_ssp_nstages": 4}

# share of the step at which the faces' values, reconstructed with limited slopes, do not
# leave the range of the cells' values: a slope of twice the smaller difference moves a
# face's value by a whole difference
LIMITED_SHARE = 0.5


def _face_velocities(problem: AdvectionProblem, block: GridBlock) -> list[FloatArray]:
    convection = Convection(problem.velocity_functions)
    found = []
    for axis in range(block.dimension):
        shape = list(block.shape)
        shape[axis] += 1
        values = convection.at_faces(block, axis, slice(0, shape[axis]))
        values = np.broadcast_to(np.asarray(values, dtype=np.float64), shape)
        if not np.isfinite(values).all():
            raise InputError(f"the velocity along {AXIS_NAMES[axis]} is not finite everywhere")
        found.append(values)
    return found


def _check_outflow(velocities: list[FloatArray], sides: Sides) -> None:
    for (axis, end), given in sides.items():
        at_side = velocities[axis].take(0 if end == "lower" else -1, axis=axis)
        inward = at_side.max() if end == "lower" else -at_side.min()
        if given is None and inward > 0:
            raise InputError(
                f"the velocity points into the box on side '{AXIS_NAMES[axis]}_{end}', which has "
                "Neumann(0); give the value that flows in, Dirichlet(value)"
            )


def advection_on_block(problem: AdvectionProblem, block: GridBlock) -> GridEvolution:
    """Upwind fluxes of limited linear reconstructions, in conservation form.

    References
    ----------
    LeVeque (2002), Finite Volume Methods for Hyperbolic Problems,
    doi:10.1017/CBO9780511791253.
    """
    check_grid(problem, block.grid)
    conditions = conditions_on(problem, block.grid, (Dirichlet, Neumann, Periodic))
    sides = flow_sides(block, conditions)
    velocities = _face_velocities(problem, block)
    _check_outflow(velocities, sides)
    limiter = LIMITERS[problem.limiter]
    spacing = block.grid.spacing
    inverse = np.zeros(block.shape)
    for axis, velocity in enumerate(velocities):
        speed = np.abs(np.moveaxis(velocity, axis, 0))
        inverse += np.moveaxis(np.maximum(speed[1:], speed[:-1]), 0, axis) / spacing[axis]
    fastest = float(inverse.max())
    step = LIMITED_SHARE / fastest if fastest > 0 else float("inf")

    def rate(time: float, u: FloatArray) -> FloatArray:
        del time
        result = np.zeros(block.shape)
        for axis, velocity in enumerate(velocities):
            below, above = face_states(block, u[0], axis, limiter, sides)
            fluxes = np.maximum(velocity, 0.0) * below + np.minimum(velocity, 0.0) * above
            result -= face_differences(fluxes, axis, spacing[axis])
        return result[None]

    return GridEvolution(
        names=problem.unknowns,
        initial=on_block(as_spatial_function(problem.initial), block)[None],
        rate=rate,
        stable_step=lambda time, u: step,  # noqa: ARG005
        method=dict(DEFAULT_METHOD),
        conserved={"mass": lambda u: u[0], "energy": lambda u: 0.5 * u[0] ** 2},
    )
