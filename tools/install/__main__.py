"""Install everything that pdesolve needs: ``python3 tools/install``."""

from __future__ import annotations

import hashlib
import json
import platform
import signal
import sys
from pathlib import Path
from types import FrameType

import versions
from cache import SPACE_FOR_ENVIRONMENT, BuildCache, require_space
from environment import Environment
from existing import existing_firedrake
from petsc import build_environment, build_petsc, installed_petsc
from steps import InstallationError, Steps
from system import install_system_packages, wanted_packages
from wheels import WheelBuilder

PROJECT = Path(__file__).resolve().parents[2]


def require_python(version: tuple[int, ...]) -> None:
    """Refuse an interpreter that is too old."""
    if version < (3, 11):
        raise InstallationError(
            f"This is Python {'.'.join(str(part) for part in version[:3])}; pdesolve needs 3.11 "
            "or newer. Name one with 'make install PYTHON=python3.12'."
        )


def fingerprint(identity: str) -> str:
    """Changes when a pinned version, a requirement, the extras or the environment change."""
    import tomllib  # here, so that an interpreter without it gets a message first

    with (PROJECT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    pins = [versions.CONSTRAINTS, versions.LIBSUPERMESH, identity, project]
    return hashlib.sha256(json.dumps(pins, sort_keys=True).encode()).hexdigest()


def install() -> None:
    """Carry out every step that is not done yet."""
    require_python(tuple(sys.version_info[:3]))
    existing = existing_firedrake(PROJECT)
    external = None if existing else installed_petsc()
    cache = BuildCache(f"{external.folder}/{external.arch}" if external else None)
    place = f"borrowed from {existing.python}" if existing else str(cache.folder)
    identity = f"{PROJECT}\n{platform.python_version()}\n{place}\n"
    steps = Steps(cache.logs)
    environment = Environment(PROJECT, steps, identity)
    if environment.is_complete(fingerprint(identity)):
        return
    environment.require_writable()
    cache.prepare()
    print(f"Installing pdesolve in {PROJECT}; logs are in {cache.logs}", flush=True)
    install_system_packages(
        steps,
        wanted_packages(compilers=not existing, libraries=not (existing or external)),
        optional=not (existing or external),
    )
    require_space(PROJECT, SPACE_FOR_ENVIRONMENT, "the environment")
    if existing:
        environment.create(existing.python)
        environment.borrow(existing)
        environment.constrain(existing.constraints())
        environment.install_torch()
        needs = [Path(folder) for folder in existing.site_packages[:1]]
    else:
        with cache.lock() as lock:
            steps.inherited = (lock,)
            python = build_environment(cache, steps)
            if external:
                steps.note(f"using the PETSc {versions.PETSC} in {external.folder}")
            petsc = external or build_petsc(cache, steps, python)
            wheels = WheelBuilder(cache, steps, python, petsc).all()
            steps.inherited = ()
        environment.create()
        environment.constrain(versions.CONSTRAINTS)
        environment.install_torch()
        environment.install_firedrake(wheels)
        needs = [petsc.library]
    environment.install_project()
    environment.check()
    environment.finish(fingerprint(identity), needs)
    print(f"Installed in {steps.total():.0f} s.", flush=True)


def stop(_number: int, _frame: FrameType | None) -> None:
    """Let a polite request to end stop the running command too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        install()
    except InstallationError as error:
        print(f"\nThe installation stopped. {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nInterrupted. What was built is kept; run the same command to go on.")
        sys.exit(130)
