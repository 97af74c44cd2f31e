"""How fast samples are loaded, and what part of a training run waits for them.

``python -m benchmarks.operators.data_loading [--device cuda] [--shape 85 85]``
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.table import Table
from neural.models.registry import build_model
from neural.training import PDEDataModule
from pdesolve import generate

RESULTS = Path(__file__).parents[1] / "results" / "operators"


@dataclass(frozen=True)
class Way:
    """A way of loading.

    Parameters
    ----------
    label
        In the table.
    options
        Of the data module.
    """

    label: str
    options: dict[str, Any]


WAYS = (
    Way("in memory", {}),
    Way("in memory, square symmetries", {"augment": "square symmetries"}),
    Way("on demand, 0 workers", {"memory_limit": 0}),
    Way("on demand, 1 worker", {"memory_limit": 0, "num_workers": 1}),
    Way("on demand, 2 workers", {"memory_limit": 0, "num_workers": 2}),
)


def run(
    shape: Sequence[int] = (43, 43),
    num_samples: int = 200,
    batch_size: int = 20,
    epochs: int = 3,
    device: str = "cpu",
    width: int = 32,
) -> Table:
    """Samples a second of the loader alone and in training, and the share of waiting.

    Parameters
    ----------
    shape, num_samples
        Of the Darcy set that is generated for it.
    batch_size, epochs
        Samples a step; passes that are timed after one that is not.
    device
        ``"cpu"`` or ``"cuda"``.
    width
        Of the Fourier neural operator that is trained (12 modes, 4 layers).
    """
    table = Table(
        "data_loading" if device == "cpu" else f"data_loading_{device}",
        f"Loading darcy2d {'x'.join(map(str, shape))}, batch {batch_size}, and training an FNO "
        f"(width {width}) on {device}",
        (
            "way",
            "loader alone, samples/s",
            "CPU a sample, µs",
            "training, samples/s",
            "waiting for data, %",
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.h5"
        generate("darcy2d", num_samples, shape=tuple(shape), out=path)
        for way in WAYS:
            data = PDEDataModule(train=path, batch_size=batch_size, **way.options)
            alone, cpu = _loader_alone(data, epochs)
            trained, waiting = _training(data, epochs, device, width)
            table.add(way.label, alone, 1e6 * cpu, trained, 100 * waiting)
            print(*table.rows[-1], flush=True)
    table.notes += [
        f"{num_samples} samples, {epochs} epochs after one, {torch.get_num_threads()} thread(s). "
        "Waiting: time until the next batch is there and on its way to the device, over the time "
        "of the whole epoch; forward, backward and Adam are the rest.",
        "The first batch of an epoch is counted too. CPU: of the process that trains; workers have "
        "their own.",
    ]
    return table


def _epochs(loader: Any, count: int) -> Iterator[Iterator[Any]]:
    for epoch in range(count):
        loader.sampler.set_epoch(epoch)
        yield iter(loader)


def _loader_alone(data: PDEDataModule, epochs: int) -> tuple[float, float]:
    """Samples a second, and seconds of this process a sample: medians over the epochs."""
    loader, rates, seconds = data.train_dataloader(), [], []
    for batches in _epochs(loader, epochs + 1):
        start, used = time.perf_counter(), time.process_time()
        count = sum(len(batch[2]) for batch in batches)
        rates.append(count / (time.perf_counter() - start))
        seconds.append((time.process_time() - used) / count)
    return statistics.median(rates[1:]), statistics.median(seconds[1:])


def _training(data: PDEDataModule, epochs: int, device: str, width: int) -> tuple[float, float]:
    """Samples a second, and the share of the time that is spent on waiting."""
    torch.manual_seed(0)
    shape = data.info.shape
    options = {"in_channels": 1, "out_channels": 1, "modes": [12] * len(shape), "width": width}
    model = build_model("fno", options).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = data.train_dataloader()
    pinned = device == "cuda"
    waited = total = 0.0
    count = 0
    for epoch, batches in enumerate(_epochs(loader, epochs + 1)):
        _synchronize(device)
        start = time.perf_counter()
        waiting = 0.0
        for _ in itertools.count():
            before = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                waiting += time.perf_counter() - before
                break
            parts = [part.pin_memory() if pinned else part for part in batch[:2]]
            inputs, targets = (part.to(device, non_blocking=True) for part in parts)
            waiting += time.perf_counter() - before
            optimizer.zero_grad()
            loss = ((model(inputs) - targets) ** 2).mean()
            loss.backward()
            optimizer.step()
            _synchronize(device)  # so that waiting is not hidden behind work, nor work behind it
            count += len(inputs) * (epoch > 0)
        if epoch:
            waited, total = waited + waiting, total + time.perf_counter() - start
    return count / total, waited / total


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--shape", type=int, nargs="+", default=[43, 43])
    parser.add_argument("--num-samples", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = run(options.shape, options.num_samples, epochs=options.epochs, device=options.device)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
