"""``pdesolve solve`` for families in time."""

import re

import pytest

SMALL = "solve burgers1d --shape 32 --times 0 0.05 0.1"


def test_table_and_files(command, tmp_path):
    words = f"{SMALL} --out u.pvd --plot u.png --animate u.gif --checkpoint u.h5"
    outcome = command(words)
    assert outcome.code == 0, outcome.err
    assert re.search(r"backend +spectral", outcome.out)
    assert re.search(r"method +etdrk4", outcome.out)
    assert re.search(r"stopped by +CONVERGED_TIME", outcome.out)
    assert re.search(r"time reached +0\.1", outcome.out)
    assert re.search(r"mass +(\S+) +\1\n", outcome.out.replace(" \n", "\n")), outcome.out
    assert (tmp_path / "u.pvd").read_text().count("timestep=") == 3
    assert len(list((tmp_path / "u").glob("*.vti"))) == 3
    assert (tmp_path / "u.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "u.gif").read_bytes().startswith(b"GIF8")
    assert "wrote u.pvd (3 times)" in outcome.out
    again = command("solve --config u.run.yaml --plot v.png")
    assert again.code == 0, again.err
    assert re.search(r"time reached +0\.1", again.out)


def test_restart_goes_on_where_the_checkpoint_stands(command):
    first = command("solve burgers1d --shape 32 --dt 0.01 --times 0 0.05 --checkpoint half.h5")
    assert first.code == 0, first.err
    whole = command("solve burgers1d --shape 32 --dt 0.01 --times 0 0.1")
    rest = command("solve burgers1d --shape 32 --dt 0.01 --times 0 0.1 --restart half.h5")
    assert rest.code == 0, rest.err
    assert re.search(r"steps +10", rest.out)
    energy = re.compile(r"energy +\S+ +(\S+)")
    assert energy.search(rest.out)[1] == energy.search(whole.out)[1]


def test_what_is_refused(refused):
    assert "--dt is for families that evolve in time; 'darcy2d' is steady" in refused(
        "solve darcy2d --shape 8 --dt 0.1"
    )
    assert "dt=-0.1 must be positive" in refused(f"{SMALL} --dt -0.1")
    assert "does not divide the time between the outputs" in refused(f"{SMALL} --dt 0.03")
    assert "times must grow" in refused("solve burgers1d --shape 32 --times 0 1 0.5")
    assert "must hold the initial time and one more" in refused(
        "solve burgers1d --shape 32 --times 0"
    )
    assert "--accelerate gives a steady solve its first guess" in refused(
        f"{SMALL} --accelerate best.ckpt"
    )
    assert "'u.avi' must end in .mp4 or .gif" in refused(f"{SMALL} --animate u.avi")
    assert "checkpoint_every needs checkpoint" in refused(f"{SMALL} --checkpoint-every 2")
    assert "there is no file 'none.h5'" in refused(f"{SMALL} --restart none.h5")


@pytest.mark.filterwarnings("ignore:dt=1 is")
def test_blow_up_ends_with_one_and_names_the_checkpoint(command):
    outcome = command("solve navier_stokes2d --shape 32 --dt 1 --checkpoint flow.h5")
    assert outcome.code == 1
    assert re.search(r"step \d+, to t = .*'vorticity' is not finite .*first at index", outcome.err)
    assert re.search(r"grid\. The last good checkpoint is 'flow\.h5' at t = \d+ \(", outcome.err)
    assert "encountered in" not in outcome.err  # NumPy's warnings
    assert "--check" not in outcome.err  # a failed step always ends a run


@pytest.mark.parametrize(
    ("family", "grid"),
    [("burgers1d --shape 16", "16 cells"), ("taylor_green2d --shape 8 8", "8 × 8 vertices")],
)
def test_generate(command, family, grid):
    made = command(f"generate {family} --num-samples 3 --out b.h5 --dt 0.01")
    assert made.code == 0, made.err
    assert re.search(rf"grid +{grid}", made.out)
    assert re.search(r"times +\d+, up to 1", made.out)


@pytest.mark.petsc
def test_petsc_options_reach_the_stepper(command, refused):
    words = "solve heat1d --backend grid --shape 16 --times 0 0.1 --dt 0.02"
    outcome = command(f"{words} -- -ts_type beuler -ts_monitor")
    assert outcome.code == 0, outcome.err
    assert "5 TS dt" in outcome.out
    assert re.search(r"method +beuler", outcome.out)
    assert "PETSc did not use: -ts_tipe" in refused(f"{words} -- -ts_tipe cn")


def test_a_log_gets_a_line_now_and_then(command, monkeypatch):
    from pdesolve.command_line import tables

    monkeypatch.setattr(tables, "SECONDS_BETWEEN_LINES", 0.0)
    outcome = command(f"{SMALL} --dt 0.01")
    assert outcome.code == 0
    lines = outcome.err.splitlines()
    assert len(lines) == 10
    assert re.match(r"t = 0\.05 of 0\.1, step 5, dt = 0\.01, about \d+ s left", lines[4])
