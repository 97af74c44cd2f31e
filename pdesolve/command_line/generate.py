"""``pdesolve generate``: a data set."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from meshes.errors import InputError, require
from pdesolve.command_line.main import FAILURE, SUCCESS
from pdesolve.command_line.parsing import VerbParser, Words, required
from pdesolve.command_line.problems import (
    add_family,
    add_solver_parameters,
    chosen_family,
    shape_for,
    start_solver,
)
from pdesolve.command_line.processes import processes
from pdesolve.command_line.sample_progress import sample_progress
from pdesolve.command_line.tables import print_table, seconds_text, shape_text
from pdesolve.data.pilot import Choice
from pdesolve.data.strategies import STRATEGIES

EXAMPLES = (
    "generate darcy2d --num-samples 1000 --shape 85 85 --seed 0 --split train --out darcy.h5",
    "generate darcy2d --num-samples 100 --split test --out darcy_test.h5 --overwrite",
    "generate darcy2d --num-samples 100 --out darcy.h5 -- -pc_type hypre",
    "generate darcy2d --num-samples 5000 --strategy auto --out darcy.h5",
    "generate burgers1d --num-samples 100 --shape 256 --out burgers.h5",
)


def _parser() -> VerbParser:
    parser = VerbParser(
        "generate",
        "Draw problems from a family, solve them, and write a data set (HDF5). Run it again\n"
        "after an interruption and it goes on; 'mpiexec -n 8 pdesolve generate ...' shares the\n"
        "samples among processes and writes the same file.",
        EXAMPLES,
        takes_petsc=True,
    )
    add_family(parser)
    parser.option("num_samples", int, "number of samples")
    parser.option("shape", int, "cells along each axis, or one number for all axes", many=True)
    parser.option(
        "solve_shape",
        int,
        "cells along each axis on which samples are solved, if more than --shape; Fourier modes "
        "are left out, or cells averaged, for the file",
        many=True,
    )
    parser.option(
        "storage",
        Literal["projection", "points"],
        "with --solve-shape: projection, or points: values at the points of --shape, which must be "
        "among the finer ones",
        "projection",
    )
    parser.option("seed", int, "seed of the random numbers (default: 0)", 0)
    parser.option("split", str, "name of the random stream (default: train)", "train")
    parser.option("out", str, "file to write, ending in .h5 or .hdf5")
    parser.option(
        "rtol",
        float,
        "relative residual at which a solve stops (default: 1e-8); in time, the relative "
        "tolerance on a step's error",
    )
    parser.option(
        "backend",
        Literal["auto", "grid", "fem", "spectral"],
        "grid: finite volumes with PETSc; fem: finite elements with Firedrake; spectral: "
        "Fourier modes; auto: the family's first",
        "auto",
    )
    parser.option("element", str, "finite element of the backend fem: CG or RT")
    parser.option("degree", int, "degree of the finite element")
    parser.option("dt", float, "step size, for families in time")
    parser.option("method", str, "method in time, as for pdesolve solve")
    parser.option(
        "strategy",
        str,
        "how samples are solved: "
        + "; ".join(f"{name}: {found.summary}" for name, found in STRATEGIES.items())
        + "; auto: solves a few samples in ways that are likely to be fast, and takes the fastest",
        "independent",
    )
    parser.option(
        "order",
        str,
        "order in which samples are solved, in place of the strategy's own: index, "
        "nearest-neighbor, two-opt or space-filling; the file has them by number",
    )
    parser.option(
        "device",
        Literal["cpu", "cuda"],
        "where --strategy batched solves: cpu, or cuda (a GPU, through torch)",
        "cpu",
    )
    parser.option("dtype", Literal["float64", "float32"], "how fields are stored", "float64")
    parser.option("estimate_error", bool, "whether to estimate discretisation errors", True)
    parser.option("shard_size", int, "samples between two writes; what an interruption may cost")
    parser.option("licence", str, "licence of the data, for the card", "not stated")
    parser.switch("overwrite", "replace a finished file of that name")
    add_solver_parameters(parser)
    return parser


def _show_choice(choice: Choice) -> None:
    """Print what ``auto`` chose, and why."""
    if choice.trials:
        rows = [
            (
                trial.name,
                seconds_text(trial.first),
                seconds_text(trial.each),
                str(trial.samples),
                trial.note or seconds_text(trial.total),
            )
            for trial in choice.trials
        ]
        columns = ("strategy", "first sample", "each", "tried", "whole set")
        print_table("pilot samples", columns, rows)
    print(f"strategy {choice.name}: {choice.reason}")


def _on_device(given: Words, family: Any, solver_parameters: Mapping[str, Any]) -> Any:
    """The strategy, by name or on the device that was asked for."""
    if given["device"] == "cpu":
        return given["strategy"]
    backend = family.backends[0] if given["backend"] == "auto" else given["backend"]
    unused = [name for name in ("dt", "method", "element", "degree", "order") if given[name]]
    if given["strategy"] != "batched" or backend != "grid":
        raise InputError(
            f"--device {given['device']} is for --strategy batched with the backend grid, not for "
            f"strategy {given['strategy']} with {backend}; leave --device out"
        )
    if solver_parameters or unused:
        raise InputError(
            f"--device {given['device']} takes no "
            f"{f'--{unused[0]}' if unused else 'PETSc options'}; leave that out"
        )
    require("torch", extra="neural")
    tolerance = {} if given["rtol"] is None else {"rtol": given["rtol"]}
    return importlib.import_module("neural.batched_solve").torch_batches(
        given["device"], estimate_error=given["estimate_error"], **tolerance
    )


def run(words: Sequence[str]) -> int:
    """Generate the file and print a summary."""
    from pdesolve.data import generate, open_dataset
    from pdesolve.data.schema import Status

    given = _parser().parse(words)
    count = required(given, "num_samples", EXAMPLES[0])
    out = required(given, "out", EXAMPLES[0])
    family = chosen_family(given, EXAMPLES[0])
    shape = shape_for(given["shape"], family)
    finer = None
    if given["solve_shape"]:
        finer = shape_for(given["solve_shape"], family, "--solve-shape")
    elements = {name: given[name] for name in ("element", "degree") if given[name] is not None}
    stepping = {name: given[name] for name in ("dt", "method") if given[name] is not None}
    if elements and given["backend"] == "grid":
        raise InputError(
            f"--backend grid uses finite volumes and takes no --{next(iter(elements))}; use "
            "--backend fem"
        )
    solver_parameters = start_solver(given)
    strategy = _on_device(given, family, solver_parameters)
    start = time.perf_counter()
    with sample_progress(processes().rank == 0) as progress:
        info = generate(
            family,
            count,
            shape=shape,
            solve_shape=finer,
            storage=given["storage"],
            seed=given["seed"],
            split=given["split"],
            out=out,
            backend="fem" if elements else given["backend"],
            rtol=given["rtol"],
            solver_parameters=solver_parameters,
            discretization={**elements, **stepping} or None,
            dtype=given["dtype"],
            estimate_error=given["estimate_error"],
            shard_size=given["shard_size"],
            overwrite=given["overwrite"],
            licence=given["licence"],
            strategy=strategy,
            order=given["order"],
            progress=progress.advance,
            observer=progress.observe,
            report=_show_choice,
            unused_options="error",
        )
    seconds = time.perf_counter() - start
    with open_dataset(info.path) as data:
        repeated = int((data.read_records()["status"] == Status.SOLVED_DIRECTLY).sum())
    points = "vertices" if info.location == "vertex" else "cells"
    rows = [
        ("samples", str(info.num_samples)),
        ("not solved", str(info.num_failed)),
        *([("repeated directly", str(repeated))] if repeated else []),
        ("grid", f"{shape_text(info.shape)} {points}"),
        *([("times", f"{info.num_times}, up to {info.times[-1]:g}")] if info.num_times > 1 else []),
        ("fields", ", ".join(info.fields)),
        ("seed, split", f"{info.seed}, {info.split}"),
        ("digest of the samples", info.sha256[:16]),
        ("strategy", str(info.settings["strategy"].get("name"))),
        ("time", seconds_text(seconds)),
        ("size", f"{info.path.stat().st_size / 2**20:.1f} MiB"),
    ]
    print_table(f"{family.name}: {out}", ("", "data set"), rows)
    print(f"wrote {out} and its card {out}.md")
    return SUCCESS if info.num_failed < info.num_samples else FAILURE
