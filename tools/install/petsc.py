"""Find a PETSc that fits, or build one from the sources on PyPI."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import versions
from cache import SPACE_FOR_BUILDING, BuildCache, base_python, multiarch, require_space
from steps import InstallationError, Steps, clean_environment


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def system_hdf5() -> Path:
    """Where Debian and Ubuntu keep the HDF5 that writes in parallel."""
    return Path(f"/usr/lib/{multiarch()}/hdf5/openmpi")


@dataclass(frozen=True)
class Petsc:
    """An installed PETSc, and the MPI and HDF5 that go with it.

    Parameters
    ----------
    folder, arch
        ``PETSC_DIR`` and ``PETSC_ARCH``; the latter is empty for an installed prefix.
    compiler
        The MPI compiler it was built with; empty for the system's.
    hdf5
        The folder of its HDF5.
    """

    folder: Path
    arch: str
    compiler: str
    hdf5: Path

    @property
    def library(self) -> Path:
        """Where the shared library lies; the environment stops working without it."""
        return self.folder / self.arch / "lib"

    def environment(self, **extra: str) -> dict[str, str]:
        """Variables for compiling against it."""
        variables = {"PETSC_DIR": str(self.folder), **extra}
        if self.arch:
            variables["PETSC_ARCH"] = self.arch
        cleaned = clean_environment(**variables)
        if "/" in self.compiler:
            cleaned["PATH"] = f"{Path(self.compiler).parent}:{cleaned['PATH']}"
        return cleaned


def _defines(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return dict(re.findall(r"^\s*#\s*define\s+(\w+)[ \t]*(.*)$", text, flags=re.MULTILINE))


def _variables(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    return dict(re.findall(r"^(\w+) = (.*)$", text, flags=re.MULTILINE))


def installed_petsc() -> Petsc | None:
    """The PETSc that ``PETSC_DIR`` and ``PETSC_ARCH`` name, when it can be used.

    Returns
    -------
    Petsc or None
        ``None`` when ``PETSC_DIR`` is not set.

    Raises
    ------
    InstallationError
        If what they name is absent, another version, complex-valued, or lacks a part.
    """
    given = os.environ.get("PETSC_DIR")
    if not given:
        return None
    arch = os.environ.get("PETSC_ARCH", "")
    way_out = (
        f"pdesolve needs a real-valued PETSc {versions.PETSC} in double precision, with MPI, "
        "HDF5 and MUMPS. Unset PETSC_DIR and PETSC_ARCH to let the installation build its own "
        "copy in your cache folder, or point them at one that fits."
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
    if "PETSC_USE_REAL_DOUBLE" not in options:
        raise InstallationError(f"PETSC_DIR={given} is not in double precision. {way_out}")
    # Firedrake writes with HDF5 and factorises with MUMPS.
    missing = [name for name in ("HDF5", "MUMPS") if f"PETSC_HAVE_{name}" not in options]
    if "PETSC_HAVE_MPIUNI" in options:
        missing.insert(0, "MPI")
    if missing:
        raise InstallationError(
            f"PETSC_DIR={given} was configured without {' and '.join(missing)}. {way_out}"
        )
    variables = _variables(folder / arch / "lib" / "petsc" / "conf" / "petscvariables")
    hdf5 = re.search(r"-L(\S+)", variables.get("HDF5_LIB", ""))
    return Petsc(
        folder,
        arch,
        compiler=variables.get("CC", "").strip(),
        hdf5=Path(hdf5[1]).parent if hdf5 else system_hdf5(),
    )


def build_environment(cache: BuildCache, steps: Steps) -> Path:
    """A virtual environment with the build tools; returns its Python."""
    folder = cache.folder / "build-environment"
    python = folder / "bin" / "python"
    if cache.done("build-environment") and python.exists():
        return python
    with steps.step("Environment for building"):
        steps.run([base_python(), "-m", "venv", "--clear", folder], log="build-environment")
        steps.run(
            [python, "-m", "pip", "install", *versions.BUILD_TOOLS],
            log="build-tools",
            env=clean_environment(),
        )
    cache.mark("build-environment")
    return python


def build_petsc(cache: BuildCache, steps: Steps, python: Path) -> Petsc:
    """Configure, compile and install PETSc into the cache; goes on where it stopped."""
    built = Petsc(cache.petsc, "", compiler="", hdf5=system_hdf5())
    if cache.done("petsc-installed"):
        steps.note(f"PETSc {versions.PETSC}: kept from before in {cache.petsc}")
        return built
    require_space(cache.folder, SPACE_FOR_BUILDING, "building PETSc")
    source = cache.sources / f"petsc-{versions.PETSC}"
    if not cache.done("petsc-source"):
        _unpack(cache, steps, python, source)
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
    with steps.step(f"PETSc {versions.PETSC}: compile (about 4 minutes on 2 cores)"):
        command = ["make", f"PETSC_DIR={source}", f"PETSC_ARCH={arch}"]
        steps.run([*command, f"MAKE_NP={cores()}", "all"], log="petsc-make", cwd=source,
                  env=environment)  # fmt: skip
        steps.run([*command, "install"], log="petsc-install", cwd=source, env=environment)
    cache.mark("petsc-installed")
    shutil.rmtree(source, ignore_errors=True)
    return built


def _unpack(cache: BuildCache, steps: Steps, python: Path, source: Path) -> None:
    """Fetch the source distribution and unpack it from scratch."""
    with steps.step(f"PETSc {versions.PETSC}: download"):
        steps.run(
            [python, "-m", "pip", "download", "--no-deps", "--no-build-isolation",
             "--no-binary", ":all:", f"petsc=={versions.PETSC}", "-d", cache.sources],
            log="petsc-download",
            env=clean_environment(),
        )  # fmt: skip
        shutil.rmtree(source, ignore_errors=True)
        with tarfile.open(cache.sources / f"petsc-{versions.PETSC}.tar.gz") as archive:
            archive.extractall(cache.sources, filter="data")
