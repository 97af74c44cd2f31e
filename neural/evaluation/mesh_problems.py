"""The problems behind samples on a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from meshes.unstructured import UnstructuredMesh
from neural.training.mesh_files import MeshFileReader
from operators.spatial import as_spatial_function
from pdesolve.problems.base import Problem, ProblemFamily
from pdesolve.problems.registry import FAMILIES, get_family
from pdesolve.random_streams import sample_generator


@dataclass(frozen=True, eq=False)
class LinearOnCells:
    """Values at the vertices of a mesh as a function that is linear on the cells.

    Parameters
    ----------
    field
        One channel on the mesh.

    Examples
    --------
    >>> mesh = UnstructuredMesh([[0.0], [1.0]], [[0, 1]], "interval")
    >>> LinearOnCells(Field(mesh, [1.0, 3.0])).evaluate([[0.25]])
    array([1.5])
    """

    field: Field

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points."""
        values: FloatArray = self.field.resample(grid).values[0]
        return values

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Values at points ``(n, dimension)``."""
        values: FloatArray = self.field.evaluate(points)[0]
        return values


def mesh_of(source: Any) -> UnstructuredMesh | None:
    """The one mesh of a file's samples, if it has one with cells.

    Parameters
    ----------
    source
        Open file of fields on points, possibly with channels added.
    """
    reader = reader_of(source)
    if reader.points.ndim != 2 or reader.cells is None or reader.cell_type is None:
        return None
    return UnstructuredMesh(reader.points, reader.cells, reader.cell_type)  # type: ignore[arg-type]


def reader_of(source: Any) -> MeshFileReader:
    """The open file itself, under what adds channels to it."""
    while not isinstance(source, MeshFileReader):
        source = source.source
    return source


def mesh_problems(
    source: Any, indices: Sequence[int] | npt.NDArray[np.int64], mesh: UnstructuredMesh
) -> tuple[list[Problem], str]:
    """Problems of a file's samples: drawn again by number, else made from the input fields.

    Parameters
    ----------
    source
        Open file whose ``family`` is a registered one. Options of the family stand in its
        ``settings`` as ``{"family": {"given_options": {...}}}``.
    indices
        Sample numbers.
    mesh
        Of the samples.

    Returns
    -------
    problems, remark
        All problems; or none, with the reason.
    """  # fmt: skip
    reader = reader_of(source)
    info = reader.info
    if info.family not in FAMILIES:
        return [], f"the equations of family '{info.family}' are not known here"
    try:
        options = info.settings.get("family", {}).get("given_options", {})
        family = get_family(info.family, **options)
        inputs = reader.read(indices)[0]
        if family.dimension != mesh.dimension:
            return [], f"'{info.family}' is {family.dimension}D, the mesh {mesh.dimension}D"
        drawn = _drawn(family, info, indices, inputs, mesh)
        return drawn or [_made(family, info, values, mesh) for values in inputs], ""
    except InputError as error:
        return [], f"the problems of the samples are not known: {error}"


def _drawn(
    family: ProblemFamily, info: Any, indices: Any, inputs: FloatArray, mesh: UnstructuredMesh
) -> list[Problem]:
    """Problems of the family's random stream; none where it has other values at the points."""
    if info.seed is None or info.split is None:
        return []
    found = []
    for number, values in zip(indices, inputs, strict=True):
        parameters = family.sample(sample_generator(info.seed, info.split, int(number)))
        for name, channel in zip(info.inputs, values, strict=True):
            if name not in parameters:
                return []
            here = as_spatial_function(parameters[name]).evaluate(mesh.points)
            if not np.allclose(here, channel, rtol=1e-5, atol=1e-5 * np.abs(channel).max()):
                return []
        found.append(family.problem(parameters))
    return found


def _made(family: ProblemFamily, info: Any, values: FloatArray, mesh: UnstructuredMesh) -> Problem:
    fields = {
        name: LinearOnCells(Field(mesh, channel, (name,)))
        for name, channel in zip(info.inputs, values, strict=True)
    }
    return family.problem(fields)
