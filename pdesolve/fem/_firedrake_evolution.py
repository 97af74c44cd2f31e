"""Solve a weak problem in time."""

from __future__ import annotations

import math
import time as clock
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from operators.failures import TimeStepFailure
from operators.result import EvolutionResult
from pdesolve._petsc_options import SolverOptions, flatten, unused_message
from pdesolve.fem._firedrake import communicator, firedrake, load_irksome, ufl
from pdesolve.fem._firedrake_data import node_coordinates
from pdesolve.fem._firedrake_evolution_form import EvolutionForm
from pdesolve.fem._firedrake_evolution_solver import default_parameters
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.fem._firedrake_meshes import NamedMesh, named_mesh
from pdesolve.fem._firedrake_methods import (
    METHODS,
    Past,
    SolverSettings,
    check_method,
    make_method,
)
from pdesolve.fem._firedrake_solver import _check_element
from pdesolve.fem._firedrake_state import FemState
from pdesolve.fem.preconditioners import split_named
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.step_sizes import steps_between
from pdesolve.stepping import OnStep, StepInfo, SteppingSettings

# How far from a whole number of steps a time may lie, in steps.
_SLACK = 1e-6


class FemStepper:
    """A problem in time in the middle of being solved; see :class:`pdesolve.stepping.Stepper`.

    Parameters
    ----------
    problem
        Its ``evolution_form(context)`` gives an :class:`EvolutionForm`.
    mesh
        See :func:`pdesolve.fem._firedrake_meshes.named_mesh`.
    settings
        How to step.

    Raises
    ------
    InputError
        If problem, mesh, method and options do not fit together.
    """

    def __init__(self, problem: EvolutionProblem, mesh: Any, settings: SteppingSettings) -> None:
        start = clock.perf_counter()
        load_irksome()
        _check_element(settings.element, settings.degree)
        if settings.rtol is not None:
            raise InputError(
                "the methods of the backend 'fem' have no control of the error of a step; leave "
                "rtol out and give dt"
            )
        if settings.method is not None:
            check_method(settings.method)
        self.problem = problem
        self.settings = settings
        own = mesh.mesh if isinstance(mesh, NamedMesh) else mesh
        ranks = own.comm if hasattr(own, "ufl_cell") else communicator(settings.comm)
        tensor_cells = settings.element in ("Q", "RTCF")
        named = named_mesh(problem, mesh, ranks, tensor_cells=tensor_cells)
        if tensor_cells and named.mesh.ufl_cell().is_simplex:
            raise InputError(f"element='{settings.element}' needs quadrilaterals or hexahedra")
        self._seconds = {"setup": 0.0, "steps": 0.0}
        self._build(named)
        self._seconds["setup"] = clock.perf_counter() - start

    def _build(self, named: NamedMesh) -> None:
        """The form and its solver on a mesh (collective)."""
        settings = self.settings
        self.named = named
        context = FormContext(named, settings.element, int(settings.degree))
        form = self.problem.evolution_form(context)
        if not isinstance(form, EvolutionForm):
            raise InputError(
                f"evolution_form of '{self.problem.name}' gave a {type(form).__name__}; it must "
                "give an EvolutionForm"
            )
        self.form = form
        self.method = check_method(settings.method or form.method)
        if self.method == "bdf2-linear":
            extrapolated = firedrake.Function(form.space)
            self.linear, constant = form.kind(form.linearised(extrapolated), (extrapolated,))
        else:
            self.linear, constant = form.kind(form.residual)
        named_options, own = split_named(settings.solver_parameters or None)
        given = flatten(own)
        span = settings.times[-1] - settings.times[0]
        defaults = default_parameters(
            form, self.method, named_options, given, linear=self.linear, span=span
        )
        mat_types = {
            key: given.pop(key, defaults.pop(key, None))
            for key in ("mat_type", "pmat_type")
            if key in given or key in defaults
        }
        for key in mat_types:
            defaults.pop(key, None)
        self._options = SolverOptions(defaults, given, settings.options_prefix)
        self._reported = False
        self._past = Past(form)
        self._before = firedrake.Function(form.space)
        self._options.insert()
        try:
            self._method = make_method(
                form,
                self.method,
                SolverSettings(
                    {"snes_type": None, "pc_type": None, **mat_types},
                    self._options.prefix,
                    constant,
                ),
                self._past,
            )
        except PETSc.Error as error:
            raise InputError(
                f"PETSc refused the solver's options: {_last_line(error)}. Check the values of "
                "snes_type, ksp_type, pc_type and the others"
            ) from error
        finally:
            self._options.unused()  # notes which were read here; the rest may be in a step
            self._options.remove()
        self._time = settings.times[0]
        form.time.assign(self._time)
        self._num_steps = 0
        self._size = math.nan
        # Times are counted from an anchor, so that they do not depend on restarts.
        self._anchor, self._since = self._time, 0
        self._earlier = (0, 0)  # iterations before a restart
        self._reason = ""
        self._notes: tuple[str, ...] = ()
        self._check_finite("initial state")

    @property
    def comm(self) -> Any:
        """The mesh's communicator."""
        return self.form.mesh.comm

    @property
    def time(self) -> float:
        """The time reached."""
        return self._time

    @property
    def num_steps(self) -> int:
        """Steps taken since the first time, over all restarts."""
        return self._num_steps

    def advance(self, until: float, on_step: OnStep) -> None:
        """Step to exactly `until`.

        Raises
        ------
        InputError
            If the step does not divide the time, or options are unused and that is an error.
        TimeStepFailure
            If a solver fails or the state is not finite; the state is then the one before
            the step.
        """
        count = self._plan(until)
        start = clock.perf_counter()
        for left in reversed(range(count)):
            self._step()
            self._since += 1
            self._time = self._counted_time if left else until
            self.form.time.assign(self._time)
            self._seconds["steps"] += clock.perf_counter() - start
            self._report_unused()
            on_step(StepInfo(self._time, self._num_steps, self._size, self.settings.times[-1]))
            start = clock.perf_counter()

    @property
    def _counted_time(self) -> float:
        """The time as it follows from the number of steps, the same with and without restarts."""
        return self._anchor + self._since * self._size

    def _plan(self, until: float) -> int:
        """Fix the step size up to a time; gives the number of steps."""
        if self._since > 0:
            number = (until - self._anchor) / self._size - self._since
            wanted = self.settings.dt is None or math.isclose(
                self.settings.dt, self._size, rel_tol=1e-12
            )
            inside = self.settings.dt is not None or not self._at_output
            if wanted and inside and number > 0.5 and abs(number - round(number)) <= _SLACK:
                return round(number)
            self._anchor, self._since = self._time, 0
        if self.settings.dt is not None:
            self._size = self.settings.dt
            return steps_between(self._time, until, self.settings.dt)
        wanted_size = self.form.step_size
        if callable(wanted_size):
            wanted_size = wanted_size(self.form.mesh)
        if wanted_size is None:
            wanted_size = (self.settings.times[-1] - self.settings.times[0]) / 100
        count = max(1, math.ceil((until - self._time) / float(wanted_size) - _SLACK))
        self._size = (until - self._time) / count
        return count

    @property
    def _at_output(self) -> bool:
        return any(
            math.isclose(self._time, time, rel_tol=1e-12, abs_tol=1e-14 * abs(self._size))
            for time in self.settings.times
        )

    def _step(self) -> None:
        form = self.form
        self._before.assign(form.state)
        for function in form.time_functions:
            function.prepare(self._counted_time, self._size, (*self._method.nodes, 1.0))
        self._options.insert()
        failure = ""
        try:
            self._method.step(self._counted_time, self._size)
        except firedrake.ConvergenceError:
            failure = "DIVERGED_SOLVER"
        except PETSc.Error as error:
            failure = f"DIVERGED_SETUP: {_last_line(error)}"
        finally:
            if not self._reported:
                self._unused = self._options.unused()
            self._options.remove()
        if failure:
            self._fail(self._what_failed(failure), "DIVERGED_NONLINEAR_SOLVE")
        self._check_finite(f"step {self._num_steps + 1}")
        self._past.push(self._before, self._size)
        if form.rate is not None:
            self._past.set_rate(form.rate)
        self._num_steps += 1

    def _what_failed(self, failure: str) -> str:
        snes = self._method.solver.snes
        reason = _name(PETSc.SNES.ConvergedReason, int(snes.getConvergedReason()))
        inner = _name(PETSc.KSP.ConvergedReason, int(snes.getKSP().getConvergedReason()))
        advice = "take a smaller dt, or raise snes_max_it"
        if self.linear or reason == "DIVERGED_LINEAR_SOLVE":
            advice = "use pc_type lu, or raise ksp_max_it"
        said = failure.partition(": ")[2]
        return (
            f"step {self._num_steps + 1} from t = {self._time:.9g} with dt = {self._size:.6g} "
            f"failed: {reason} (linear solver: {inner}) after {snes.getIterationNumber()} "
            f"iterations{'. PETSc said: ' + said if said else ''}; {advice}."
        )

    def _check_finite(self, what: str) -> None:
        """Stop if the state is not finite (collective)."""
        with self.form.state.dat.vec_ro as vector:
            norm = float(vector.norm(PETSc.NormType.INFINITY))
        if math.isfinite(norm):
            return
        name, node, count = self._first_not_finite()
        text = f"'{name}' is not finite at {node} and {count - 1} other nodes"
        if what == "initial state":
            raise InputError(f"the initial state: {text}")
        self._fail(
            f"{what}, to t = {self._time + self._size:.9g} with dt = {self._size:.6g}: {text}; "
            "take a smaller dt.",
            "DIVERGED_NOT_FINITE",
        )

    def _first_not_finite(self) -> tuple[str, tuple[float, ...], int]:
        own: list[Any] = []
        count = 0
        for name, part in zip(self.form.names, self.form.state.subfunctions, strict=True):
            values = np.asarray(part.dat.data_ro).reshape(part.dat.data_ro.shape[0], -1)
            wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
            count += len(wrong)
            if len(wrong):
                own.append((name, int(wrong[0])))
        comm = self.form.mesh.comm
        found = []
        for name, part in zip(self.form.names, self.form.state.subfunctions, strict=True):
            first = next((index for key, index in own if key == name), None)
            places = comm.allgather(self._place(part, first))
            found += [(name, place) for place in places if place is not None]
        total = comm.allreduce(count)
        name, place = found[0] if found else (self.form.names[0], ())
        return name, place, total

    def _place(self, part: Any, index: int | None) -> tuple[float, ...] | None:
        space = part.function_space()
        scalar = firedrake.FunctionSpace(space.mesh(), _scalar_element(space))
        try:
            points = node_coordinates(scalar)
        except Exception:  # nodes of fluxes are no points
            return None if index is None else ()
        return None if index is None else tuple(float(x) for x in points[index])

    def _fail(self, text: str, reason: str) -> None:
        self.form.state.assign(self._before)
        self._reason = reason
        raise TimeStepFailure(text, result=self.result(), solution=self.state())

    def _report_unused(self) -> None:
        if self._reported:
            return
        self._reported = True
        if self._method.solver.snes.getKSP().getType() == "preonly":
            tests = ("ksp_rtol", "ksp_atol", "ksp_max_it")
            self._unused = [name for name in self._unused if name not in tests]
        if self._unused:
            if self.settings.unused_options == "error":
                raise InputError(unused_message(self._unused))
            warnings.warn(unused_message(self._unused), UserWarning, stacklevel=5)

    def state(self) -> FemState:
        """A copy of the state."""
        form = self.form
        copy = firedrake.Function(form.space).assign(form.state)
        return FemState(
            copy,
            form.names,
            form.main,
            form.inputs,
            self.named.evaluators,
            form.names,
            form.hole_value,
        )

    def quantities(self) -> Mapping[str, float]:
        """The form's quantities at the time reached (collective)."""
        found = {}
        for name, quantity in self.form.quantities.items():
            if isinstance(quantity, ufl.Form):
                found[name] = float(firedrake.assemble(quantity))
            else:
                found[name] = float(quantity())
        return found

    def result(self) -> EvolutionResult:
        """The record so far."""
        done = math.isclose(self._time, self.settings.times[-1], rel_tol=1e-12, abs_tol=0.0)
        converged = done and not self._reason
        return EvolutionResult(
            converged=converged,
            reason=self._reason or ("CONVERGED_TIME" if done else "CONTINUING"),
            time=self._time,
            num_steps=self._num_steps,
            step_size=self._size,
            method=f"{self.method} (order {METHODS[self.method].order})",
            nonlinear_iterations=self._earlier[0] + self._method.iterations[0],
            linear_iterations=self._earlier[1] + self._method.iterations[1],
            num_unknowns=int(self.form.space.dim()),
            seconds=dict(self._seconds),
            notes=self._notes,
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint; see :mod:`pdesolve.fem._firedrake_evolution_checkpoint`."""
        from pdesolve.fem._firedrake_evolution_checkpoint import save_stepper

        save_stepper(self, path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        from pdesolve.fem._firedrake_evolution_checkpoint import load_stepper

        load_stepper(self, path)

    def close(self) -> None:
        """Take the options out of PETSc's database."""
        self._options.remove()


def _scalar_element(space: Any) -> Any:
    element = space.ufl_element()
    return element.sub_elements[0] if space.value_shape else element


def _name(reasons: Any, value: int) -> str:
    for name, number in vars(reasons).items():
        if number == value and name.startswith(("CONVERGED", "DIVERGED")):
            return str(name)
    return f"reason {value}"


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
