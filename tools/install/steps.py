"""Run the steps of the installation, showing what happens and how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Variables that change how code is compiled, or where pip puts what it installs.
_DROPPED = {
    "CC", "CXX", "FC", "F77", "F90", "CPP", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "FFLAGS",
    "FCFLAGS", "LDFLAGS", "MPICC", "MPICFG", "OMPI_CC", "OMPI_CXX", "OMPI_FC", "OMPI_CFLAGS",
    "OMPI_CXXFLAGS", "OMPI_FCFLAGS", "OMPI_LDFLAGS", "HDF5_DIR", "HDF5_MPI", "PETSC_DIR",
    "PETSC_ARCH", "PETSC_OPTIONS", "PETSC_CONFIGURE_OPTIONS", "PYTHONPATH", "PYTHONHOME",
    "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX",
    "PIP_NO_DEPS", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_REQUIRE_VIRTUALENV",
}  # fmt: skip


class InstallationError(Exception):
    """The installation cannot go on; the text says what was found and what to do."""


class Steps:
    """Print one line a step, and keep the full output of each in a log file.

    Parameters
    ----------
    log_folder
        Folder for the logs, created when first needed.

    Attributes
    ----------
    inherited
        File descriptors that the commands inherit: a lock held through them lasts as
        long as a command runs, even when the installation itself was killed.
    """

    def __init__(self, log_folder: Path) -> None:
        self.log_folder = log_folder
        self.inherited: tuple[int, ...] = ()
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
        self.log_folder.mkdir(parents=True, exist_ok=True)
        path = self.log_folder / f"{log}.log"
        words = [str(word) for word in command]
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
                pass_fds=self.inherited,
            )
            try:
                self._wait(process, log)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if process.returncode != 0:
            end = path.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            raise InstallationError(
                f"'{self._name}' failed (exit status {process.returncode}).\n"
                f"The last lines of {path}:\n  " + "\n  ".join(end) + "\n"
                "What was built so far is kept; the same command goes on from there."
            )

    def _wait(self, process: subprocess.Popen[bytes], log: str) -> None:
        """Wait for the end, saying now and then that the command still runs."""
        terminal = sys.stdout.isatty()
        start = shown = time.monotonic()
        while process.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            if terminal and now - shown > 1:
                print(f"\r    {log}: {now - start:.0f} s", end="", flush=True)
                shown = now
            elif not terminal and now - shown > 60:
                self.note(f"{log}: still running after {now - start:.0f} s")
                shown = now
        if terminal:
            print("\r\033[K", end="", flush=True)

    def total(self) -> float:
        return time.monotonic() - self._start


def clean_environment(**extra: str) -> dict[str, str]:
    """The caller's environment without what would change how code is compiled.

    The system's own compilers come first on the path, so that an MPI of another
    installation (a module, a conda environment) is not mixed with the libraries.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    environment["OMP_NUM_THREADS"] = "1"
    environment["PATH"] = f"/usr/bin:/bin:{environment.get('PATH', '')}"
    environment.update(extra)
    return environment
