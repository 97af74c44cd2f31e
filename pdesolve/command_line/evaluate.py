"""``pdesolve evaluate``: a trained surrogate on data sets."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence

from meshes.errors import require
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import VerbParser, existing_file, output_file, required
from pdesolve.command_line.processes import processes
from pdesolve.command_line.tables import print_table, shape_text

EXAMPLES = (
    "evaluate best.ckpt --data darcy_test.h5",
    "evaluate best.ckpt --data darcy_test.h5 darcy_test_85.h5 --json report.json",
)


def _parser() -> VerbParser:
    parser = VerbParser(
        "evaluate",
        "Measure a trained surrogate: errors, speed, and after how many solves it has paid.\n"
        "Data sets of other resolutions than the trained one give the zero-shot error. Models of\n"
        "trajectories are measured by rollouts, models on meshes on files of fields on points.",
        (*EXAMPLES, "evaluate flow.ckpt --data flow_test.h5 --frames 20"),
    )
    parser.positional("checkpoint", "checkpoint of a surrogate (.ckpt)")
    parser.option("data", str, "data sets that were not used for training", many=True)
    parser.option("json", str, "file for all numbers, ending in .json")
    parser.option("batch_size", int, "samples predicted at a time (default: 20)", 20)
    parser.option("timed_solves", int, "solves timed for each data set (default: 5)", 5)
    parser.option("frames", int, "frames of a rollout (default: all that follow)")
    parser.option("device", str, "where to predict: cpu or cuda (default: cpu)", "cpu")
    return parser


def run(words: Sequence[str]) -> int:
    """Measure, print the table, write the numbers."""
    given = _parser().parse(words)
    checkpoint = existing_file(required(given, "checkpoint", EXAMPLES[0]), "checkpoint")
    data = [existing_file(path, "--data") for path in required(given, "data", EXAMPLES[0])]
    target = output_file(given["json"], "--json", ".json")
    require("torch", extra="neural")
    report = importlib.import_module("neural.evaluation").evaluate(
        checkpoint,
        data,
        batch_size=given["batch_size"],
        num_timed_solves=given["timed_solves"],
        device=given["device"],
        num_frames=given["frames"],
    )
    title = (
        f"{checkpoint.name}: {report.model} on {report.family}, {report.num_parameters} "
        f"parameters, trained on {report.num_train} samples of "
        f"{shape_text(report.trained_shape)} in {report.training_seconds:.0f} s"
    )
    heads, *rows = report.rows()
    names = ("data set", *(entry.path.name for entry in report.datasets))
    print_table(title, heads, [names, *rows])
    for entry in report.datasets:
        for remark in entry.remarks:
            print(f"{entry.path.name}: {remark}")
    if target is not None and processes().rank == 0:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        print(f"wrote {target}")
    return SUCCESS
