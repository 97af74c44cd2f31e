"""Fields on grids in files that ParaView opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from meshes.errors import InputError, require
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid


def write_grid(path: str | Path, fields: Mapping[str, Field], time: float = 0.0) -> Path:
    """Write fields on one grid as a ``.pvd`` file and the ``.vti`` file that it names.

    Cell grids give cell data and vertex grids give point data; with periodic axes the
    first values of a vertex grid are repeated at the upper end, so that the picture fills
    the box. A file appears under its name only when it is whole.

    Parameters
    ----------
    path
        Ends in ``.pvd``; the data go to the folder of that name without ending.
    fields
        By name. A field with several channels becomes an array with components.
    time
        Time shown by ParaView, in the problem's unit of time.

    Returns
    -------
    Path
        The ``.pvd`` file.

    Raises
    ------
    InputError
        If the path does not end in ``.pvd``, there is no field, or fields live on
        different meshes or on no grid.
    MissingDependencyError
        If VTK is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from meshes import Field, StructuredGrid
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     field = Field(StructuredGrid((4, 3)), np.ones((4, 3)))
    ...     written = write_grid(f"{folder}/u.pvd", {"u": field})
    ...     sorted(file.name for file in written.parent.rglob("*.*"))
    ['u.pvd', 'u_0000.vti']
    """
    series = ParaViewSeries(path)
    series.append(fields, time)
    return series.path


class ParaViewSeries:
    """Fields at several times in one ``.pvd`` file.

    The file is good after every :meth:`append`. One process writes.

    Parameters
    ----------
    path
        Ends in ``.pvd``. A file of that name is replaced at the first append.

    Raises
    ------
    InputError
        If the path does not end in ``.pvd``.

    Examples
    --------
    >>> import tempfile
    >>> from meshes import Field, StructuredGrid
    >>> grid = StructuredGrid(8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     series = ParaViewSeries(f"{folder}/heat.pvd")
    ...     for time in (0.0, 0.5):
    ...         series.append({"u": Field(grid, np.full(8, time))}, time)
    ...     len(list(series.path.parent.rglob("*.vti")))
    2
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix != ".pvd":
            raise InputError(f"'{path}' must end in .pvd, the format that ParaView opens")
        self._entries: list[tuple[float, str]] = []

    def append(self, fields: Mapping[str, Field], time: float) -> None:
        """Write the fields of one time.

        Raises
        ------
        InputError
            If time is not finite or does not grow, and as :func:`write_grid`.
        """
        if not np.isfinite(time):
            raise InputError(f"time={time!r} must be finite")
        if self._entries and time <= self._entries[-1][0]:
            raise InputError(f"time={time} must be later than the last one, {self._entries[-1][0]}")
        image = _image(_common_grid(fields), fields)
        stem = self.path.stem
        name = f"{stem}/{stem}_{len(self._entries):04d}.vti"
        folder = self.path.with_suffix("")
        if folder.is_file():
            raise InputError(f"'{folder}' is a file; the data of '{self.path}' need that folder")
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.path.parent / name, lambda part: _write_image(image, part))
        self._entries.append((float(time), name))
        text = collection_text(self._entries)
        replace_file(self.path, lambda part: part.write_text(text))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write under another name in the same folder, then rename.

    Parameters
    ----------
    path
        The file.
    write
        Writes to the path that it is given.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _common_grid(fields: Mapping[str, Field]) -> StructuredGrid:
    if not fields:
        raise InputError("there is no field to write; give {name: Field}")
    grids: list[StructuredGrid] = []
    for name, field in fields.items():
        if not isinstance(field.mesh, StructuredGrid):
            raise InputError(
                f"field '{name}' lives on a {type(field.mesh).__name__}; this writes fields on "
                "a StructuredGrid (finite element solutions have solution.save)"
            )
        if grids and field.mesh != grids[0]:
            raise InputError(
                f"field '{name}' lives on {field.mesh}, others on {grids[0]}; resample it first"
            )
        grids.append(field.mesh)
    return grids[0]


def _image(grid: StructuredGrid, fields: Mapping[str, Field]) -> Any:
    model = require("vtkmodules.vtkCommonDataModel", extra="fem")
    numpy_support = require("vtkmodules.util.numpy_support", extra="fem")
    cellwise = grid.location == "cell"
    space = grid.shape if cellwise else _closed_shape(grid)
    padding = (1,) * (3 - grid.dimension)
    image = model.vtkImageData()
    points = tuple(size + 1 for size in space) if cellwise else space
    image.SetDimensions(*points, *padding)
    image.SetOrigin(*grid.lower, *(0.0 for _ in padding))
    image.SetSpacing(*grid.spacing, *(1.0 for _ in padding))
    data = image.GetCellData() if cellwise else image.GetPointData()
    for name, field in fields.items():
        values = field.values if cellwise else _closed(field.values, grid)
        # VTK counts x fastest, our arrays count it slowest
        columns = np.stack([channel.ravel(order="F") for channel in values], axis=1)
        array = numpy_support.numpy_to_vtk(np.ascontiguousarray(columns), deep=True)
        array.SetName(name)
        data.AddArray(array)
    data.SetActiveScalars(next(iter(fields)))
    return image


def _closed_shape(grid: StructuredGrid) -> tuple[int, ...]:
    return tuple(size + wrap for size, wrap in zip(grid.shape, grid.periodic, strict=True))


def _closed(values: FloatArray, grid: StructuredGrid) -> FloatArray:
    """Repeat the first values at the end of axes that wrap."""
    return np.pad(values, [(0, 0), *((0, int(wrap)) for wrap in grid.periodic)], mode="wrap")


def _write_image(image: Any, path: Path) -> None:
    writer = require("vtkmodules.vtkIOXML", extra="fem").vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    if not writer.Write():
        raise OSError(f"VTK could not write '{path}'; is the disk full or the folder read-only?")


def collection_text(entries: list[tuple[float, str]]) -> str:
    """Content of a ``.pvd`` file that names files by time.

    Examples
    --------
    >>> print(collection_text([(0.5, "u/u_0000.vti")]).splitlines()[3].strip())
    <DataSet timestep="0.5" part="0" file="u/u_0000.vti"/>
    """
    rows = "".join(
        f'    <DataSet timestep="{time!r}" part="0" file={quoteattr(name)}/>\n'
        for time, name in entries
    )
    return (
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n'
        f"  <Collection>\n{rows}  </Collection>\n</VTKFile>\n"
    )
