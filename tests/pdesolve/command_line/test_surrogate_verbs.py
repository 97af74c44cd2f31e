"""The verbs that need a trained surrogate."""

import json
import re
import shutil

import pytest

from pdesolve.command_line import evaluate as evaluate_verb
from pdesolve.command_line import predict as predict_verb

pytestmark = [pytest.mark.petsc, pytest.mark.torch]


@pytest.fixture
def with_checkpoint(command, trained, checkpoint, tmp_path):
    """The command, in a folder that holds what the examples name."""
    shutil.copy(checkpoint, tmp_path / "best.ckpt")
    for name in ("darcy_test_85.h5", "darcy_test.h5"):
        shutil.copy(trained / "darcy_test.h5", tmp_path / name)
    return command


def test_predict_says_how_far_off_it_is(with_checkpoint, tmp_path):
    outcome = with_checkpoint("predict best.ckpt darcy2d --seed 7 --out p.pvd --plot p.png")
    assert outcome.code == 0, outcome.err
    assert "APPROXIMATE prediction: darcy2d, sample 0 of 'test' with seed 7" in outcome.out
    assert re.search(r"relative residual +\d", outcome.out)
    assert re.search(r"error in the energy norm +[\d.]+ % to [\d.]+ %", outcome.out)
    assert "guaranteed for the exact solution of the discrete equations" in outcome.out
    assert "8 × 8 cells" in outcome.out
    written = next((tmp_path / "p").glob("*.vti")).read_bytes()
    assert b"pressure_approximate" in written


def test_examples_of_predict_and_evaluate_run(with_checkpoint):
    for example in (*predict_verb.EXAMPLES, *evaluate_verb.EXAMPLES):
        outcome = with_checkpoint(example)
        assert outcome.code == 0, (example, outcome.err)


def test_evaluate_table_and_numbers(with_checkpoint, tmp_path):
    outcome = with_checkpoint("evaluate best.ckpt --data darcy_test.h5 --json report.json")
    assert outcome.code == 0, outcome.err
    for row in (
        "relative L2",
        "RMSE",
        "relative energy",
        "low band",
        "certified error, mean",
        "break-even solves",
    ):
        assert row in outcome.out
    report = json.loads((tmp_path / "report.json").read_text())
    shown = re.search(r" relative L2 +([\d.]+) %", outcome.out)
    assert float(shown[1]) == pytest.approx(
        100 * report["datasets"][0]["mean"]["relative_l2"], rel=1e-2
    )


def test_accelerated_solve_compares_both(with_checkpoint):
    outcome = with_checkpoint("solve darcy2d --seed 7 --shape 16 --accelerate best.ckpt")
    assert outcome.code == 0, outcome.err
    assert re.search(r"without +with prediction", outcome.out)
    assert re.search(r"iterations +\d+ +\d+", outcome.out)
    assert re.search(r"prediction time +[\d.e-]+ s", outcome.out)
    assert re.search(r"total time +[\d.e-]+ s +[\d.e-]+ s", outcome.out)
    difference = re.search(r"difference of the two answers: (\S+)", outcome.out)
    assert float(difference[1]) < 1e-7


def test_other_family_is_refused(with_checkpoint, refused):
    for words in ("solve darcy2d_lognormal --accelerate best.ckpt", "predict best.ckpt darcy3d"):
        assert "was trained on the family 'darcy2d'" in refused(words)


def test_values_outside_the_training_range_warn_or_are_refused(with_checkpoint, refused):
    words = "predict best.ckpt darcy2d --set above=40.0"
    outcome = with_checkpoint(words)
    assert outcome.code == 0
    assert "pdesolve: warning: 'coefficient' ranges from 3 to 40" in outcome.err
    assert "strict=True refuses" in refused(f"{words} --strict true")


def test_other_options_of_the_family_warn_or_are_refused(with_checkpoint, refused):
    """A source is no input of the model, so that no range of inputs shows it."""
    said = "the family has source=5, the training data source=1.0"
    for words in (
        "predict best.ckpt darcy2d --set source=5",
        "solve darcy2d --set source=5 --shape 8 --accelerate best.ckpt",
    ):
        outcome = with_checkpoint(words)
        assert outcome.code == 0
        assert said in outcome.err
    assert said in refused("predict best.ckpt darcy2d --set source=5 --strict true")
    words = "--num-samples 2 --shape 8 --split test --set source=5 --out strong.h5"
    assert with_checkpoint(f"generate darcy2d {words}").code == 0
    outcome = with_checkpoint("evaluate best.ckpt --data strong.h5")
    assert outcome.code == 0
    assert said in outcome.err
    assert "relative energy" in outcome.out  # of the file's own problems


def test_files_that_are_no_checkpoints(with_checkpoint, refused):
    assert "not a checkpoint" in refused("predict darcy_test.h5 darcy2d")
    assert "checkpoint is missing; for example" in refused("predict")
    assert "data is missing; for example" in refused("evaluate best.ckpt")
    assert "--data: there is no file 'a.h5'" in refused("evaluate best.ckpt --data a.h5")
    message = refused("evaluate best.ckpt --data darcy_test.h5 --json r.txt")
    assert "--json: 'r.txt' must end in .json" in message


def test_absent_device_is_refused(with_checkpoint, refused):
    import torch

    if torch.cuda.is_available():
        pytest.skip("needs a machine without a CUDA device")
    words = "evaluate best.ckpt --data darcy_test.h5 --device cuda"
    assert "torch finds no CUDA device here; use 'cpu'" in refused(words)


def test_training_is_passed_on(command, refused):
    outcome = command("train --help")
    assert outcome.code == 0
    assert "examples:" in outcome.out
    assert "there is no action 'fti'. Did you mean 'fit'?" in refused("train fti")
    assert "there is no file 'nope.yaml'" in refused("train fit --config nope.yaml")
