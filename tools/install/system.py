"""Debian and Ubuntu packages that the sources are compiled against."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

import versions
from steps import InstallationError, Steps, clean_environment


def python_packages() -> list[str]:
    """What the interpreter in use lacks for making environments and compiling extensions.

    Debian splits Python: ``python3.11-venv`` brings ensurepip, ``python3.11-dev`` the
    headers. A Python from elsewhere has both and needs no package.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    wanted = []
    if importlib.util.find_spec("ensurepip") is None:
        wanted.append(f"{name}-venv")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        wanted.append(f"{name}-dev")
    return wanted


def wanted_packages(*, compilers: bool, libraries: bool) -> list[str]:
    """Packages for this installation.

    Parameters
    ----------
    compilers
        Whether anything is compiled: not when an existing Firedrake is used.
    libraries
        Whether PETSc is compiled: not when an existing one is used.
    """
    wanted = [*python_packages(), *versions.GRAPHICS]
    if compilers:
        wanted += versions.COMPILERS
    if libraries:
        wanted += versions.LIBRARIES
    return wanted


def parse_status(answer: str) -> set[str]:
    """Names that ``dpkg-query`` reports as installed, from lines "status name"."""
    present = set()
    for line in answer.splitlines():
        status, _, name = line.partition(" ")
        if status == "installed":
            present.add(name.strip())
    return present


def missing_packages(wanted: Iterable[str]) -> list[str]:
    """Those of `wanted` that are not installed."""
    names = list(wanted)
    if shutil.which("dpkg-query") is None:
        raise InstallationError(
            "This installation knows Debian and Ubuntu, and found no dpkg here. Install the "
            f"counterparts of these packages: {' '.join(names)}; then PETSc {versions.PETSC} "
            f"and Firedrake {versions.FIREDRAKE} in an environment of your own; activate it "
            "and run the same command again. 'pip install .' alone gives the parts that need "
            "neither."
        )
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    present = parse_status(answer.stdout)
    return [name for name in names if name not in present]


def available(names: Sequence[str]) -> list[str]:
    """Those of `names` that the distribution's package lists know."""
    if shutil.which("apt-cache") is None:
        return []
    answer = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    known = {line.split()[1] for line in answer.stdout.splitlines() if line.startswith("Package: ")}
    return [name for name in names if name in known]


def apt_line(missing: Sequence[str]) -> str:
    """The one line that a user without root rights asks an administrator to run."""
    return f"sudo apt-get install -y --no-install-recommends {' '.join(missing)}"


def install_system_packages(steps: Steps, wanted: Sequence[str], *, optional: bool) -> None:
    """Install what is missing as root; otherwise say the one command that does it.

    Parameters
    ----------
    steps
        Where progress is shown.
    wanted
        Packages without which the installation cannot go on.
    optional
        Whether `versions.WHERE_AVAILABLE` are wanted as well.
    """
    missing = missing_packages(wanted)
    if not missing:
        steps.note("system packages: all present")
        return
    extra = versions.WHERE_AVAILABLE if optional else ()
    if os.geteuid() != 0:
        missing += missing_packages(available(extra)) if extra else []
        raise InstallationError(
            "System packages are missing. Run this line, then the same command again:\n\n"
            f"  {apt_line(missing)}\n"
        )
    with steps.step(f"System packages ({len(missing)} missing)"):
        environment = clean_environment(DEBIAN_FRONTEND="noninteractive")
        try:
            steps.run(["apt-get", "update"], log="apt-update", env=environment)
        except InstallationError:  # one broken source must not stop the others
            steps.note(f"apt-get update had errors, see {steps.log_folder / 'apt-update.log'}")
        missing += missing_packages(available(extra)) if extra else []
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *missing],
            log="apt-install",
            env=environment,
        )
