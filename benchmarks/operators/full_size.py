"""The example configurations at full size, and with what one core trains in an hour.

``python -m benchmarks.operators.full_size [--device cuda] [--cases NAME ...] [--kept FILE]``

The data are made by the commands in the head of each configuration. Trainings that were
interrupted go on where PDESOLVE_BENCHMARK_FOLDER names the folder they are in. On a GPU the
configurations run as they are; on a processor the Darcy flows have fewer epochs, and symmetries
and a loss that makes use of them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.operators.training_runs import L2_AND_DIFFERENCES, KeptResults, benchmark_folder
from benchmarks.table import Table, show
from neural import evaluate
from neural.command_line import main as train
from pdesolve.command_line.main import main as pdesolve

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "operators"


@dataclass(frozen=True)
class Case:
    """A configuration, with entries that are changed.

    Parameters
    ----------
    name
        In the table.
    configuration
        File in ``examples/benchmarks``, without its ending.
    published
        Relative L2 error of the model's publication, or of the first table for it.
    goal
        Relative L2 error to be reached.
    changes
        Sections with the entries that are changed. Where the data's ``test`` is among them, the
        data have been made already.
    """

    name: str
    configuration: str
    published: float
    goal: float
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _short(epochs: int, model: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    recipe = {"learning_rate": 2e-3, "weight_decay": 1e-5, "loss": L2_AND_DIFFERENCES}
    return {
        "model": {**recipe, **({"model": model} if model else {})},
        "data": {"augment": "square symmetries"},
        "trainer": {"max_epochs": epochs},
    }


LSM = {"name": "lsm", "width": 64, "patch": [4, 4]}
TRANSOLVER = {
    "name": "transolver",
    "width": 256,
    "num_layers": 8,
    "num_heads": 8,
    "num_slices": 32,
    "hidden_ratio": 1,
    "num_references": 8,
}
CASES = {
    "cuda": (
        Case("Darcy 85², FNO", "darcy_fno", 0.0108, 0.0085),
        Case("Darcy 85², FNO, recipe of 2020", "darcy_fno_published", 0.0108, 0.0113),
        Case("Darcy 85², LSM", "darcy_lsm", 0.0065, 0.0070),
        Case("Darcy 85², Transolver", "darcy_transolver", 0.0057, 0.0060),
        Case("Burgers 256, FNO", "burgers_fno", 0.0149, 0.0050),
        Case("Navier–Stokes 10⁻⁵, FNO", "navier_stokes_1e-5_fno", 0.1556, 0.16),
        Case(
            "Navier–Stokes 10⁻⁵, LSM",
            "navier_stokes_1e-5_fno",
            0.1535,
            0.155,
            {"model": {"model": LSM, "learning_rate": 5e-4}},
        ),
        Case(
            "Navier–Stokes 10⁻⁵, Transolver",
            "navier_stokes_1e-5_fno",
            0.0900,
            0.095,
            {
                "model": {
                    "model": TRANSOLVER,
                    "optimizer": "adamw",
                    "learning_rate": 1e-3,
                    "weight_decay": 1e-5,
                },
                "data": {"batch_size": 2},
            },
        ),
    ),
    "cpu": (
        Case("Darcy 85², FNO, width 32", "darcy_fno", 0.0108, 0.0085, _short(70)),
        Case(
            "Darcy 85², FNO, recipe of 2020",
            "darcy_fno_published",
            0.0108,
            0.0113,
            {"model": {"step_epochs": 14}, "trainer": {"max_epochs": 70}},
        ),
        Case("Darcy 85², FNO, recipe of 2020, 500 epochs", "darcy_fno_published", 0.0108, 0.0113),
        Case(
            "Darcy 85², LSM, width 16",
            "darcy_lsm",
            0.0065,
            0.0070,
            _short(45, {"name": "lsm", "width": 16, "patch": [6, 6]}),
        ),
        Case(
            "Darcy 85², U-Net, width 16 (the LSM without its blocks)",
            "darcy_lsm",
            0.0080,
            math.nan,
            _short(45, {"name": "unet", "width": 16}),
        ),
    ),
}


def run(
    cases: Sequence[Case] = CASES["cpu"],
    seed: int = 0,
    kept: Path | None = None,
    device: str = "cpu",
) -> Table:
    """Train and test each case, or take from `kept` what was trained before.

    Parameters
    ----------
    cases
        What is trained.
    seed
        Of weights and of the order of samples.
    kept
        File where results are kept as they come.
    device
        ``"cpu"``, of which one core is used, or ``"cuda"``.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    table = Table(
        f"full_size_{device}",
        f"Published benchmarks at full size, seed {seed}, {device}",
        ("case", "parameters", "epochs", "training, s", "relative L2", "published", "goal"),
    )
    results = KeptResults(kept)
    with benchmark_folder() as folder:
        for case in cases:
            found = results.get(
                key_of(case, seed, device), partial(train_once, case, seed, folder, device)
            )
            table.add(
                case.name,
                f"{found['parameters']:,}".replace(",", " "),
                str(found["epochs"]),
                show(found["seconds"]),
                f"{found['error']:.4f}",
                f"{case.published:.4f}",
                "–" if math.isnan(case.goal) else f"{case.goal:.4f}",
            )
    table.notes.append(
        "Data: ours, made as published (Darcy: solved on 425² cells, every fifth kept), 1000 "
        "training and 200 test samples (Burgers 100). Goal: what is to be reached here; for the "
        "recipe of 2020 the published error and its spread."
    )
    if any(case.changes.get("data", {}).get("augment") for case in cases):
        table.notes.append(
            "One core: relative L2 plus 0.5 times that of the differences as loss, the eight "
            "symmetries of the square, Adam with one cycle up to 0.002, and fewer epochs than the "
            "500 of the publications; the latent spectral model is of a quarter of the published "
            "width. The recipe of 2020 is as published, but for its epochs: the rate is halved "
            "after every fifth of them."
        )
    return table


def key_of(case: Case, seed: int, device: str) -> str:
    """Under which a result is kept."""
    return json.dumps([case.configuration, case.changes, seed, device])


def train_once(case: Case, seed: int, folder: Path, device: str = "cpu") -> dict[str, float]:
    """Test error, epochs, seconds of training and parameters."""
    file = ROOT / "examples" / "benchmarks" / f"{case.configuration}.yaml"
    # the data of another recipe are those of the plain one
    head = file.with_name(file.name.replace("_published", "")).read_text()
    given = case.changes.get("data", {})
    with contextlib.chdir(folder):
        for words in commands_of(head) if "test" not in given else ():
            make_data(words)
        out = Path("".join(filter(str.isalnum, case.name)) + f"_{seed}").absolute()
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stream:
            where = {"accelerator": device, "devices": 1}
            trainer = {**case.changes.get("trainer", {}), **where}
            own = {"trainer": trainer, "seed_everything": seed, "out": str(out)}
            json.dump({**case.changes, **own}, stream)
            stream.flush()
            words = ["fit", "--config", str(file), "--config", stream.name]
            with contextlib.redirect_stdout(io.StringIO()):
                train([*words, *_resumed_or_anew(out, key_of(case, seed, device))])
        test = re.findall(r"^  test: (\S+)$", file.read_text(), re.MULTILINE)
        files = [Path(given.get("test", test[0])).absolute()]
        report = evaluate(out / "last.ckpt", data=files, num_timed_solves=0, device=device)
    return {
        "error": float(report.datasets[0].mean["relative_l2"]),
        "seconds": float(report.training_seconds),
        "epochs": 1 + int(torch.load(out / "last.ckpt", weights_only=True)["epoch"]),
        "parameters": int(report.num_parameters),
    }


def _resumed_or_anew(out: Path, key: str) -> list[str]:
    """Arguments that go on with an interrupted training of the same case, or begin again."""
    begun, checkpoint = out.with_name(f"{out.name}.json"), out / "last.ckpt"
    if checkpoint.exists() and begun.exists() and begun.read_text() == key:
        return ["--ckpt_path", str(checkpoint)]
    begun.write_text(key)
    return ["--overwrite"]


def commands_of(head: str) -> list[list[str]]:
    """Commands in the head of a configuration that make data, as words."""
    lines = re.findall(r"^#\s+((?:pdesolve generate|python) .*)$", head, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def make_data(words: Sequence[str]) -> None:
    """Carry out a command that makes data, unless its file is there."""
    if Path(words[words.index("--out") + 1]).exists():
        return
    if words[0] == "pdesolve":
        code = pdesolve(list(words[1:]))
    else:
        code = subprocess.run([sys.executable, str(ROOT / words[1]), *words[2:]]).returncode
    if code:
        raise SystemExit(f"{shlex.join(words)} failed")


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=tuple(CASES), default="cpu")
    parser.add_argument("--cases", nargs="*", help="part of the names of those to run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU, and torch finds none")
    chosen = [
        case
        for case in CASES[options.device]
        if not options.cases or any(part in case.name for part in options.cases)
    ]
    if not chosen:
        parser.error(
            f"--cases {' '.join(options.cases)} names no case of --device {options.device}"
        )
    kept = None if options.kept is None else options.kept.absolute()
    if kept is not None and kept.exists():  # what was trained before stays in the table
        known = json.loads(kept.read_text())
        chosen = [
            case
            for case in CASES[options.device]
            if case in chosen or key_of(case, options.seed, options.device) in known
        ]
    table = run(chosen, options.seed, kept, options.device)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
