"""The folder that keeps what was built from source, for the next environment."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import versions
from steps import InstallationError

# Measured: 1.1 GB while PETSc compiles, 0.3 GB afterwards.
SPACE_FOR_BUILDING = 1.5e9
# Measured: 2.4 GB, nearly all of it torch, vtk, gmsh and Firedrake.
SPACE_FOR_ENVIRONMENT = 3e9


def distribution(path: Path = Path("/etc/os-release")) -> str:
    """Name and version of the Linux distribution, whose libraries the build links to."""
    values = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            values[key] = value.strip('"')
    return f"{values.get('ID', 'unknown')}-{values.get('VERSION_ID', '0')}"


def multiarch() -> str:
    """Debian's name of this machine's architecture, such as x86_64-linux-gnu."""
    return str(sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu")


def base_python() -> str:
    """The interpreter to make environments from, also when this one is in an environment."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def cache_root() -> Path:
    """``$PDESOLVE_CACHE``, or ``pdesolve`` in the user's cache folder."""
    if given := os.environ.get("PDESOLVE_CACHE"):
        return Path(given).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "pdesolve"


def require_space(folder: Path, wanted: float, purpose: str) -> None:
    """Stop early when the disk is too full."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise InstallationError(
            f"{folder} has {free / 1e9:.1f} GB left; {purpose} needs {wanted / 1e9:.1f} GB. "
            "Free some space, or name another cache folder with PDESOLVE_CACHE."
        )


class BuildCache:
    """One folder for each combination of versions, options, Python and architecture.

    Parameters
    ----------
    external_petsc
        Folder of a PETSc that is already installed, if one is used: the wheel of
        petsc4py remembers it, so it is part of the key.
    """

    def __init__(self, external_petsc: str | None = None) -> None:
        self.identity = {
            "petsc": versions.PETSC,
            "mpi4py": versions.MPI4PY,
            "h5py": versions.H5PY,
            "build tools": list(versions.BUILD_TOOLS),
            "options": versions.petsc_configure_options(multiarch()),
            "python": f"{sys.implementation.cache_tag}-{sysconfig.get_config_var('SOABI')}",
            "architecture": platform.machine(),
            "distribution": distribution(),
            "external petsc": external_petsc,
        }
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode())
        self.key = f"petsc{versions.PETSC}-{digest.hexdigest()[:12]}"
        self.folder = cache_root() / "build" / self.key
        self.wheels = self.folder / "wheels"
        self.petsc = self.folder / "petsc"
        self.sources = self.folder / "sources"
        self.stamps = self.folder / "stamps"
        self.logs = self.folder / "logs"

    def prepare(self) -> None:
        """Make the folders."""
        try:
            for path in (self.wheels, self.sources, self.stamps, self.logs):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InstallationError(
                f"The cache folder {cache_root()} cannot be written ({error.strerror}). Name "
                "another with PDESOLVE_CACHE."
            ) from error
        (self.folder / "identity.json").write_text(
            json.dumps(self.identity, indent=2) + "\n", encoding="utf-8"
        )

    def done(self, name: str) -> bool:
        return (self.stamps / name).exists()

    def mark(self, name: str) -> None:
        (self.stamps / name).touch()

    def wheel(self, name: str, version: str) -> Path | None:
        """The cached wheel of a package, if there."""
        found = sorted(self.wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
        return found[0] if found else None

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Keep a second installation from building into the same folder.

        Yields the lock's file descriptor, for the commands to inherit.
        """
        with (self.folder / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print("    waiting for another installation that builds the same parts", flush=True)
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream.fileno()
