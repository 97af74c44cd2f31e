"""States at several times in one file for ParaView."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from meshes.field import Field
from pdesolve.output.paraview import ParaViewSeries
from pdesolve.solution import DistributedState


class StateSeries(Protocol):
    """A file that grows by one time after another."""

    def append(self, state: DistributedState, time: float) -> None:
        """Write one more state (collective)."""


class GridSeries:
    """A series of states on a grid; the first process writes.

    Parameters
    ----------
    path
        Ends in ``.pvd``.
    """

    def __init__(self, path: Path) -> None:
        self._series = ParaViewSeries(path)

    def append(self, state: DistributedState, time: float) -> None:
        """Gather on every process, write on the first."""
        field = state.gather()
        comm = getattr(state.native, "comm", None)
        if comm is None or comm.rank == 0:
            self._series.append(channels(field), time)


def channels(field: Field) -> Mapping[str, Field]:
    """Every channel as a field of its own, by name."""
    return {name: field.select([name]) for name in field.names}


def open_series(state: DistributedState, path: Path) -> StateSeries:
    """A series for states like this one (collective).

    Raises
    ------
    InputError
        If the path does not end in ``.pvd``.
    """
    ParaViewSeries(path)  # looks at the path
    path.parent.mkdir(parents=True, exist_ok=True)
    native: Any = state.native
    if hasattr(native, "function_space"):
        module = importlib.import_module("pdesolve.fem._firedrake_series")
        series: StateSeries = module.FemSeries(path)
        return series
    return GridSeries(path)


def save_series(states: Sequence[DistributedState], times: Sequence[float], path: Path) -> Path:
    """Write states with their times (collective).

    Parameters
    ----------
    states
        One or more, all on one mesh.
    times
        Growing, in the problem's unit.
    path
        Ends in ``.pvd``.
    """
    series = open_series(states[0], path)
    for state, time in zip(states, times, strict=True):
        series.append(state, time)
    return path
