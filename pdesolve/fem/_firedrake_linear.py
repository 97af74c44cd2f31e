"""Assemble a linear weak form and solve it with a PETSc Krylov method."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from operators.result import SolveResult
from pdesolve._petsc_options import SolverOptions, flatten, raise_input_error, reason_name
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_meshes import relative_cell_size
from pdesolve.fem.preconditioners import named_preconditioner, split_named

# The tolerance is on the true residual; what it leaves is far below the elements' error.
STOPPING: dict[str, Any] = {"ksp_rtol": 1e-8, "ksp_atol": 1e-50, "ksp_max_it": 1000}
MULTIGRID: dict[str, Any] = {
    "pc_type": "gamg",
    "pc_gamg_threshold": 0.05,
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}
_NEED_SYMMETRY = {"cg", "minres", "symmlq", "cr", "fcg", "pipecg", "groppcg", "nash", "stcg"}
# Reasons that come from a test of the residual; after any other one it is tested here.
_RESIDUAL_TESTED = {"CONVERGED_RTOL", "CONVERGED_ATOL"}


def default_parameters(
    form: LinearForm, given: Mapping[str, Any], named: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Options to use where the caller says nothing.

    The ones that the caller named; the form's own, unless the caller chooses another
    preconditioner; else conjugate gradients (GMRES for forms that are
    not symmetric) with algebraic multigrid.
    """
    chosen = flatten(given)
    own = flatten(form_parameters(form) if named is None else named)
    if own and "pc_type" not in chosen:
        return {**STOPPING, **own}
    method = "cg" if form.symmetric and not own else "gmres"
    side = {"ksp_norm_type": "unpreconditioned"} if method == "cg" else {"ksp_pc_side": "right"}
    if chosen.get("ksp_type", method) != method:
        side = {}
    defaults = {**STOPPING, "ksp_type": method, **side, **MULTIGRID}
    if chosen.get("pc_type") in ("lu", "cholesky") and PETSc.Sys.hasExternalPackage("mumps"):
        defaults["pc_factor_mat_solver_type"] = "mumps"
        defaults["mat_mumps_icntl_14"] = 200  # room for delayed pivots of indefinite systems
        if form.null_space is not None:
            defaults["mat_mumps_icntl_24"] = 1  # null pivots
    return defaults


def form_parameters(form: Any) -> Mapping[str, Any]:
    """The solver's options that a form asks for, those of a name written out."""
    own = form.solver_parameters
    found: Mapping[str, Any] = named_preconditioner(own) if isinstance(own, str) else own
    return found


class LinearFormSolver:
    """One assembled weak form with its Krylov method.

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
        form: LinearForm,
        solver_parameters: Mapping[str, Any] | str | None = None,
        options_prefix: str = "",
    ) -> None:
        named, own = split_named(solver_parameters)
        given = flatten(own)
        defaults = default_parameters(form, given, named)
        self.mat_type = str(given.pop("mat_type", defaults.pop("mat_type", "aij")))
        self.pmat_type = str(given.pop("pmat_type", defaults.pop("pmat_type", self.mat_type)))
        self.options = SolverOptions(defaults, given, options_prefix)
        _check_stopping(self.options.options)
        self.form = form
        self.space = form.bilinear.arguments()[-1].function_space()
        self.mesh = self.space.mesh().unique()
        self.comm = self.mesh.comm
        self.failure = ""
        self.unused: list[str] = []
        self._ksp: Any = None
        self._notes: list[str] = []
        self._context: Any = None

    def solve(self, guess: Any = None) -> tuple[Any, SolveResult]:
        """Assemble and solve (collective); a failure is told by the record.

        Parameters
        ----------
        guess
            Initial guess, a Firedrake function of the unknown's space.

        Returns
        -------
        tuple
            The Firedrake function and the record.
        """
        start = time.perf_counter()
        self.options.insert()
        try:
            operator, preconditioned, right, lift = self._assemble()
            null_space = self._attach_null_space(operator, preconditioned, right)
            self._attach_near_null_space(operator, preconditioned)
            correction = firedrake.Function(self.space)
            if guess is not None:
                correction.assign(guess - lift)
                for condition in self._homogeneous:
                    condition.zero(correction)
            assembled = time.perf_counter()
            ready = self._krylov(operator, preconditioned, right, correction, guess is not None)
            done = time.perf_counter()
        finally:
            self.unused = self._unused()
            self.options.remove()
        relative = self._relative_residual(operator, right, correction, null_space)
        answer = firedrake.Function(self.space)
        answer.assign(lift + correction)
        if self.form.finish is not None:
            self.form.finish(answer)
        seconds = {"assembly": assembled - start, "setup": ready - assembled, "solve": done - ready}
        return answer, self._record(relative, seconds)

    def _assemble(self) -> tuple[Any, Any, Any, Any]:
        """Matrix, preconditioner's matrix, right-hand side, and the lift of boundary values."""
        form, conditions = self.form, self.form.boundary_conditions
        self._homogeneous = [condition.reconstruct(g=0) for condition in conditions]
        lift = firedrake.Function(self.space)
        for condition in conditions:
            condition.apply(lift)
        with lift.dat.vec_ro as vector:
            lifted = vector.norm(PETSc.NormType.INFINITY) > 0
        linear = form.linear
        if lifted:
            linear = linear - firedrake.action(form.bilinear, lift)
        right = firedrake.assemble(linear, bcs=self._homogeneous)
        self._context = self._solver_context()
        operator = self._matrix(self.mat_type)
        preconditioned = operator
        if self.pmat_type != self.mat_type:
            preconditioned = self._matrix(self.pmat_type)
        return operator, preconditioned, right, lift

    def _matrix(self, mat_type: str) -> Any:
        matrix = firedrake.assemble(
            self.form.bilinear,
            bcs=self._homogeneous,
            mat_type=mat_type,
            options_prefix=self.options.prefix,
            appctx=dict(self.form.context),
        )
        if mat_type == "aij":
            matrix.petscmat.setOption(PETSc.Mat.Option.SYMMETRIC, self.form.symmetric)
        return matrix

    def _solver_context(self) -> Any:
        """What Firedrake's preconditioners look up about the form they work for."""
        from firedrake.solving_utils import _SNESContext

        problem = firedrake.LinearVariationalProblem(
            self.form.bilinear,
            self.form.linear,
            firedrake.Function(self.space),
            bcs=self._homogeneous,
        )
        return _SNESContext(
            problem,
            self.mat_type,
            self.pmat_type,
            appctx=dict(self.form.context),
            options_prefix=self.options.prefix,
        )

    def _attach_null_space(self, operator: Any, preconditioned: Any, right: Any) -> Any:
        """Tell PETSc the null space, and make the right-hand side compatible with it."""
        if self.form.null_space is None:
            return None
        space = _petsc_null_space(self.form.null_space)
        for matrix in {id(operator): operator, id(preconditioned): preconditioned}.values():
            matrix.petscmat.setNullSpace(space)
            if self.form.symmetric:
                matrix.petscmat.setTransposeNullSpace(space)
        if self.form.symmetric:
            with right.dat.vec as vector:
                self._balance(space, vector)
        return space

    def _attach_near_null_space(self, operator: Any, preconditioned: Any) -> None:
        if self.form.near_null_space is None:
            return
        space = _petsc_null_space(self.form.near_null_space)
        for matrix in {id(operator): operator, id(preconditioned): preconditioned}.values():
            matrix.petscmat.setNearNullSpace(space)

    def _balance(self, space: Any, vector: Any) -> None:
        excess, size = 0.0, 0.0
        for basis in _basis(space, vector):
            product = basis.duplicate()
            product.pointwiseMult(basis, vector)
            excess += abs(product.sum())
            size += product.norm(PETSc.NormType.NORM_1)
        # the error of reading data on the mesh, for data that vary over a third of it or more
        allowed = max(min(4.0 * relative_cell_size(self.mesh) ** 2, 0.5), 1e-8)
        if size > 0 and excess / size > allowed:
            raise InputError(
                "no side fixes u, so sources and fluxes must balance, ∫f + ∮flux = 0; here they "
                f"leave {excess / size:.1%} of their size. Change f or a flux, or give one side "
                "Dirichlet"
            )
        if excess > 1e-12 * size:
            self._notes.append(
                "sources and fluxes balance up to the quadrature error, which was spread evenly"
            )
        space.remove(vector)

    def _krylov(
        self, operator: Any, preconditioned: Any, right: Any, correction: Any, guessed: bool
    ) -> float:
        """Solve for the correction; gives the time when the set-up was done."""
        dm = self.space.dm
        ksp = self._ksp = PETSc.KSP().create(comm=self.comm)
        ksp.setDM(dm)
        ksp.setDMActive(PETSc.KSP.DMActive.ALL, False)
        ksp.setOptionsPrefix(self.options.prefix)
        ksp.setOperators(operator.petscmat, preconditioned.petscmat)
        try:
            with firedrake.dmhooks.add_hooks(dm, self, appctx=self._context, save=False):
                ksp.setFromOptions()
        except PETSc.Error as error:
            raise_input_error(error)
            raise InputError(
                f"PETSc refused the solver's options: {str(error).strip().splitlines()[-1]}. Check "
                "the values of ksp_type, pc_type and the others"
            ) from error
        if ksp.getType() in _NEED_SYMMETRY and not self.form.symmetric:
            raise InputError(
                f"ksp_type '{ksp.getType()}' needs a symmetric form, and this one is not; use "
                "gmres or bcgs"
            )
        ksp.setConvergenceHistory()
        ksp.setErrorIfNotConverged(False)
        ksp.setInitialGuessNonzero(guessed and ksp.getType() != "preonly")
        hooks = firedrake.dmhooks.add_hooks(dm, self, appctx=self._context)
        with hooks, right.dat.vec_ro as b, correction.dat.vec as x:
            try:
                ksp.setUp()
                ksp.setUpOnBlocks()
                ready = time.perf_counter()
                ksp.solve(b, x)
            except PETSc.Error as error:  # a factorisation or a set-up that gave up
                raise_input_error(error)
                ready = time.perf_counter()
                self.failure = str(error).strip().splitlines()[-1]
        return ready

    def _relative_residual(
        self, operator: Any, right: Any, correction: Any, null_space: Any
    ) -> float:
        with right.dat.vec_ro as b, correction.dat.vec_ro as x:
            residual = b.duplicate()
            operator.petscmat.mult(x, residual)
            residual.aypx(-1.0, b)
            if null_space is not None and self.form.symmetric:
                null_space.remove(residual)
            size, norm = b.norm(), residual.norm()
        return float(norm / size if size > 0 else norm)

    def _record(self, relative: float, seconds: dict[str, float]) -> SolveResult:
        ksp = self._ksp
        reason = int(ksp.getConvergedReason())
        direct = ksp.getType() == "preonly"  # which reads no tolerances
        rtol = float(self.options.options["ksp_rtol"] if direct else ksp.getTolerances()[0])
        converged = reason > 0 and not self.failure and math.isfinite(relative)
        if converged and reason_name(reason) not in _RESIDUAL_TESTED:
            converged = relative <= max(rtol, 1e-14)
        return SolveResult(
            converged=converged,
            reason=reason_name(reason) if not self.failure else "DIVERGED_PC_FAILED",
            iterations=int(ksp.getIterationNumber()),
            residual_norms=tuple(float(value) for value in ksp.getConvergenceHistory()),
            relative_residual=relative,
            rtol=rtol,
            num_unknowns=int(self.space.dim()),
            solver=self._describe(),
            seconds=seconds,
            options_prefix=self.options.prefix,
            notes=tuple(self._notes),
        )

    def _unused(self) -> list[str]:
        unused = self.options.unused()
        if self._ksp is not None and self._ksp.getType() == "preonly":
            unused = [name for name in unused if name not in STOPPING]
        return unused

    def _describe(self) -> str:
        pc = self._ksp.getPC()
        name = pc.getType()
        if name == "python":
            inner = pc.getPythonContext()
            name = type(inner).__name__
            trace = getattr(inner, "trace_ksp", None)
            if trace is not None:
                name = f"hybridization ({trace.getType()} + {trace.getPC().getType()})"
                size = trace.getOperators()[0].getSize()[0]
                self._notes.append(
                    f"the last of the solves with {size} condensed unknowns took "
                    f"{trace.getIterationNumber()} iterations"
                )
        return f"{self._ksp.getType()} + {name}"

    def advice(self, result: SolveResult) -> str:
        """What to tell the user about a failed solve."""
        text = (
            f"{result.describe()}; relative residual {result.relative_residual:.2e}, asked for "
            f"{result.rtol:.1e}."
        )
        if self.failure:
            text += f" PETSc said: {self.failure}."
        if result.reason == "DIVERGED_PC_FAILED":
            text += (
                " The preconditioner could not be set up: the matrix may be singular, or PETSc's "
                "own factorisation was asked for on several processes (then give "
                "pc_factor_mat_solver_type mumps)."
            )
        if result.reason.startswith("CONVERGED"):
            text += " The method stopped for another reason than a small residual."
        if result.reason == "DIVERGED_ITS":
            text += " Raise ksp_max_it, or use a better preconditioner (pc_type gamg or lu)."
        return (
            text + " Pass check=False to get the partial result; it is also in the exception's "
            "'result' and 'solution'."
        )


def _check_stopping(options: Mapping[str, Any]) -> None:
    for key in ("ksp_rtol", "ksp_atol", "ksp_max_it"):
        try:
            number = float(options[key])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{key}={options.get(key)!r} must be a number") from None
        if not (math.isfinite(number) and number >= 0):
            raise InputError(f"{key}={options[key]} must be finite and not negative")
    if float(options["ksp_rtol"]) == 0 and float(options["ksp_atol"]) <= 1e-50:
        raise InputError(
            "ksp_rtol=0 with no ksp_atol switches every stopping test off; give one of them"
        )


def _petsc_null_space(basis: Any) -> Any:
    """PETSc's object for a Firedrake basis, of one space or a mixed one."""
    if hasattr(basis, "nullspace"):
        return basis.nullspace()
    if basis._nullspace is None:
        basis._build_monolithic_basis()
    return basis._nullspace


def _basis(space: Any, like: Any) -> list[Any]:
    vectors = list(space.getVecs())
    if space.hasConstant():
        constant = like.duplicate()
        constant.set(1.0 / np.sqrt(max(like.getSize(), 1)))
        vectors.append(constant)
    return vectors
