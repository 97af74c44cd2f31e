"""The answer to a problem that evolves in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.result import EvolutionResult
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.solution import DistributedState


@dataclass(eq=False)
class Trajectory:
    """States at the requested times, with the record of how they were found.

    Parameters
    ----------
    problem
        What was solved.
    backend
        ``"grid"``, ``"fem"`` or ``"spectral"``.
    times
        The times of `states`, in the problem's unit.
    states
        The backend's distributed objects at these times.
    history
        Conserved quantities and other diagnostics at these times, by name, each of
        shape ``(num_times,)``.
    result
        Steps, reason, seconds.

    Examples
    --------
    >>> from pdesolve import evolve, get_family, sample_generator
    >>> family = get_family("heat1d")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> trajectory = evolve(problem, mesh=32)
    >>> trajectory.result.converged, trajectory.field().values.shape
    (True, (1, 32))
    """

    problem: EvolutionProblem
    backend: str
    times: tuple[float, ...]
    states: tuple[DistributedState, ...]
    history: Mapping[str, FloatArray]
    result: EvolutionResult

    @property
    def native(self) -> Any:
        """The library's own object of the last state."""
        return self.states[-1].native

    def fields(self, index: int = -1) -> Mapping[str, Field]:
        """The part of every unknown that this process holds, by name, at one time."""
        return self.states[index].local_fields()

    def field(self, index: int = -1) -> Field:
        """The state as far as this process holds it, at one time."""
        return next(iter(self.fields(index).values()))

    def gather(self, index: int = -1) -> Field:
        """The state at one time, whole, on every process (collective)."""
        return self.states[index].gather()

    def on(self, grid: StructuredGrid) -> FloatArray:
        """All states at the points of a grid, ``(time, channel, *shape)`` (collective)."""
        return np.stack([state.sample(grid).values for state in self.states])

    def save(self, path: str | Path) -> Path:
        """Write a time series for ParaView, a ``.pvd`` file (collective)."""
        from pdesolve.output.series import save_series

        return save_series(self.states, self.times, Path(path))

    def plot(self, path: str | Path) -> Path:
        """Draw inputs and some of the states into a picture (collective)."""
        from pdesolve.output.trajectories import plot_trajectory

        return plot_trajectory(self, Path(path))

    def animate(self, path: str | Path, *, frames_per_second: int = 10) -> Path:
        """Draw the states one after another into an ``.mp4`` or ``.gif`` (collective)."""
        from pdesolve.output.trajectories import animate_trajectory

        return animate_trajectory(self, Path(path), frames_per_second=frames_per_second)
