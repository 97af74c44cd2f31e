"""Pictures and animations of solutions in time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.errors import InputError, require
from meshes.field import Field
from meshes.structured import StructuredGrid
from pdesolve.output.panels import Panel, draw_panel, label
from pdesolve.output.paraview import replace_file
from pdesolve.output.plotting import panel_size, picture_path, problem_units

if TYPE_CHECKING:
    from pdesolve.trajectory import Trajectory

MOST_COLUMNS, MOST_ROWS, MOST_LINES = 4, 4, 6
_COLOURS = "viridis"
FORMATS = (".mp4", ".gif")


def plot_trajectory(trajectory: Trajectory, path: Path) -> Path:
    """Draw a trajectory: lines and a space–time image in 1D, images at some times else.

    Collective; the first process draws.

    Parameters
    ----------
    trajectory
        What :func:`pdesolve.evolve` gave.
    path
        Picture file, ending in ``.png``, ``.pdf`` or ``.svg``.

    Raises
    ------
    InputError
        If the path has another ending.
    """
    target = picture_path(path)
    one = trajectory.gather(0)
    few = None if one.mesh.dimension == 1 else MOST_COLUMNS
    indices = _spread(len(trajectory.times), few)
    fields = {index: trajectory.gather(index) for index in indices}
    if _is_first(trajectory):
        from matplotlib.figure import Figure

        names = one.names[:MOST_ROWS]
        width, height = panel_size(one)
        line = one.mesh.dimension == 1
        columns = 2 if line else len(indices)
        size = (width * columns, height * len(names) + 0.4)
        figure: Any = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(names), columns, squeeze=False)
        draw = _draw_lines if line else _draw_images
        for row, name in zip(axes, names, strict=True):
            draw(figure, row, name, trajectory, fields)
        steps = trajectory.result.num_steps
        figure.suptitle(f"{trajectory.problem.name}: {trajectory.result.method}, {steps} steps")
        target.parent.mkdir(parents=True, exist_ok=True)
        kind = target.suffix.lstrip(".")
        replace_file(target, lambda part: figure.savefig(part, format=kind, dpi=150))
    return target


def animate_trajectory(trajectory: Trajectory, path: Path, *, frames_per_second: int = 10) -> Path:
    """Draw every kept state as a frame of an ``.mp4`` or ``.gif`` (collective).

    Parameters
    ----------
    trajectory
        What :func:`pdesolve.evolve` gave; one frame a kept time.
    path
        Ends in ``.mp4`` (needs the package imageio-ffmpeg or the program ffmpeg) or
        ``.gif``.
    frames_per_second
        Speed.

    Raises
    ------
    InputError
        If the path has another ending or the speed is below 1.
    MissingDependencyError
        If there is nothing to write MP4 files with.
    """
    target = Path(path)
    if target.suffix not in FORMATS:
        raise InputError(f"'{path}' must end in {' or '.join(FORMATS)}")
    if isinstance(frames_per_second, bool) or frames_per_second < 1:
        raise InputError(f"frames_per_second={frames_per_second} must be 1 or more")
    fields = [trajectory.gather(index) for index in range(len(trajectory.times))]
    if _is_first(trajectory):
        target.parent.mkdir(parents=True, exist_ok=True)
        # the writer tells the format by the ending, so the part needs it too; processes that
        # hold a periodic problem each write their own
        part = target.with_name(f".{os.getpid()}.part.{target.name}")
        try:
            _write_frames(trajectory, fields, part, frames_per_second)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return target


def _write_frames(
    trajectory: Trajectory, fields: list[Field], path: Path, frames_per_second: int
) -> None:
    from matplotlib.figure import Figure

    names = fields[0].names[:MOST_ROWS]
    units = problem_units(trajectory.problem)
    limits = {name: _limits(fields, name) for name in names}
    width, height = panel_size(fields[0])
    figure: Any = Figure(figsize=(width * len(names), height + 0.4), layout="constrained")
    with _writer(path, frames_per_second) as writer, writer.saving(figure, str(path), dpi=120):
        for time, field in zip(trajectory.times, fields, strict=True):
            figure.clear()
            row = figure.subplots(1, len(names), squeeze=False)[0]
            for axes, name in zip(row, names, strict=True):
                title = f"{name}, t = {time:.4g}"
                panel = Panel(field, name, title, units.get(name, ""), _COLOURS, limits[name])
                draw_panel(figure, axes, panel, units.get("length", ""))
            writer.grab_frame()


@contextmanager
def _writer(path: Path, frames_per_second: int) -> Iterator[Any]:
    import shutil

    import matplotlib as mpl
    from matplotlib import animation

    if path.suffix == ".gif":
        yield animation.PillowWriter(fps=frames_per_second)
        return
    program = shutil.which("ffmpeg")
    if program is None:
        program = require("imageio_ffmpeg", extra="animation").get_ffmpeg_exe()
    # players want even numbers of pixels and this colour format
    words = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
    with mpl.rc_context({"animation.ffmpeg_path": program}):
        yield animation.FFMpegWriter(fps=frames_per_second, extra_args=words)


def _spread(count: int, most: int | None) -> list[int]:
    """Numbers of states from the first to the last, evenly spread."""
    if most is None or count <= most:
        return list(range(count))
    return sorted({round(k) for k in np.linspace(0, count - 1, most)})


def _limits(fields: list[Field], name: str) -> tuple[float, float]:
    return (
        min(float(field[name].min()) for field in fields),
        max(float(field[name].max()) for field in fields),
    )


def _is_first(trajectory: Trajectory) -> bool:
    comm = getattr(trajectory.native, "comm", None)
    return comm is None or comm.rank == 0


def _draw_images(
    figure: Any, row: Any, name: str, trajectory: Trajectory, fields: dict[int, Field]
) -> None:
    units = problem_units(trajectory.problem)
    for axes, (index, field) in zip(row, fields.items(), strict=True):
        title = f"{name}, t = {trajectory.times[index]:.4g}"
        panel = Panel(field, name, title, units.get(name, ""), _COLOURS)
        draw_panel(figure, axes, panel, units.get("length", ""))


def _draw_lines(
    figure: Any, row: Any, name: str, trajectory: Trajectory, fields: dict[int, Field]
) -> None:
    """Lines at some times, and all of space and time as an image."""
    import matplotlib as mpl

    units = problem_units(trajectory.problem)
    length, unit = units.get("length", ""), units.get(name, "")
    limits = _limits(list(fields.values()), name)
    low, high = limits if limits[1] > limits[0] else (limits[0] - 0.5, limits[1] + 0.5)
    lines, image = row
    chosen = _spread(len(fields), MOST_LINES)
    for number, index in enumerate(chosen):
        places, values = _line(fields[index], name)
        colour = mpl.colormaps[_COLOURS](number / max(len(chosen) - 1, 1) * 0.9)
        text = f"t = {trajectory.times[index]:.3g}"
        lines.plot(places, values, linewidth=1.2, color=colour, label=text)
    lines.set_xlabel(label("x", length))
    lines.set_ylabel(label("", unit))
    lines.set_title(name, fontsize=10, loc="left")
    lines.margins(x=0.0)
    lines.legend(fontsize=7)
    table = np.stack([_line(field, name)[1] for field in fields.values()])
    shown = image.pcolormesh(
        _line(fields[0], name)[0],
        [trajectory.times[index] for index in fields],
        table,
        cmap=_COLOURS,
        vmin=low,
        vmax=high,
        shading="nearest",
    )
    image.set_xlabel(label("x", length))
    image.set_ylabel(label("t", units.get("time", "")))
    bar = figure.colorbar(shown, cax=image.inset_axes((1.04, 0.0, 0.05, 1.0)))
    bar.set_label(label("", unit))


def _line(field: Field, name: str) -> tuple[Any, Any]:
    mesh, values = field.mesh, field[name]
    if isinstance(mesh, StructuredGrid):
        return mesh.axes()[0], values
    places = mesh.points[:, 0] if field.location == "vertex" else mesh.cell_centroids()[:, 0]
    order = np.argsort(places)
    return places[order], values[order]
