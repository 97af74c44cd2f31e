"""``pdesolve predict``: one prediction, marked as what it is."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from meshes.errors import InputError, require
from meshes.field import Field
from pdesolve.command_line import predict_points, predict_rollout
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import (
    VerbParser,
    Words,
    existing_file,
    output_file,
    required,
)
from pdesolve.command_line.problems import (
    add_family,
    add_sample,
    chosen_family,
    chosen_problem,
    sample_text,
    shape_for,
    write_run_file,
)
from pdesolve.command_line.tables import print_table, seconds_text, shape_text
from pdesolve.problems.base import Problem

EXAMPLES = (
    "predict best.ckpt darcy2d --seed 7 --out p.pvd --plot p.png",
    "predict best.ckpt darcy2d --seed 7 --shape 85 85",
)


def _parser() -> VerbParser:
    parser = VerbParser(
        "predict",
        "Draw one problem from a family and predict its solution with a trained surrogate.\n"
        "The answer is approximate; the table says what is known of its error. Models of\n"
        "trajectories begin from frames of the solver, or of a file given with --data; models on\n"
        "meshes predict samples of a file.",
        (*EXAMPLES, "predict flow.ckpt navier_stokes2d --seed 7 --frames 20 --out p.pvd",
         "predict mesh.ckpt --data test.h5 --index 3 --out p.pvd"),
    )  # fmt: skip
    parser.positional("checkpoint", "checkpoint of a surrogate (.ckpt)")
    add_family(parser)
    add_sample(parser)
    parser.option("data", str, "file that holds the sample, in place of a family")
    parser.option("frames", int, "frames to predict, for models of trajectories")
    parser.option("shape", int, "cells along each axis (default: as trained)", many=True)
    parser.option("out", str, "file for ParaView, ending in .pvd")
    parser.option("plot", str, "picture file, ending in .png")
    parser.option(
        "strict", bool, "whether inputs outside the range of the training data are an error", False
    )
    return parser


def run(words: Sequence[str]) -> int:
    """Predict, print what is known about the error, write files."""
    given = _parser().parse(words)
    checkpoint = existing_file(required(given, "checkpoint", EXAMPLES[0]), "checkpoint")
    output_file(given["out"], "--out", ".pvd")
    output_file(given["plot"], "--plot", ".png")
    if given["data"] is not None:
        existing_file(given["data"], "--data")
        for name in ("family", "shape"):
            if given[name]:
                raise InputError(
                    f"--data names the sample, and so does {name}={given[name]}; give one of both"
                )
    else:
        required(given, "family", EXAMPLES[0])
    require("torch", extra="neural")
    surrogate: Any = importlib.import_module("neural.restoring").load_surrogate(checkpoint)
    if hasattr(surrogate, "rollout"):
        return predict_rollout.run(given, surrogate, checkpoint)
    if given["frames"] is not None:
        raise InputError("--frames is for models of trajectories; this one maps fields to fields")
    if surrogate.metadata["location"] not in ("cell", "vertex"):
        return predict_points.run(given, surrogate, checkpoint)
    if given["data"] is not None:
        raise InputError(
            "--data is for models of trajectories and on meshes; for a model on grids give a "
            f"family and --seed, as in 'pdesolve predict {checkpoint.name} {surrogate.family}'"
        )
    return _run_on_grid(given, surrogate, checkpoint)


def _run_on_grid(given: Words, surrogate: Any, checkpoint: Any) -> int:
    family = chosen_family(given, EXAMPLES[0])
    problem = chosen_problem(given, family)
    trained = list(surrogate.metadata["shape"]) if given["shape"] is None else None
    if trained is not None and len(trained) != family.dimension:
        trained = None
    grid = problem.grid(shape_for(given["shape"] or trained, family))
    surrogate.check_family(family, strict=given["strict"])
    inputs = surrogate.check(problem, grid, strict=given["strict"])
    start = time.perf_counter()
    prediction = Field(grid, surrogate.predict_batch(inputs.values[None])[0], surrogate.outputs)
    seconds = time.perf_counter() - start

    title = f"APPROXIMATE prediction: {sample_text(given, family)}"
    rows = [
        ("surrogate", checkpoint.name),
        ("grid", f"{shape_text(grid.shape)} cells"),
        ("prediction time", seconds_text(seconds)),
        *_error_rows(problem, prediction),
    ]
    print_table(title, ("", "prediction"), rows)
    out = output_file(given["out"], "--out", ".pvd")
    _write(inputs, prediction, out, given["plot"], title, family.units)
    if out is not None:
        write_run_file(out, given)
    return SUCCESS


def _error_rows(problem: Problem, prediction: Field) -> list[tuple[str, str]]:
    """What the equations say about the error, and the time that this took."""
    found = importlib.import_module("neural.certificates").certify_field(problem, prediction)
    rows: list[tuple[str, str]] = found.rows()
    return [*rows, ("certificate time", seconds_text(found.seconds))]


def _write(
    inputs: Field,
    prediction: Field,
    out: Any,
    plot: Any,
    title: str,
    units: Mapping[str, str],
) -> None:
    """Files in which the prediction is called approximate."""
    if out is not None:
        from pdesolve.output.paraview import write_grid

        fields = {f"{name}_approximate": prediction.select([name]) for name in prediction.names}
        out.parent.mkdir(parents=True, exist_ok=True)
        write_grid(out, {**fields, **{name: inputs.select([name]) for name in inputs.names}})
        print(f"wrote {out}")
    if plot is not None:
        from pdesolve.output.plotting import plot_fields

        plot_fields([inputs, prediction], plot, title=title, units=units)
        print(f"wrote {plot}")
