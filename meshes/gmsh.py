"""Read Gmsh files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from meshes.cells import SHAPES, CellType, FloatArray, IndexArray, signed_volumes
from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh

# Names that meshio gives to straight elements.
_STRAIGHT: dict[str, CellType] = {
    "line": "interval",
    "triangle": "triangle",
    "quad": "quadrilateral",
    "tetra": "tetrahedron",
    "hexahedron": "hexahedron",
}
_DIMENSION = {"vertex": 0, **{name: SHAPES[cell].dimension for name, cell in _STRAIGHT.items()}}


def read_gmsh(path: Path) -> UnstructuredMesh:
    """Read the mesh in a Gmsh file, format 2 or 4, text or binary.

    Physical groups of the highest dimension become cell tags, those one dimension lower
    become facet tags, under their names; a group without a name is called by its number.
    Points that no cell uses (centres of arcs) are left out, mirrored cells are turned
    round, and a coordinate that is the same everywhere in a plane or on a line is
    dropped.

    Parameters
    ----------
    path
        A ``.msh`` file.

    Returns
    -------
    UnstructuredMesh
        The mesh.

    Raises
    ------
    InputError
        If the file is missing, damaged or not Gmsh's; if its cells are curved (of second
        or higher order), of several shapes, or lie on a curved surface; or if a cell or
        facet is in two physical groups.

    Examples
    --------
    >>> read_gmsh(Path("absent.msh"))
    Traceback (most recent call last):
        ...
    meshes.errors.InputError: there is no file 'absent.msh'
    """
    return build_mesh(path, read_file(path))


def build_mesh(path: Path, content: Any) -> UnstructuredMesh:
    """The mesh in what meshio read from a file; see :func:`read_gmsh`."""
    dimension = _highest_dimension(path, content.cells)
    blocks = [block for block in content.cells if _DIMENSION[block.type] == dimension]
    kinds = sorted({block.type for block in blocks})
    if len(kinds) > 1:
        raise InputError(
            f"'{path}' mixes {' and '.join(kinds)} cells; a mesh has one shape (in Gmsh, recombine "
            "all surfaces or none)"
        )
    names = _physical_names(path)
    _refuse_shared(path, content)
    tagged = _by_dimension(content)
    cells, cell_tags = _merge(tagged, dimension, names)
    facets, facet_tags = _merge(tagged, dimension - 1, names)
    points = flat_points(path, np.asarray(content.points, dtype=np.float64), dimension, cells)
    cell_type = _STRAIGHT[kinds[0]]
    used = np.unique(cells)
    renumbered = np.full(len(points), -1, dtype=np.int64)
    renumbered[used] = np.arange(len(used))
    points, cells = points[used], renumbered[cells]
    mirrored = signed_volumes(points, cells, cell_type) < 0
    cells[mirrored] = cells[mirrored][:, list(SHAPES[cell_type].reversal)]
    _check_folds(path, points, cells, cell_type)
    try:
        return UnstructuredMesh(
            points,
            cells,
            cell_type,
            {name: renumbered[facets[rows]] for name, rows in facet_tags.items()},
            cell_tags,
        )
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error


def read_file(path: Path) -> Any:
    """What meshio reads from a Gmsh file, errors put into words."""
    if not path.is_file():
        raise InputError(f"there is no file '{path}'")
    import meshio

    try:
        return meshio.gmsh.read(path)
    except Exception as error:
        if "$Element section" in str(error):
            raise InputError(f"'{path}' holds no cells; mesh the geometry before saving") from error
        raise InputError(
            f"'{path}' cannot be read as a Gmsh file, format 2 or 4 ({type(error).__name__}: "
            f"{str(error).strip() or 'not its format'}); save it again from Gmsh with "
            "Mesh.SaveAll = 0, so that every element in it is in a physical group"
        ) from error


def _highest_dimension(path: Path, blocks: list[Any]) -> int:
    strange = sorted({block.type for block in blocks} - set(_DIMENSION))
    curved = [kind for kind in strange if re.fullmatch(r"[a-z]+\d+", kind)]
    if curved:
        raise InputError(
            f"'{path}' has curved cells ({', '.join(curved)}), and straight ones are needed here: "
            "set Mesh.ElementOrder = 1 in Gmsh and save again. (The backend 'fem' takes the path "
            "of a file with triangles or tetrahedra of second order.)"
        )
    if strange:
        raise InputError(
            f"'{path}' has {', '.join(strange)} cells; allowed are {', '.join(_STRAIGHT)}"
        )
    dimension = max((_DIMENSION[block.type] for block in blocks), default=0)
    if dimension == 0:
        raise InputError(f"'{path}' holds no cells; mesh the geometry before saving")
    return dimension


def _physical_names(path: Path) -> dict[tuple[int, int], str]:
    """Names by dimension and number (the same name may stand in two dimensions)."""
    text = path.read_bytes()
    section = re.search(rb"\$PhysicalNames\s(.*?)\$EndPhysicalNames", text, re.DOTALL)
    found = {}
    if section:
        for line in section.group(1).decode(errors="replace").splitlines():
            match = re.match(r'\s*(\d+)\s+(-?\d+)\s+"(.*)"', line)
            if match:
                found[int(match[1]), int(match[2])] = match[3]
    return found


def _refuse_shared(path: Path, content: Any) -> None:
    """Format 4 can put one element into two groups, of which a tag keeps only one."""
    named = {k: v for k, v in content.cell_sets.items() if not k.startswith("gmsh:")}
    for index in range(len(content.cells)):
        holders = [
            name for name, sets in named.items() if sets[index] is not None and len(sets[index])
        ]
        if len(holders) > 1:
            raise InputError(
                f"'{path}': {len(content.cells[index].data)} elements are in two physical groups, "
                f"'{holders[0]}' and '{holders[1]}'; put each into one"
            )


def _by_dimension(content: Any) -> dict[int, list[tuple[IndexArray, IndexArray]]]:
    """Elements and group numbers, 0 where there is none."""
    groups = content.cell_data.get("gmsh:physical")
    found: dict[int, list[tuple[IndexArray, IndexArray]]] = {0: [], 1: [], 2: [], 3: []}
    for index, block in enumerate(content.cells):
        rows = np.asarray(block.data, dtype=np.int64)
        tags = np.zeros(len(rows), np.int64) if groups is None else np.abs(groups[index])
        found[_DIMENSION[block.type]].append((rows, np.asarray(tags, dtype=np.int64)))
    return found


def _merge(
    tagged: dict[int, list[tuple[IndexArray, IndexArray]]],
    dimension: int,
    names: dict[tuple[int, int], str],
) -> tuple[IndexArray, dict[str, IndexArray]]:
    """All elements of a dimension, and the numbers of those in each group."""
    parts = tagged[dimension]
    if not parts:
        return np.empty((0, 1), np.int64), {}
    rows = np.concatenate([part[0] for part in parts])
    tags = np.concatenate([part[1] for part in parts])
    groups = {
        names.get((dimension, int(tag)), str(int(tag))): np.flatnonzero(tags == tag)
        for tag in np.unique(tags)
        if tag != 0
    }
    return rows, groups


def flat_points(path: Path, points: FloatArray, dimension: int, cells: IndexArray) -> FloatArray:
    """Leave out the coordinates that do not vary."""
    used = points[np.unique(cells)]
    size = float(np.ptp(used, axis=0).max())
    varying = np.flatnonzero(np.ptp(used, axis=0) > 1e-12 * size)
    if len(varying) > dimension:
        raise InputError(
            f"'{path}' is a {dimension}D mesh that bends into {len(varying)}D space; only flat "
            "meshes (in the x-y plane, along x) and solids are supported"
        )
    kept = varying if len(varying) == dimension else np.arange(dimension)
    return np.ascontiguousarray(points[:, kept])


def _check_folds(path: Path, points: FloatArray, cells: IndexArray, cell_type: CellType) -> None:
    from meshes.quality import folded_facets

    folds = folded_facets(points, cells, cell_type)
    if len(folds):
        raise InputError(
            f"'{path}' is folded: at {len(folds)} facets, such as that of points "
            f"{tuple(folds[0].tolist())} in the mesh's own numbering, both cells lie on one side"
        )
