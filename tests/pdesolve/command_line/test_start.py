"""The program as a whole: verbs, exit codes, tracebacks, what is loaded."""

import subprocess
import sys

import pytest

from meshes.errors import MissingDependencyError
from operators.failures import CheckpointError, DataFileError, LinearSolveFailure
from pdesolve.command_line.main import HELP, VERBS, main
from tests.mpi import ROOT, clean_environment

PROGRAM = "import sys; from pdesolve.command_line.main import main; sys.exit(main())"


def start(*words, code=PROGRAM):
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(),
        cwd=ROOT,
    )


def test_help_names_every_verb_and_gives_examples(command):
    outcome = command("--help")
    assert outcome.code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in outcome.out
        if verb not in ("check", "predict"):
            assert f"pdesolve {verb}" in HELP


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_every_verb_has_help_with_examples(command, verb):
    outcome = command([verb, "--help"])
    assert outcome.code == 0
    assert "examples:\n" in outcome.out
    assert f"  pdesolve {verb} " in outcome.out or verb == "list"


def test_no_verb_is_bad_input(command):
    outcome = command([])
    assert outcome.code == 2
    assert outcome.err.startswith("usage: pdesolve")


def test_version(command):
    assert command("--version").out.startswith("pdesolve ")


def test_unknown_verb_names_the_nearest(refused):
    assert "there is no verb 'slove'. Did you mean 'solve'? Known: check," in refused(
        "slove darcy2d"
    )


def test_option_before_the_verb(refused):
    assert "'--seed' stands before the verb" in refused("--seed 3 solve darcy2d")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataFileError("damaged"), 2),
        (CheckpointError("foreign"), 2),
        (MissingDependencyError("absent"), 2),
        (FileNotFoundError(2, "no such file", "x"), 2),
        (LinearSolveFailure("stagnated"), 1),
        (OSError(28, "no space left"), 1),
        (ZeroDivisionError("a mistake"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(command, monkeypatch, error, code):
    def fail(words):
        raise error

    monkeypatch.setattr("pdesolve.command_line.check.run", fail)
    outcome = command("check a.h5")
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("pdesolve check: ")


def test_unforeseen_errors_name_their_kind(command, monkeypatch):
    monkeypatch.setattr("pdesolve.command_line.check.run", lambda _words: 1 / 0)
    assert (
        "ZeroDivisionError: division by zero (this was not foreseen; --debug"
        in command("check").err
    )


def test_warnings_are_one_line(command, monkeypatch):
    import warnings

    def warn(words):
        warnings.warn("something is odd", stacklevel=1)
        return 0

    monkeypatch.setattr("pdesolve.command_line.check.run", warn)
    assert command("check a.h5").err == "pdesolve: warning: something is odd\n"


@pytest.mark.parametrize("words", [["--debug", "solve", "darcy"], ["solve", "darcy", "--debug"]])
def test_debug_shows_the_traceback(words):
    done = start(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert "pdesolve solve: error: there is no problem family 'darcy'" in done.stderr


def test_program_ends_with_the_code_and_no_traceback():
    done = start("solve", "darcy")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("pdesolve solve: error: there is no problem family 'darcy'. Did")


def test_debug_after_two_dashes_is_petscs(command):
    assert command("list -- --debug").code == 2


def test_reader_that_goes_away_is_no_error_message():
    code = (
        "import os, sys; from pdesolve.command_line.main import main\n"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
        "sys.exit(main(['list']))"
    )
    done = start(code=code)
    assert done.returncode == 1
    assert done.stderr == ""


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from pdesolve.command_line.main import main; main(['--help'])\n"
        "heavy = ('numpy', 'petsc4py', 'mpi4py', 'torch', 'firedrake', 'matplotlib', 'h5py',\n"
        "         'jsonargparse', 'rich', 'yaml', 'scipy', 'vtkmodules')\n"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = start(code=code)
    assert done.returncode == 0, done.stderr


def test_solving_loads_no_learning():
    code = (
        "import sys; from pdesolve.command_line.main import main; main(sys.argv[1:])\n"
        "sys.exit(', '.join(n for n in ('torch', 'firedrake', 'matplotlib') if n in sys.modules))"
    )
    done = start("list", code=code)
    assert done.stderr == "\n" or done.stderr == ""


@pytest.mark.petsc
def test_own_options_do_not_reach_petsc():
    done = start("solve", "darcy1d", "--shape", "16", "--", "-log_view", "-ksp_converged_reason")
    assert done.returncode == 0, done.stderr
    assert "Linear solve converged due to CONVERGED_RTOL" in done.stdout
    assert "PETSc Performance Summary" in done.stdout
    assert "WARNING! There are options you set that were not used" not in done.stdout


def test_list_shows_every_family(command):
    from pdesolve.problems.registry import FAMILIES

    out = command("list").out
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    first = [line.split()[0] for line in lines if line.strip()]
    assert all(name in first for name in FAMILIES)
    steady, in_time = (first.index(word) for word in ("STEADY", "IN"))
    assert steady < first.index("darcy2d") < in_time < first.index("burgers2d")
    (line,) = (line for line in lines if line.split()[:1] == ["poisson2d"])
    assert line.split() == ["poisson2d", "2D", "64", "×", "64", "grid,", "fem", "potential"]


@pytest.mark.torch
def test_list_shows_models(command):
    outcome = command("list --models")
    assert outcome.code == 0
    assert "Fourier neural operator" in outcome.out


def test_main_returns_and_does_not_exit():
    assert main(["--version"]) == 0
