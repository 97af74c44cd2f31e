"""Heat conduction on a block of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.block import GridBlock
from meshes.structured import FloatArray
from operators.spatial import as_spatial_function
from pdesolve.grid.block_data import BlockCoefficient, Values, on_block
from pdesolve.grid.block_rates import apply_stencil
from pdesolve.grid.finite_volume import block_system, diffusion_offsets
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.boundary import USUAL, Robin
from pdesolve.problems.boxes import check_grid, conditions_on, warn_of_jumps

if TYPE_CHECKING:
    from pdesolve.problems.heat import HeatProblem

# measured in benchmarks/families/heat.py
DEFAULT_METHOD = {
    "ts_type": "arkimex",
    "ts_arkimex_type": "3",
    "ksp_type": "cg",
    "ksp_rtol": 1e-10,
    "pc_type": "bjacobi",
    "sub_pc_type": "icc",
}


class _Conduction:
    """−∇·(κ s ∇u) = f as rows A(s) u = b(s), with s the factor of κ at a time.

    Without Robin sides A is proportional to s and b affine in it.
    """

    def __init__(self, problem: HeatProblem, block: GridBlock) -> None:
        self.problem, self.block = problem, block
        self.conditions = conditions_on(problem, block.grid, USUAL)
        self.source = on_block(as_spatial_function(problem.source), block)
        self.coefficient = BlockCoefficient.of_function(
            as_spatial_function(problem.conductivity), block, name="conductivity"
        )
        self.affine = not any(isinstance(kind, Robin) for kind in self.conditions.values())
        self.unit = self._rows(1.0)
        self.slope = 0.0 * self.unit[1]
        if self.affine and problem.time_factor is not None:
            self.slope = self._rows(2.0)[1] - self.unit[1]
        self._last = (1.0, self.unit)

    def _rows(self, factor: float) -> tuple[FloatArray, FloatArray]:
        def scaled(values: Values | None) -> Values | None:
            return None if values is None else factor * values

        coefficient = BlockCoefficient(
            factor * self.coefficient.values,
            tuple((scaled(low), scaled(high)) for low, high in self.coefficient.layers),
        )
        system = block_system(self.block, coefficient, self.source, self.conditions)
        return system.coefficients, system.right_hand_side

    def rows(self, time: float) -> tuple[FloatArray, FloatArray]:
        """Coefficients ``(S, *shape)`` and right-hand side ``shape`` at a time."""
        factor = self.problem.factor_at(time)
        if factor != self._last[0]:
            coefficients, right = self.unit
            rows = (
                (factor * coefficients, right + (factor - 1.0) * self.slope)
                if self.affine
                else self._rows(factor)
            )
            self._last = (factor, rows)
        return self._last[1]


def heat_on_block(problem: HeatProblem, block: GridBlock) -> GridEvolution:
    """Finite volumes for :class:`pdesolve.problems.heat.HeatProblem`, all of it stiff.

    The fluxes are those of :func:`pdesolve.grid.finite_volume.diffusion_system`.
    """
    check_grid(problem, block.grid)
    conduction = _Conduction(problem, block)
    offsets = diffusion_offsets(block.dimension)

    def rate(time: float, u: FloatArray) -> FloatArray:
        coefficients, right = conduction.rows(time)
        return (right - apply_stencil(block, offsets, coefficients, u[0]))[None]

    def jacobian(time: float, u: FloatArray) -> FloatArray:
        del u
        return -conduction.rows(time)[0]

    def stable_step(time: float, u: FloatArray) -> float:
        del u
        largest = np.abs(conduction.rows(time)[0]).sum(axis=0).max()  # Gershgorin's bound
        return 2.0 / float(largest) if largest > 0 else float("inf")

    initial = on_block(as_spatial_function(problem.initial), block)
    warn_of_jumps(problem, problem.initial, initial, block)
    return GridEvolution(
        names=problem.unknowns,
        initial=initial[None],
        stiff_rate=rate,
        stiff_jacobian=jacobian,
        offsets=offsets,
        stable_step=stable_step,
        spectrum="real",
        linear=True,
        method=dict(DEFAULT_METHOD),
        conserved={"mass": lambda u: u[0], "energy": lambda u: 0.5 * u[0] ** 2},
    )
