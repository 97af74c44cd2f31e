"""The virtual environment that the project runs in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import versions
from cache import base_python
from existing import ExistingFiredrake
from steps import InstallationError, Steps, clean_environment

_CHECK = """
import sys
import firedrake, irksome, petsc4py, mpi4py, h5py, torch, pytorch_lightning, pdesolve
if not h5py.get_config().mpi:
    sys.exit("The h5py in this environment was built without MPI; Firedrake and parallel "
             "data generation need one that was built with HDF5_MPI=ON.")
"""


def offers_cpu_torch(listing: str) -> bool:
    """Whether pip's configuration already leads to a build of torch for processors alone.

    Parameters
    ----------
    listing
        Output of ``pip index versions torch``.

    Examples
    --------
    >>> offers_cpu_torch("Available versions: 2.13.0+cpu, 2.12.0")
    True
    """
    return f"{versions.TORCH}+cpu" in listing.replace(",", " ").split()


class Environment:
    """Create and fill ``.venv``.

    Parameters
    ----------
    project
        The checkout.
    steps
        Where progress is shown.
    identity
        Text that changes when the environment has to be made anew: another build cache,
        another place, another Python.
    """

    def __init__(self, project: Path, steps: Steps, identity: str) -> None:
        self.project = project
        self.steps = steps
        self.identity = identity
        self.folder = project / ".venv"
        self.python = self.folder / "bin" / "python"
        self._made_for = self.folder / "pdesolve-identity"
        self._state = self.folder / "pdesolve-installed.json"
        self._constraints = self.folder / "pdesolve-constraints.txt"

    def is_complete(self, fingerprint: str) -> bool:
        """Whether an installation of this very kind was finished here and still stands."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            return (
                self.python.exists()
                and state["fingerprint"] == fingerprint
                and all(Path(folder).exists() for folder in state["needs"])
            )
        except (OSError, ValueError, KeyError):
            return False

    def finish(self, fingerprint: str, needs: Sequence[Path]) -> None:
        """Record that everything is installed, and the folders that it cannot do without."""
        state = {"fingerprint": fingerprint, "needs": [str(folder) for folder in needs]}
        self._state.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")

    def require_writable(self) -> None:
        """Refuse a checkout that belongs to someone else."""
        if not os.access(self.project, os.W_OK):
            raise InstallationError(
                f"{self.project} cannot be written by this user, and the environment goes into "
                f"{self.folder}. Clone the repository into a folder of your own."
            )

    def create(self, python: str | Path | None = None) -> None:
        """Make the folder, or keep the one of an interrupted installation of this kind."""
        if self._made_for.exists() and self.python.exists():
            made_for = self._made_for.read_text(encoding="utf-8")
            alive = subprocess.run([self.python, "-c", ""], check=False, capture_output=True)
            if made_for == self.identity and alive.returncode == 0:
                self._state.unlink(missing_ok=True)
                return
        if self.folder.is_symlink():
            self.folder.unlink()
        with self.steps.step("Virtual environment .venv"):
            self.steps.run(
                [python or base_python(), "-m", "venv", "--clear", self.folder],
                log="venv",
                env=clean_environment(),
            )
        self._made_for.write_text(self.identity, encoding="utf-8")

    def borrow(self, existing: ExistingFiredrake) -> None:
        """Let ``.venv`` see the packages of an existing environment, which stays unchanged."""
        self.steps.note(f"using the Firedrake {versions.FIREDRAKE} of {existing.python}")
        packages = next((self.folder / "lib").glob("python3.*/site-packages"))
        text = "\n".join(str(folder) for folder in existing.site_packages) + "\n"
        (packages / "existing-firedrake.pth").write_text(text, encoding="utf-8")

    def constrain(self, constraints: Sequence[str]) -> None:
        """Write down the versions that pip must keep to from here on."""
        self._constraints.write_text("\n".join(constraints) + "\n", encoding="utf-8")

    def pip(self, *words: str | Path, log: str) -> None:
        """Install something within the constraints."""
        self.steps.run(
            [self.python, "-m", "pip", "install", "--no-input", "-c", self._constraints, *words],
            log=log,
            env=clean_environment(),
        )

    def install_torch(self) -> None:
        with self.steps.step(f"torch {versions.TORCH} (CPU)"):
            index: list[str] = []
            if not offers_cpu_torch(self._index_versions("torch")):
                index = ["--extra-index-url", versions.TORCH_CPU_INDEX]
            self.pip(*index, f"torch=={versions.TORCH}", versions.SETUPTOOLS, log="torch")

    def _index_versions(self, name: str) -> str:
        """What pip says of the releases that it can reach."""
        answer = subprocess.run(
            [self.python, "-m", "pip", "index", "versions", name],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
        )
        return answer.stdout

    def install_firedrake(self, wheels: Sequence[Path]) -> None:
        with self.steps.step(f"Firedrake {versions.FIREDRAKE} with petsc4py, mpi4py and h5py"):
            self.pip(*wheels, log="firedrake-environment")

    def install_project(self) -> None:
        """Install this checkout in place, with every extra."""
        with self.steps.step("pdesolve itself, with its extras"):
            self.pip(versions.SETUPTOOLS, f"irksome=={versions.IRKSOME}", log="build-backend")
            self.pip(
                "--no-build-isolation",
                "-e",
                f"{self.project}[neural,animation,dev,docs]",
                log="pdesolve",
            )

    def check(self) -> None:
        """Import the whole stack once in one process."""
        with self.steps.step("Check: import everything in one process"):
            self.steps.run(
                [self.python, "-c", _CHECK],
                log="check",
                cwd=self.folder,
                env=clean_environment(),
            )
