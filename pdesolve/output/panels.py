"""One panel of a picture: a channel of a field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from meshes.unstructured import UnstructuredMesh

PANEL = {1: (4.2, 3.0), 2: (3.9, 3.3)}
"""Width and height of a panel in inches, by dimension."""

_SPREAD_FOR_LOGARITHM = 50.0
_LEVELS = 128

_FIRST_PLANE = 2  # the plane z = const comes first


@dataclass(frozen=True, eq=False)
class Panel:
    """What a panel shows.

    Parameters
    ----------
    field, channel
        The values.
    title
        Text above the panel.
    unit
        Unit of the values.
    colours
        Name of a matplotlib colour map.
    limits
        Range of the colours; that of the values when left out.
    is_input
        Inputs get a logarithmic scale where they vary by orders of magnitude.
    """

    field: Field
    channel: str
    title: str
    unit: str
    colours: str
    limits: tuple[float, float] | None = None
    is_input: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """Range of the colours."""
        values = self.field[self.channel]
        low, high = self.limits or (float(values.min()), float(values.max()))
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    @property
    def is_logarithmic(self) -> bool:
        """Whether positive values spread over so many sizes that others would drown."""
        values = self.field[self.channel]
        spread = _SPREAD_FOR_LOGARITHM * float(values.min())
        return self.is_input and 0.0 < spread < float(values.max())

    def scale(self) -> Any:
        """The map from values to colours."""
        from matplotlib.colors import LogNorm, Normalize

        return (LogNorm if self.is_logarithmic else Normalize)(*self.range)


def draw_panel(figure: Any, axes: Any, panel: Panel, unit_of_length: str, plane: int = 0) -> None:
    """Draw one panel.

    Parameters
    ----------
    figure, axes
        Of matplotlib.
    panel
        What to draw.
    unit_of_length
        For the labels of the axes.
    plane
        In 3D, 0 for the middle plane z = const, 1 for y = const, 2 for x = const.
    """
    from matplotlib.cm import ScalarMappable

    mesh = panel.field.mesh
    axes.set_title(panel.title, fontsize=10, loc="left")
    if mesh.dimension == 1:
        _draw_line(axes, panel)
        axes.set_xlabel(label("x", unit_of_length))
        axes.set_ylabel(label("", panel.unit))
        axes.ticklabel_format(axis="y", scilimits=(-3, 4))
        return
    if isinstance(mesh, UnstructuredMesh):
        names = _draw_cells(axes, panel, mesh)
    else:
        names = _draw_image(axes, panel, mesh, _FIRST_PLANE - plane)
    axes.set_aspect("equal")
    axes.set_xlabel(label(names[0], unit_of_length))
    axes.set_ylabel(label(names[1], unit_of_length))
    colours = ScalarMappable(panel.scale(), panel.colours)
    bar = figure.colorbar(colours, cax=axes.inset_axes((1.04, 0.0, 0.05, 1.0)))
    if not panel.is_logarithmic:
        bar.formatter.set_powerlimits((-3, 4))
    bar.set_label(label("", panel.unit))


def label(name: str, unit: str) -> str:
    """Name and unit, powers raised.

    Examples
    --------
    >>> label("x", "m"), label("", "m^2 s^-1")
    ('x [m]', 'm$^{2}$ s$^{-1}$')
    """
    raised = re.sub(r"\^(-?\d+)", r"$^{\1}$", unit if unit != "1" else "")
    if not name or not raised:
        return name or raised
    return f"{name} [{raised}]"


def _draw_line(axes: Any, panel: Panel) -> None:
    mesh, values = panel.field.mesh, panel.field[panel.channel]
    if isinstance(mesh, StructuredGrid):
        places = mesh.axes()[0]
    elif panel.field.location == "cell":
        places = mesh.cell_centroids()[:, 0]
    else:
        places = mesh.points[:, 0]
    order = np.argsort(places)
    axes.plot(places[order], values[order], linewidth=1.2)
    axes.margins(x=0.0)
    if panel.limits is not None:
        low, high = panel.range
        margin = 0.05 * (high - low)
        axes.set_ylim(low - margin, high + margin)


def _draw_image(axes: Any, panel: Panel, grid: StructuredGrid, normal: int) -> tuple[str, ...]:
    values: FloatArray = panel.field[panel.channel]
    kept = [0, 1]
    if grid.dimension == 3:
        middle = grid.shape[normal] // 2
        values = np.take(values, middle, axis=normal)
        kept = [axis for axis in range(3) if axis != normal]
        place = float(grid.axes()[normal][middle])
        axes.set_title(
            f"{panel.title}, {AXIS_NAMES[normal]} = {place:.3g}", fontsize=10, loc="left"
        )
    # vertex values are drawn as cells around them
    half = 0.0 if grid.location == "cell" else 0.5
    extent: list[float] = []
    for axis in kept:
        step = grid.spacing[axis]
        low = grid.lower[axis] - half * step
        extent += [low, low + grid.shape[axis] * step]
    axes.imshow(
        values.T,
        origin="lower",
        extent=extent,
        cmap=panel.colours,
        norm=panel.scale(),
        interpolation="nearest",
    )
    return tuple(AXIS_NAMES[axis] for axis in kept)


def _draw_cells(axes: Any, panel: Panel, mesh: UnstructuredMesh) -> tuple[str, ...]:
    """Triangles, with quadrilaterals cut in two."""
    from matplotlib.tri import Triangulation

    cells, owner = mesh.cells, np.arange(mesh.num_cells)
    if mesh.cell_type == "quadrilateral":
        cells = np.concatenate([mesh.cells[:, [0, 1, 2]], mesh.cells[:, [0, 2, 3]]])
        owner = np.tile(owner, 2)
    triangles = Triangulation(mesh.points[:, 0], mesh.points[:, 1], cells)
    values = panel.field[panel.channel]
    keywords: dict[str, Any] = {"cmap": panel.colours, "norm": panel.scale()}
    if panel.field.location == "cell":
        axes.tripcolor(triangles, facecolors=values[owner], **keywords)
    else:
        levels = np.linspace(*panel.range, _LEVELS)
        axes.tricontourf(triangles, values, levels=levels, extend="both", **keywords)
    axes.autoscale(tight=True)
    return AXIS_NAMES[:2]
