"""HPDDM's GCRO-DR, where PETSc was built with it, and the choice between it and ours."""

from __future__ import annotations

import pytest

from meshes.errors import InputError

petsc = pytest.importorskip("petsc4py.PETSc")

from pdesolve.ksp import recycling_parameters  # noqa: E402
from tests.pdesolve.ksp.sequences import Systems  # noqa: E402

pytestmark = pytest.mark.petsc
HPDDM = petsc.Sys.hasExternalPackage("hpddm")


def test_the_parameters_solve_a_sequence():
    options = recycling_parameters(20, 8)
    assert options["ksp_type"] == ("hpddm" if HPDDM else "python")
    _, iterations = Systems("darcy2d", 16, 3).run({**options, "pc_type": "jacobi"})
    assert iterations[2] < iterations[0]


@pytest.mark.parametrize("sizes", [(1, 0), (20, 20), (20, 0), (20, -1)])
def test_bad_sizes(sizes):
    with pytest.raises(InputError, match="do not go together"):
        recycling_parameters(*sizes)


# Iterations that HPDDM 2.4.0 (in PETSc 3.26.0) took for ten systems of 48 x 48 cells, with
# GCRO-DR(40, 20), rtol 1e-8 and zero guesses.
MEASURED = {
    ("darcy2d", "left", "none"): 2067,
    ("darcy2d", "left", "jacobi"): 1073,
    ("darcy2d", "right", "jacobi"): 1761,
    ("convection_diffusion2d", "left", "jacobi"): 2370,
    ("convection_diffusion2d", "right", "none"): 2365,
}


@pytest.mark.parametrize(("family", "side", "preconditioner"), MEASURED)
def test_as_many_iterations_as_measured_with_hpddm(family, side, preconditioner):
    options = {"pc_type": preconditioner, "ksp_pc_side": side, "ksp_rtol": 1e-8}
    ours = {"ksp_type": "python", "ksp_python_type": "pdesolve.ksp.GCRODR"}
    _, iterations = Systems(family, 48, 10).run({**ours, **options})
    assert sum(iterations) <= 1.05 * MEASURED[family, side, preconditioner]


@pytest.mark.skipif(not HPDDM, reason="PETSc was built without HPDDM")
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["darcy2d", "convection_diffusion2d"])
def test_as_many_iterations_as_hpddm(family, side):
    systems = Systems(family, 32, 10)
    common = {"pc_type": "jacobi", "ksp_pc_side": side, "ksp_rtol": 1e-8, "ksp_max_it": 5000}
    theirs, their_iterations = systems.run({**recycling_parameters(), **common})
    assert theirs.getType() == "hpddm"
    ours = {"ksp_type": "python", "ksp_python_type": "pdesolve.ksp.GCRODR"}
    _, our_iterations = systems.run({**ours, **common})
    assert sum(our_iterations) <= 1.05 * sum(their_iterations)
