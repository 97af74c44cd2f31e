"""What gets installed, in which version, and why that version."""

from __future__ import annotations

import shlex

# Firedrake's release demands exactly this petsc4py, and petsc4py exactly this PETSc.
PETSC = "3.26.0"
FIREDRAKE = "2026.10.0"
# The newest releases seen to import together with the above in one process.
MPI4PY = "4.1.2"
H5PY = "3.16.0"
NUMPY = "2.4.6"
# The CPU wheel: a looser requirement resolves to several gigabytes of CUDA packages.
TORCH = "2.13.0"

# Tools of the build environment. The environment has no build isolation, so they are
# pinned to keep the cached wheels reproducible.
BUILD_TOOLS = (
    f"numpy=={NUMPY}",
    "cython>=3.1,<3.3",
    "setuptools>=77,<81",
    "wheel",
    "pkgconfig",
    "packaging",
)

# What Firedrake's metadata asks for, apart from the parts built from source. Listed so
# that they come from ordinary (isolated) builds before Firedrake itself, which is built
# inside the environment because it links against files of it.
FIREDRAKE_BUILD = (
    "pybind11",
    "petsctools",
    "setuptools>=77,<81",
    "wheel",
    "cython>=3.1,<3.3",
    "pkgconfig",
    "rtree",
    "libsupermesh",
    "firedrake-rtree",
    "islpy<2026.2",  # Firedrake 2026.10 uses an interface that 2026.2 removed
    "decorator<=4.4.2",  # the newer signature breaks Firedrake's caches
)

SYSTEM_PACKAGES = (
    "build-essential",
    "gfortran",
    "bison",
    "flex",
    "ninja-build",
    "pkg-config",
    "python3-venv",
    "python3-dev",
    "libopenmpi-dev",
    "openmpi-bin",
    "libopenblas-dev",
    "libhdf5-mpi-dev",
    "libmumps-dev",
    "libscalapack-openmpi-dev",
    "libmetis-dev",
    "libscotchparmetis-dev",
    "libptscotch-dev",
    "libscotch-dev",
    "libsuperlu-dist-dev",
    "libsuitesparse-dev",
    "libhwloc-dev",
    "libfftw3-mpi-dev",
    "zlib1g-dev",
    # the shared libraries that the gmsh and vtk wheels open
    "libglu1-mesa",
    "libgl1",
    "libxcursor1",
    "libxft2",
    "libxinerama1",
    "libxrender1",
)


def petsc_configure_options(multiarch: str) -> list[str]:
    """Options for PETSc's configure on Debian and Ubuntu.

    No processor-specific flag appears: the result must run on every machine that the
    cache folder can be carried to.
    """
    return [
        "--with-debugging=0",
        "--with-fortran-bindings=0",
        "--with-shared-libraries=1",
        "--with-x=0",
        "--with-zlib=1",
        f"--with-hdf5-dir=/usr/lib/{multiarch}/hdf5/openmpi",
        "--with-metis=1",
        "--with-mumps=1",
        "--with-scalapack-lib=-lscalapack-openmpi",
        "--with-ptscotch-include=/usr/include/scotch",
        "--with-ptscotch-lib="
        + shlex.join(["-lptesmumps", "-lptscotch", "-lptscotcherr", "-lesmumps"])
        + " -lscotch -lscotcherr",
        "--with-superlu_dist-include=/usr/include/superlu-dist",
        "--with-superlu_dist-lib=-lsuperlu_dist",
        "--with-suitesparse=1",
        "COPTFLAGS=-O3",
        "CXXOPTFLAGS=-O3",
        "FOPTFLAGS=-O3",
    ]
