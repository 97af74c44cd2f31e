"""One line an epoch, where there is no progress bar."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import pytorch_lightning as lightning


class EpochReport(lightning.Callback):
    """Print errors and time after some of the epochs, on the first process only.

    Parameters
    ----------
    num_lines
        About so many lines for the whole run.
    stream
        Where to print; the standard error stream when left out.

    Examples
    --------
    >>> EpochReport(num_lines=5).num_lines
    5
    """

    def __init__(self, num_lines: int = 10, stream: TextIO | None = None) -> None:
        self.num_lines = num_lines
        self.stream = stream
        self._started = 0.0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock."""
        del trainer, pl_module
        self._started = time.perf_counter()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Print the line."""
        del pl_module
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 0
        every = max(1, total // self.num_lines)
        if not trainer.is_global_zero or (done % every and done not in (1, total)):
            return
        errors = "  ".join(
            f"{name.removesuffix('_relative_l2')} {float(value):.4f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if name.endswith("_relative_l2")
        )
        seconds = time.perf_counter() - self._started
        of_total = f"/{total}" if total > 0 else ""
        print(
            f"epoch {done}{of_total}  relative L2 error: {errors}  {seconds:.0f} s",
            file=self.stream or sys.stderr,
            flush=True,
        )
