"""Every loss trains a small model from a configuration file."""

from __future__ import annotations

import pytest
import torch
import yaml
from scipy.sparse import eye_array, save_npz

from meshes.errors import InputError
from neural.command_line import main
from neural.surrogate import Surrogate

pytestmark = pytest.mark.torch
HERE = "neural.training.losses"
LOSSES = {
    "RelativeL2": ({}, ()),
    "RelativeH1": ({"weight": 0.1}, ()),
    "RelativeSobolev": ({"order": -1, "extension": "odd"}, ()),
    "BandL2": ({"edges": [2, 4]}, ("below_2", "2_to_4", "from_4")),
    "EnergyNorm": ({"matrix": "matrix.npz"}, ()),
    "RelativeEnergy": ({}, ()),
    "PDEResidual": ({"order": -1, "reduction": "sum"}, ()),
    "WeightedSum": (
        {
            "losses": {
                "data": {"class_path": "neural.training.RelativeL2"},
                "residual": {"class_path": f"{HERE}.PDEResidual", "init_args": {"order": 0}},
            },
            "weights": {"residual": 1e-3},
        },
        ("data", "residual"),
    ),
}


def configuration(name: str, options: dict, **changes) -> dict:
    return {
        "model": {
            "model": {"name": "fno", "modes": [3, 3], "width": 4, "projection_width": 8},
            "inputs": ["coefficient"],
            "outputs": ["pressure"],
            "loss": {"class_path": f"{HERE}.{name}", "init_args": options},
        },
        "data": {"train": "train.h5", "batch_size": 12},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "devices": 1, **changes},
    }


@pytest.mark.parametrize("name", LOSSES)
def test_one_step_from_a_configuration(name, sources, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for split in sources:
        (tmp_path / split).touch()  # the fixture stands in for the contents
    save_npz(tmp_path / "matrix.npz", eye_array(144, format="csr"))
    options, logged = LOSSES[name]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(configuration(name, options)))
    assert main(["fit", "--config", "run.yaml", "--out", "run"]) == 0
    head, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert "train_relative_l2" in head
    assert len(rows) >= 1
    terms = {word.removeprefix("train_loss_") for word in head.split(",") if "loss_" in word}
    assert {term.removesuffix("_epoch").removesuffix("_step") for term in terms} == set(logged)
    kept = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert not any(key.startswith("loss") for key in kept["state_dict"])
    assert Surrogate.load(tmp_path / "run" / "last.ckpt").family == "darcy2d"


def test_residual_training_needs_a_known_family(sources, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    sources["train.h5"].info.family = "theirs"
    (tmp_path / "train.h5").touch()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(configuration("PDEResidual", {})))
    with pytest.raises(InputError, match="of family 'theirs', whose equations are not known here"):
        main(["fit", "--config", "run.yaml", "--out", "run"])
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_a_misspelled_option_of_a_loss_is_named(sources, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.h5").touch()
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(configuration("BandL2", {"edge": [2]})))
    with pytest.raises(InputError, match="edge"):
        main(["fit", "--config", "run.yaml", "--out", "run"])
