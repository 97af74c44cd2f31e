"""Training steps beside those of public code: equal sizes, one process, repeats interleaved.

``python -m benchmarks.operators.peers [--device cuda] [--only FNO] [--install]``

``--install`` puts the public code into ``.benchmark-peers/``, outside the package's own
environment. A peer that is not there is left out with a message.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.operators.peer_code import (
    REPOSITORIES,
    PeerFolders,
    install,
    neuraloperator_fno,
    public_lsm,
    public_transolver,
)
from benchmarks.table import Table
from meshes.errors import InputError
from neural.models.fno import FNO
from neural.models.lsm import LatentSpectralModel
from neural.models.transolver import Transolver

RESULTS = Path(__file__).parents[1] / "results" / "operators"


@dataclass(frozen=True)
class Case:
    """Two models of equal size, and how each is called on fields of its own layout.

    Parameters
    ----------
    label
        In the table.
    ours, theirs
        Make the models; the second raises InputError where its code is absent.
    our_inputs, their_inputs
        Arguments of the models' forward.
    """

    label: str
    ours: Callable[[], nn.Module]
    theirs: Callable[[], nn.Module]
    our_inputs: tuple[Tensor, ...]
    their_inputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Parameters
    ----------
    points
        Of the grid, along an axis.
    batch, transolver_batch
        Samples of a step on a grid.
    modes, fno_width, lsm_width, transolver_width, transolver_layers
        Of the models; Transolver has 8 heads and 64 slices.
    cloud
        Points of one sample without a grid, 972 as in the published elasticity set.
    """

    points: int = 43
    batch: int = 20
    transolver_batch: int = 4
    modes: int = 12
    fno_width: int = 32
    lsm_width: int = 32
    transolver_width: int = 128
    transolver_layers: int = 4
    cloud: int = 972


PUBLISHED = Sizes(points=85, lsm_width=64, transolver_layers=8)


def cases(folders: PeerFolders, sizes: Sizes, device: str = "cpu") -> list[Case]:
    """All comparisons."""
    n, modes, width = sizes.points, sizes.modes, sizes.fno_width
    patch = -(-n // 16)
    torch.manual_seed(0)
    fields = torch.randn(sizes.batch, 1, n, n, device=device)
    last = fields.movedim(1, -1).contiguous()
    few = fields[: sizes.transolver_batch]
    rows = few.flatten(2).transpose(1, 2).contiguous()
    places = torch.rand(sizes.transolver_batch, n * n, 2, device=device)
    cloud = torch.rand(1, sizes.cloud, 2, device=device)
    at_cloud = torch.randn(1, sizes.cloud, 1, device=device)
    slices: dict[str, Any] = {"mlp_ratio": 1, "fun_dim": 1, "out_dim": 1, "slice_num": 64}
    slices |= {"n_hidden": sizes.transolver_width, "n_layers": sizes.transolver_layers}
    slices |= {"n_head": 8, "space_dim": 2}

    def fno(padding: float) -> nn.Module:
        return FNO(1, 1, (modes, modes), width, padding=padding)

    def public_fno(**options: Any) -> nn.Module:
        sizes = {"in_channels": 1, "out_channels": 1, "hidden_channels": width, "n_layers": 4}
        return neuraloperator_fno(folders, **sizes, **options)

    def transolver(projection: str, **options: Any) -> nn.Module:
        return Transolver(
            1,
            1,
            width=sizes.transolver_width,
            num_layers=sizes.transolver_layers,
            num_heads=8,
            num_slices=64,
            hidden_ratio=1,
            projection="linear" if projection == "linear" else "convolution",
            coordinates="vertex",
            **options,
        )

    # with n_modes (2m, 2m - 2) the package keeps m frequencies of the half-spectrum, as ours
    same: dict[str, Any] = {"n_modes": (2 * modes, 2 * modes - 2), "use_channel_mlp": False}
    same["projection_channel_ratio"] = 128 / width
    return [
        Case(
            f"FNO {n}², same layers, not padded",
            lambda: fno(0.0),
            lambda: public_fno(**same),
            (fields,),
            (fields,),
        ),
        Case(
            f"FNO {n}², defaults of each",
            lambda: fno(0.1),
            lambda: public_fno(n_modes=(2 * modes, 2 * modes)),
            (fields,),
            (fields,),
        ),
        Case(
            f"LSM {n}², width {sizes.lsm_width}",
            lambda: LatentSpectralModel(1, 1, width=sizes.lsm_width, coordinates="vertex"),
            lambda: public_lsm(
                folders,
                in_dim=1,
                out_dim=1,
                d_model=sizes.lsm_width,
                num_token=4,
                num_basis=12,
                patch_size=f"{patch},{patch}",
                padding=f"{16 * patch - n},{16 * patch - n}",
            ),
            (fields,),
            (last,),
        ),
        Case(
            f"Transolver {n}², 8 × 8 references",
            lambda: transolver("convolution", num_references=8),
            lambda: public_transolver(
                folders, "Structured_Mesh_2D", **slices, H=n, W=n, ref=8, unified_pos=True
            ),
            (few,),
            (places, rows),
        ),
        Case(
            f"Transolver, {sizes.cloud} points",
            lambda: transolver("linear"),
            lambda: public_transolver(folders, "Irregular_Mesh", **slices),
            (at_cloud.transpose(1, 2).contiguous(), cloud),
            (cloud, at_cloud),
        ),
    ]


def training_step(model: nn.Module, inputs: Sequence[Tensor]) -> Callable[[], float]:
    """Forward, backward and Adam on a mean square; seconds of a call.

    On the processor they are those that this process has run, which is what an idle machine
    takes on one thread, and hardly changes where other work goes on beside it.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    device = inputs[0].device
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    with torch.no_grad():
        targets = torch.randn_like(model(*inputs))

    def step() -> float:
        _synchronize(device)
        start = clock()
        optimizer.zero_grad()
        torch.autograd.backward((model(*inputs) - targets).square().mean())
        optimizer.step()
        _synchronize(device)
        return clock() - start

    return step


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def run(
    folders: PeerFolders | None = None,
    sizes: Sizes | None = None,
    repeats: int = 11,
    device: str = "cpu",
    only: str = "",
) -> Table:
    """Milliseconds of a step of each model, and their ratio.

    Parameters
    ----------
    folders
        Where the public code is; ``.benchmark-peers`` when left out.
    sizes
        Small ones on the processor and the published ones on a GPU when left out.
    repeats
        Pairs of steps, after two that do not count.
    device
        ``"cpu"`` or ``"cuda"``.
    only
        Start of the labels to measure; all when empty.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    folders = folders or PeerFolders()
    sizes = sizes or (Sizes() if device == "cpu" else PUBLISHED)
    table = Table(
        "peers" if device == "cpu" else f"peers_{device}",
        f"A training step beside that of public code, {device}",
        (
            "model",
            "parameters",
            "theirs",
            "ours, ms",
            "theirs, ms",
            "theirs / ours",
            "middle half of the ratios",
        ),
    )
    for case in cases(folders, sizes, device):
        if not case.label.startswith(only):
            continue
        try:
            theirs = case.theirs().to(device)
        except InputError as error:
            table.notes.append(f"{case.label} left out: {error}")
            continue
        pair = (case.ours().to(device), theirs)
        times = interleaved(
            training_step(pair[0], case.our_inputs),
            training_step(pair[1], case.their_inputs),
            repeats,
        )
        ratios = [b / a for a, b in zip(*times, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        table.add(
            case.label,
            *(f"{count_parameters(model):,}".replace(",", " ") for model in pair),
            *(1e3 * statistics.median(seconds) for seconds in times),
            statistics.median(ratios),
            f"{low:.2f}–{high:.2f}",
        )
        print(table.rows[-1], flush=True)
    table.notes += [
        f"Forward, backward and Adam in float32; medians of {repeats} steps of each, in turns in "
        "one process after two of each; ratios are of neighbouring steps."
        + (" Seconds of the processor, one thread." if device == "cpu" else ""),
        f"Batch {sizes.batch}; Transolver {sizes.transolver_batch} on the grid, one on points, "
        f"width {sizes.transolver_width}, {sizes.transolver_layers} layers, 8 heads, 64 slices. "
        f"FNO: {sizes.modes} modes, width {sizes.fno_width}, 4 layers.",
        "Parameters differ by the lifting map (FNO), and by the coordinates beside the distances "
        "to references and a vector that is not used there (Transolver).",
        "neuraloperator of `benchmarks/peers.txt`; "
        + ", ".join(f"{name} at {commit[:8]}" for name, (_, commit) in REPOSITORIES.items()),
    ]
    return table


def interleaved(
    first: Callable[[], float], second: Callable[[], float], repeats: int
) -> tuple[list[float], list[float]]:
    """What both give, called in turns after two calls that do not count."""
    found: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 2):
        for which in (0, 1) if repeat % 2 else (1, 0):
            seconds = (first, second)[which]()
            if repeat >= 2:
                found[which].append(seconds)
    return found


def count_parameters(model: nn.Module) -> int:
    """Real numbers that are trained."""
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="fetch the public code and stop")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--published", action="store_true", help="published sizes, 85²")
    parser.add_argument("--packages", type=Path, help="folder with neuraloperator and einops")
    parser.add_argument("--lsm-folder", type=Path, help="clone of thuml/Latent-Spectral-Models")
    parser.add_argument("--transolver-folder", type=Path, help="clone of thuml/Transolver")
    parser.add_argument("--only", default="", help="start of the labels to measure")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.install:
        install()
        return
    given = {
        "packages": options.packages,
        "lsm": options.lsm_folder,
        "transolver": options.transolver_folder,
    }
    folders = PeerFolders(**{name: path.resolve() for name, path in given.items() if path})
    sizes = PUBLISHED if options.published else None
    table = run(folders, sizes, options.repeats, options.device, options.only)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
