"""``pdesolve predict`` for models of trajectories."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import Words, output_file
from pdesolve.command_line.problems import (
    chosen_family,
    sample_text,
    shape_for,
    write_run_file,
)
from pdesolve.command_line.tables import print_table, seconds_text, shape_text
from pdesolve.random_streams import sample_generator

EXAMPLE = "predict flow.ckpt navier_stokes2d --seed 7"
MOST_PANELS = 3


def run(given: Words, surrogate: Any, checkpoint: Path) -> int:
    """Continue a trajectory, print what is known about the error, write files."""
    if given["frames"] is not None and given["frames"] < 1:
        raise InputError(f"--frames {given['frames']} must be at least 1")
    rows: list[tuple[str, str]] = []
    if given["data"] is not None:
        found, reference = importlib.import_module("neural.sample_prediction").continue_sample(
            surrogate, given["data"], given["index"], given["frames"]
        )
        what = f"{surrogate.family}, sample {given['index']} of '{given['data']}'"
        begun = "of the file"
        predicted = found.frames[found.num_known :]
        error = np.linalg.norm(predicted - reference) / np.linalg.norm(reference)
        rows = [("relative L2 error to the file's frames", f"{100 * error:.3g} %")]
    else:
        family = chosen_family(given, EXAMPLE)
        surrogate.check_family(family, strict=given["strict"])
        rng = sample_generator(given["seed"], given["split"], given["index"])
        parameters = family.sample(rng)
        problem = family.problem(parameters)
        grid = problem.grid(shape_for(given["shape"] or surrogate.metadata["shape"], family))
        found = importlib.import_module("neural.trajectory_prediction").predict_trajectory(
            surrogate, problem, grid, num_frames=given["frames"], parameters=parameters
        )
        what = sample_text(given, family)
        begun = f"by the solver in {seconds_text(found.history_seconds)}"
    certificate = found.certificate()
    title = f"APPROXIMATE prediction: {what}"
    last = found.num_known - 1
    rows = [
        ("surrogate", checkpoint.name),
        ("grid", f"{shape_text(found.grid.shape)} points"),
        ("known frames", f"{found.num_known}, up to t = {found.times[last]:g}, {begun}"),
        ("predicted frames", f"{found.num_predicted}, up to t = {found.times[-1]:g}"),
        ("prediction time", seconds_text(found.seconds)),
        *rows,
        *certificate.rows(),
        ("certificate time", seconds_text(certificate.seconds)),
    ]
    print_table(title, ("", "prediction"), rows)
    out = output_file(given["out"], "--out", ".pvd")
    if out is not None:
        _write(found, out)
        write_run_file(out, given)
    if given["plot"] is not None:
        _plot(found, Path(given["plot"]), title, surrogate.metadata["units"])
    return SUCCESS


def _write(found: Any, out: Path) -> None:
    """A time series in which all frames are called approximate."""
    from pdesolve.output.paraview import ParaViewSeries

    out.parent.mkdir(parents=True, exist_ok=True)
    series = ParaViewSeries(out)
    for index, time in enumerate(found.times):
        field = found.field(index)
        fields = {f"{name}_approximate": field.select([name]) for name in field.names}
        series.append(fields, time)
    print(f"wrote {out} ({len(found.times)} times, of which the first {found.num_known} are known)")


def _plot(found: Any, path: Path, title: str, units: Any) -> None:
    """The last known frame and some of the predicted ones."""
    from pdesolve.output.plotting import plot_fields

    chosen = np.linspace(found.num_known, len(found.times) - 1, MOST_PANELS)
    numbers = [found.num_known - 1, *sorted({round(float(one)) for one in chosen})]
    names = {
        number: tuple(f"{name}, t = {found.times[number]:g}" for name in found.names)
        for number in numbers
    }
    fields = [Field(found.grid, found.frames[number], names[number]) for number in numbers]
    later = fields[1:]
    predicted = Field(
        found.grid,
        np.concatenate([field.values for field in later]),
        tuple(name for field in later for name in field.names),
    )
    shown = {
        name: units.get(own, "")
        for number in numbers
        for name, own in zip(names[number], found.names, strict=True)
    }
    plot_fields([fields[0], predicted], path, title=title, units=shown)
    print(f"wrote {path}")
