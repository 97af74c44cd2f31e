"""Samples solved one after another through :func:`pdesolve.solve`, on any backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import SolveFailure
from operators.result import SolveResult
from pdesolve.data.answers import DIRECT_PARAMETERS
from pdesolve.data.error_estimate import coarse_grid, relative_error_estimate
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, UnusedOptions
from pdesolve.data.schema import DRIFT, Status
from pdesolve.tolerances import checked_tolerance

NAN = float("nan")


class MeshStrategy:
    """Any backend through :func:`pdesolve.solve`, sampled at the storage grid's points.

    Parameters
    ----------
    grid
        Storage grid; the mesh of a box has as many cells along each axis.
    rtol
        Relative residual to reach.
    solver_parameters
        PETSc options.
    backend
        ``"fem"``, ``"spectral"``, or ``"grid"`` for problems that are nonlinear or have
        several unknowns a cell.
    discretization
        More arguments of ``solve``, such as ``{"element": "CG", "degree": 2}``.
    estimate_error
        Whether to solve each problem once more with half the cells.
    unused_options
        Whether options that PETSc did not read are a warning or an error.
    outputs
        Names of the channels that are stored.
    own_mesh
        Whether each problem brings its mesh. Then there is no error estimate.
    """

    def __init__(
        self,
        grid: StructuredGrid,
        rtol: float,
        solver_parameters: Mapping[str, Any] | None = None,
        *,
        backend: Literal["fem", "spectral", "grid"] = "fem",
        discretization: Mapping[str, Any] | None = None,
        estimate_error: bool = True,
        unused_options: UnusedOptions = "warn",
        outputs: Sequence[str] = ("u",),
        own_mesh: bool = False,
    ) -> None:
        from pdesolve._petsc_comm import own_communicator

        self.grid = grid
        self.rtol = checked_tolerance(rtol)
        self.backend = backend
        self.discretization = dict(discretization or {})
        self.unused_options = unused_options
        self.outputs = tuple(outputs)
        self.own_mesh = own_mesh
        self.parameters = dict(solver_parameters or {})
        self._coarse = coarse_grid(grid) if estimate_error and not own_mesh else None
        self._comm = own_communicator()
        self._begun = False
        self._meshes: dict[tuple[int, ...], Any] = {}

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": "independent",
            "backend": self.backend,
            "discretization": self.discretization,
            "tolerance": self.rtol,
            "solver_parameters": self.parameters,
            "given_parameters": self.parameters,
            "error_estimate": (
                {"method": "same problem on half the cells along each axis", "order": 1.0}
                if self._coarse
                else None
            ),
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in the order given."""
        for task in tasks:
            yield self._solve_one(task)

    def _solve_one(self, task: SampleTask) -> SampleRecord:
        with posing(task.index):
            inputs = task.problem.input_fields(self.grid).values
        status, message = Status.SOLVED, ""
        # what refuses the first sample may be the options
        with posing(task.index) if self._begun else nullcontext():
            values, result = self._attempt(task, self.grid.shape, self.parameters)
        self._begun = True
        if values is None:
            message = result.describe() if result else "the solve failed"
            status = Status.SOLVED_DIRECTLY
            values, result = self._attempt(task, self.grid.shape, DIRECT_PARAMETERS)
        estimate = NAN
        if values is None:
            status = Status.FAILED
            values = np.full((len(self.outputs), *self.grid.shape), np.nan)
        elif self._coarse is not None:
            estimate = self._estimate(task, values, self._coarse.shape)
        return SampleRecord(
            task.index,
            inputs,
            values,
            status,
            result.iterations if result else -1,
            result.relative_residual if result else NAN,
            NAN if result and self._by_another_test(result) else self.rtol,
            estimate,
            message,
            dict(result.seconds) if result else {},
        )

    def _estimate(self, task: SampleTask, values: FloatArray, shape: tuple[int, ...]) -> float:
        try:
            coarse, _ = self._attempt(task, shape, self.parameters)
        except InputError:  # such as too few points a wavelength
            return NAN
        return NAN if coarse is None else relative_error_estimate(values, coarse - values, 1.0)

    def _attempt(
        self, task: SampleTask, shape: tuple[int, ...], parameters: Mapping[str, Any]
    ) -> tuple[FloatArray | None, SolveResult | None]:
        from pdesolve.solving import solve

        try:
            solution = solve(
                task.problem,
                mesh=self._mesh(task, shape),
                backend=self.backend,
                solver_parameters=parameters,
                comm=self._comm,
                rtol=self.rtol,
                unused_options=self.unused_options,
                **self.discretization,
            )
            values = solution.on(self.grid).select(self.outputs).values
        except SolveFailure as failure:
            return None, failure.result
        result = solution.result
        met = self._met(result) or self._by_another_test(result)
        return (values if met and np.isfinite(values).all() else None), result

    def _met(self, result: SolveResult) -> bool:
        return result.relative_residual <= DRIFT * self.rtol  # as in GridStrategy

    def _by_another_test(self, result: SolveResult) -> bool:
        """Whether Newton's method stopped by the size of its step or an absolute norm."""
        others = ("CONVERGED_FNORM_ABS", "CONVERGED_SNORM_RELATIVE")
        return result.converged and result.reason in others and not self._met(result)

    def _mesh(self, task: SampleTask, shape: tuple[int, ...]) -> Any:
        """What `solve` takes as its mesh; Firedrake's meshes of boxes are made once."""
        if self.own_mesh:
            return None
        if self.backend != "fem":
            return shape
        if shape not in self._meshes:
            from pdesolve.fem import box_mesh

            whole = str(self.discretization.get("element", "CG")) in ("Q", "RTCF")
            grid = task.problem.grid(shape)
            self._meshes[shape] = box_mesh(grid, self._comm, tensor_cells=whole)
        return self._meshes[shape]

    def close(self) -> None:
        """Let the meshes go."""
        self._meshes.clear()
