"""What gets installed, in which version, and why that version."""

from __future__ import annotations

import shlex

# Firedrake's release demands exactly this petsc4py, and petsc4py exactly this PETSc.
PETSC = "3.26.0"
FIREDRAKE = "2026.10.0"
# Runge-Kutta methods in time for Firedrake; pure Python, without requirements of its own.
IRKSOME = "2026.0.0"
# The newest releases seen to import together with the above in one process.
MPI4PY = "4.1.2"
H5PY = "3.16.0"
NUMPY = "2.4.6"
# The CPU wheel: a looser requirement resolves to several gigabytes of CUDA packages.
TORCH = "2.13.0"
# The build on PyPI for x86-64 brings several gigabytes of CUDA; PyTorch's own index has one
# for processors alone. Asked only where pip's configuration does not offer that build.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# From 77 on it reads the licence field of pyproject.toml; Firedrake asks for no newer one.
SETUPTOOLS = "setuptools>=77,<81"
# Tools of the build environment. The environment has no build isolation, so they are
# pinned to keep the cached wheels reproducible.
BUILD_TOOLS = (
    f"numpy=={NUMPY}",
    "cython>=3.1,<3.3",
    SETUPTOOLS,
    "wheel",
    "pkgconfig",
    "packaging",
)

# Firedrake links against these two. Its wheel is kept, so they are pinned with it.
LIBSUPERMESH = "2026.3"
FIREDRAKE_RTREE = "2026.3.0"
FIREDRAKE_BUILD = ("pybind11", "petsctools", "rtree", *BUILD_TOOLS)

# Given to every call of pip in the project's environment, so that nothing that is
# installed later replaces a part that the built wheels were compiled against.
CONSTRAINTS = (
    f"firedrake=={FIREDRAKE}",
    f"irksome=={IRKSOME}",
    f"petsc4py=={PETSC}",
    f"mpi4py=={MPI4PY}",
    f"h5py=={H5PY}",
    f"numpy=={NUMPY}",
    f"torch=={TORCH}",
    "islpy<2026.2",  # Firedrake 2026.10 uses an interface that 2026.2 removed
    "decorator<=4.4.2",  # Firedrake's own bound: its caches rely on the older signature
)

# Debian's and Ubuntu's names. The Python packages are added by `system.py`, since their
# names carry the version of the interpreter in use.
COMPILERS = ("build-essential", "gfortran", "bison", "flex", "ninja-build", "pkg-config")
LIBRARIES = (
    "libopenmpi-dev",
    "openmpi-bin",
    "libopenblas-dev",
    "libhdf5-mpi-dev",
    "libmumps-dev",
    "libscalapack-openmpi-dev",
    "libmetis-dev",
    "libptscotch-dev",
    "libscotch-dev",
    "libsuperlu-dist-dev",
    "libsuitesparse-dev",
    "libhwloc-dev",
    "libfftw3-mpi-dev",
    "zlib1g-dev",
)
# The shared libraries that the wheels of gmsh and vtk open.
GRAPHICS = ("libglu1-mesa", "libgl1", "libxcursor1", "libxft2", "libxinerama1", "libxrender1")
# Asked for only where the distribution has it: older releases of Scotch keep these headers
# in libptscotch-dev. (Its serial sister libscotchmetis-dev conflicts with libmetis-dev.)
WHERE_AVAILABLE = ("libscotchparmetis-dev",)


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
