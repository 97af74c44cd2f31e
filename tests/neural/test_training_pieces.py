"""What the training modules share: divisors of the schedule, checks of losses, terms in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
import yaml

from meshes.errors import InputError
from neural.training import (
    PDEDataModule,
    RelativeH1,
    RelativeL2,
    SurrogateModule,
    TrajectoryDataModule,
    TrajectoryModule,
)
from neural.training.losses import FieldLoss, WeightedSum
from neural.training.mesh_files import write_mesh_samples
from neural.training.optimization import Optimization
from neural.training.point_cloud_module import PointCloudModule
from pdesolve.data import generate
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.torch

EXAMPLES = Path(__file__).parents[2] / "examples" / "benchmarks"
FNO = {"name": "fno", "modes": [3], "width": 4, "num_layers": 1}


class Recorded(RelativeL2):
    """Notes the files that it is shown, and refuses one name."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.refused, self.seen = refused, []  # type: ignore[var-annotated]

    def check(self, info: Any) -> None:
        self.seen.append(Path(info.path).name)
        if Path(info.path).name == self.refused:
            raise InputError(f"'{info.path}' is refused")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of trajectories, and one of fields on a mesh."""
    made: Path = tmp_path_factory.mktemp("pieces")
    family = get_family("advection1d", num_times=5)
    for split in ("one", "two"):
        generate(family, 4, shape=12, split=split, out=made / f"{split}.h5")
    points = np.random.default_rng(0).random((20, 2))
    values = np.ones((4, 20))
    write_mesh_samples(
        made / "points.h5", family="field", points=points, inputs={"load": values},
        outputs={"value": values},
    )  # fmt: skip
    return made


def trainer(folder: Path, **options: Any) -> lightning.Trainer:
    return lightning.Trainer(
        default_root_dir=folder, max_epochs=1, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        **options,
    )  # fmt: skip


def trajectories(folder: Path, loss: FieldLoss) -> tuple[TrajectoryModule, TrajectoryDataModule]:
    files = [folder / "one.h5", folder / "two.h5"]
    data = TrajectoryDataModule(train=files, frames_out=1, batch_size=8)
    return TrajectoryModule(FNO, ["concentration"], ["velocity_x"], loss=loss), data


class Rates(lightning.Callback):
    """The rate of every step."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        self.found.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_one_cycle_begins_and_ends_as_told(folder: Path) -> None:
    rates = Rates()
    module, data = trajectories(folder, RelativeL2())
    module.optimization = Optimization(
        learning_rate=1e-2, warmup_fraction=0.5, div_factor=1e3, final_div_factor=10.0
    )
    run = trainer(folder, callbacks=[rates])
    run.fit(module, datamodule=data)
    assert rates.found[0] == pytest.approx(1e-5)
    assert max(rates.found) == pytest.approx(1e-2)
    assert rates.found[-1] == pytest.approx(1e-6)
    assert module.optimization.options()["final_div_factor"] == 10.0


@pytest.mark.parametrize("name", ["div_factor", "final_div_factor"])
@pytest.mark.parametrize("value", [0.5, float("inf"), float("nan")])
def test_divisors_are_checked(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"{name}={value} must be a finite number of at least 1"):
        SurrogateModule(FNO, ["x"], ["y"], **{name: value})


def test_the_published_divisors_stand_in_the_example() -> None:
    options = yaml.safe_load((EXAMPLES / "spectral_refiner_forced.yaml").read_text())["model"]
    assert (options["div_factor"], options["final_div_factor"]) == (1e3, 1e4)


def test_trajectory_training_shows_every_file_to_the_loss(folder: Path, tmp_path: Path) -> None:
    loss = Recorded()
    module, data = trajectories(folder, loss)
    trainer(tmp_path).fit(module, datamodule=data)
    assert loss.seen == ["one.h5", "two.h5"]
    module, data = trajectories(folder, Recorded("two.h5"))
    with pytest.raises(InputError, match=r"two\.h5' is refused"):
        trainer(tmp_path).fit(module, datamodule=data)


def test_trajectory_training_logs_the_terms(folder: Path, tmp_path: Path) -> None:
    loss = WeightedSum({"values": RelativeL2(), "slopes": RelativeH1()}, {"slopes": 0.1})
    run = trainer(tmp_path)
    module, data = trajectories(folder, loss)
    run.fit(module, datamodule=data)
    logged = run.callback_metrics
    assert {"train_loss_values", "train_loss_slopes"} <= set(logged)
    assert float(logged["train_loss_values"]) > 0
    # each frame's slopes include its values, times 0.1
    assert float(logged["train_loss_slopes"]) > 0.1 * float(logged["train_loss_values"])


@pytest.mark.parametrize("loss", [RelativeH1(), WeightedSum({"slopes": RelativeH1()})])
def test_differences_on_points_are_refused(folder: Path, tmp_path: Path, loss: FieldLoss) -> None:
    model = {
        "name": "on-mesh", "mesh": str(folder / "points.h5"),
        "model": {"name": "transolver", "projection": "linear", "width": 8, "num_layers": 1},
    }  # fmt: skip
    module = SurrogateModule(model, ["load"], ["value"], loss=loss)
    data = PDEDataModule(train=folder / "points.h5", batch_size=2)
    with pytest.raises(InputError, match=r"RelativeH1 has no meaning; use RelativeL2, or MeshNorm"):
        trainer(tmp_path).fit(module, datamodule=data)


def test_the_task_for_points_refuses_grids(tmp_path: Path) -> None:
    torch.save({"x": torch.rand(4, 8, 8), "y": torch.rand(4, 8, 8)}, tmp_path / "set.pt")
    model = {"name": "fno", "modes": [2, 2], "width": 4}
    module = PointCloudModule(model, ["x"], ["y"])
    with pytest.raises(InputError, match=r"uniform grid, and task: points .* Write task: steady"):
        trainer(tmp_path).fit(module, datamodule=PDEDataModule(train=tmp_path / "set.pt"))
