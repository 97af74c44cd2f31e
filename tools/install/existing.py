"""Find a Firedrake that is installed already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import versions
from steps import InstallationError, clean_environment

_QUESTION = """
import json, site, sysconfig, importlib.metadata as m
found = {}
for name in ("firedrake", "petsc4py", "mpi4py", "h5py", "numpy"):
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        found[name] = None
folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
print(json.dumps([found, list(dict.fromkeys(folders))]))
"""


@dataclass(frozen=True)
class ExistingFiredrake:
    """An interpreter that imports a Firedrake of the version that is needed.

    Parameters
    ----------
    python
        The interpreter.
    packages
        Name and version of the parts that must not be replaced.
    site_packages
        The folders that hold them.
    """

    python: Path
    packages: dict[str, str]
    site_packages: tuple[str, ...]

    def constraints(self) -> tuple[str, ...]:
        """What pip must keep to: the versions found, and ours for the rest."""
        ours = [line for line in versions.CONSTRAINTS if line.split("==")[0] not in self.packages]
        return (*(f"{name}=={version}" for name, version in self.packages.items()), *ours)


def existing_firedrake(project: Path) -> ExistingFiredrake | None:
    """A Firedrake in the active virtual environment or beside this interpreter.

    Returns
    -------
    ExistingFiredrake or None
        ``None`` when there is none.

    Raises
    ------
    InstallationError
        If there is one of another version.
    """
    for python in _interpreters(project):
        found, folders = _ask(python)
        if found["firedrake"] is None:
            continue
        require_fit(python, found)
        packages = {name: version for name, version in found.items() if version is not None}
        return ExistingFiredrake(python, packages, tuple(folders))
    return None


def require_fit(python: Path, found: dict[str, str | None]) -> None:
    """Refuse a Firedrake, or a petsc4py under it, of another version."""
    if found["firedrake"] == versions.FIREDRAKE and found["petsc4py"] == versions.PETSC:
        return
    raise InstallationError(
        f"{python} imports Firedrake {found['firedrake']} with petsc4py {found['petsc4py']}; "
        f"pdesolve needs Firedrake {versions.FIREDRAKE} with petsc4py {versions.PETSC}. Run "
        "'deactivate', or name a Python without Firedrake ('make install PYTHON=/usr/bin/"
        "python3'), to let the installation build its own; or activate an environment that fits."
    )


def _interpreters(project: Path) -> Iterator[Path]:
    """The active environment's and this one, unless they are the project's own ``.venv``."""
    own = (project / ".venv").absolute()
    active = os.environ.get("VIRTUAL_ENV")
    if active and Path(active).absolute() != own:
        python = Path(active) / "bin" / "python"
        if python.exists():
            yield python
    if Path(sys.prefix).absolute() != own:
        yield Path(sys.executable)


def _ask(python: Path) -> tuple[dict[str, str | None], list[str]]:
    answer = subprocess.run(
        [python, "-c", _QUESTION],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    if answer.returncode != 0:
        raise InstallationError(
            f"{python} of the active environment does not run: {answer.stderr.strip()} "
            "Run 'deactivate', then the same command again."
        )
    found, folders = json.loads(answer.stdout)
    return found, folders
