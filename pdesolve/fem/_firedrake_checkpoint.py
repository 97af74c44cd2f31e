"""Keep finite element answers in HDF5 files that any number of processes can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from operators.failures import CheckpointError
from pdesolve.fem._firedrake import communicator, firedrake, raise_together
from pdesolve.fem._firedrake_state import FemState
from pdesolve.solution import Solution

FORMAT = 1
_ATTRIBUTE = "pdesolve_solution"


def save_checkpoint(path: str | Path, solution: Solution | FemState) -> Path:
    """Write mesh, named boundaries and all unknowns at full accuracy (collective).

    Parameters
    ----------
    path
        A file ending in ``.h5``; replaced if it exists.
    solution
        An answer of the backend ``fem``.

    Raises
    ------
    InputError
        If the path has another ending or the answer comes from another backend.
    """
    target = Path(path)
    if target.suffix != ".h5":
        raise InputError(f"'{path}' must end in .h5")
    state = solution.state if isinstance(solution, Solution) else solution
    if not isinstance(state, FemState):
        raise InputError("only answers of the backend 'fem' are kept in this kind of file")
    comm = state.mesh.comm
    if comm.rank == 0:
        target.parent.mkdir(parents=True, exist_ok=True)
    comm.barrier()
    head = {"format": FORMAT, "names": list(state.names), "main": state.main}
    unfinished = target.with_name(target.name + ".unfinished")
    with firedrake.CheckpointFile(str(unfinished), "w", comm=comm) as file:
        file.save_mesh(state.mesh)
        for name, function in zip(state.names, state.native.subfunctions, strict=True):
            file.save_function(function, name=name)
        file.set_attr("/", _ATTRIBUTE, json.dumps(head | {"mesh": state.mesh.name}))
    if comm.rank == 0:
        unfinished.replace(target)
    comm.barrier()
    return target


def load_checkpoint(path: str | Path, comm: Any = None) -> FemState:
    """Read what :func:`save_checkpoint` wrote, on any number of processes (collective).

    Returns
    -------
    FemState
        ``.native`` is the Firedrake function, ``.functions`` the unknowns by name.

    Raises
    ------
    CheckpointError
        If the file is damaged, of another kind, or of a newer format.
    """
    ranks = communicator(comm)
    file_error: Exception | None = None
    if ranks.rank == 0:
        file_error = _complaint(Path(path))
    raise_together(ranks, file_error)
    with firedrake.CheckpointFile(str(path), "r", comm=ranks) as file:
        head = json.loads(file.get_attr("/", _ATTRIBUTE))
        mesh = file.load_mesh(head["mesh"])
        parts = [file.load_function(mesh, name) for name in head["names"]]
    native = parts[0]
    if len(parts) > 1:
        native = firedrake.Function(
            firedrake.MixedFunctionSpace([part.function_space() for part in parts])
        )
        for target, part in zip(native.subfunctions, parts, strict=True):
            target.assign(part)
    return FemState(native, tuple(head["names"]), int(head["main"]))


def _complaint(path: Path) -> Exception | None:
    """Look at a file before all processes open it."""
    import h5py

    if not path.is_file():
        return CheckpointError(f"there is no file '{path}'")
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(_ATTRIBUTE)
    except OSError as error:
        return CheckpointError(f"'{path}' is not an HDF5 file or is damaged ({error})")
    if text is None:
        return CheckpointError(f"'{path}' holds no solution written by this package")
    version = json.loads(text)["format"]
    if version > FORMAT:
        return CheckpointError(
            f"'{path}' has format {version}; this version reads up to {FORMAT}: update the package"
        )
    return None
