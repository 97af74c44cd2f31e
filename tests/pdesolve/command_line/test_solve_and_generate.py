"""The verbs solve, generate and check, their tables, files and failures."""

import re

import pytest
import yaml

from pdesolve.command_line import check as check_verb
from pdesolve.command_line import generate as generate_verb
from pdesolve.command_line import solve as solve_verb

pytestmark = pytest.mark.petsc

OWN_FAMILY = """
from dataclasses import dataclass
from pdesolve.problems.darcy import DarcyFamily

@dataclass(frozen=True)
class Weak(DarcyFamily):
    above: float = 4.0
    name: str = "weak"
"""


def small(example):
    """An example of a help text on small grids."""
    example = re.sub(r"--shape( \d+)+", "--shape 8", example)
    return re.sub(r"--num-samples \d+", "--num-samples 3", example)


def test_table_and_files(command, tmp_path):
    outcome = command("solve darcy2d --shape 8 8 --seed 7 --out u.pvd --plot u.png -- -ksp_monitor")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    for text in ("darcy2d, sample 0 of 'test' with seed 7", "8 × 8 cells", "CONVERGED_RTOL"):
        assert text in outcome.out
    assert re.search(r"unknowns +64", outcome.out)
    assert re.search(r"relative residual +\d\.\d\de-\d\d", outcome.out)
    for phase in ("assembly", "setup", "solve", "total"):
        assert re.search(rf"{phase} time +\S+ s", outcome.out)
    assert "KSP Residual norm" in outcome.out
    assert (tmp_path / "u.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "u.pvd").exists()


def test_run_file_repeats_the_run(command, tmp_path):
    command("solve darcy2d --shape 8 --set above=5.0 --out u.pvd -- -ksp_rtol 1e-4")
    written = tmp_path / "u.run.yaml"
    assert yaml.safe_load(written.read_text())["solver_parameters"] == {"ksp_rtol": "1e-4"}
    before = written.read_text()
    outcome = command("solve --config u.run.yaml --seed 3")
    assert outcome.code == 0, outcome.err
    assert re.search(r"asked for +1e-04", outcome.out)
    assert "seed 3" in outcome.out
    assert written.read_text() == before


def test_options_after_the_dashes_win(command, tmp_path):
    (tmp_path / "run.yaml").write_text("solver_parameters: {ksp_rtol: 1.0e-3, ksp_type: gmres}\n")
    outcome = command("solve darcy2d --shape 8 --config run.yaml -- -ksp_rtol 1e-5")
    assert re.search(r"asked for +1e-05", outcome.out)
    assert "gmres + gamg" in outcome.out


def test_unused_petsc_option_is_refused(refused, tmp_path):
    assert "PETSc did not use: -ksp_typ." in refused("solve darcy2d --shape 8 -- -ksp_typ cg")
    words = "generate darcy2d --num-samples 2 --shape 8 --out a.h5 -- -ksp_typ cg"
    assert "PETSc did not use: -ksp_typ." in refused(words)
    assert not (tmp_path / "a.h5").exists()


def test_failed_solve_ends_with_one(command, tmp_path):
    outcome = command("solve darcy2d --shape 16 --out u.pvd -- -ksp_max_it 2")
    assert outcome.code == 1
    assert "DIVERGED_ITS after 2 iterations" in outcome.err
    assert "'--check false' shows and writes the last iterate" in outcome.err
    assert "check=False" not in outcome.err
    assert not (tmp_path / "u.pvd").exists()


def test_partial_result_is_shown_but_not_called_a_success(command, tmp_path):
    outcome = command("solve darcy2d --shape 16 --check false --out u.pvd -- -ksp_max_it 2")
    assert outcome.code == 1
    assert "DIVERGED_ITS (NOT converged)" in outcome.out
    assert outcome.err == "pdesolve solve: the tolerance was not met\n"
    assert (tmp_path / "u.pvd").exists()


def test_family_of_ones_own(command, tmp_path):
    (tmp_path / "mine.py").write_text(OWN_FAMILY)
    outcome = command("solve mine.py:Weak --shape 8")
    assert outcome.code == 0, outcome.err
    assert "weak, sample 0" in outcome.out
    made = command("generate mine.py:Weak --num-samples 2 --shape 8 --out weak.h5")
    assert made.code == 0, made.err
    assert command("solve mine.py:Strong").code == 2


def test_examples_of_solve_run(command):
    without_firedrake = [
        example
        for example in solve_verb.EXAMPLES
        if not any(word in example for word in ("fem", "mesh", "accelerate"))
    ]
    assert len(without_firedrake) == 7
    for example in without_firedrake:
        outcome = command(small(example))
        assert outcome.code == 0, (example, outcome.err)


@pytest.mark.firedrake
def test_examples_of_solve_with_firedrake_run(command, gmsh_file):
    chosen = [e for e in solve_verb.EXAMPLES if "fem" in e or "--mesh" in e]
    assert len(chosen) == 2
    for example in chosen:
        outcome = command(small(example))
        assert outcome.code == 0, (example, outcome.err)
        assert re.search(r"backend +fem", outcome.out)
        assert outcome.err == ""


@pytest.mark.firedrake
def test_element_alone_chooses_firedrake(command):
    outcome = command("solve darcy2d --shape 4 --degree 2")
    assert "4 × 4 cells, CG elements of degree 2" in outcome.out
    assert re.search(r"unknowns +81", outcome.out)


def test_generate_writes_what_check_accepts(command, tmp_path):
    made = command("generate darcy2d --num-samples 3 --shape 8 8 --out darcy.h5")
    assert made.code == 0, made.err
    assert re.search(r"samples +3", made.out)
    assert "wrote darcy.h5 and its card darcy.h5.md" in made.out
    checked = command("check darcy.h5")
    assert checked.code == 0, checked.err
    assert "darcy.h5: good" in checked.out
    assert "# darcy2d" in checked.out
    assert "# darcy2d" not in command("check darcy.h5 --card false").out


def test_examples_of_generate_and_check_run(command, tmp_path):
    for example in generate_verb.EXAMPLES:
        if "darcy.h5" in example:
            (tmp_path / "darcy.h5").unlink(missing_ok=True)
        outcome = command(small(example).replace("hypre", "jacobi"))
        assert outcome.code == 0, (example, outcome.err)
    for example in check_verb.EXAMPLES:
        assert command(example).code == 0


def test_generate_refuses(refused, tmp_path):
    assert "num_samples is missing; for example" in refused("generate darcy2d --out a.h5")
    assert "out is missing; for example" in refused("generate darcy2d --num-samples 2")
    base = "generate darcy2d --num-samples 2 --shape 8"
    assert "must end in .h5 or .hdf5" in refused(f"{base} --out a.txt")
    assert "takes no --degree" in refused(f"{base} --out a.h5 --backend grid --degree 2")
    assert "rtol" in refused(f"{base} --out a.h5 --rtol -1")
    assert "num_samples" in refused("generate darcy2d --num-samples 0 --shape 8 --out a.h5")
    assert "--estimate-error: 'perhaps' was given" in refused(
        f"{base} --out a.h5 --estimate_error perhaps"
    )


def test_generate_keeps_a_finished_file(command, refused):
    words = "generate darcy2d --num-samples 2 --shape 8 --out a.h5"
    assert command(words).code == 0
    assert "pass overwrite=True (--overwrite)" in refused(words)
    assert command(f"{words} --overwrite").code == 0


def test_check_finds_damage(command, tmp_path):
    command("generate darcy2d --num-samples 3 --shape 8 --out darcy.h5")
    data = bytearray((tmp_path / "darcy.h5").read_bytes())
    (tmp_path / "short.h5").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.h5").write_text("no data")
    outcome = command("check short.h5 darcy.h5 text.h5")
    assert outcome.code == 2
    assert outcome.err == "pdesolve check: error: short.h5, text.h5: not good, see above\n"
    assert "FAIL HDF5 file" in outcome.out
    assert "darcy.h5: good" in outcome.out


def test_check_needs_a_file(refused):
    assert "files is missing; for example: pdesolve check darcy.h5" in refused("check")
    assert "files: there is no file 'a.h5'" in refused("check a.h5")


def test_flags_win_over_the_environment(command):
    from petsc4py import PETSc

    PETSc.Options().setValue("ksp_type", "gmres")  # as PETSC_OPTIONS would
    try:
        outcome = command("solve darcy2d --shape 8 -- -ksp_type cg")
    finally:
        PETSc.Options().delValue("ksp_type")
    assert "cg + gamg" in outcome.out, outcome.err
