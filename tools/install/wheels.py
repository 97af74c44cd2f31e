"""Build the wheels that are compiled against PETSc, MPI and HDF5, once for each cache."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import versions
from cache import BuildCache
from petsc import Petsc, cores
from steps import InstallationError, Steps, clean_environment

# Firedrake's extensions find the libraries of two other packages beside themselves,
# wherever the environment lies.
_BESIDE = (
    "$ORIGIN/../../firedrake_rtree/firedrake_rtree",
    "$ORIGIN/../../libsupermesh/lib",
)


class WheelBuilder:
    """Builds wheels in the build environment; a wheel appears in the cache when whole.

    Parameters
    ----------
    cache, steps
        Where wheels are kept and progress is shown.
    python
        The build environment's interpreter.
    petsc
        What to compile against.
    """

    def __init__(self, cache: BuildCache, steps: Steps, python: Path, petsc: Petsc) -> None:
        self.cache = cache
        self.steps = steps
        self.python = python
        self.petsc = petsc

    def all(self) -> list[Path]:
        """Wheels of petsc4py, mpi4py, parallel h5py, libsupermesh and Firedrake."""
        for left_over in self.cache.folder.glob("unfinished-*"):
            shutil.rmtree(left_over)
        plain = self.petsc.environment(MAKEFLAGS=f"-j{cores()}")
        compiler = self.petsc.compiler or "mpicc"
        parallel = self.petsc.environment(CC=compiler, HDF5_MPI="ON", HDF5_DIR=str(self.petsc.hdf5))
        petsc4py = self.wheel("petsc4py", versions.PETSC, plain)
        mpi4py = self.wheel("mpi4py", versions.MPI4PY, {**plain, "MPICC": compiler})
        h5py = self.wheel("h5py", versions.H5PY, parallel, before=[mpi4py])
        supermesh = self.wheel("libsupermesh", versions.LIBSUPERMESH, plain, isolated=True)
        wheels = [petsc4py, mpi4py, h5py, supermesh]
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as settings:
            settings.write(f"[build_ext]\nparallel={cores()}\n")
            settings.flush()
            firedrake = self.wheel(
                "firedrake",
                versions.FIREDRAKE,
                {
                    **parallel,
                    "DIST_EXTRA_CONFIG": settings.name,
                    "LDFLAGS": " ".join(f"-Wl,-rpath,{folder}" for folder in _BESIDE),
                },
                before=[*wheels, f"firedrake-rtree=={versions.FIREDRAKE_RTREE}",
                        *versions.FIREDRAKE_BUILD],
            )  # fmt: skip
        return [*wheels, firedrake]

    def wheel(
        self,
        name: str,
        version: str,
        environment: Mapping[str, str],
        *,
        before: Sequence[str | Path] = (),
        isolated: bool = False,
    ) -> Path:
        """The cached wheel of a package, built first when it is missing.

        Parameters
        ----------
        name, version
            The package on PyPI.
        environment
            Variables for the compilers.
        before
            What the build environment must hold.
        isolated
            Whether pip fetches the package's own build tools.
        """
        if wheel := self.cache.wheel(name, version):
            self.steps.note(f"{name} {version}: kept from before")
            return wheel
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self.cache.folder))
        with self.steps.step(f"{name} {version}: build"):
            if before:
                self.steps.run(
                    [self.python, "-m", "pip", "install", *before],
                    log=f"{name}-needs",
                    env=clean_environment(),
                )
            self.steps.run(
                [self.python, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir",
                 *([] if isolated else ["--no-build-isolation"]),
                 "--no-binary", name, f"{name}=={version}", "-w", unfinished],
                log=name,
                env=environment,
            )  # fmt: skip
            built = next(unfinished.glob("*.whl"))
            built.replace(self.cache.wheels / built.name)
        shutil.rmtree(unfinished)
        wheel = self.cache.wheel(name, version)
        if wheel is None:
            raise InstallationError(f"pip built {built.name}, which is not {name} {version}.")
        return wheel
