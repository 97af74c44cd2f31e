"""Find a PETSc that fits, or build one from the sources on PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import versions
from cache import BuildCache, multiarch
from steps import InstallationError, Steps, clean_environment


def _defines(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return dict(re.findall(r"^\s*#\s*define\s+(\w+)[ \t]*(.*)$", text, flags=re.MULTILINE))


def installed_petsc() -> tuple[Path, str] | None:
    """The PETSc that ``PETSC_DIR`` and ``PETSC_ARCH`` name, when it can be used.

    Returns
    -------
    tuple or None
        Folder and architecture name (empty for an installed prefix); ``None`` when
        ``PETSC_DIR`` is not set.

    Raises
    ------
    InstallationError
        If what they name is absent, another version, or complex-valued.
    """
    given = os.environ.get("PETSC_DIR")
    if not given:
        return None
    arch = os.environ.get("PETSC_ARCH", "")
    way_out = (
        f"pdesolve needs a real-valued PETSc {versions.PETSC}. Unset PETSC_DIR and "
        "PETSC_ARCH to let the installation build its own copy in your cache folder, or "
        "point them at one that fits."
    )
    folder = Path(given).expanduser().resolve()
    header = folder / "include" / "petscversion.h"
    if not header.exists():
        raise InstallationError(f"PETSC_DIR={given} holds no include/petscversion.h. {way_out}")
    values = _defines(header)
    found = ".".join(
        values.get(f"PETSC_VERSION_{part}", "?").strip() for part in ("MAJOR", "MINOR", "SUBMINOR")
    )
    if found != versions.PETSC:
        raise InstallationError(f"PETSC_DIR={given} holds PETSc {found}. {way_out}")
    configuration = folder / arch / "include" / "petscconf.h"
    if not configuration.exists():
        raise InstallationError(
            f"PETSC_DIR={given} with PETSC_ARCH='{arch}' has no {configuration}. {way_out}"
        )
    options = _defines(configuration)
    if "PETSC_USE_COMPLEX" in options:
        raise InstallationError(f"PETSC_DIR={given} is complex-valued. {way_out}")
    missing = [
        name for name in ("HDF5", "MUMPS") if f"PETSC_HAVE_{name}" not in options
    ]  # Firedrake writes with the one and factorises with the other
    if missing:
        raise InstallationError(
            f"PETSC_DIR={given} was configured without {' and '.join(missing)}. {way_out}"
        )
    return folder, arch


def build_environment(cache: BuildCache, steps: Steps) -> Path:
    """A virtual environment with the build tools; returns its Python."""
    folder = cache.folder / "build-environment"
    python = folder / "bin" / "python"
    if cache.done("build-environment") and python.exists():
        return python
    with steps.step("Environment for building"):
        steps.run([sys.executable, "-m", "venv", "--clear", folder], log="build-environment")
        steps.run(
            [python, "-m", "pip", "install", *versions.BUILD_TOOLS],
            log="build-tools",
            env=clean_environment(),
        )
    cache.mark("build-environment")
    return python


def build_petsc(cache: BuildCache, steps: Steps, python: Path) -> Path:
    """Configure, compile and install PETSc into the cache; goes on where it stopped."""
    if cache.done("petsc-installed"):
        steps.note(f"PETSc {versions.PETSC}: kept from before in {cache.petsc}")
        return cache.petsc
    source = cache.sources / f"petsc-{versions.PETSC}"
    if not cache.done("petsc-source"):
        with steps.step(f"PETSc {versions.PETSC}: download"):
            steps.run(
                [python, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:",
                 f"petsc=={versions.PETSC}", "-d", cache.sources],
                log="petsc-download",
                env=clean_environment(),
            )  # fmt: skip
            shutil.rmtree(source, ignore_errors=True)
            with tarfile.open(cache.sources / f"petsc-{versions.PETSC}.tar.gz") as archive:
                archive.extractall(cache.sources, filter="data")
        cache.mark("petsc-source")
    arch = "arch-pdesolve"
    environment = clean_environment(PETSC_DIR=str(source), PETSC_ARCH=arch)
    if not cache.done("petsc-configured"):
        shutil.rmtree(source / arch, ignore_errors=True)
        with steps.step(f"PETSc {versions.PETSC}: configure (1 to 2 minutes)"):
            steps.run(
                [sys.executable, "./configure", f"--prefix={cache.petsc}", f"PETSC_ARCH={arch}",
                 *versions.petsc_configure_options(multiarch())],
                log="petsc-configure",
                cwd=source,
                env=environment,
            )  # fmt: skip
        cache.mark("petsc-configured")
    jobs = str(os.cpu_count() or 2)
    with steps.step(f"PETSc {versions.PETSC}: compile (about 4 minutes on 2 cores)"):
        command = ["make", f"PETSC_DIR={source}", f"PETSC_ARCH={arch}"]
        steps.run([*command, f"MAKE_NP={jobs}", "all"], log="petsc-make", cwd=source,
                  env=environment)  # fmt: skip
        steps.run([*command, "install"], log="petsc-install", cwd=source, env=environment)
    cache.mark("petsc-installed")
    shutil.rmtree(source, ignore_errors=True)
    return cache.petsc


def build_wheel(
    cache: BuildCache,
    steps: Steps,
    python: Path,
    name: str,
    version: str,
    environment: dict[str, str],
) -> Path:
    """Build a wheel once; it appears in the cache folder only when whole."""
    if wheel := cache.wheel(name, version):
        steps.note(f"{name} {version}: kept from before")
        return wheel
    with steps.step(f"{name} {version}: build"):
        temporary = cache.folder / "unfinished"
        shutil.rmtree(temporary, ignore_errors=True)
        steps.run(
            [python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir",
             "--no-binary", name, f"{name}=={version}", "-w", temporary],
            log=name,
            env=environment,
        )  # fmt: skip
        built = next(temporary.glob("*.whl"))
        os.replace(built, cache.wheels / built.name)
    wheel = cache.wheel(name, version)
    if wheel is None:
        raise InstallationError(f"pip built {built.name}, which is not {name} {version}")
    return wheel


def mpi_wheels(
    cache: BuildCache, steps: Steps, python: Path, petsc: Path, petsc_arch: str
) -> list[Path]:
    """Wheels of petsc4py, mpi4py and an h5py that writes in parallel."""
    jobs = f"-j{os.cpu_count() or 2}"
    petsc4py = clean_environment(PETSC_DIR=str(petsc), MAKEFLAGS=jobs)
    if petsc_arch:
        petsc4py["PETSC_ARCH"] = petsc_arch
    plain = clean_environment(MAKEFLAGS=jobs)
    parallel = clean_environment(
        CC="mpicc", HDF5_MPI="ON", HDF5_DIR=f"/usr/lib/{multiarch()}/hdf5/openmpi"
    )
    wheels = [build_wheel(cache, steps, python, "petsc4py", versions.PETSC, petsc4py)]
    mpi4py = build_wheel(cache, steps, python, "mpi4py", versions.MPI4PY, plain)
    if cache.wheel("h5py", versions.H5PY) is None:
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", mpi4py],
            check=True,
            env=clean_environment(),
        )
    wheels += [mpi4py, build_wheel(cache, steps, python, "h5py", versions.H5PY, parallel)]
    return wheels
