"""All models on one data set: accuracy against the cost of training.

``python -m benchmarks.operators.comparison [--models fno unet] [--seeds 0 1 2] [--kept FILE]``

Each model is trained through the command line with the same data, loss, optimiser and
number of epochs; only the model's own section of the configuration differs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.table import Table
from neural import evaluate
from neural.command_line import main as train
from neural.models.registry import MODELS
from pdesolve import generate

RESULTS = Path(__file__).parents[1] / "results" / "operators"
SHAPE, NUM_TEST = (43, 43), 100


@dataclass(frozen=True)
class Candidate:
    """A model with the options it is compared with.

    Parameters
    ----------
    label
        In the table.
    model
        Name and options, as in a configuration.
    learning_rate
        Largest rate of the one-cycle schedule.
    """

    label: str
    model: Mapping[str, Any]
    learning_rate: float = 2e-3


CANDIDATES = (
    Candidate("FNO, w 32, m 12", {"name": "fno", "modes": [12, 12], "width": 32}),
    Candidate(
        "FNO, w 32, m 12, CP rank 16",
        {"name": "fno", "modes": [12, 12], "width": 32, "factorization": "cp", "rank": 16},
    ),
    Candidate(
        "factorised FNO, w 32, m 12",
        {"name": "factorized-fno", "modes": [12, 12], "width": 32},
    ),
    Candidate("U-Net, w 16", {"name": "unet", "width": 16}),
    Candidate("LSM, w 16", {"name": "lsm", "width": 16}),
    Candidate("Transolver", {"name": "transolver"}, 1e-3),
    Candidate("DeepONet", {"name": "deeponet"}, 1e-3),
    Candidate("Message passing", {"name": "message-passing"}, 1e-3),
)


def run(
    candidates: Sequence[Candidate] = CANDIDATES,
    seeds: Sequence[int] = (0, 1, 2),
    num_train: int = 500,
    epochs: int = 30,
    kept: Path | None = None,
) -> Table:
    """Train every candidate with every seed, or take from `kept` what was trained before.

    Parameters
    ----------
    candidates
        Those whose model is not registered are left out.
    seeds
        Of weights and of the order of samples; the data are the same.
    num_train, epochs
        Training samples, and passes over them.
    kept
        File where results are kept as they come.
    """
    table = Table(
        "comparison",
        f"Models on darcy2d 43²: {num_train} training and {NUM_TEST} test samples, {epochs} "
        f"epochs, {len(seeds)} seeds",
        (
            "model",
            "parameters",
            "seconds an epoch",
            "training, s",
            "relative L2, %",
            "± over seeds",
            "best seed, %",
        ),
    )
    torch.set_num_threads(1)  # the same for all, whatever the environment says
    key = f"{num_train} {epochs}"
    with benchmark_folder() as folder:
        for candidate in candidates:
            if candidate.model["name"] not in MODELS:
                continue
            found = []
            for seed in seeds:
                place = f"{key} {candidate.label} {json.dumps(dict(candidate.model))} {seed}"
                known = json.loads(kept.read_text()) if kept and kept.exists() else {}
                if place not in known:
                    known[place] = _train(candidate, seed, num_train, epochs, folder)
                    print(place, known[place], flush=True)
                    if kept is not None:
                        kept.write_text(json.dumps(known, indent=1))
                found.append(known[place])
            errors = [100 * result["error"] for result in found]
            seconds = statistics.mean(result["seconds"] for result in found)
            spread = statistics.stdev(errors) if len(errors) > 1 else math.nan
            table.add(
                candidate.label,
                f"{found[0]['parameters']:,}".replace(",", " "),
                seconds / epochs,
                seconds,
                statistics.mean(errors),
                spread,
                min(errors),
            )
    table.notes += [
        "Same data, loss (relative L2 plus 0.5 times that of the differences), Adam with one "
        "cycle, batch 20, square symmetries; models differ in their own section of the "
        "configuration and in the learning rate (0.001 for Transolver, DeepONet and message "
        "passing, 0.002 else).",
        "Sizes are small ones that train in minutes on two cores, not the published ones; "
        "nothing was tuned for this data set, and more epochs would help the slow learners most.",
    ]
    return table


@contextlib.contextmanager
def benchmark_folder() -> Iterator[Path]:
    """Where data and checkpoints go: PDESOLVE_BENCHMARK_FOLDER, or one that is removed."""
    named = os.environ.get("PDESOLVE_BENCHMARK_FOLDER")
    if named is not None:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


def _train(
    candidate: Candidate, seed: int, num_train: int, epochs: int, folder: Path
) -> dict[str, float]:
    files = {}
    for split, count in (("train", num_train), ("test", NUM_TEST)):
        files[split] = folder / f"darcy_{split}_{count}.h5"
        if not files[split].exists():
            generate("darcy2d", count, shape=SHAPE, split=split, out=files[split])
    out = folder / f"{''.join(filter(str.isalnum, candidate.label))}_{seed}"
    configuration = {
        "seed_everything": seed,
        "model": {
            "model": dict(candidate.model),
            "inputs": ["coefficient"],
            "outputs": ["pressure"],
            "loss": {"class_path": "neural.training.RelativeH1", "init_args": {"weight": 0.5}},
            "learning_rate": candidate.learning_rate,
            "weight_decay": 1e-5,
        },
        "data": {
            "train": str(files["train"]),
            "test": str(files["test"]),
            "batch_size": 20,
            "augment": "square symmetries",
            "seed": seed,
        },
        "trainer": {"max_epochs": epochs},
        "out": str(out),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stream:
        json.dump(configuration, stream)  # JSON is YAML
        stream.flush()
        with contextlib.redirect_stdout(io.StringIO()):
            train(["fit", "--config", stream.name, "--overwrite"])
    report = evaluate(out / "last.ckpt", data=[files["test"]])
    return {
        "error": float(report.datasets[0].mean["relative_l2"]),
        "seconds": float(report.training_seconds),
        "parameters": int(report.num_parameters),
    }


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", help="names to train (default: all)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--num-train", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    chosen = [
        one for one in CANDIDATES if not options.models or one.model["name"] in options.models
    ]
    table = run(chosen, options.seeds, options.num_train, options.epochs, options.kept)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
