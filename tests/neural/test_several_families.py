"""Predictions and errors of models that were trained on several families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from neural.accelerate import initial_guess
from neural.evaluation import evaluate, metrics
from neural.restoring import load_surrogate
from neural.surrogate import Surrogate
from neural.training import PDEDataModule, SurrogateModule
from neural.training.checkpoints import KEY
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.data import generate, open_dataset
from pdesolve.problems.base import Problem
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator

pytestmark = [
    pytest.mark.torch,
    pytest.mark.petsc,
    pytest.mark.filterwarnings("ignore:.*the prediction is an extrapolation"),
]
FAMILIES = ("darcy2d", "darcy2d_lognormal")
LABELS = [f"family_{name}" for name in FAMILIES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files a family, and a checkpoint with labels and one without."""
    made: Path = tmp_path_factory.mktemp("families")
    for name in FAMILIES:
        for split, count in (("train", 6), ("test", 3)):
            path = made / f"{name}_{split}.h5"
            generate(name, count, shape=8, split=split, out=path, estimate_error=False)
    for families, inputs in (("labelled", ["coefficient", *LABELS]), ("several", ["coefficient"])):
        torch.manual_seed(0)
        model = {"name": "fno", "modes": [3, 3], "width": 6, "num_layers": 1}
        data = PDEDataModule(
            train=[made / f"{name}_train.h5" for name in FAMILIES], batch_size=4,
            mixing="proportional", families=families,  # type: ignore[arg-type]
        )  # fmt: skip
        trainer = lightning.Trainer(
            max_epochs=3, default_root_dir=made, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", devices=1,
        )  # fmt: skip
        trainer.fit(SurrogateModule(model, inputs, ["pressure"]), datamodule=data)
        trainer.save_checkpoint(made / f"{families}.ckpt")
    return made


def draw(name: str) -> Problem:
    family = get_family(name)
    return family.problem(family.sample(sample_generator(3, "test", 0)))


@pytest.mark.parametrize("number", [0, 1])
def test_the_label_is_that_of_the_problem(folder: Path, number: int) -> None:
    surrogate = Surrogate.load(folder / "labelled.ckpt")
    assert surrogate.families == FAMILIES
    problem = draw(FAMILIES[number])
    grid = problem.grid(8)
    labels = np.zeros((2, 8, 8))
    labels[number] = 1.0
    coefficient = problem.input_fields(grid).values
    expected = surrogate.predict_batch(np.concatenate([coefficient, labels])[None])[0]
    found = surrogate.predict(problem, grid)
    np.testing.assert_array_equal(found.values, expected)
    other = surrogate.predict_batch(np.concatenate([coefficient, labels[::-1]])[None])[0]
    assert np.abs(other - expected).max() > 1e-3 * np.abs(expected).max()
    guess = initial_guess(surrogate, problem, grid, scale=False)
    np.testing.assert_array_equal(guess.values, expected)


@pytest.mark.parametrize("checkpoint", ["labelled.ckpt", "several.ckpt"])
@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_evaluated(folder: Path, checkpoint: str, name: str) -> None:
    entry = evaluate(folder / checkpoint, folder / f"{name}_test.h5", num_timed_solves=0)
    errors = entry.datasets[0]
    surrogate = Surrogate.load(folder / checkpoint)
    inputs, targets = open_dataset(folder / f"{name}_test.h5").read()
    if checkpoint == "labelled.ckpt":
        own = np.zeros((3, 2, 8, 8))
        own[:, FAMILIES.index(name)] = 1.0
        inputs = np.concatenate([inputs, own], axis=1)
    expected = metrics.relative_l2(surrogate.predict_batch(inputs), targets)
    assert errors.mean["relative_l2"] == pytest.approx(expected.mean(), rel=1e-5)
    assert errors.certified is not None  # of the family's own problems
    assert errors.certified.least_effectivity >= 1 - 1e-6


def test_other_families_and_options(folder: Path, tmp_path: Path) -> None:
    surrogate = Surrogate.load(folder / "several.ckpt")
    family = get_family("poisson2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    with pytest.raises(CheckpointError, match="families 'darcy2d', 'darcy2d_lognormal', the prob"):
        surrogate.predict(problem, problem.grid(8))
    with pytest.warns(SurrogateWarning, match=r"source=5\.0, the training data source=1\.0"):
        surrogate.check_family(get_family("darcy2d_lognormal", source=5.0))
    generate("poisson2d", 2, shape=8, out=tmp_path / "other.h5", estimate_error=False)
    with pytest.raises(InputError, match=r"family poisson2d, .* with darcy2d or darcy2d_lognormal"):
        evaluate(surrogate, tmp_path / "other.h5")


def test_boxes_of_the_families_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    content = torch.load(folder / "several.ckpt", weights_only=True)
    content[KEY]["data"]["members"][FAMILIES[1]]["upper"] = [2.0, 1.0]
    torch.save(content, tmp_path / "boxes.ckpt")
    surrogate = Surrogate.load(tmp_path / "boxes.ckpt")
    surrogate.predict(draw(FAMILIES[0]), draw(FAMILIES[0]).grid(8))
    with pytest.raises(CheckpointError, match=r"upper corner \(1\.0, 1\.0\), .* \(2\.0, 1\.0\)"):
        surrogate.predict(draw(FAMILIES[1]), draw(FAMILIES[1]).grid(8))


def test_an_earlier_release_kept_the_first_family_alone(folder: Path, tmp_path: Path) -> None:
    content = torch.load(folder / "several.ckpt", weights_only=True)
    del content[KEY]["data"]["members"]
    torch.save(content, tmp_path / "early.ckpt")
    surrogate = load_surrogate(tmp_path / "early.ckpt")
    assert isinstance(surrogate, Surrogate)
    surrogate.predict(draw(FAMILIES[0]), draw(FAMILIES[0]).grid(8))
    with pytest.raises(CheckpointError, match=r"a release that did not keep .* train it again"):
        surrogate.predict(draw(FAMILIES[1]), draw(FAMILIES[1]).grid(8))
