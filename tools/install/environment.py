"""The virtual environment that the project runs in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import versions
from cache import multiarch
from steps import InstallationError, Steps, clean_environment

_QUESTION = """
import json, importlib.metadata as m
found = {}
for name in ("firedrake", "petsc4py", "mpi4py", "h5py", "torch"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


def installed_versions(python: Path) -> dict[str, str | None]:
    """Versions of the parts that matter, as `python` sees them."""
    answer = subprocess.run(
        [python, "-c", _QUESTION], capture_output=True, text=True, check=True, env=clean_environment()
    )
    found: dict[str, str | None] = json.loads(answer.stdout)
    return found


def existing_firedrake(project: Path) -> Path | None:
    """An active virtual environment that already holds the Firedrake that is needed.

    Returns
    -------
    Path or None
        The environment's folder; ``None`` when no environment is active or the active
        one holds no Firedrake.

    Raises
    ------
    InstallationError
        If it holds another version.
    """
    active = os.environ.get("VIRTUAL_ENV")
    if not active or Path(active).resolve() == (project / ".venv").resolve():
        return None
    python = Path(active) / "bin" / "python"
    if not python.exists():
        return None
    found = installed_versions(python)
    if found["firedrake"] is None:
        return None
    if found["firedrake"] != versions.FIREDRAKE or found["petsc4py"] != versions.PETSC:
        raise InstallationError(
            f"The active environment {active} holds Firedrake {found['firedrake']} with petsc4py "
            f"{found['petsc4py']}; pdesolve needs Firedrake {versions.FIREDRAKE} with petsc4py "
            f"{versions.PETSC}. Run 'deactivate' to let the installation make its own .venv, or "
            "activate an environment that fits."
        )
    return Path(active)


class Environment:
    """Create and fill ``.venv``.

    Parameters
    ----------
    project
        The checkout.
    steps
        Where progress is shown.
    """

    def __init__(self, project: Path, steps: Steps) -> None:
        self.project = project
        self.steps = steps
        self.folder = project / ".venv"
        self.python = self.folder / "bin" / "python"
        self.state = self.folder / "pdesolve-installation.json"

    def pip(self, *words: str | Path, log: str, **environment: str) -> None:
        self.steps.run(
            [self.python, "-m", "pip", "install", "--no-input", *words],
            log=log,
            env=clean_environment(**environment),
        )

    def create(self) -> None:
        """Make the folder, or keep it if its Python still runs."""
        if self.python.exists():
            alive = subprocess.run([self.python, "-c", ""], check=False, capture_output=True)
            if alive.returncode == 0:
                return
        with self.steps.step("Virtual environment .venv"):
            self.steps.run([sys.executable, "-m", "venv", "--clear", self.folder], log="venv")

    def adopt(self, existing: Path) -> None:
        """Use an existing Firedrake environment: ``.venv`` becomes a link to it."""
        if self.folder.is_symlink() and self.folder.resolve() == existing.resolve():
            return
        if self.folder.exists():
            raise InstallationError(
                f"{self.folder} exists already, and the active environment {existing} holds a "
                "Firedrake that fits. Run 'make clean' first to use the latter, or 'deactivate'."
            )
        self.folder.symlink_to(existing)
        self.steps.note(f"using the Firedrake environment {existing}")

    def install_torch(self) -> None:
        if installed_versions(self.python)["torch"] == versions.TORCH:
            return
        with self.steps.step(f"torch {versions.TORCH} (CPU) and pytorch-lightning"):
            self.pip(f"torch=={versions.TORCH}", f"numpy=={versions.NUMPY}", log="torch")

    def install_firedrake(self, wheels: list[Path], petsc: Path, petsc_arch: str) -> None:
        if installed_versions(self.python)["firedrake"] == versions.FIREDRAKE:
            return
        with self.steps.step("petsc4py, mpi4py and parallel h5py from the cache"):
            self.pip("--no-deps", "--force-reinstall", *wheels, log="mpi-wheels")
        extra = {"PETSC_DIR": str(petsc)}
        if petsc_arch:
            extra["PETSC_ARCH"] = petsc_arch
        parallel = {
            "CC": "mpicc",
            "HDF5_MPI": "ON",
            "HDF5_DIR": f"/usr/lib/{multiarch()}/hdf5/openmpi",
        }
        with self.steps.step(f"Firedrake {versions.FIREDRAKE}: what it needs"):
            self.pip(f"numpy=={versions.NUMPY}", *versions.FIREDRAKE_BUILD, log="firedrake-needs",
                     **extra)  # fmt: skip
            self.pip(*self._firedrake_requirements(), log="firedrake-requirements", **extra)
        with self.steps.step(f"Firedrake {versions.FIREDRAKE}: build (under a minute)"):
            self.pip(
                "--no-build-isolation",
                "--no-deps",
                "--no-binary",
                "firedrake",
                "--no-cache-dir",  # the wheel remembers this environment's folder
                f"firedrake=={versions.FIREDRAKE}",
                log="firedrake",
                **extra,
                **parallel,
            )

    def _firedrake_requirements(self) -> list[str]:
        """The requirements in Firedrake's metadata, without the parts built above."""
        folder = self.folder / "firedrake-metadata"
        self.steps.run(
            [self.python, "-m", "pip", "download", "--no-deps", "--no-build-isolation",
             "--no-binary", "firedrake", f"firedrake=={versions.FIREDRAKE}", "-d", folder],
            log="firedrake-download",
            env=clean_environment(),
        )  # fmt: skip
        script = (
            "import sys, tarfile, tomllib\n"
            "with tarfile.open(sys.argv[1]) as archive:\n"
            "    name = next(n for n in archive.getnames() if n.count('/') == 1\n"
            "                and n.endswith('/pyproject.toml'))\n"
            "    project = tomllib.load(archive.extractfile(name))['project']\n"
            "print('\\n'.join(project['dependencies']))\n"
        )
        archive = next(folder.glob("firedrake-*.tar.gz"))
        answer = subprocess.run(
            [self.python, "-c", script, archive], capture_output=True, text=True, check=True
        )
        built = ("petsc4py", "mpi4py", "h5py", "slepc4py")
        wanted = [
            line.strip()
            for line in answer.stdout.splitlines()
            if line.strip() and not line.strip().lower().startswith(built)
        ]
        return [*wanted, f"numpy=={versions.NUMPY}", "islpy<2026.2", "decorator<=4.4.2"]

    def install_project(self) -> None:
        """Install this checkout in place, with every extra."""
        with self.steps.step("pdesolve itself, with its extras"):
            self.pip(
                "--no-build-isolation",
                "-e",
                f"{self.project}[neural,dev,docs]",
                f"torch=={versions.TORCH}",
                f"numpy=={versions.NUMPY}",
                "islpy<2026.2",
                "decorator<=4.4.2",
                log="pdesolve",
            )

    def check(self) -> None:
        """Import the whole stack once in one process."""
        with self.steps.step("Check: import everything in one process"):
            self.steps.run(
                [self.python, "-c",
                 "import firedrake, petsc4py, mpi4py, h5py, torch, pytorch_lightning, pdesolve\n"
                 "assert h5py.get_config().mpi, 'h5py is not parallel'"],
                log="check",
                cwd=self.folder,
                env=clean_environment(),
            )  # fmt: skip
