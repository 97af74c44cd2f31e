"""What a generation shows of itself while it runs."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pdesolve.command_line.tables import SECONDS_BETWEEN_LINES
from pdesolve.data.samples import SampleRecord
from pdesolve.data.schema import Status


class SampleProgress:
    """Counts samples, iterations and time; gives the lines that are shown.

    Parameters
    ----------
    clock
        Gives seconds.
    """

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.done, self.total, self.iterations, self.worst = 0, 0, 0, 0.0
        self.statuses: Counter[Status] = Counter()

    def observe(self, record: SampleRecord) -> None:
        """Take in a sample."""
        self.statuses[record.status] += 1
        self.iterations += max(record.iterations, 0)
        if record.residual == record.residual:  # not NaN
            self.worst = max(self.worst, record.residual)

    def advance(self, done: int, total: int) -> None:
        """Take in how far it is."""
        self.done, self.total = done, total

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.done / max(float(self._clock() - self._began), 1e-9)

    def rows(self) -> list[tuple[str, str]]:
        """What is shown, one row each."""
        counted = sum(self.statuses.values())
        left = (self.total - self.done) / self.rate if self.done else float("inf")
        rows = [
            ("samples", f"{self.done} of {self.total}"),
            ("a second", f"{self.rate:.3g}"),
            ("time left", f"{left:.0f} s" if left < float("inf") else "-"),
        ]
        if counted:
            rows[2:2] = [
                ("iterations a sample", f"{self.iterations / counted:.3g}"),
                ("largest residual", f"{self.worst:.1e}"),
            ]
        for status, label in (
            (Status.SOLVED_DIRECTLY, "repeated directly"),
            (Status.FAILED, "not solved"),
        ):
            if self.statuses[status]:
                rows.append((label, str(self.statuses[status])))
        return rows


@contextmanager
def sample_progress(show: bool = True) -> Iterator[SampleProgress]:
    """Progress of the first process's samples, on the error stream.

    A table that is renewed if that is a terminal, else a line every half a minute.

    Parameters
    ----------
    show
        Whether anything is shown.
    """
    if not show:
        yield SampleProgress()
        return
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    class Shown(SampleProgress):
        def __rich__(self) -> Table:
            table = Table(box=None, show_header=False)
            for label, value in self.rows():
                table.add_row(label, value)
            return table

    shown = Shown()
    with Live(shown, console=Console(stderr=True), transient=True, refresh_per_second=4):
        yield shown


class _Lines(SampleProgress):
    """A line now and then, for logs of long runs."""

    def __init__(self, clock: Any = time.monotonic) -> None:
        super().__init__(clock)
        self._last = self._began

    def advance(self, done: int, total: int) -> None:
        super().advance(done, total)
        now = self._clock()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            text = ", ".join(f"{label} {value}" for label, value in self.rows())
            print(text, file=sys.stderr, flush=True)
