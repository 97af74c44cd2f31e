"""Debian and Ubuntu packages that the sources are compiled against."""

from __future__ import annotations

import os
import shutil
import subprocess

import versions
from steps import InstallationError, Steps, clean_environment


def missing_packages(wanted: tuple[str, ...] = versions.SYSTEM_PACKAGES) -> list[str]:
    """Those of `wanted` that dpkg does not report as installed."""
    if shutil.which("dpkg-query") is None:
        raise InstallationError(
            "This installation knows Debian and Ubuntu, and found no dpkg here. Install the "
            "counterparts of these packages, PETSc and Firedrake by hand and use "
            "'pip install .': " + " ".join(wanted)
        )
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    present = {
        line.split()[1] for line in answer.stdout.splitlines() if line.startswith("installed ")
    }
    return [name for name in wanted if name not in present]


def install_system_packages(steps: Steps) -> None:
    """Install what is missing as root; otherwise say the one command that does it."""
    missing = missing_packages()
    if not missing:
        steps.note("system packages: all present")
        return
    if os.geteuid() != 0:
        raise InstallationError(
            "These system packages are missing. Run this line, then the same make command "
            f"again:\n\n  sudo apt-get install -y {' '.join(missing)}\n"
        )
    with steps.step(f"System packages ({len(missing)} missing)"):
        environment = clean_environment(DEBIAN_FRONTEND="noninteractive")
        steps.run(["apt-get", "update"], log="apt-update", env=environment)
        steps.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *missing],
            log="apt-install",
            env=environment,
        )
