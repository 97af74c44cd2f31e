"""What the backends have in common when they step through time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

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
    time with the initial state. All methods are collective. A backend that spreads a
    problem over processes has their communicator (of mpi4py) as the attribute ``comm``.
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
