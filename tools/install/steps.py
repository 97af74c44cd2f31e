"""Run the steps of the installation, showing what happens and how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class InstallationError(Exception):
    """The installation cannot go on; the text says what was found and what to do."""


class Steps:
    """Print one line a step, and keep the full output of each in a log file.

    Parameters
    ----------
    log_folder
        Folder for the logs, created when missing.
    """

    def __init__(self, log_folder: Path) -> None:
        self.log_folder = log_folder
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self._start = time.monotonic()
        self._name = ""

    def note(self, text: str) -> None:
        print(f"    {text}", flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show `name`, then the seconds that the body took."""
        start = time.monotonic()
        self._name = name
        print(f"==> {name}", flush=True)
        yield
        print(f"    done in {time.monotonic() - start:.0f} s", flush=True)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        log: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command, its output going to `log`; a failure shows the log's end."""
        path = self.log_folder / f"{log}.log"
        words = [str(word) for word in command]
        start = shown = time.monotonic()
        with path.open("w", encoding="utf-8") as stream:
            stream.write("$ " + " ".join(words) + "\n")
            stream.flush()
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=None if env is None else dict(env),
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            try:
                while process.poll() is None:
                    time.sleep(0.2)
                    now = time.monotonic()
                    if sys.stdout.isatty() and now - shown > 1:
                        print(f"\r    {log}: {now - start:.0f} s", end="", flush=True)
                        shown = now
                    elif not sys.stdout.isatty() and now - shown > 60:
                        self.note(f"{log}: still running after {now - start:.0f} s")
                        shown = now
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)
        if process.returncode != 0:
            end = path.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            raise InstallationError(
                f"'{self._name}' failed (exit status {process.returncode}).\n"
                f"The last lines of {path}:\n  " + "\n  ".join(end) + "\n"
                "What was built so far is kept; the same command goes on from there."
            )

    def total(self) -> float:
        return time.monotonic() - self._start


def clean_environment(**extra: str) -> dict[str, str]:
    """The caller's environment without what would change how code is compiled."""
    dropped = {
        "CC", "CXX", "FC", "F77", "F90", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "FFLAGS",
        "FCFLAGS", "LDFLAGS", "PETSC_DIR", "PETSC_ARCH", "PYTHONPATH", "PYTHONHOME",
        "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV",
    }  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    environment.update({"OMP_NUM_THREADS": "1", **extra})
    return environment
