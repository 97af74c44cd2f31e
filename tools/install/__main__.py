"""Install everything that pdesolve needs: ``python3 tools/install``."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from pathlib import Path

import versions
from cache import BuildCache
from environment import Environment, existing_firedrake
from petsc import build_environment, build_petsc, installed_petsc, mpi_wheels
from steps import InstallationError, Steps
from system import install_system_packages

PROJECT = Path(__file__).resolve().parents[2]


def fingerprint(cache: BuildCache) -> str:
    """Changes when a pinned version, the extras or the Python change."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    pins = [versions.FIREDRAKE, versions.TORCH, cache.key, platform.python_version(), text]
    return hashlib.sha256(json.dumps(pins).encode()).hexdigest()


def install() -> None:
    """Carry out every step that is not done yet."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before any check by pip)
        raise InstallationError(
            f"This is Python {platform.python_version()}; pdesolve needs 3.11 or newer. "
            "Name one with 'make install PYTHON=python3.12'."
        )
    adopted = existing_firedrake(PROJECT)
    external = None if adopted else installed_petsc()
    cache = BuildCache("/".join(str(part) for part in external) if external else None)
    steps = Steps(cache.logs)
    environment = Environment(PROJECT, steps)
    wanted = fingerprint(cache)
    if environment.state.exists() and environment.state.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing pdesolve in {PROJECT}; logs are in {cache.logs}")
    install_system_packages(steps)
    if adopted:
        environment.adopt(adopted)
    else:
        with cache.lock():
            python = build_environment(cache, steps)
            if external:
                steps.note(f"using the PETSc {versions.PETSC} in {external[0]} {external[1]}")
                petsc, arch = external
            else:
                petsc, arch = build_petsc(cache, steps, python), ""
            wheels = mpi_wheels(cache, steps, python, petsc, arch)
        environment.create()
        environment.install_torch()
        environment.install_firedrake(wheels, petsc, arch)
    environment.install_project()
    environment.check()
    environment.state.write_text(wanted, encoding="utf-8")
    print(f"Installed in {steps.total():.0f} s.")


if __name__ == "__main__":
    try:
        install()
    except InstallationError as error:
        print(f"\nThe installation stopped. {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nInterrupted. What was built is kept; run the same command to go on.")
        sys.exit(130)
