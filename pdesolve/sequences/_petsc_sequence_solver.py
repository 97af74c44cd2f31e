"""Solve a sequence of related linear systems, handing on what one solve leaves to the next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.result import SolveResult
from pdesolve._petsc_options import (
    SolverOptions,
    abandon,
    raise_input_error,
    reason_name,
)
from pdesolve.grid._petsc_blocks import NEED_SYMMETRY, last_line, with_factorisation
from pdesolve.grid._petsc_solver import MOST_DRIFT
from pdesolve.sequences._petsc_sources import LoadedSystem
from pdesolve.sequences.spans import SolvedSpan

_RESIDUAL_TESTED = {"CONVERGED_RTOL", "CONVERGED_ATOL"}
_WITHOUT_TESTS = ("preonly",)
_FACTORS = ("lu", "cholesky")
_TESTS = ("ksp_rtol", "ksp_atol", "ksp_max_it")

SPAN = 0.1
"""Part of the relative tolerance that combinations of earlier solutions may leave."""


class SequenceSolver:
    """A Krylov method for systems that come in the same PETSc matrix one after another.

    What is handed on: the nonzero pattern and symbolic factors; the preconditioner, where
    the operator does not change, or where `lag` finds the next one close enough; the
    recycle space of a method that has one; and the solutions that `neighbors` makes first
    guesses from. :meth:`restart` forgets all of it, so that what follows depends on
    nothing before.

    Parameters
    ----------
    defaults
        PETSc options where the caller says nothing.
    parameters
        The caller's.
    prefix
        Prefix under which PETSc's command line reaches the solver.
    lag
        When to keep a preconditioner although the operator changed; never when left out.
    neighbors
        How many solved systems a first guess is made from; 0 for none.
    comm
        Communicator of one process.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> from pdesolve.sequences._petsc_sources import StencilSource
    >>> family = get_family("darcy2d")
    >>> problems = [family.problem(family.sample(sample_generator(0, "train", i)))
    ...             for i in range(3)]
    >>> source = StencilSource(problems[0].grid(16), problems[0])
    >>> recycle = {"ksp_type": "python", "ksp_python_type": "pdesolve.ksp.GCRODR",
    ...            "ksp_pc_side": "right", "pc_type": "ilu", "gcrodr_recycle": 8}
    >>> solver = SequenceSolver(source.defaults(), recycle)
    >>> all(solver.solve(source.load(problem))[1].converged for problem in problems)
    True
    """

    def __init__(
        self,
        defaults: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        prefix: str = "",
        *,
        lag: Any = None,
        neighbors: int = 0,
        comm: Any = None,
    ) -> None:
        self.options = SolverOptions(with_factorisation(defaults, parameters), parameters, prefix)
        self._comm = PETSc.COMM_SELF if comm is None else comm
        self._lag = lag
        self._neighbors = neighbors
        self._ksp: Any = None
        self._lagged: Any = None
        self._guess: Any = None
        self._vector: Any = None
        self._right: Any = None
        self._span: SolvedSpan | None = None
        self._span_state = -1
        self._combined = False
        self._broken = False
        self._state = -1
        self._failure = ""
        self.unused: list[str] = []
        self.treatment = ""
        """What was done with the preconditioner in the last solve."""
        self.limit: float | None = None
        """Seconds after which iterations stop, for trials; set before the first solve."""

    @property
    def ksp(self) -> Any:
        """PETSc's solver, None before the first solve."""
        return self._ksp

    def restart(self) -> None:
        """Forget all earlier systems, but factors of the one operator that there has been."""
        self._span, self._span_state = None, -1
        if self._ksp is not None and not self._broken and self._only_operator():
            return
        self._forget()

    def _only_operator(self) -> bool:
        """Whether the factors at hand are those of the matrix as it was at the start."""
        ksp = self._ksp
        direct = ksp.getType() in _WITHOUT_TESTS and ksp.getPC().getType() in _FACTORS
        return direct and self._state == ksp.getOperators()[1].stateGet()

    def _forget(self) -> None:
        own = (self._ksp, self._vector, self._right)
        if self._broken:
            abandon(*own)
            own = (None, None, None)
        for item in (self._guess, *own):
            if item is not None:
                item.destroy()
        self._ksp = self._lagged = self._guess = self._vector = self._right = None
        self._span, self._span_state, self._broken = None, -1, False

    def _create(self, system: LoadedSystem) -> None:
        ksp = PETSc.KSP().create(comm=self._comm)
        ksp.setOptionsPrefix(self.options.prefix)
        ksp.setOperators(system.matrix, system.preconditioning_matrix)
        dm = system.matrix.getDM()
        if dm and dm.getType() == "da":  # a matrix without one gives an empty object
            ksp.setDM(dm)
            ksp.setDMActive(PETSc.KSP.DMActive.ALL, False)
        try:
            ksp.setFromOptions()
        except PETSc.Error as error:
            ksp.destroy()
            raise_input_error(error)
            raise InputError(
                f"PETSc refused the solver's options: {last_line(error)}. Check the values of "
                "ksp_type, pc_type and the others"
            ) from error
        if ksp.getType() in NEED_SYMMETRY and not system.symmetric:
            kind = ksp.getType()
            ksp.destroy()
            raise InputError(
                f"ksp_type '{kind}' needs a symmetric operator, and this one is not; use gmres or "
                "bcgs"
            )
        ksp.setConvergenceHistory(reset=True)
        ksp.setErrorIfNotConverged(False)
        if self.limit is not None:
            ksp.setConvergenceTest(_Deadline(self.limit))
        self._ksp, self._vector = ksp, system.right.duplicate()
        self._right = system.right.duplicate()  # an error would leave the source's own locked
        self._state = system.preconditioning_matrix.stateGet()
        if self._lag is not None:
            from pdesolve.sequences._petsc_lagging import LaggedKSP
            from pdesolve.sequences.lagging import LagRule

            self._lagged = LaggedKSP(ksp, LagRule(self._lag))
        if self._neighbors:
            from pdesolve.sequences._petsc_guesses import PetscNeighborGuess

            self._guess = PetscNeighborGuess(system.right, self._neighbors, system.symmetric)

    def solve(self, system: LoadedSystem) -> tuple[Any, SolveResult]:
        """Solve one system; a failure is told by the record.

        Returns
        -------
        tuple
            The solution, a vector that the next solve overwrites, and the record.
        """
        if self._broken:
            self._forget()
        self._failure, self.treatment, self._combined = "", "", False
        self.options.insert()
        start = ready = time.perf_counter()
        try:
            if self._ksp is None:
                self._create(system)
            ksp, vector = self._ksp, self._vector
            system.right.copy(self._right)
            vector.zeroEntries()
            ksp.setInitialGuessNonzero(False)
            if self._guess is not None and ksp.getType() not in _WITHOUT_TESTS:
                found = self._guess.make(system.matrix, system.right, vector)
                ksp.setInitialGuessNonzero(bool(found))
            try:
                if self._lagged is not None:
                    self.treatment = self._lagged.solve(self._right, vector)
                    ready = start + self._lagged.setup_seconds
                else:
                    # assembled anew in the same object: PETSc compares the states
                    ksp.setOperators(system.matrix, system.preconditioning_matrix)
                    ksp.setUp()
                    ready = time.perf_counter()
                    ksp.solve(self._right, vector)
            except PETSc.Error as error:  # a factorisation or a set-up that gave up
                self._broken = True
                raise_input_error(error)
                self._failure = last_line(error)
            done = time.perf_counter()
        finally:
            self._look_at_options()
        if system.constant_null_space and not self._broken:
            vector.shift(-vector.sum() / vector.getSize())
        result = self._record(system, {"setup": ready - start, "solve": done - ready})
        if self._guess is not None and result.converged:
            self._guess.add(vector)
        return vector, result

    def solve_block(
        self, system: LoadedSystem, rights: Sequence[Any]
    ) -> tuple[list[Any], list[SolveResult]]:
        """Solve A u_j = b_j for several right-hand sides at once.

        With factors, right-hand sides that are combinations of others solved before are
        not solved again, see :class:`pdesolve.sequences.spans.SolvedSpan`.

        Parameters
        ----------
        system
            The loaded system; only its matrix is used.
        rights
            Arrays of the local size.

        Returns
        -------
        tuple
            Vectors, to be destroyed by the caller, and records.
        """
        count = len(rights)
        answers = stacked = np.array(rights).T  # columns contiguous, as PETSc wants them
        if self._broken:
            self._forget()
        self._failure, self.treatment, self._combined = "", "", False
        self.options.insert()
        start = ready = time.perf_counter()
        try:
            if self._ksp is None:
                self._create(system)
            try:
                self._ksp.setOperators(system.matrix, system.preconditioning_matrix)
                self._ksp.setUp()
                ready = time.perf_counter()
                answers = self._solve_all(system, stacked)
            except PETSc.Error as error:
                self._broken = True
                raise_input_error(error)
                self._failure = last_line(error)
                answers = np.zeros_like(stacked)
            done = time.perf_counter()
        finally:
            self._look_at_options()
        vectors, results = [], []
        seconds = {"setup": (ready - start) / count, "solve": (done - ready) / count}
        for column, values_of_right in enumerate(rights):
            vector = system.right.duplicate()
            vector.array = answers[:, column]
            if system.constant_null_space:
                vector.shift(-vector.sum() / vector.getSize())
            system.right.array = values_of_right
            self._vector.array = vector.array_r
            vectors.append(vector)
            results.append(self._record(system, seconds))
        return vectors, results

    def _solve_all(self, system: LoadedSystem, rights: FloatArray) -> FloatArray:
        """Solutions of the columns; with factors, only of what no earlier ones combine to."""
        state = system.preconditioning_matrix.stateGet()
        if self._span_state != state:
            self._span, self._span_state = None, state
            if self._ksp.getType() in _WITHOUT_TESTS:
                rtol = float(self.options.options["ksp_rtol"])
                self._span = SolvedSpan(SPAN * rtol, len(rights)) if rtol > 0 else None
        found = None if self._span is None else self._span.express(rights)
        if self._span is None or found is None:
            return self._solve_columns(rights, np.zeros_like(rights))
        count = found.new.shape[1]
        self._combined = count == 0
        self.treatment = f"{count} new directions in {rights.shape[1]} right-hand sides"
        if count:
            self._solve_columns(found.new, found.solutions)
        return self._span.combine(found)

    def _solve_columns(self, rights: FloatArray, answers: FloatArray) -> FloatArray:
        """Solve for contiguous columns into others."""
        size = ((rights.shape[0], None), (None, rights.shape[1]))
        right, answer = (
            PETSc.Mat().createDense(size, array=array, comm=self._comm)
            for array in (rights, answers)
        )
        self._ksp.matSolve(right, answer)
        right.destroy()
        answer.destroy()
        return answers

    def _look_at_options(self) -> None:
        self.unused = self.options.unused()
        if self._ksp is not None and self._ksp.getType() in _WITHOUT_TESTS:
            self.unused = [name for name in self.unused if name not in _TESTS]
        self.options.remove()

    def _record(self, system: LoadedSystem, seconds: Mapping[str, float]) -> SolveResult:
        ksp, vector = self._ksp, self._vector
        residual = vector.duplicate()
        system.matrix.mult(vector, residual)
        residual.aypx(-1.0, system.right)
        size, norm = system.right.norm(), residual.norm()
        residual.destroy()
        relative = float(norm / size if size > 0 else norm)
        solved = PETSc.KSP.ConvergedReason.CONVERGED_ITS if self._combined else None
        code = int(ksp.getConvergedReason() if solved is None else solved)
        reason = "DIVERGED_PC_FAILED" if self._failure else reason_name(code)
        untested = ksp.getType() in _WITHOUT_TESTS
        rtol = float(self.options.options["ksp_rtol"] if untested else ksp.getTolerances()[0])
        converged = code > 0 and not self._failure and bool(np.isfinite(relative))
        if reason not in _RESIDUAL_TESTED:
            converged = converged and relative <= rtol
        elif reason == "CONVERGED_RTOL":
            converged = converged and relative <= MOST_DRIFT * rtol
        if not converged:
            self._state = -1  # factors that failed are not kept by a restart
        history = [] if self._failure else ksp.getConvergenceHistory()
        return SolveResult(
            converged=converged,
            reason=reason,
            iterations=0 if self._failure or self._combined else int(ksp.getIterationNumber()),
            residual_norms=tuple(float(value) for value in history),
            relative_residual=relative,
            rtol=rtol,
            num_unknowns=int(vector.getSize()),
            solver=f"{ksp.getType()} + {ksp.getPC().getType()}",
            seconds=dict(seconds),
            options_prefix=self.options.prefix,
            notes=system.notes,
        )

    def destroy(self) -> None:
        """Free the PETSc objects."""
        self._forget()


class _Deadline:
    """PETSc's test of the relative residual, and a limit on the time of each solve."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._start = self._first = 0.0

    def __call__(self, ksp: Any, iteration: int, norm: float) -> int:
        if iteration == 0:
            self._start, self._first = time.perf_counter(), norm
        reasons = PETSc.KSP.ConvergedReason
        rtol, atol, _, _ = ksp.getTolerances()
        if not np.isfinite(norm):
            return int(reasons.DIVERGED_NANORINF)
        if norm <= max(rtol * self._first, atol):
            return int(reasons.CONVERGED_RTOL)
        late = time.perf_counter() - self._start > self.limit
        return int(reasons.DIVERGED_MAX_IT if late else reasons.ITERATING)
