"""The backend ``spectral`` for problems in time."""

from __future__ import annotations

import math
import time as clock
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import CheckpointError, TimeStepFailure
from operators.result import EvolutionResult
from pdesolve.data.ranks import Ranks, on_first, ranks_of
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.checkpoint import check_matches, read_checkpoint, write_checkpoint
from pdesolve.spectral.integrator import FourierIntegrator, all_finite
from pdesolve.spectral.state import FourierState
from pdesolve.stepping import OnStep, StepInfo, SteppingSettings

COARSE_STEP = 25.0
TAIL = 5e-3


class SpectralStepper:
    """Steps one periodic problem with ETDRK4, on NumPy arrays.

    Under MPI every process computes the whole.

    Parameters
    ----------
    problem
        Gives :meth:`~pdesolve.problems.evolution.EvolutionProblem.spectral_evolution`.
    grid
        Grid that wraps on every axis.
    settings
        Times, step size, method (``"etdrk4"``, ``"etdrk2"``).

    Raises
    ------
    InputError
        If the settings ask for what this backend does not have, or the initial state is
        not finite.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> family = get_family("kuramoto_sivashinsky")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> stepper = SpectralStepper(problem, problem.grid(64), SteppingSettings((0.0, 1.0)))
    >>> stepper.advance(0.5, lambda info: None)
    >>> stepper.time, stepper.state().values.shape
    (0.5, (1, 64))
    """

    def __init__(
        self, problem: EvolutionProblem, grid: StructuredGrid, settings: SteppingSettings
    ) -> None:
        started = clock.perf_counter()
        _check_settings(settings)
        evolution = problem.spectral_evolution(grid)
        if evolution.initial.ndim != grid.dimension + 1:
            raise InputError("one problem is solved here; batches by evolve_batch")
        if not np.isfinite(evolution.initial).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(evolution.initial))[0])
            raise InputError(
                f"the initial state of '{evolution.names[where[0]]}' is not finite at index "
                f"{where[1:]}"
            )
        self.problem = problem
        self.settings = settings
        self.integrator = FourierIntegrator(evolution, method=settings.method)
        self._coefficients = self.integrator.initial()
        self._time = settings.times[0]
        # the steps since the last change of step size are counted from here
        self._origin, self._done, self._step_size = self._time, 0, math.nan
        self.num_steps = 0
        self._ranks: Ranks | None = None
        self._reason = ""
        self._notes: list[str] = []
        self._seconds = {"setup": clock.perf_counter() - started, "steps": 0.0}
        if settings.dt is not None and settings.dt > COARSE_STEP * evolution.step_size:
            warnings.warn(
                f"dt={settings.dt:g} is {settings.dt / evolution.step_size:.0f} times the step "
                f"that resolves '{problem.name}' here, {evolution.step_size:.3g}; the error may be "
                "large, or the state blow up",
                stacklevel=4,
            )

    @property
    def time(self) -> float:
        """The time reached."""
        return self._time

    def advance(self, until: float, on_step: OnStep) -> None:
        """Step to exactly `until`.

        Raises
        ------
        TimeStepFailure
            If the state is not finite after a step; the state before it is kept.
        """
        started = clock.perf_counter()
        count, dt = self._plan(until)
        finished = False
        while not finished:
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found below
                after = self.integrator.step(self._coefficients, self._time, dt)
            if not all_finite(after, self.integrator.transforms.xp):
                self._seconds["steps"] += clock.perf_counter() - started
                raise self._failure(after, dt)
            self._coefficients = after
            self._done += 1
            self.num_steps += 1
            finished = self._done == count
            self._time = until if finished else self._origin + self._done * dt
            if finished:
                self._origin, self._done = until, 0
            on_step(StepInfo(self._time, self.num_steps, dt, self.settings.times[-1]))
        self._seconds["steps"] += clock.perf_counter() - started
        if until >= self.settings.times[-1]:
            self._reason = "CONVERGED_TIME"
            self._note_resolution()

    def _plan(self, until: float) -> tuple[int, float]:
        """Number and size of the steps from the origin to `until`.

        Steps begun before a checkpoint go on from their origin, unless other sizes or times
        are asked for now.
        """
        if self._done:
            dt, span = self._step_size, until - self._origin
            count = round(span / dt)
            fits = count > self._done and abs(count * dt - span) < 1e-6 * dt
            if fits and self.settings.dt in (None, dt):
                return count, dt
        self._origin, self._done = self._time, 0
        count, self._step_size = self.integrator.plan(self._time, until, self.settings.dt)
        return count, self._step_size

    def _failure(self, after: npt.NDArray[np.complex128], dt: float) -> TimeStepFailure:
        self._reason = "DIVERGED_NOT_FINITE"
        names = self.integrator.evolution.names
        bad = ~np.isfinite(after)
        channel = int(np.argwhere(bad)[0][0])
        before = self.integrator.transforms.inverse(self._coefficients)[channel]
        largest = tuple(int(i) for i in np.unravel_index(np.abs(before).argmax(), before.shape))
        return TimeStepFailure(
            f"step {self.num_steps + 1}, to t = {self._time + dt:.6g} with dt = {dt:.3g}: "
            f"'{names[channel]}' is not finite ({int(bad.sum())} of {bad.size} coefficients, "
            f"first at index {tuple(int(i) for i in np.argwhere(bad)[0][1:])}). At t = "
            f"{self._time:.6g} it was largest at index {largest}: {before[largest]:.3g}. Take a "
            "smaller dt or a finer grid",
            result=self.result(),
        )

    def state(self) -> FourierState:
        """The state, all reported channels."""
        evolution = self.integrator.evolution
        values: FloatArray = np.asarray(self.integrator.report(self._coefficients))
        return FourierState(evolution.grid, values, evolution.reported_names)

    def quantities(self) -> dict[str, float]:
        """The evolution's diagnostics."""
        with np.errstate(over="ignore"):  # squares on the way to a blow-up
            found = self.integrator.quantities(self._coefficients)
        return {name: float(value) for name, value in found.items()}

    def result(self) -> EvolutionResult:
        """The record so far."""
        return EvolutionResult(
            converged=self._reason == "CONVERGED_TIME",
            reason=self._reason or "CONTINUE_ITERATING",
            time=self._time,
            num_steps=self.num_steps,
            step_size=self._step_size,
            method=self.integrator.scheme.name,
            num_unknowns=int(self.integrator.evolution.initial.size),
            seconds=dict(self._seconds),
            notes=tuple(self._notes),
        )

    def save(self, path: Path) -> None:
        """Write coefficients and place in time; the first process writes (collective)."""
        if self._ranks is None:
            self._ranks = ranks_of(self.settings.comm)
        content = {**self._identity(), **self._place()}
        on_first(self._ranks, lambda: write_checkpoint(path, self._coefficients, content))

    def load(self, path: Path) -> None:
        """Go on from a checkpoint, bit for bit as if there had been no pause.

        Raises
        ------
        CheckpointError
            If it is damaged, or of another problem, grid or method.
        """
        coefficients, head = read_checkpoint(path)
        check_matches(path, head, self._identity(), self._symbol_norm())
        if coefficients.shape != self._coefficients.shape:
            raise CheckpointError(
                f"'{path}' holds coefficients of shape {coefficients.shape}; this solve has "
                f"{self._coefficients.shape}"
            )
        self._coefficients = coefficients
        self._time, self.num_steps = float(head["time"]), int(head["num_steps"])
        self._origin, self._done = float(head["origin"]), int(head["done"])
        self._step_size = float(head["step_size"])

    def close(self) -> None:
        """Free the communicator."""
        if self._ranks is not None:
            self._ranks.close()
            self._ranks = None

    def _identity(self) -> dict[str, Any]:
        grid = self.integrator.evolution.grid
        return {
            "problem": self.problem.name,
            "names": list(self.integrator.evolution.names),
            "shape": list(grid.shape),
            "lower": list(grid.lower),
            "upper": list(grid.upper),
            "location": grid.location,
            "method": self.integrator.scheme.name,
        }

    def _place(self) -> dict[str, Any]:
        return {
            "time": self._time,
            "num_steps": self.num_steps,
            "origin": self._origin,
            "done": self._done,
            "step_size": self._step_size,
            "symbol_norm": self._symbol_norm(),
        }

    def _symbol_norm(self) -> float:
        return float(np.linalg.norm(np.ravel(self.integrator.scheme.linear)))

    def _note_resolution(self) -> None:
        """Say so when the shortest waves carry a share that a resolved solution has not."""
        transforms = self.integrator.transforms
        squares = np.abs(self._coefficients) ** 2
        squares[(..., *(0,) * transforms.grid.dimension)] = 0.0
        total = float(squares.sum())
        short = float((squares * transforms.kept(2) * (1 - transforms.kept(3))).sum())
        share = math.sqrt(short / total) if total > 0 else 0.0
        if share > TAIL:
            self._notes.append(
                f"the shortest waves of this grid carry {share:.1%} of the size of the last "
                "state; a finer grid would change it"
            )


def _check_settings(settings: SteppingSettings) -> None:
    if settings.rtol is not None:
        raise InputError(
            "the backend 'spectral' takes steps of one size and no rtol; give dt instead"
        )
    if settings.solver_parameters:
        names = ", ".join(sorted(settings.solver_parameters))
        text = f"the backend 'spectral' uses no PETSc options; unused: {names}"
        if settings.unused_options == "error":
            raise InputError(text)
        warnings.warn(text, stacklevel=5)
