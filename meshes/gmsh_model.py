"""Make meshes with Gmsh, the same ones every time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshes.errors import require
from meshes.unstructured import UnstructuredMesh

SETTINGS: dict[str, float] = {
    "General.Terminal": 0,
    "General.NumThreads": 1,
    "Mesh.Algorithm": 6,  # frontal Delaunay
    "Mesh.MeshSizeExtendFromBoundary": 0,
    "Mesh.MeshSizeFromPoints": 0,
    "Mesh.Binary": 0,
    "Mesh.MshFileVersion": 4.1,
}


@contextmanager
def gmsh_model(name: str) -> Iterator[Any]:
    """A fresh Gmsh model with fixed settings, removed at the end.

    Parameters
    ----------
    name
        Of the model.

    Yields
    ------
    module
        The package ``gmsh``, with the model as its current one.

    Raises
    ------
    MissingDependencyError
        If Gmsh is not installed.
    """
    gmsh: Any = require("gmsh", extra="fem")
    own = not gmsh.isInitialized()
    if own:
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        for setting, value in SETTINGS.items():
            gmsh.option.setNumber(setting, value)
        gmsh.model.add(name)
        yield gmsh
    finally:
        if own:
            gmsh.finalize()
        else:
            gmsh.model.remove()


def meshed(gmsh: Any, dimension: int) -> UnstructuredMesh:
    """Mesh the current model and read the result as :func:`meshes.gmsh.read_gmsh` does.

    Parameters
    ----------
    gmsh
        What :func:`gmsh_model` gave, with geometry, physical groups and sizes set.
    dimension
        1, 2 or 3.
    """
    gmsh.model.mesh.generate(dimension)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.msh"
        gmsh.write(str(path))
        return UnstructuredMesh.from_gmsh(path)
