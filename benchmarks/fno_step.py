"""One training step of the Fourier neural operator against the neuraloperator package."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.table import Table, median_seconds
from neural.models.fno import FNO
from neural.training.losses import RelativeL2


def training_step(model: torch.nn.Module, size: int, batch: int) -> Callable[[], None]:
    """Forward, backward and one step of Adam."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 1, size, size, generator=generator)
    y = torch.randn(batch, 1, size, size, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = RelativeL2()

    def step() -> None:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    return step


def run(batch: int = 20, modes: int = 12, width: int = 32, repeats: int = 5) -> Table:
    """Median seconds of a step at 43² and 85²."""
    table = Table(
        "fno_step",
        f"FNO training step, batch {batch}, modes {modes}, width {width}, CPU",
        ("model", "43², s", "85², s", "parameters"),
    )

    def measure(label: str, build: Callable[[], torch.nn.Module]) -> list[float]:
        seconds = []
        for size in (43, 85):
            torch.manual_seed(0)
            model = build()
            seconds.append(median_seconds(training_step(model, size, batch), repeats, warm_up=2))
        count = sum(
            value.numel() * (2 if value.is_complex() else 1) for value in build().parameters()
        )
        table.add(label, *seconds, count)
        return seconds

    ours = measure("pdesolve FNO (padded)", lambda: FNO(1, 1, (modes, modes), width))
    plain = measure(
        "pdesolve FNO (no padding)", lambda: FNO(1, 1, (modes, modes), width, padding=0)
    )
    try:
        from neuralop import models as public
    except ImportError as error:
        table.notes.append(f"neuraloperator is not installed here ({error}); its row is left out.")
        return table
    theirs = measure(
        "neuraloperator FNO",
        lambda: public.FNO(
            n_modes=(2 * modes, 2 * modes),
            in_channels=1,
            out_channels=1,
            hidden_channels=width,
            n_layers=4,
        ),
    )
    table.add(
        "ratio theirs / ours (no padding)", *[b / a for a, b in zip(plain, theirs, strict=True)], ""
    )
    table.add(
        "ratio theirs / ours (padded)", *[b / a for a, b in zip(ours, theirs, strict=True)], ""
    )
    table.notes.append(
        f"torch with {torch.get_num_threads()} threads; median of {repeats} steps after 2."
    )
    return table
