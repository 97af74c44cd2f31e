"""Solve a nonlinear weak form with Newton's method (PETSc SNES)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError
from operators.result import SolveResult
from pdesolve._petsc_options import SolverOptions, flatten
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_forms import NonlinearForm
from pdesolve.fem._firedrake_linear import form_parameters
from pdesolve.fem.preconditioners import DIRECT, ELASTICITY_MULTIGRID, MULTIGRID, split_named

# The test of steps is for guesses so good that rounding keeps the residual from falling.
NEWTON: dict[str, Any] = {
    "snes_type": "newtonls",
    "snes_linesearch_type": "bt",
    "snes_rtol": 1e-8,
    "snes_atol": 1e-50,
    "snes_stol": 1e-12,
    "snes_max_it": 50,
    "ksp_rtol": 1e-6,
    "ksp_max_it": 1000,
}
# Up to these numbers of unknowns a factorisation in each step is fastest and never fails.
LARGEST_DIRECT = {1: 1_000_000, 2: 100_000, 3: 30_000}
# The share of the load that is still tried when Newton's method fails with more.
SMALLEST_STEP = 1.0 / 64


def default_parameters(form: NonlinearForm, named: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options to use where the caller says nothing: named ones, the form's, the backend's."""
    own = flatten(form_parameters(form))
    newton = {key: value for key, value in own.items() if key.startswith("snes_")}
    if named is not None:
        return {**NEWTON, **newton, **flatten(named)}
    if "pc_type" in own:
        return {**NEWTON, **own}
    space = form.state.function_space()
    dimension = int(space.mesh().unique().geometric_dimension)
    small = space.dim() <= LARGEST_DIRECT[dimension] and PETSc.Sys.hasExternalPackage("mumps")
    multigrid = MULTIGRID if form.near_null_space is None else ELASTICITY_MULTIGRID
    method = dict(DIRECT if small else multigrid)
    if small and form.null_space is not None:
        method["mat_mumps_icntl_24"] = 1  # null pivots
    return {**NEWTON, **method, **own}


class NonlinearFormSolver:
    """One nonlinear weak form with Newton's method.

    Where the form has a `continuation` and Newton's method fails, it is led to the
    solution in steps, halved as often as needed.

    Parameters
    ----------
    form
        The weak problem.
    solver_parameters
        PETSc options, nested or flat, and Firedrake's ``mat_type`` and ``pmat_type``;
        they replace the defaults. A name of
        :data:`pdesolve.fem.preconditioners.PRECONDITIONERS`, or ``preconditioner`` among
        the options, chooses a set.
    options_prefix
        Prefix under which PETSc's command line reaches the solver.
    """

    def __init__(
        self,
        form: NonlinearForm,
        solver_parameters: Mapping[str, Any] | str | None = None,
        options_prefix: str = "",
    ) -> None:
        named, own = split_named(solver_parameters)
        given = flatten(own)
        defaults = default_parameters(form, named)
        if "pc_type" in given and given["pc_type"] != defaults.get("pc_type"):
            # options of a preconditioner that is not used any more
            kept = ("snes_", "ksp_rtol", "ksp_max_it", "mat_type", "pmat_type")
            defaults = {key: value for key, value in defaults.items() if key.startswith(kept)}
            if given["pc_type"] in ("lu", "cholesky"):
                defaults = {**defaults, **DIRECT}
        # the others are in PETSc's database; these two keep Firedrake's defaults away
        self._parameters: dict[str, Any] = {"snes_type": None, "pc_type": None}
        for key in ("mat_type", "pmat_type"):
            if key in given or key in defaults:
                self._parameters[key] = given.get(key, defaults.get(key))
            given.pop(key, None)
            defaults.pop(key, None)
        self.options = SolverOptions(defaults, given, options_prefix)
        _check_stopping(self.options.options)
        self.form = form
        self.space = form.state.function_space()
        self.unused: list[str] = []
        self.failure = ""
        self._norms: list[float] = []
        self._iterations = self._linear_iterations = 0
        self._notes: list[str] = []
        self._snes: Any = None
        self._start: Any = None
        self._reference = 0.0

    def solve(self, guess: Any = None) -> tuple[Any, SolveResult]:
        """Solve (collective); a failure is told by the record.

        Parameters
        ----------
        guess
            First guess, a Firedrake function; the form's state when left out.

        Returns
        -------
        tuple
            The form's state with the last iterate, and the record.
        """
        start = time.perf_counter()
        form = self.form
        if guess is not None:
            # the tolerance stays relative to the form's own first residual
            allowed = float(self.options.options["snes_rtol"]) * self._first_norm()
            self.options.options["snes_atol"] = max(
                allowed, float(self.options.options["snes_atol"])
            )
            form.state.assign(guess)
        if form.continuation is not None:
            self._start = firedrake.Function(self.space).assign(form.state)
        self.options.insert()
        try:
            solver = self._solver()
            ready = time.perf_counter()
            converged = self._newton(solver)
            if not converged and form.continuation is not None:
                converged = self._continue(solver, form.continuation)
            done = time.perf_counter()
        finally:
            self.unused = self.options.unused()
            self.options.remove()
        if form.finish is not None:
            form.finish(form.state)
        seconds = {"assembly": ready - start, "setup": 0.0, "solve": done - ready}
        return form.state, self._record(converged, seconds)

    def _first_norm(self) -> float:
        """Norm of the residual of the form's own first guess."""
        form = self.form
        for condition in form.boundary_conditions:
            condition.apply(form.state)
        residual = firedrake.assemble(form.residual, bcs=list(form.boundary_conditions))
        with residual.dat.vec_ro as vector:
            self._reference = float(vector.norm())
        return self._reference

    def _solver(self) -> Any:
        form = self.form
        problem = firedrake.NonlinearVariationalProblem(
            form.residual, form.state, bcs=list(form.boundary_conditions), J=form.jacobian
        )
        try:
            solver = firedrake.NonlinearVariationalSolver(
                problem,
                solver_parameters=self._parameters,
                options_prefix=self.options.prefix,
                nullspace=form.null_space,
                transpose_nullspace=form.null_space if form.symmetric else None,
                near_nullspace=form.near_null_space,
                appctx=dict(form.context),
            )
        except PETSc.Error as error:
            raise InputError(
                f"PETSc refused the solver's options: {_last_line(error)}. Check the values of "
                "snes_type, ksp_type, pc_type and the others"
            ) from error
        self._snes = solver.snes
        self._snes.setConvergenceHistory(reset=True)
        return solver

    def _newton(self, solver: Any) -> bool:
        """Newton's method from the state at hand; whether it converged."""
        self.failure = ""
        try:
            solver.solve()
        except firedrake.ConvergenceError:
            pass  # the reason is read below
        except PETSc.Error as error:  # a factorisation or a set-up that gave up
            self.failure = _last_line(error)
        snes = self._snes
        self._norms += [float(norm) for norm in snes.getConvergenceHistory()[0]]
        self._iterations += int(snes.getIterationNumber())
        self._linear_iterations += int(snes.getLinearSolveIterations())
        return int(snes.getConvergedReason()) > 0 and not self.failure

    def _continue(self, solver: Any, lead_to: Callable[[float], None]) -> bool:
        """Approach the problem in steps from an easy one."""
        form = self.form
        reached, step, count = 0.0, 0.5, 0
        reliable = self._start
        while reached < 1.0:
            share = min(reached + step, 1.0)
            form.state.assign(reliable)
            lead_to(share)
            if self._newton(solver):
                reliable.assign(form.state)
                reached, count = share, count + 1
                step = min(2.0 * step, 1.0)
            elif step / 2.0 < SMALLEST_STEP:
                lead_to(1.0)
                if reached == 0:
                    self._notes.append("smaller shares of the load did not help")
                    return False
                self._notes.append(
                    f"Newton's method converged up to {reached:.3g} of the load or of whatever "
                    "else the problem is led along, and not further"
                )
                return False
            else:
                step /= 2.0
        self._notes.append(f"reached in {count} steps, since Newton's method failed in one")
        return True

    def _record(self, converged: bool, seconds: dict[str, float]) -> SolveResult:
        snes = self._snes
        last = [float(norm) for norm in snes.getConvergenceHistory()[0]]
        reference = self._reference or self._norms[0] if last else 0.0
        relative = last[-1] / reference if reference > 0 else (last or [math.nan])[-1]
        rtol, _, _, _ = snes.getTolerances()
        ksp = snes.getKSP()
        reason = _reason_name(int(snes.getConvergedReason()))
        if self.failure:
            reason = "DIVERGED_PC_FAILED"
        return SolveResult(
            converged=converged and math.isfinite(relative),
            reason=reason,
            iterations=self._iterations,
            residual_norms=tuple(self._norms),
            relative_residual=relative,
            rtol=float(rtol),
            num_unknowns=int(self.space.dim()),
            solver=f"{snes.getType()} ({ksp.getType()} + {ksp.getPC().getType()})",
            seconds=seconds,
            options_prefix=self.options.prefix,
            notes=tuple(self._notes),
            linear_iterations=self._linear_iterations,
        )

    def advice(self, result: SolveResult) -> str:
        """What to tell the user about a failed solve."""
        text = (
            f"{result.describe()}; the residual is {result.relative_residual:.2e} of the first "
            f"one, asked for {result.rtol:.1e}."
        )
        if self.failure:
            text += f" PETSc said: {self.failure}."
        text += " ".join(["", *self._notes]) + ("." if self._notes else "")
        if result.reason == "DIVERGED_LINEAR_SOLVE":
            inner = _inner_reason(self._snes)
            text += (
                f" The linear solver inside ended with {inner}; try pc_type lu, or raise "
                "ksp_max_it."
            )
        elif result.reason == "DIVERGED_MAX_IT":
            text += " Raise snes_max_it, or start nearer (x0)."
        else:
            text += (
                " Newton's method needs a nearer start (x0), a smaller load, or another line "
                "search (snes_linesearch_type bt, l2, cp, basic); a residual or Jacobian that is "
                "not finite means that the state has left what the equation allows."
            )
        return (
            text + " Pass check=False to get the last iterate; it is also in the exception's "
            "'result' and 'solution'."
        )


def _check_stopping(options: Mapping[str, Any]) -> None:
    for key in ("snes_rtol", "snes_atol", "snes_stol", "snes_max_it", "ksp_rtol"):
        try:
            number = float(options.get(key, 0.0))
        except (TypeError, ValueError):
            raise InputError(f"{key}={options[key]!r} must be a number") from None
        if not (math.isfinite(number) and number >= 0):
            raise InputError(f"{key}={options[key]} must be finite and not negative")
    if not any(float(options[key]) > 1e-50 for key in ("snes_rtol", "snes_atol")):
        raise InputError(
            "snes_rtol=0 with no snes_atol switches every stopping test off; give one of them"
        )


def _reason_name(reason: int) -> str:
    names: dict[int, str] = {
        value: name
        for name, value in vars(PETSc.SNES.ConvergedReason).items()
        if isinstance(value, int) and name.startswith(("CONVERGED", "DIVERGED"))
    }
    return names.get(reason, f"reason {reason}")


def _inner_reason(snes: Any) -> str:
    from pdesolve._petsc_options import reason_name

    return reason_name(int(snes.getKSP().getConvergedReason()))


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
