"""Tables and progress on a terminal or in a file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.stepping import StepInfo

WIDTH_OF_FILES = 100


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: bool = True
) -> None:
    """Print a table; columns after the first stand to the right if they hold numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH_OF_FILES, highlight=False
    )
    console.print(Text(title, style="bold"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(columns):
        right = numbers and position > 0
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


def text_width() -> int:
    """Width of lines: the terminal's, or that of files."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_FILES


def shape_text(shape: Sequence[int]) -> str:
    """``64 × 64``."""
    return " × ".join(str(size) for size in shape)


def seconds_text(seconds: float) -> str:
    """Seconds with three significant digits.

    Examples
    --------
    >>> seconds_text(0.01234), seconds_text(12.34)
    ('0.0123 s', '12.3 s')
    """
    return f"{seconds:.3g} s"


@contextmanager
def time_bar() -> Iterator[Callable[[StepInfo], None]]:
    """A bar for a solve in time: simulated time, step size, estimated time left.

    On the error stream; a bar if that is a terminal, else a line every half a minute. Gives
    a function of :class:`StepInfo`.
    """
    if not sys.stderr.isatty():
        yield _LogLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("t = {task.fields[time]:.4g} of {task.fields[final]:.4g}"),
        BarColumn(),
        TextColumn("step {task.fields[step]}, dt = {task.fields[size]:.3g}, left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(
            "time", total=1.0, time=float("nan"), final=float("nan"), step=0, size=float("nan")
        )
        start: list[float] = []

        def update(info: StepInfo) -> None:
            if not start:
                start.append(info.time - info.step_size)  # a restart begins later
            bar.update(
                task,
                completed=(info.time - start[0]) / (info.final_time - start[0]),
                time=info.time,
                final=info.final_time,
                step=info.step,
                size=info.step_size,
            )

        yield update


SECONDS_BETWEEN_LINES = 30.0


class _LogLines:
    """A line now and then, for logs of long runs."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._start: float | None = None

    def __call__(self, info: StepInfo) -> None:
        if self._start is None:
            self._start = info.time - info.step_size
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        share = (info.time - self._start) / (info.final_time - self._start)
        left = (now - self._began) * (1 / share - 1) if share > 0 else float("inf")
        print(
            f"t = {info.time:.4g} of {info.final_time:.4g}, step {info.step}, "
            f"dt = {info.step_size:.3g}, about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )
