"""Waves on a block of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.block import GridBlock
from meshes.structured import FloatArray
from operators.spatial import as_spatial_function
from pdesolve.grid.block_data import BlockCoefficient, on_block, require_positive
from pdesolve.grid.block_rates import apply_stencil
from pdesolve.grid.finite_volume import block_system, diffusion_offsets
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic
from pdesolve.problems.boxes import check_grid, conditions_on, warn_of_jumps

if TYPE_CHECKING:
    from pdesolve.problems.wave import WaveProblem

DEFAULT_METHOD = {
    "ts_type": "rk",
    "ts_rk_type": "4",
    "ksp_type": "gmres",
    "ksp_rtol": 1e-12,
    "pc_type": "bjacobi",
}


def wave_on_block(problem: WaveProblem, block: GridBlock) -> GridEvolution:
    """Second differences for :class:`pdesolve.problems.wave.WaveProblem`.

    With A u − b for −Δu and the boundary data, the energy ½ Σ (v²/c² + u A u) − Σ u b,
    times the cell volume, does not change as long as time is continuous. Where c is one
    number, c² times that is reported, ½ ∫ v² + c² |∇u|².
    """
    check_grid(problem, block.grid)
    conditions = conditions_on(problem, block.grid, (Dirichlet, Neumann, Periodic))
    offsets = diffusion_offsets(block.dimension)
    displacement = on_block(as_spatial_function(problem.initial), block)
    warn_of_jumps(problem, problem.initial, displacement, block)
    ones = BlockCoefficient.of_function(as_spatial_function(1.0), block)
    system = block_system(block, ones, np.zeros(block.shape), conditions)
    speed = on_block(as_spatial_function(problem.speed), block)
    require_positive(speed, block, "speed")
    squared = speed**2
    unit = float(squared.flat[0]) if problem.has_uniform_speed else 1.0
    fastest = float((squared * np.abs(system.coefficients).sum(axis=0)).max())

    def force(u: FloatArray) -> FloatArray:
        return system.right_hand_side - apply_stencil(block, offsets, system.coefficients, u[0])

    def rate(time: float, u: FloatArray) -> FloatArray:
        del time
        return np.stack([u[1][block.inner], squared * force(u)])

    derivative = np.zeros((len(offsets), 2, 2, *block.shape))
    derivative[0, 0, 1] = 1.0
    derivative[:, 1, 0] = -squared * system.coefficients

    def energy(time: float, u: FloatArray) -> FloatArray:
        del time
        place, velocity = u[0][block.inner], u[1][block.inner]
        kinetic = 0.5 * velocity**2 / squared
        density: FloatArray = kinetic - 0.5 * place * (force(u) + system.right_hand_side)
        return unit * density

    return GridEvolution(
        names=problem.unknowns,
        initial=np.stack(
            [
                displacement,
                on_block(as_spatial_function(problem.initial_velocity), block),
            ]
        ),
        rate=rate,
        jacobian=lambda time, u: derivative,  # noqa: ARG005
        offsets=offsets,
        couplings=((0, 0, 1), *((s, 1, 0) for s in range(len(offsets)))),
        stable_step=lambda time, u: 1.0 / np.sqrt(fastest),  # noqa: ARG005
        spectrum="imaginary",
        linear=True,
        method=dict(DEFAULT_METHOD),
        ghosted_densities={"energy": energy},
    )
