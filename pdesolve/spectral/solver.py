"""Conjugate gradients for spectral systems."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.result import SolveResult
from pdesolve.problems.base import SpectralSystem

_PARAMETERS = {"ksp_rtol": 1e-10, "ksp_max_it": 1000}


def solve_spectral_system(
    system: SpectralSystem,
    x0: FloatArray | None = None,
    solver_parameters: Mapping[str, Any] | None = None,
) -> tuple[FloatArray, SolveResult]:
    """Preconditioned conjugate gradients (SciPy's) to ‖b − A u‖₂ ≤ rtol ‖b‖₂.

    Parameters
    ----------
    system
        Operator, right-hand side and preconditioner.
    x0
        Initial guess, shape ``grid.shape``.
    solver_parameters
        ``ksp_rtol`` (1e-10) and ``ksp_max_it`` (1000); this backend has no other options.

    Returns
    -------
    tuple
        Values of mean zero, shape ``grid.shape``, and the record.
    """
    from scipy.sparse.linalg import LinearOperator as ScipyOperator
    from scipy.sparse.linalg import cg

    options = {**_PARAMETERS, **(solver_parameters or {})}
    for name in options:
        if name not in _PARAMETERS:
            raise InputError(
                f"the backend 'spectral' has no option '{name}'. {suggest(name, _PARAMETERS)}"
            )
    rtol, max_it = float(options["ksp_rtol"]), int(options["ksp_max_it"])
    if not (np.isfinite(rtol) and rtol > 0):
        raise InputError(f"ksp_rtol={options['ksp_rtol']} must be positive and finite")
    shape, right = system.operator.source.shape, system.right_hand_side
    size = right.size

    def as_scipy(apply: Any) -> Any:
        return ScipyOperator(
            (size, size), matvec=lambda x: apply(x.reshape(shape)).ravel(), dtype=np.float64
        )

    count = 0

    def one_more(_: FloatArray) -> None:
        nonlocal count
        count += 1

    start = time.perf_counter()
    values, flag = cg(
        as_scipy(system.operator.apply),
        right.ravel(),
        x0=None if x0 is None else (x0 - x0.mean()).ravel(),
        rtol=rtol,
        atol=0.0,
        maxiter=max_it,
        M=as_scipy(system.preconditioner.apply),
        callback=one_more,
    )
    seconds = time.perf_counter() - start
    answer = values.reshape(shape)
    answer = answer - answer.mean()
    size_of_right = float(np.linalg.norm(right))
    residual = float(np.linalg.norm(right - system.operator.apply(answer)))
    relative = residual / size_of_right if size_of_right > 0 else residual
    converged = flag == 0 and bool(np.isfinite(relative))
    result = SolveResult(
        converged=converged,
        reason="CONVERGED_RTOL" if converged else "DIVERGED_MAX_IT",
        iterations=count,
        residual_norms=(size_of_right, residual),
        relative_residual=relative,
        rtol=rtol,
        num_unknowns=size,
        solver="cg + constant-coefficient inverse",
        seconds={"assembly": 0.0, "setup": 0.0, "solve": seconds},
    )
    return answer, result


@dataclass(eq=False)
class SpectralState:
    """A solution on a periodic grid, whole on every process."""

    grid: StructuredGrid
    values: FloatArray
    name: str
    inputs: Field

    @property
    def native(self) -> FloatArray:
        """The array of values, shape ``grid.shape``."""
        return self.values

    def local_fields(self) -> dict[str, Field]:
        """The unknown."""
        return {self.name: self.gather()}

    def gather(self) -> Field:
        """The whole field."""
        return Field(self.grid, self.values, (self.name,))

    def sample(self, grid: StructuredGrid) -> Field:
        """Multilinear interpolation."""
        return self.gather().resample(grid)

    def write_paraview(self, path: Path, time: float) -> None:
        """Write solution and inputs."""
        from pdesolve.output.paraview import write_grid

        inputs = {name: self.inputs.select([name]) for name in self.inputs.names}
        write_grid(path, {self.name: self.gather(), **inputs}, time)
