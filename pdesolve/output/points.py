"""Fields on points and meshes in files that ParaView opens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from pdesolve.output.paraview import collection_text, replace_file

_NAMES = {
    "interval": "line",
    "triangle": "triangle",
    "quadrilateral": "quad",
    "tetrahedron": "tetra",
    "hexahedron": "hexahedron",
}


def write_points(
    path: str | Path,
    points: npt.ArrayLike,
    fields: Mapping[str, npt.ArrayLike],
    cells: npt.ArrayLike | None = None,
    cell_type: str | None = None,
) -> Path:
    """Write values at points as a ``.pvd`` file and the ``.vtu`` file that it names.

    Parameters
    ----------
    path
        Ends in ``.pvd``; the data go to the folder of that name without ending.
    points
        Shape ``(num_points, d)``, d = 1, 2 or 3.
    fields
        By name, each ``(num_points,)``.
    cells, cell_type
        Of the mesh, ``(num_cells, k)``; without them every point is a cell.

    Returns
    -------
    Path
        The ``.pvd`` file.

    Raises
    ------
    InputError
        If the path does not end in ``.pvd``, there is no field, or shapes do not fit.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_points(f"{folder}/u.pvd", [[0.0, 0.0], [1.0, 0.0]], {"u": [1.0, 2.0]})
    ...     sorted(file.name for file in written.parent.rglob("*.*"))
    ['u.pvd', 'u_0000.vtu']
    """
    import meshio

    target = Path(path)
    if target.suffix != ".pvd":
        raise InputError(f"'{path}' must end in .pvd, the format that ParaView opens")
    places = np.asarray(points, dtype=np.float64)
    values = {name: np.asarray(given, dtype=np.float64) for name, given in fields.items()}
    if not values or any(given.shape != places.shape[:1] for given in values.values()):
        raise InputError(
            "there is no field to write, or one has another number of values than the "
            f"{len(places)} points"
        )
    filled = np.zeros((len(places), 3))
    filled[:, : places.shape[1]] = places
    blocks = (
        [("vertex", np.arange(len(places))[:, None])]
        if cells is None or cell_type is None
        else [(_NAMES[cell_type], np.asarray(cells))]
    )
    mesh = meshio.Mesh(filled, blocks, point_data=values)
    folder = target.with_suffix("")
    if folder.is_file():
        raise InputError(f"'{folder}' is a file; the data of '{target}' need that folder")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{target.stem}/{target.stem}_0000.vtu"
    replace_file(target.parent / name, lambda part: meshio.write(part, mesh, file_format="vtu"))
    replace_file(target, lambda part: part.write_text(collection_text([(0.0, name)])))
    return target
