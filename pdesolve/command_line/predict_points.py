"""``pdesolve predict`` for models on points and meshes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.unstructured import UnstructuredMesh
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import Words, output_file
from pdesolve.command_line.problems import write_run_file
from pdesolve.command_line.tables import print_table, seconds_text


def run(given: Words, surrogate: Any, checkpoint: Path) -> int:
    """Predict a sample of a file, print what is known about the error, write files."""
    if given["data"] is None:
        raise InputError(
            "this model predicts fields on points, which a file holds: give --data FILE --index "
            f"NUMBER, as in 'pdesolve predict {checkpoint.name} --data test.h5 --index 0'"
        )
    plot = output_file(given["plot"], "--plot", ".png")
    found = importlib.import_module("neural.sample_prediction").PointPrediction(
        surrogate, given["data"], given["index"]
    )
    if plot is not None and found.cells is None:
        raise InputError("--plot: this sample is a cloud of points without cells; use --out")
    certificate = found.certificate()
    error = np.linalg.norm(found.predicted - found.reference) / np.linalg.norm(found.reference)
    title = (
        f"APPROXIMATE prediction: {surrogate.family}, sample {given['index']} of '{given['data']}'"
    )
    rows = [
        ("surrogate", checkpoint.name),
        ("mesh", _mesh_text(found)),
        ("prediction time", seconds_text(found.seconds)),
        ("relative L2 error to the file's values", f"{100 * error:.3g} %"),
        *certificate.rows(),
        ("certificate time", seconds_text(certificate.seconds)),
    ]
    print_table(title, ("", "prediction"), rows)
    out = output_file(given["out"], "--out", ".pvd")
    if out is not None:
        from pdesolve.output.points import write_points

        fields = {
            f"{name}_approximate": values
            for name, values in zip(found.outputs, found.predicted, strict=True)
        }
        inputs = dict(zip(found.info.inputs, found.inputs, strict=True))
        out.parent.mkdir(parents=True, exist_ok=True)
        write_points(out, found.points, {**fields, **inputs}, found.cells, found.cell_type)
        write_run_file(out, given)
        print(f"wrote {out}")
    if plot is not None:
        from pdesolve.output.plotting import plot_fields

        mesh = UnstructuredMesh(found.points, found.cells, found.cell_type)
        inputs_there = Field(mesh, found.inputs, tuple(found.info.inputs))
        predicted = Field(mesh, found.predicted, tuple(found.outputs))
        plot_fields([inputs_there, predicted], plot, title=title, units=found.info.units)
        print(f"wrote {plot}")
    return SUCCESS


def _mesh_text(found: Any) -> str:
    cells = "no cells" if found.cells is None else f"{len(found.cells)} cells"
    return f"{len(found.points)} points, {cells}"
