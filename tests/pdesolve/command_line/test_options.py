"""Words and YAML files: what is understood, and what is refused with which message."""

import pytest

from meshes.errors import InputError
from pdesolve.command_line.parsing import VerbParser
from pdesolve.command_line.petsc_flags import petsc_flags, split_at_start


def test_unknown_option_names_the_nearest(refused):
    message = refused("solve darcy2d --shpe 8 8")
    assert "there is no option '--shpe'. Did you mean '--shape'? Known: --accelerate," in message


def test_abbreviations_are_unknown_options(refused):
    assert "there is no option '--see'. Did you mean '--seed'?" in refused("solve darcy2d --see 3")


def test_unknown_family_names_the_nearest(refused):
    assert "there is no problem family 'darcy2'. Did you mean 'darcy2d" in refused("solve darcy2")


def test_unknown_family_option_names_the_nearest(refused):
    assert "has no option 'kin'. Did you mean 'kind'?" in refused(
        "solve darcy2d --set kin=threshold"
    )


def test_family_option_of_the_wrong_type(refused):
    base = "solve darcy2d --set"
    assert "above='high' must be positive and finite" in refused(f"{base} above=high")
    assert "tau='nan' must be finite" in refused(f"{base} tau=nan")
    assert "alpha='a' must exceed 1.0" in refused(f"{base} alpha=a")
    assert "source='s' must be a finite number" in refused(f"{base} source=s")
    logarithm = f"{base} kind=lognormal mean_log=x"
    assert "mean_log='x' must be finite" in refused(logarithm)


def test_family_option_that_the_name_fixes(refused):
    message = refused("solve darcy2d --set dimension=3")
    assert "family 'darcy2d' fixes 'dimension'" in message


def test_family_option_without_value(refused):
    assert "--set kind: write key=value" in refused("solve darcy2d --set kind")


def test_family_missing(refused):
    assert "family is missing; for example: pdesolve solve darcy2d" in refused("solve --seed 3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed abc", "--seed: 'abc' was given, and an integer is expected"),
        ("--seed 1.5", "--seed: '1.5' was given, and an integer is expected"),
        ("--shape 8 x", "--shape: 'x' was given, and an integer is expected"),
        ("--check maybe", "--check: 'maybe' was given, and true or false is expected"),
        ("--check 0", "--check: '0' was given, and true or false is expected"),
        ("--check", "argument --check: expected one argument"),
        (
            "--backend grd",
            "--backend: 'grd' is not a choice. Did you mean 'grid'? Known: auto, fem",
        ),
        ("--seed -1", "seed"),
        ("--index -1", "index"),
        ("--shape 8 8 8", "--shape 8 8 8 has 3 numbers; 'darcy2d' is 2D"),
        ("--shape 0", "--shape: 0 cells along an axis; give 1 or more"),
        ("darcy3d", "unrecognized arguments: darcy3d"),
        ("--mesh nope.msh", "--mesh: there is no file 'nope.msh'"),
        ("--mesh .", "--mesh: '.' is a folder; give a file"),
        ("--accelerate no/such.ckpt", "--accelerate: there is no folder 'no'"),
        ("--out u.vtk", "--out: 'u.vtk' must end in .pvd"),
        ("--plot u", "--plot: 'u' must end in .png"),
        (
            "--backend grid --degree 2",
            "--backend grid solves on boxes with finite volumes and takes",
        ),
        ("-ksp_type cg", "'-ksp_type' looks like a PETSc option; PETSc options stand at the end"),
        ("--ksp_type cg", "those have one dash and stand at the end, after '--'"),
        ("-- cg -ksp_type", "'cg' after '--' is no PETSc option"),
        ("--config nope.yaml", "--config: there is no file 'nope.yaml'"),
    ],
)
def test_refused_words(refused, words, message):
    assert message in refused(f"solve darcy2d {words}")


def test_mesh_contradicts_backend_and_shape(refused, gmsh_file):
    message = refused(f"solve darcy2d --backend grid --mesh {gmsh_file}")
    assert "--backend grid solves on boxes with finite volumes and takes no --mesh" in message
    message = refused("solve heat2d --backend spectral --degree 2")
    assert "--backend spectral solves on boxes with Fourier modes and takes no --degree" in message
    assert "--shape and --mesh both give the mesh" in refused(
        f"solve darcy2d --shape 8 8 --mesh {gmsh_file}"
    )
    assert "--accelerate predicts on grids; use --shape" in refused(
        f"solve darcy2d --mesh {gmsh_file} --accelerate {gmsh_file}"
    )


def test_missing_file_with_a_similar_name(refused, tmp_path):
    (tmp_path / "best.ckpt").write_text("")
    message = refused("predict bset.ckpt darcy2d")
    assert "checkpoint: there is no file 'bset.ckpt'; did you mean 'best.ckpt'?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("famly: darcy2d", "unknown key 'famly'. Did you mean 'family'?"),
        ("- darcy2d", "'run.yaml' holds a list; a configuration is lines of 'name: value'"),
        ("family: [darcy2d", "'run.yaml' is not valid YAML"),
        ("seed: seven", "--seed: 'seven' was given, and an integer is expected"),
        ("check: 'false", "'run.yaml' is not valid YAML"),
        ("check: 1", "--check: '1' was given, and true or false is expected"),
        ("shape: [8, a]", "--shape: 'a' was given, and an integer is expected"),
    ],
)
def test_refused_configurations(refused, tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    assert message in refused("solve darcy2d --config run.yaml")


def test_verbs_without_petsc_take_no_flags(refused):
    assert "'pdesolve list' takes no PETSc options" in refused("list -- -ksp_type cg")
    assert "'pdesolve train' takes no PETSc options" in refused("train fit -- -ksp_type cg")
    assert "'-v': options start with two dashes" in refused("list -v")


def test_print_config_gives_a_file_that_is_read(command, tmp_path):
    printed = command("solve darcy2d --set above=4.0 --seed 3 --print_config")
    assert printed.code == 0
    (tmp_path / "run.yaml").write_text(printed.out)
    again = command("solve --config run.yaml --set.below 2.0 --print_config")
    assert "family: darcy2d" in again.out
    assert "seed: 3" in again.out
    assert "above: 4.0" in again.out
    assert "below: 2.0" in again.out


def test_command_line_wins_over_the_file(tmp_path):
    (tmp_path / "run.yaml").write_text("seed: 3\nset: {kind: lognormal}\nfamily: darcy1d\n")
    parser = VerbParser("solve", "", ())
    parser.positional("family", "")
    parser.option("seed", int, "", 0)
    parser.mapping("set", "")
    words = parser.parse(["--config", str(tmp_path / "run.yaml"), "--seed", "4", "--set", "tau=2"])
    assert words["family"] == "darcy1d"
    assert words["seed"] == 4
    assert words["set"] == {"kind": "lognormal", "tau": 2}


def test_values_that_start_with_a_minus():
    assert petsc_flags(["-shift", "-1.5", "-flag"]) == {"shift": "-1.5", "flag": None}
    with pytest.raises(InputError, match="'cg' after '--' is no PETSc option"):
        petsc_flags(["cg"])


def test_options_of_petscs_start_are_told_apart():
    at_start, solver = split_at_start({"log_view": ":a.txt", "ksp_view": None})
    assert at_start == {"log_view": ":a.txt"}
    assert solver == {"ksp_view": None}
