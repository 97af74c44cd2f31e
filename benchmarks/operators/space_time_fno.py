"""Space-time FNO on forced and on decaying flow: errors on test data after every epoch.

``python -m benchmarks.operators.space_time_fno [--full] [--flows forced mcwilliams]``

Runs the configurations ``examples/benchmarks/spectral_refiner_*_fast.yaml``, or, with
``--full``, those without ``_fast``, for which a GPU is advisable. Data are made by the
commands at the head of each configuration.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
import yaml

from benchmarks.operators.training_runs import benchmark_folder, quiet_trainer
from benchmarks.table import Table
from neural.training import RelativeL2, TrajectoryDataModule, TrajectoryModule
from neural.training.losses import RelativeSobolev
from pdesolve.command_line.main import main as pdesolve

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parents[1] / "results" / "operators"
FLOWS = ("forced", "mcwilliams")
PUBLISHED = {
    "forced": (0.0433, 0.0282, 0.0214, 0.0181, 0.0150, 0.0136, 0.0120, 0.0104, 0.0091, 0.0086),
    "mcwilliams": (*[None] * 14, 0.0627),
}
"""Relative errors in H^1 (alpha = 0.1) after each epoch that the authors' notebooks show."""


class ErrorsAfterEpochs(lightning.Callback):
    """Relative errors on the validation windows, in two norms, before and during training.

    Parameters
    ----------
    data
        Has the windows.
    """

    def __init__(self, data: TrajectoryDataModule) -> None:
        self.data = data
        self.errors: list[tuple[float, float]] = []
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self._since = 0.0
        self._epoch: list[float] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Errors of repeating the last frame, in place of an untrained model's."""
        del trainer
        self.errors.append(errors_of(pl_module, self.data, "validation", _last_frame))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Start the clock."""
        del trainer, pl_module
        self._since, self._epoch = time.perf_counter(), []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss."""
        del trainer, pl_module, batch, batch_idx
        self._epoch.append(float(outputs["loss"].detach()))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Errors after this epoch."""
        del trainer
        self.seconds.append(time.perf_counter() - self._since)
        self.losses.append(sum(self._epoch) / len(self._epoch))
        self.errors.append(errors_of(pl_module, self.data, "validation"))
        l2, h1 = self.errors[-1]
        done = f"epoch {len(self.losses)}: loss {self.losses[-1]:.4f}"
        print(f"  {done}, test H1 {h1:.4f}, L2 {l2:.4f}", flush=True)


def errors_of(
    module: TrajectoryModule,
    data: TrajectoryDataModule,
    split: str,
    predict: Callable[[torch.Tensor, int], torch.Tensor] | None = None,
) -> tuple[float, float]:
    """Mean relative errors in L^2 and in H^1 (alpha = 0.1) over space and time together."""
    norms = RelativeL2(), RelativeSobolev(order=1.0, alpha=0.1)
    norms[1].prepare(data.info_of(split))
    sums, count = [0.0, 0.0], 0
    loader = data.val_dataloader() if split == "validation" else data.test_dataloader()
    with torch.no_grad():
        for history, static, future, _ in loader:
            history, static, future = (part.to(module.device) for part in (history, static, future))
            frames = (
                predict(history, future.shape[1])
                if predict
                else module.predictor.rollout(history, static, future.shape[1])
            )
            for number, norm in enumerate(norms):
                found = norm.per_sample(frames.flatten(1, 2), future.flatten(1, 2))
                sums[number] += float(found.sum())
            count += len(history)
    return sums[0] / count, sums[1] / count


def _last_frame(history: torch.Tensor, num_out: int) -> torch.Tensor:
    return history[:, -1:].repeat_interleave(num_out, 1)


def run(full: bool = False, flows: Sequence[str] = FLOWS, finer: bool = True) -> Table:
    """Train each flow's configuration.

    Parameters
    ----------
    full
        The published sizes.
    flows
        Among ``"forced"`` and ``"mcwilliams"``.
    finer
        Apply the model of the forced flow to the same test problems on twice as many points
        an axis.
    """
    table = Table(
        "space_time_fno_full" if full else "space_time_fno",
        f"Space-time FNO, {'published' if full else 'small'} sizes: relative errors on test data",
        ("flow", "epoch", "training loss (H¹)", "H¹", "L²", "published H¹", "s an epoch"),
    )
    with benchmark_folder() as folder:
        for flow in flows:
            _train(table, flow, full, finer, folder)
    table.notes += [
        "Norms are taken over space and all output frames together; H¹ has the weight 0.1 + |k|² "
        "at the squared amplitudes. The row 'last frame' repeats the last input frame.",
        "Cao, Brarda, Li, Xi (2025) publish ten epochs with H¹ errors from .0433 to .0086 on the "
        "forced flow and .0627 after 15 epochs on the decaying one (values shown in the authors' "
        "notebooks; these say L², but their code takes the H¹ norm), on 64² points with about "
        "1000 trajectories.",
    ]
    return table


def _train(table: Table, flow: str, full: bool, finer: bool, folder: Path) -> None:
    path = (
        ROOT / "examples" / "benchmarks" / f"spectral_refiner_{flow}{'' if full else '_fast'}.yaml"
    )
    configuration = yaml.safe_load(path.read_text())
    data = dict(configuration["data"])
    for name in ("train", "validation"):
        generate(path, data[name], folder)
        data[name] = folder / data[name]
    lightning.seed_everything(configuration["seed_everything"], verbose=False)
    module = TrajectoryModule(**_with_loss(configuration["model"]))
    windows = TrajectoryDataModule(**data)
    watch = ErrorsAfterEpochs(windows)
    trainer = quiet_trainer(
        **configuration["trainer"],
        callbacks=[watch],
        limit_val_batches=0,
    )
    trainer.fit(module, datamodule=windows)
    table.add(flow, "last frame", "", watch.errors[0][1], watch.errors[0][0], "", "")
    for epoch, (loss, (l2, h1), seconds) in enumerate(
        zip(watch.losses, watch.errors[1:], watch.seconds, strict=True)
    ):
        known = PUBLISHED[flow][epoch] if full and epoch < len(PUBLISHED[flow]) else None
        table.add(flow, epoch + 1, loss, h1, l2, "" if known is None else known, seconds)
    if finer and flow == "forced":
        given = _command(path, configuration["data"]["validation"])
        size = 2 * int(given[given.index("--shape") + 1])
        data["test"] = folder / f"finer_{configuration['data']['validation']}"
        generate(path, configuration["data"]["validation"], folder, data["test"].name, size)
        del data["validation"]  # the same problems
        l2, h1 = errors_of(module, TrajectoryDataModule(**data), "test")
        table.add(flow, f"last, on {size}²", "", h1, l2, 0.00977 if full else "", "")


def generate(
    configuration: Path, name: str, folder: Path, out: str | None = None, size: int = 0
) -> None:
    """Make a data file by its command in a configuration's head, if it does not exist.

    Parameters
    ----------
    configuration
        The YAML file.
    name
        Of the data file, as in the command.
    folder
        Where it is made.
    out, size
        Another name, and another number of points an axis.
    """
    words = _command(configuration, name)
    words[words.index("--out") + 1] = str(folder / (out or name))
    if size:
        start = words.index("--shape") + 1
        words[start : start + 2] = [str(size), str(size)]
    if not (folder / (out or name)).exists():
        with contextlib.redirect_stdout(io.StringIO()):
            code = pdesolve(words)
        if code != 0:
            raise RuntimeError(f"pdesolve {shlex.join(words)} ended with {code}")


def _command(configuration: Path, name: str) -> list[str]:
    """Words after ``pdesolve`` of the command that makes a file."""
    for line in configuration.read_text().splitlines():
        if line.startswith("#   pdesolve generate") and line.endswith(f"--out {name}"):
            return shlex.split(line[1:])[1:]
    raise LookupError(f"no command in {configuration} makes {name}")


def _with_loss(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with the loss made of its description."""
    home, _, attribute = options["loss"]["class_path"].rpartition(".")
    loss = getattr(importlib.import_module(home), attribute)(**options["loss"]["init_args"])
    return {**options, "loss": loss}


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the published sizes")
    parser.add_argument("--flows", nargs="+", choices=FLOWS, default=FLOWS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = run(options.full, options.flows)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
