"""``pdesolve train``, from files to checkpoint and back; its messages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from meshes.errors import InputError
from neural.command_line import explain, fast_variant, main
from neural.surrogate import Surrogate
from operators.failures import CheckpointError

pytestmark = pytest.mark.torch


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with tensor files and a configuration."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("train", "validation", "test")):
        rng = np.random.default_rng(seed)
        masks = torch.as_tensor(rng.random((8, 12, 12)) > 0.5)
        torch.save({"x": masks, "y": masks.float().cumsum(1) + 1}, tmp_path / f"{name}.pt")
    write(tmp_path / "run.yaml")
    return tmp_path


def write(path, **changes):
    config = {
        "model": {
            "model": {"name": "fno", "modes": [3, 3], "width": 4, "projection_width": 8},
            "inputs": ["x"],
            "outputs": ["y"],
            "loss": {"class_path": "neural.training.RelativeH1", "init_args": {"weight": 0.3}},
        },
        "data": {name: f"{name}.pt" for name in ("train", "validation", "test")},
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "devices": 1},
    }
    for group, values in changes.items():
        config.setdefault(group, {}).update(values)
    path.write_text(yaml.safe_dump(config))


def test_fit_test_predict_resume(folder, capsys) -> None:
    assert main(["fit", "--config", "run.yaml", "--trainer.max_epochs", "3", "--out", "a"]) == 0
    assert {path.name for path in (folder / "a").iterdir()} >= {
        "best.ckpt",
        "last.ckpt",
        "metrics.csv",
        "config.yaml",
    }
    shown = capsys.readouterr()
    assert "epoch 3/3  relative L2 error: train" in shown.err
    assert "wrote best.ckpt and last.ckpt in a" in shown.out
    kept = yaml.safe_load((folder / "a" / "config.yaml").read_text())
    assert kept["trainer"]["max_epochs"] == 3
    assert kept["model"]["learning_rate"] == 0.002
    assert kept["model"]["loss"]["init_args"] == {"weight": 0.3, "reduction": "mean"}
    lines = (folder / "a" / "metrics.csv").read_text().splitlines()
    assert "train_relative_l2" in lines[0]
    assert "validation_relative_l2" in lines[0]

    again = ["--config", "a/config.yaml", "--ckpt_path", "a/best.ckpt"]
    assert main(["test", *again]) == 0
    assert "test_relative_l2" in capsys.readouterr().out
    assert main(["validate", *again]) == 0
    assert main(["predict", *again]) == 0
    predictions = np.load(folder / "a" / "predictions.npy")
    surrogate = Surrogate.load(folder / "a" / "best.ckpt")
    inputs = torch.load(folder / "test.pt", weights_only=True)["x"][:, None].numpy()
    np.testing.assert_allclose(predictions, surrogate.predict_batch(inputs), rtol=1e-5, atol=1e-6)

    assert main(["fit", "--config", "a/config.yaml", "--ckpt_path", "a/last.ckpt"]) == 0
    assert (folder / "a" / "metrics_before_resume_1.csv").exists()


def test_runs_are_repeatable_and_not_overwritten(folder) -> None:
    main(["fit", "--config", "run.yaml", "--out", "a"])
    main(["fit", "--config", "run.yaml", "--out", "b"])
    one, two = (Surrogate.load(folder / name / "last.ckpt").model.state_dict() for name in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(InputError, match="'a' holds an earlier run"):
        main(["fit", "--config", "run.yaml", "--out", "a"])
    assert main(["fit", "--config", "run.yaml", "--out", "a", "--overwrite"]) == 0


def test_without_validation_data(folder) -> None:
    write(folder / "run.yaml", data={"validation": None})
    assert main(["fit", "--config", "run.yaml", "--out", "a"]) == 0
    assert not (folder / "a" / "best.ckpt").exists()
    assert (folder / "a" / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fti"], "there is no action 'fti'. Did you mean 'fit'"),
        (["fit", "--config", "rum.yaml"], "no file 'rum.yaml'; did you mean 'run.yaml'"),
        (["fit", "--trainer.max_epoch", "3"], "Did you mean 'trainer.max_epochs'"),
        (["fit", "--data.trian", "x"], "no option 'data.trian'. Did you mean 'data.train'"),
        (["fit", "--model.model.widht", "3"], "no option 'widht'. Did you mean 'width'"),
        (["fit", "--trainer.max_epochs", "three"], "max_epochs: 'three' was given, .* an integer"),
        (["fit", "--model.optimizer", "adm"], "model.optimizer: 'adm' was given"),
        (["fit", "--data.drop_last", "maybe"], "drop_last: 'maybe' was given, .* true or false"),
        (["fit", "--data.batch_size", "0"], "batch_size=0 must be an integer of at least 1"),
        (["fit", "--data.train", "no.pt"], "there is no file 'no.pt'"),
        (["fit", "--model.model.modes", "[9, 9]"], r"modes\[0\]=9 is more than a grid of 13"),
        (["fit", "--model.inputs", "[a]"], r"inputs=\['a'\], but the fields of"),
        (["test"], "--ckpt_path is missing"),
        (["test", "--ckpt_path", "no.ckpt"], "there is no file 'no.ckpt'"),
    ],
)
def test_messages(folder, words, message) -> None:
    if "--config" not in words and words[0] in ("fit", "test"):
        words = [words[0], "--config", "run.yaml", *words[1:]]
    with pytest.raises(InputError, match=message):
        main(words)


def test_unknown_keys_in_a_file(folder) -> None:
    write(folder / "run.yaml", trainer={"max_epoch": 3})
    with pytest.raises(InputError, match=r"no option 'trainer.max_epoch'. Did you mean"):
        main(["fit", "--config", "run.yaml"])


def test_a_gpu_that_is_not_there(folder) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="gpu"):
        main(["fit", "--config", "run.yaml", "--trainer.accelerator", "gpu", "--out", "a"])
    assert not (folder / "a").exists()


def test_unsafe_checkpoints_are_not_read(folder) -> None:
    torch.save({"state_dict": {}, "extra": object()}, folder / "bad.ckpt")
    with pytest.raises(CheckpointError, match="pickled objects"):
        main(["test", "--config", "run.yaml", "--ckpt_path", "bad.ckpt"])


def test_other_messages_of_the_parser_are_kept() -> None:
    assert explain("strange  thing") == "strange thing; see 'pdesolve train fit --help'"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--model.inputs", "3"], "model.inputs: '3' was given, expected is a list"),
        (["--model.loss.class_path", "os.system"], "model.loss: 'os.system' is no FieldLoss"),
        (["--trainer.precision", "7"], "'7' was given, expected is one of 64, 32, 16 or 'trans"),
        (["--trainer.deterministic", "maybe"], "expected is true or false or 'warn'"),
    ],
)
def test_values_of_other_types(folder, words, text) -> None:
    with pytest.raises(InputError) as caught:
        main(["fit", "--config", "run.yaml", *words])
    assert text in str(caught.value)


def test_help(capsys) -> None:
    assert main([]) == 0
    assert "pdesolve train fit --config" in capsys.readouterr().out


@pytest.mark.petsc
def test_from_generated_files_to_an_accelerated_solve(tmp_path, monkeypatch) -> None:
    from neural.evaluation import evaluate
    from pdesolve import generate, get_family, sample_generator, solve

    monkeypatch.chdir(tmp_path)
    for split, count in (("train", 24), ("validation", 4), ("test", 4)):
        generate("darcy2d", count, shape=16, seed=0, split=split, out=f"{split}.h5")
    write(
        tmp_path / "run.yaml",
        model={"inputs": ["coefficient"], "outputs": ["pressure"], "learning_rate": 0.01},
        data={
            "train": "train.h5",
            "validation": "validation.h5",
            "test": "test.h5",
            "augment": "square symmetries",
            "batch_size": 4,
        },
        trainer={"max_epochs": 20},
    )
    assert main(["fit", "--config", "run.yaml", "--out", "run"]) == 0
    report = evaluate("run/best.ckpt", "test.h5", num_timed_solves=1)
    errors = report.datasets[0]
    assert errors.mean["relative_l2"] < 0.3
    assert errors.mean["relative_energy"] < 0.6
    assert errors.break_even is not None

    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(7, "test", 0)))
    plain = solve(problem, mesh=(16, 16))
    helped = solve(problem, mesh=(16, 16), accelerate="run/best.ckpt")
    np.testing.assert_allclose(helped.field.values, plain.field.values, rtol=1e-5)


def test_fast_takes_the_small_variant(tmp_path, capsys):
    usual, small = tmp_path / "own.yaml", tmp_path / "own_fast.yaml"
    usual.write_text("out: usual\n")
    with pytest.raises(InputError, match=r"no '.*own_fast\.yaml'"):
        fast_variant(["fit", "--config", str(usual), "--fast"])
    small.write_text("out: small\n")
    assert fast_variant(["fit", "--fast", "--config", str(usual)]) == [
        "fit",
        "--config",
        str(small),
    ]
    assert fast_variant(["fit", f"--config={usual}", "--fast"]) == ["fit", f"--config={small}"]
    assert fast_variant(["fit", "--config", str(small), "--fast"]) == [
        "fit",
        "--config",
        str(small),
    ]
    with pytest.raises(InputError, match="--config FILE"):
        fast_variant(["fit", "--fast"])
