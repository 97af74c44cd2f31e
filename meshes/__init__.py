"""Where values live: grids, meshes and fields.

Examples
--------
>>> from meshes import Field, StructuredGrid
>>> Field(StructuredGrid((3,)), [1.0, 2.0, 3.0]).norm() > 0
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshes.errors import InputError as InputError
    from meshes.errors import MissingDependencyError as MissingDependencyError
    from meshes.errors import PDESolveError as PDESolveError
    from meshes.field import Field as Field
    from meshes.structured import StructuredGrid as StructuredGrid
    from meshes.unstructured import UnstructuredMesh as UnstructuredMesh

_HOME = {
    "Field": "meshes.field",
    "InputError": "meshes.errors",
    "MissingDependencyError": "meshes.errors",
    "PDESolveError": "meshes.errors",
    "StructuredGrid": "meshes.structured",
    "UnstructuredMesh": "meshes.unstructured",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'meshes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
