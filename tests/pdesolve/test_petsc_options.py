"""PETSc options as dictionaries and as words of a command line."""

from __future__ import annotations

import pytest

from meshes import InputError

pytestmark = pytest.mark.petsc


def test_flatten():
    from pdesolve._petsc_options import flatten

    nested = {"pc": {"type": "lu", "factor": {"shift_type": "nonzero"}}, "ksp_monitor": None}
    assert flatten(nested) == {
        "pc_type": "lu",
        "pc_factor_shift_type": "nonzero",
        "ksp_monitor": None,
    }
    # a trailing underscore is not doubled
    assert flatten({"sub_": {"pc_type": "ilu"}}) == {"sub_pc_type": "ilu"}


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["-ksp_monitor"], {"ksp_monitor": None}),
        (["-ksp_rtol", "1e-3", "-x", "-1"], {"ksp_rtol": "1e-3", "x": "-1"}),
        (["-x", "-.5", "-y"], {"x": "-.5", "y": None}),
        (["--ksp_type", "cg"], {"ksp_type": "cg"}),
    ],
)
def test_flags(words, options):
    from pdesolve.command_line.petsc_flags import petsc_flags

    assert petsc_flags(words) == options


def test_a_value_without_a_flag_is_refused():
    from pdesolve.command_line.petsc_flags import petsc_flags

    with pytest.raises(InputError, match="'cg' after '--' is no PETSc option"):
        petsc_flags(["-ksp_type", "gmres", "cg"])


def test_names_of_reasons_are_petscs_own():
    """As listed in PETSc's manual page of KSPConvergedReason."""
    from pdesolve._petsc_options import reason_name

    names = {2: "CONVERGED_RTOL", 3: "CONVERGED_ATOL", 4: "CONVERGED_ITS", -3: "DIVERGED_ITS",
             -4: "DIVERGED_DTOL", -5: "DIVERGED_BREAKDOWN", -8: "DIVERGED_INDEFINITE_PC",
             -10: "DIVERGED_INDEFINITE_MAT", -11: "DIVERGED_PC_FAILED",
             77: "reason 77"}  # fmt: skip
    assert {code: reason_name(code) for code in names} == names
