"""Steps in time of problems on grids, with PETSc's TS."""

from __future__ import annotations

import bisect
import math
import time as clock
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_block import DistributedGrid
from operators.failures import CheckpointError, TimeStepFailure
from operators.result import EvolutionResult
from pdesolve._petsc_options import unused_message
from pdesolve.grid._petsc_methods import checked_rtol, chosen_method, method_options, refused
from pdesolve.grid._petsc_rates import BlockRates
from pdesolve.grid._petsc_solver import raise_together
from pdesolve.grid._petsc_state import BlockState
from pdesolve.grid.evolution_files import GridCheckpoint, check_suffix
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.step_sizes import steps_between
from pdesolve.stepping import OnStep, StepInfo, SteppingSettings

DEFAULT_RTOL = 1e-5
DEFAULT_STEPS = 100  # of implicit methods without error control, over all of the time
CFL_SHARE = 0.9  # of the stable step, where the step is not given
_ROUNDING = 1e-9


class GridStepper:
    """One solve in time on a grid, see :class:`pdesolve.stepping.Stepper`.

    Explicit methods (``rk``, ``ssp``, ``euler``) take the problem's whole rate, IMEX
    methods (``arkimex``) its stiff part implicitly, the others all of it. Methods with
    an embedded error estimate choose their steps; without a given step the others take
    nine tenths of the stable one, or a hundredth of the time if there is no limit. A step
    above the stable one is refused.

    Parameters
    ----------
    problem
        What to solve; it has :meth:`~pdesolve.problems.evolution.EvolutionProblem.grid_evolution`.
    grid
        The grid.
    settings
        Times, step, method, PETSc options, communicator.

    Raises
    ------
    InputError
        If problem, method, step and options do not fit together.

    Examples
    --------
    >>> from pdesolve.problems.heat import HeatProblem
    >>> problem = HeatProblem(0.1, initial=lambda x: x[0], dimension=1)
    >>> stepper = GridStepper(problem, problem.grid(16), SteppingSettings((0.0, 1.0)))
    >>> stepper.advance(1.0, lambda info: None)
    >>> stepper.time, stepper.state().gather().values.shape
    (1.0, (1, 16))
    >>> stepper.close()
    """

    def __init__(
        self, problem: EvolutionProblem, grid: StructuredGrid, settings: SteppingSettings
    ) -> None:
        start = clock.perf_counter()
        self.problem, self.grid, self.settings = problem, grid, settings
        self.distributed = DistributedGrid(
            grid, len(problem.unknowns), problem.stencil_width, settings.comm
        )
        self.comm = self.distributed.comm.tompi4py()
        error: Exception | None = None
        try:
            self.evolution = problem.grid_evolution(self.distributed.block)
            if self.evolution.names != tuple(problem.unknowns):
                raise InputError(
                    f"the components {self.evolution.names} are not the problem's unknowns "
                    f"{tuple(problem.unknowns)}"
                )
            self.options = method_options(self.evolution, settings)
        except Exception as caught:  # raised by all, after they have met
            error = caught
        try:
            raise_together(self.distributed.comm, error)
        except Exception:
            self.distributed.destroy()
            raise
        self._vector = self.distributed.vector(self.evolution.initial)
        self._dt = settings.dt
        self._counts = {"rejected": 0.0, "nonlinear": 0.0, "linear": 0.0}
        self._seconds = 0.0
        self._reason = ""
        self._unused_told = False
        self._ts: Any = None
        try:
            self._create()
        except Exception:
            self.close()
            raise
        self._setup_seconds = clock.perf_counter() - start

    def _create(self) -> None:
        settings = self.settings
        self.options.insert()
        try:
            self.method = chosen_method(self.evolution, self.options)
            self._rates = BlockRates(self.distributed, self.evolution, self.method.kind)
            self._ts = PETSc.TS().create(comm=self.distributed.comm)
            self._ts.setOptionsPrefix(self.options.prefix)
            self._rates.attach(self._ts, additive=self.method.type == "arkimex")
            self._ts.setTime(settings.times[0])
            self._ts.setTimeStep(-1.0)
            self._ts.setMaxSteps(np.iinfo(np.int32).max - 1)
            self._ts.setExactFinalTime(PETSc.TS.ExactFinalTime.STEPOVER)
            self._ts.setErrorIfStepFails(False)
            scale = float(self._vector.norm(PETSc.NormType.INFINITY)) or 1.0
            rtol = DEFAULT_RTOL if settings.rtol is None else checked_rtol(settings.rtol)
            self._ts.setTolerances(rtol=rtol, atol=rtol * scale)
            try:
                self._ts.setFromOptions()
            except PETSc.Error as error:
                raise refused(error) from error
            self._ts.setSolution(self._vector)
            if self._ts.getTimeStep() > 0:  # -ts_dt
                self._dt = float(self._ts.getTimeStep())
            self.options.unused()  # notes what has been read so far
        finally:
            self.options.remove()
        self._fingerprint = self._initial_norms()
        self._check_step()
        self._proposed = self._first_step() if self.method.adaptive else math.nan

    @property
    def time(self) -> float:
        """The time reached."""
        return float(self._ts.getTime())

    @property
    def num_steps(self) -> int:
        """Steps taken since the first time, over all restarts."""
        return int(self._ts.getStepNumber())

    def _limit(self) -> float:
        """The largest stable step now, the same on all processes."""
        if math.isinf(self.method.coefficient):
            return math.inf
        return self.method.coefficient * self._rates.stable_step(self.time, self._vector)

    def _check_step(self) -> None:
        """Refuse a given step that is not stable or does not lead to the output times."""
        if self._dt is None:
            return
        limit = self._limit()
        if self._dt > limit * (1 + _ROUNDING):
            raise InputError(
                f"dt={self._dt:.6g} is above the stable limit {limit:.6g} of the explicit method "
                f"'{self.method.name}' on this grid; give dt={0.9 * limit:.3g} or less, leave dt "
                "out, or use an implicit method"
            )
        if not self.method.adaptive:
            for before, after in zip(self.settings.times, self.settings.times[1:], strict=False):
                steps_between(before, after, self._dt)

    def _first_step(self) -> float:
        """A first step for adaptive methods (Hairer, Nørsett, Wanner 1993, section II.4)."""
        span = self.settings.times[-1] - self.settings.times[0]
        if self._dt is not None:
            return self._dt
        size, change = self._fingerprint
        return 0.01 * size / change if size > 0 and change > 100 * size / span else 1e-3 * span

    def _next_step(self, until: float) -> float:
        """Size of the next step, which ends at `until` or well before."""
        remaining = until - self.time
        limit = self._limit()
        if self.method.adaptive:
            step = min(self._proposed, CFL_SHARE * limit)
            if step >= remaining * (1 - _ROUNDING):
                return remaining
            return remaining / 2 if step > remaining / 2 else step
        if self._dt is not None:
            if self._dt > limit * (1 + 1e-6):
                self._fail(
                    "DIVERGED_STABILITY_LIMIT",
                    f"the state has changed, so that dt={self._dt:.6g} is now above the stable "
                    f"limit {limit:.6g}; give a smaller dt, or leave it out",
                )
            return self._dt
        if math.isinf(limit):
            times = self.settings.times
            step = (times[-1] - times[0]) / DEFAULT_STEPS
            index = bisect.bisect_right(times, self.time)
            before = times[index - 1] if 0 < index < len(times) else self.time
            return (until - before) / max(1, math.ceil((until - before) / step - 1e-6))
        return remaining / math.ceil(remaining / (CFL_SHARE * limit))

    def advance(self, until: float, on_step: OnStep) -> None:
        """Step to exactly `until`."""
        self.options.insert()
        try:
            while self.time < until:
                start = clock.perf_counter()
                size = self._step(until)
                self._seconds += clock.perf_counter() - start
                final = self.settings.times[-1]
                on_step(StepInfo(self.time, self.num_steps, size, final))
            unused = self.options.unused()
        finally:
            self.options.remove()
        if unused and not self._unused_told:
            self._unused_told = True
            if self.settings.unused_options == "error":
                raise InputError(unused_message(unused))
            warnings.warn(unused_message(unused), UserWarning, stacklevel=4)

    def _step(self, until: float) -> float:
        before, proposed = self.time, self._proposed
        size = self._next_step(until)
        landing = size >= (until - before) * (1 - 1e-6)
        failure = ""
        self._ts.setTimeStep(size)
        if self.method.type == "rk":
            self._ts.restartStep()  # a slope kept from the step before differs in rounding
        try:
            self._ts.step()
        except PETSc.Error as error:
            failure = str(error).strip().splitlines()[-1].strip()
        self._rates.raise_errors()
        self._check_finite(size)
        reason = int(self._ts.getConvergedReason())
        if failure or reason < 0:
            self._fail(_REASONS.get(reason, "DIVERGED_NONLINEAR_SOLVE"), failure or self._why())
        taken = self.time - before
        following = float(self._ts.getTimeStep())
        if landing and abs(taken - size) <= 1e-9 * size:
            self._ts.setTime(until)
            if self.method.adaptive:
                # a step cut short to land says nothing against the longer one proposed before
                self._proposed = max(following, proposed) if size < proposed else following
        elif self.method.adaptive:
            self._proposed = following
        self._ts.monitor(self.num_steps, self.time, self._vector)
        return float(taken)

    def _why(self) -> str:
        snes = self._ts.getSNES()
        words = [f"SNES says {_name(PETSc.SNES.ConvergedReason, snes.getConvergedReason())}"]
        words.append(f"KSP {_name(PETSc.KSP.ConvergedReason, snes.getKSP().getConvergedReason())}")
        return f"{', '.join(words)}; use a smaller dt, or a stronger solver (pc_type lu)"

    def _check_finite(self, size: float) -> None:
        """End all processes if a value is not finite, with the first place."""
        local = np.isfinite(self._vector.array_r).all()
        if self.comm.allreduce(int(local)) == self.comm.size:
            return
        first: tuple[int, ...] | None = None
        if not local:
            values = self.distributed.values(self._vector)
            where = np.argwhere(~np.isfinite(values))
            where[:, 1:] += np.array(self.distributed.block.start)
            first = min(tuple(int(i) for i in row) for row in where)
        channel, *index = min(place for place in self.comm.allgather(first) if place is not None)
        self._fail(
            "DIVERGED_NOT_FINITE",
            f"'{self.evolution.names[channel]}' is not finite, first at index {tuple(index)} "
            f"after a step of {size:.6g}; use a smaller dt or rtol, or check the data",
        )

    def _fail(self, reason: str, text: str) -> None:
        self._reason = reason
        raise TimeStepFailure(
            f"{self.method.name}: {reason} in step {self.num_steps} at t = {self.time:.9g}: {text}."
        )

    def state(self) -> BlockState:
        """A copy of the state."""
        return BlockState(self.distributed, self._vector.copy(), self.evolution.names)

    def quantities(self) -> Mapping[str, float]:
        """The problem's densities, summed times the cell volume."""
        found: dict[str, float] = {}
        volume = self.grid.cell_volume
        for name, density in (self.evolution.conserved or {}).items():
            found[name] = float(density(self.distributed.values(self._vector)).sum())
        if self.evolution.ghosted_densities:
            ghosted = self.distributed.ghosted(self._vector)
            for name, local in self.evolution.ghosted_densities.items():
                found[name] = float(local(self.time, ghosted).sum())
        return {name: volume * self.comm.allreduce(value) for name, value in found.items()}

    def _count(self) -> dict[str, float]:
        return {
            "rejected": self._counts["rejected"] + self._ts.getStepRejections(),
            "nonlinear": self._counts["nonlinear"] + self._ts.getSNESIterations(),
            "linear": self._counts["linear"] + self._ts.getKSPIterations(),
        }

    def result(self) -> EvolutionResult:
        """The record so far."""
        done = not self._reason and self.time >= self.settings.times[-1]
        counts = self._count()
        following = self._proposed if self.method.adaptive else float(self._ts.getTimeStep())
        return EvolutionResult(
            converged=done,
            reason=self._reason or ("CONVERGED_TIME" if done else "CONVERGED_ITERATING"),
            time=self.time,
            num_steps=self.num_steps,
            num_rejected=int(counts["rejected"]),
            step_size=following,
            method=self.method.name,
            nonlinear_iterations=int(counts["nonlinear"]),
            linear_iterations=int(counts["linear"]),
            num_unknowns=self.grid.num_points * self.distributed.num_components,
            seconds={"setup": self._setup_seconds, "steps": self._seconds},
        )

    def _identity(self) -> dict[str, Any]:
        grid = self.grid
        return {
            "problem": self.problem.name,
            "class": type(self.problem).__name__,
            "unknowns": list(self.evolution.names),
            "shape": list(grid.shape),
            "box": [list(grid.lower), list(grid.upper)],
            "periodicity": list(grid.periodic),
            "method": self.method.name,
            "initial time": self.settings.times[0] if self.num_steps == 0 else self._first_time,
        }

    def _initial_norms(self) -> FloatArray:
        self._first_time = self.settings.times[0]
        rate = self._rates.whole(self._first_time, self._vector)
        self._rates.raise_errors()
        sums = np.array([np.sum(self.evolution.initial**2), np.sum(rate**2)])
        return np.asarray(np.sqrt(self.comm.allreduce(sums)))

    def save(self, path: Path) -> None:
        """Write a checkpoint, gathered on the first process."""
        check_suffix(path)
        state = self.distributed.gather(self._vector)
        error: Exception | None = None
        if self.comm.rank == 0:
            position = {
                "time": self.time,
                "steps": float(self.num_steps),
                "next step": self._proposed,
                **self._count(),
            }
            checkpoint = GridCheckpoint(state, position, self._identity(), self._fingerprint)
            try:
                checkpoint.write(path)
            except OSError as caught:
                error = CheckpointError(f"the checkpoint '{path}' cannot be written: {caught}")
        raise_together(self.distributed.comm, error)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        error: Exception | None = None
        try:
            checkpoint = GridCheckpoint.read(path)
            identity = self._identity()
            identity.pop("initial time")  # the trajectory begins where the checkpoint is
            checkpoint.check(path, identity, self._fingerprint)
        except Exception as caught:
            error = caught
        raise_together(self.distributed.comm, error)
        position = checkpoint.position
        self._first_time = float(checkpoint.identity.get("initial time", self._first_time))
        window = self.distributed.block.window
        self.distributed.fill(self._vector, checkpoint.state[(slice(None), *window)])
        self._ts.setTime(position["time"])
        self._ts.setStepNumber(int(position["steps"]))
        self._ts.restartStep()
        self._proposed = position["next step"]
        self._counts = {name: position[name] for name in self._counts}

    def close(self) -> None:
        """Free the PETSc objects but the grid, which the states keep (collective)."""
        if self._ts is not None:
            self._ts.destroy()
            self._rates.destroy()
            self._ts = None
        self._vector.destroy()


_REASONS = {-1: "DIVERGED_NONLINEAR_SOLVE", -2: "DIVERGED_STEP_REJECTED"}


def _name(reasons: Any, code: int) -> str:
    for name, value in vars(reasons).items():
        if value == code and name.startswith(("CONVERGED", "DIVERGED")):
            return str(name)
    return f"reason {code}"
