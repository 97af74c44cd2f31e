"""Time and memory of one training step of every model, in float32, in bfloat16, and compiled.

``python -m benchmarks.operators.model_steps [--models fno unet] [--device cuda]``

Each case runs in a process of its own: forward, backward and Adam on random fields.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import queue
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.table import Table, median_seconds
from neural.models.registry import MODELS, build_model, get_model
from neural.training.losses import RelativeL2

RESULTS = Path(__file__).parents[1] / "results" / "operators"
WAYS = ("float32", "bfloat16", "compiled")
PEER = "neuraloperator FNO"
TIME_LIMIT = 300.0  # seconds for one case, compilation included


def run(
    models: Sequence[str] | None = None,
    ways: Sequence[str] = WAYS,
    size: int = 85,
    batch: int = 4,
    repeats: int = 5,
    device: str = "cpu",
) -> Table:
    """Milliseconds and megabytes of a step.

    Parameters
    ----------
    models
        Names; all that take fields on two-dimensional grids, and the peer, when left out.
    ways
        Among float32, bfloat16 (autocast) and compiled (float32).
    size, batch, repeats
        Points an axis, samples a step, steps that the median is taken of.
    device
        ``"cpu"`` or ``"cuda"``.
    """
    table = Table(
        "model_steps" if device == "cpu" else f"model_steps_{device}",
        f"One training step at {size}², batch {batch}, default sizes, {device}",
        (
            "model",
            "parameters",
            *(f"{way}, {unit}" for unit in ("ms", "MiB") for way in ways),
        ),
    )
    for name in [*grid_models(), PEER] if models is None else models:
        found = {way: _in_own_process(name, way, size, batch, repeats, device) for way in ways}
        print(name, found, flush=True)
        done = [one for one in found.values() if "refused" not in one]
        table.add(
            name,
            f"{done[0]['parameters']:,}".replace(",", " ") if done else "",
            *(found[way].get("milliseconds", "–") for way in ways),
            *(found[way].get("mebibytes", "–") for way in ways),
        )
        refused = {one["refused"] for one in found.values() if "refused" in one}
        if len(refused) == 1 and not done:
            table.notes.append(f"{name}: {refused.pop()}")
        else:
            table.notes += [
                f"{name}, {way}: {one['refused']}" for way, one in found.items() if "refused" in one
            ]
    table.notes.append(
        f"Forward, backward and Adam, float32 unless said otherwise; {torch.get_num_threads()} "
        f"thread(s); median of {repeats} steps after 2, one process a case. bfloat16: autocast, "
        "spectral parts in float32. compiled: torch.compile, its own time left out."
    )
    table.notes.append(
        "Memory: growth of the largest resident size over that before the first step."
        if device == "cpu"
        else "Memory: the most that was allocated on the device, weights included."
    )
    return table


def grid_models() -> list[str]:
    """Registered models that map fields on a grid to fields on it."""
    return [
        name
        for name in MODELS
        if getattr(get_model(name), "takes_grids", True)
        and not getattr(get_model(name), "space_time", False)
    ]


def _in_own_process(name: str, way: str, *settings: Any) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[dict[str, Any]] = context.Queue()
    process = context.Process(target=_answer, args=(answers, name, way, *settings))
    process.start()
    try:
        found = answers.get(timeout=TIME_LIMIT)
    except queue.Empty:
        found = {"refused": f"no answer within {TIME_LIMIT:.0f} s"}
        process.terminate()
    process.join()
    return found


def _answer(answers: multiprocessing.Queue[dict[str, Any]], name: str, *settings: Any) -> None:
    try:
        answers.put(measure(name, *settings))
    except Exception as error:  # whatever a compiler or a peer raises is what the table says
        line = (str(error).strip().splitlines() or [""])[0]
        answers.put({"refused": f"{type(error).__name__}: {line[:160]}"})


def measure(
    name: str, way: str, size: int, batch: int, repeats: int, device: str = "cpu"
) -> dict[str, Any]:
    """Time and memory of a step of one model, in this process."""
    torch.manual_seed(0)
    plain = _peer() if name == PEER else build_model(name, {"in_channels": 1, "out_channels": 1})
    plain.to(device)
    model: Any = torch.compile(plain) if way == "compiled" else plain
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3)
    inputs, targets = torch.randn(2, batch, 1, size, size, device=device)
    loss = RelativeL2()

    def step() -> None:
        optimizer.zero_grad()
        half = way == "bfloat16"
        context = torch.autocast(device, torch.bfloat16) if half else contextlib.nullcontext()
        with context:
            outputs = model(inputs)
        loss(outputs.float(), targets).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    before = _mebibytes(device)
    seconds = median_seconds(step, repeats, warm_up=2)
    return {
        "milliseconds": 1e3 * seconds,
        "mebibytes": _mebibytes(device) - (0.0 if device == "cuda" else before),
        "parameters": sum(p.numel() * (2 if p.is_complex() else 1) for p in plain.parameters()),
    }


def _mebibytes(device: str) -> float:
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def _peer() -> torch.nn.Module:
    """The public package's model with the modes, width and layers of ours."""
    from neuralop import models as public

    peer: torch.nn.Module = public.FNO(
        n_modes=(24, 24), in_channels=1, out_channels=1, hidden_channels=32, n_layers=4
    )
    return peer


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", help="names to measure (default: all)")
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--size", type=int, default=85)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = run(
        options.models,
        options.ways,
        options.size,
        options.batch,
        options.repeats,
        options.device,
    )
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
