"""States in time in one file for ParaView."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_state import FemState, _for_paraview


class FemSeries:
    """A ``.pvd`` file that grows by one state after another; all methods are collective.

    Parameters
    ----------
    path
        Ends in ``.pvd``.

    Examples
    --------
    >>> from pathlib import Path
    >>> mesh = firedrake.UnitIntervalMesh(2)
    >>> u = firedrake.Function(firedrake.FunctionSpace(mesh, "CG", 1))
    >>> series = FemSeries(Path("u.pvd"))
    >>> for time in (0.0, 0.5):
    ...     series.append(FemState(u, ("u",)), time)
    >>> Path("u.pvd").read_text().count("timestep")
    2
    """

    def __init__(self, path: Path) -> None:
        if path.suffix != ".pvd":
            raise InputError(f"'{path}' must end in .pvd, the format that ParaView opens")
        self._file: Any = None
        self._path = path

    def append(self, state: FemState, time: float) -> None:
        """Write one more state, all unknowns of it and the given fields beside them."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = firedrake.VTKFile(str(self._path), comm=state.mesh.comm)
        shown = [_for_paraview(function) for function in state.functions.values()]
        shown += [_for_paraview(function) for function in state.inputs]
        self._file.write(*shown, time=time)


def write_series(states: Sequence[FemState], times: Sequence[float], path: Path) -> Path:
    """Write states with their times (collective).

    Parameters
    ----------
    states
        On one mesh.
    times
        In the problem's unit.
    path
        Ends in ``.pvd``.
    """
    series = FemSeries(Path(path))
    for state, time in zip(states, times, strict=True):
        series.append(state, time)
    return Path(path)
