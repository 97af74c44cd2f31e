"""Checkpoints of weak problems in time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes._firedrake import boundary_numbers
from operators.failures import CheckpointError
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_checkpoint import _ATTRIBUTE, FORMAT, _complaint
from pdesolve.fem._firedrake_meshes import NamedMesh

if TYPE_CHECKING:
    from pdesolve.fem._firedrake_evolution import FemStepper

_EVOLUTION = "pdesolve_evolution"
_VALUES = "pdesolve_values"
_EARLIER = ("before_1", "before_2")


def save_stepper(stepper: FemStepper, path: Path) -> None:
    """Write mesh, state, earlier states, time and counts (collective).

    The file is also one for :func:`pdesolve.fem.load_checkpoint`. Beside Firedrake's own
    layout, which any number of processes can read, it holds the values in the order of this
    run, with which a run on as many processes goes on to the last bit. It is written under
    another name first: a kill at any moment leaves the last whole file.
    """
    form, comm = stepper.form, stepper.form.mesh.comm
    if comm.rank == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
    comm.barrier()
    state = {
        "format": FORMAT,
        "names": list(form.names),
        "main": form.main,
        "mesh": form.mesh.name,
    }
    head = _identity(stepper) | {
        "time": stepper._time,
        "num_steps": stepper._num_steps,
        "step_size": stepper._size,
        "anchor": stepper._anchor,
        "since": stepper._since,
        "past_steps": stepper._past.steps,
        "iterations": [stepper._earlier[i] + stepper._method.iterations[i] for i in (0, 1)],
        "layout": _layout(stepper),
        "sides": dict(stepper.named.sides),
    }
    unfinished = path.with_name(path.name + ".unfinished")
    with firedrake.CheckpointFile(str(unfinished), "w", comm=comm) as file:
        file.save_mesh(form.mesh)
        for name, part in zip(form.names, form.state.subfunctions, strict=True):
            file.save_function(part, name=name)
        for prefix, earlier in zip(_EARLIER, stepper._past.functions, strict=True):
            for name, part in zip(form.names, earlier.subfunctions, strict=True):
                file.save_function(part, name=f"{prefix} {name}")
        group = file.h5pyfile.create_group(_VALUES)
        for number, function in enumerate(_functions(stepper)):
            with function.dat.vec_ro as vector:
                values = group.create_dataset(str(number), (vector.getSize(),), dtype="f8")
                first, last = vector.getOwnershipRange()
                values[first:last] = vector.array_r
            del values
        del group  # open objects would keep PETSc from closing the file
        file.set_attr("/", _EVOLUTION, json.dumps(head))
        file.set_attr("/", _ATTRIBUTE, json.dumps(state))
    if comm.rank == 0:
        unfinished.replace(path)
    comm.barrier()


def load_stepper(stepper: FemStepper, path: Path) -> None:
    """Go on from a file (collective).

    Raises
    ------
    CheckpointError
        If the file is damaged, or of another problem, method, element or mesh.
    """
    comm = stepper.form.mesh.comm
    head: dict[str, Any] = {}
    error: Exception | None = None
    if comm.rank == 0:
        try:
            head = _read_head(path)
            _compare(head, _identity(stepper), path)
        except CheckpointError as problem:
            error = problem
    _raise_checkpoint_error(comm, error)
    head = comm.bcast(head, root=0)
    same = head["layout"] == _layout(stepper)
    with firedrake.CheckpointFile(str(path), "r", comm=comm) as file:
        if same:
            for number, function in enumerate(_functions(stepper)):
                values = file.h5pyfile[_VALUES][str(number)]
                with function.dat.vec_wo as vector:
                    first, last = vector.getOwnershipRange()
                    vector.array[:] = values[first:last]
                del values
        else:
            _rebuild(stepper, file, head)
    stepper._time = float(head["time"])
    stepper._num_steps = int(head["num_steps"])
    stepper._size = float(head["step_size"])
    stepper._anchor, stepper._since = float(head["anchor"]), int(head["since"])
    stepper._past.steps = [float(step) for step in head["past_steps"]]
    stepper._earlier = (int(head["iterations"][0]), int(head["iterations"][1]))
    stepper.form.time.assign(stepper._time)
    if stepper.form.rate is not None and stepper._num_steps > 0:
        stepper._past.set_rate(stepper.form.rate)


def _rebuild(stepper: FemStepper, file: Any, head: dict[str, Any]) -> None:
    """Go over to the mesh in the file, with its distribution over the processes at hand."""
    state = json.loads(file.get_attr("/", _ATTRIBUTE))
    mesh = file.load_mesh(state["mesh"])
    named = stepper.named
    sides = boundary_numbers(mesh) or head["sides"]
    stepper._build(NamedMesh(mesh, sides, named.grid, named.wraps))
    form = stepper.form
    kept = (form.state, *stepper._past.functions)
    for prefix, function in zip(("", *(f"{name} " for name in _EARLIER)), kept, strict=True):
        for name, part in zip(form.names, function.subfunctions, strict=True):
            loaded = file.load_function(mesh, prefix + name)
            part.assign(loaded)


def _functions(stepper: FemStepper) -> tuple[Any, ...]:
    """What a run must have to go on to the last bit."""
    return (stepper.form.state, *stepper._past.functions, *stepper._method.memory)


def _identity(stepper: FemStepper) -> dict[str, Any]:
    """What must agree between the run that wrote a file and the one that reads it."""
    form = stepper.form
    return {
        "format": FORMAT,
        "problem": stepper.problem.name,
        "method": stepper.method,
        "element": stepper.settings.element,
        "degree": int(stepper.settings.degree),
        "unknowns": list(form.names),
        "num_unknowns": int(form.space.dim()),
    }


_WORDS = {
    "problem": "the problem",
    "method": "the method",
    "element": "the element",
    "degree": "the degree",
    "unknowns": "the unknowns",
    "num_unknowns": "the mesh: the number of unknowns",
}


def _compare(head: dict[str, Any], own: dict[str, Any], path: Path) -> None:
    for key, words in _WORDS.items():
        if head.get(key) != own[key]:
            raise CheckpointError(
                f"'{path}' does not belong to this solve: {words} was {head.get(key)!r} there and "
                f"is {own[key]!r} here"
            )


def _read_head(path: Path) -> dict[str, Any]:
    import h5py

    complaint = _complaint(path)
    if complaint is not None:
        raise complaint
    with h5py.File(path, "r") as file:
        text = file.attrs.get(_EVOLUTION)
    if text is None:
        raise CheckpointError(
            f"'{path}' holds an answer, but not what a solve in time needs to go on; write one "
            "with evolve(..., checkpoint=...)"
        )
    head: dict[str, Any] = json.loads(text)
    return head


def _layout(stepper: FemStepper) -> list[str]:
    """A mark of every process's part of the mesh and numbering of unknowns (collective)."""
    mark = hashlib.sha256()
    for part in stepper.form.space:
        mark.update(np.ascontiguousarray(part.cell_node_map().values_with_halo).tobytes())
    mark.update(np.ascontiguousarray(stepper.form.mesh.coordinates.dat.data_ro).tobytes())
    marks: list[str] = stepper.form.mesh.comm.allgather(mark.hexdigest())
    return marks


def _raise_checkpoint_error(comm: Any, error: Exception | None) -> None:
    text = comm.bcast(None if error is None else str(error), root=0)
    if text is not None:
        raise CheckpointError(text)
