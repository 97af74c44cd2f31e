"""What the backends have in common when they step through time."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from meshes.errors import InputError
from operators.result import EvolutionResult
from pdesolve.solution import DistributedState


@dataclass(frozen=True)
class StepInfo:
    """Where a solve in time stands after a step.

    Parameters
    ----------
    time
        The time reached.
    step
        Number of steps taken since the first time, over all restarts.
    step_size
        Size of the step.
    final_time
        The last requested time.
    """

    time: float
    step: int
    step_size: float
    final_time: float


OnStep = Callable[[StepInfo], None]


@dataclass(frozen=True)
class SteppingSettings:
    """How to step, common to all backends; see :func:`pdesolve.evolve`."""

    times: tuple[float, ...]
    dt: float | None = None
    method: str | None = None
    rtol: float | None = None
    solver_parameters: Mapping[str, Any] = field(default_factory=dict)
    options_prefix: str = ""
    comm: Any = None
    element: str = "CG"
    degree: int = 1
    unused_options: Literal["warn", "error"] = "warn"


class Stepper(Protocol):
    """One backend in the middle of a solve in time.

    Made from a problem, a mesh and :class:`SteppingSettings`; it starts at the first
    time with the initial state. All methods are collective.
    """

    @property
    def time(self) -> float:
        """The time reached."""

    @property
    def num_steps(self) -> int:
        """Steps taken since the first time, over all restarts."""

    def advance(self, until: float, on_step: OnStep) -> None:
        """Step to exactly `until`; `on_step` is called after every step.

        Whatever `on_step` does (:meth:`state`, :meth:`save`) sees the state after the step.

        Raises
        ------
        TimeStepFailure
            If a step fails or the state is not finite. It carries ``result``, and the
            message names step, time, channel and place.
        """

    def state(self) -> DistributedState:
        """A copy of the state."""

    def quantities(self) -> Mapping[str, float]:
        """Conserved quantities and other diagnostics of the state."""

    def result(self) -> EvolutionResult:
        """The record so far."""

    def save(self, path: Path) -> None:
        """Write a checkpoint: everything needed to go on as if nothing had happened."""

    def load(self, path: Path) -> None:
        """Go on from a checkpoint, written on any number of processes.

        Raises
        ------
        CheckpointError
            If it is damaged, or of another problem, mesh or method.
        """

    def close(self) -> None:
        """Free what was kept."""


def checked_times(times: object) -> tuple[float, ...]:
    """Times that grow and are finite, or an error.

    Examples
    --------
    >>> checked_times([0, 0.5, 1])
    (0.0, 0.5, 1.0)
    """
    if not isinstance(times, Sequence) and not hasattr(times, "__array__"):
        raise InputError(f"times={times!r} must be a sequence, the initial time first")
    found: list[float] = []
    for value in list(times):  # type: ignore[call-overload]
        if not isinstance(value, numbers.Real) or not math.isfinite(float(value)):
            raise InputError(f"times hold {value!r}; they must be finite numbers")
        found.append(float(value))
    if len(found) < 2:
        raise InputError(f"times={times!r} must hold the initial time and one more")
    for before, after in itertools.pairwise(found):
        if after <= before:
            raise InputError(f"times must grow; {after:g} follows {before:g}")
    return tuple(found)


def checked_step(dt: object) -> float | None:
    """A positive finite step size or None, or an error."""
    if dt is None:
        return None
    if isinstance(dt, bool) or not isinstance(dt, numbers.Real):
        raise InputError(f"dt={dt!r} must be a positive number")
    if not (math.isfinite(float(dt)) and float(dt) > 0):
        raise InputError(f"dt={dt} must be positive and finite")
    return float(dt)


def steps_between(start: float, stop: float, dt: float) -> int:
    """How many steps of size dt lead from one time to another.

    Raises
    ------
    InputError
        If dt does not divide the interval (to 1e-6 of a step).

    Examples
    --------
    >>> steps_between(0.0, 1.0, 0.1)
    10
    """
    count = round((stop - start) / dt)
    if count < 1 or abs(count * dt - (stop - start)) > 1e-6 * dt:
        near = (stop - start) / max(count, 1)
        raise InputError(
            f"dt={dt:g} does not divide the time between the outputs at {start:g} and {stop:g}; "
            f"dt={near:.9g} does"
        )
    return count
