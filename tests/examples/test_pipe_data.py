"""The flow through a bent pipe, as data on its mesh and on the grid of its mesh."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "pipe_data.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_mesh_follows_the_centreline(script: dict[str, Any]) -> None:
    line = script["centreline"](np.random.default_rng(0), 2.0, 1.0)
    mesh = script["pipe_mesh"](line, (9, 5))
    points = mesh.points.reshape(9, 5, 2)
    assert np.allclose(points[:, 2, 1], line(points[:, 2, 0]))
    assert np.allclose(points[:, -1, 1] - points[:, 0, 1], 1.0)
    assert float(mesh.cell_volumes().sum()) == pytest.approx(10.0)  # sections are only moved
    assert points[[0, -1], 2, 1].tolist() == [0.0, 0.0]
    assert set(mesh.boundary_names) == {"inlet", "outlet", "lower", "upper"}


@pytest.mark.firedrake
@pytest.mark.petsc
def test_as_much_flows_out_as_in(script: dict[str, Any]) -> None:
    found = script["sample"](0, (41, 25), height=0.5, slope=0.3)
    points, speeds = found["points"][None], found["speeds"][None]
    share = np.linspace(0.0, 1.0, 25)
    assert np.allclose(speeds[0, 0], 4 * share * (1 - share), atol=1e-12)
    assert np.all(speeds[0][:, [0, -1]] == 0.0)
    through = np.trapezoid(speeds[0], share, axis=1)
    assert np.allclose(through, 2 / 3, rtol=0.02)  # the trapezoidal rule of 25 values
    assert points.shape == (1, 41, 25, 2)


@pytest.mark.torch
def test_files_are_training_data(script: dict[str, Any], tmp_path: Path) -> None:
    import torch

    from neural.models.on_mesh import OnMesh
    from neural.training.data import PDEDataModule

    lines = [script["centreline"](np.random.default_rng(k), 2.0, 1.0) for k in range(3)]
    points = np.stack([script["pipe_mesh"](line, (9, 5)).points for line in lines])
    points = points.reshape(3, 9, 5, 2)
    speeds = np.random.default_rng(0).random((3, 9, 5))
    options = {"split": "train", "seed": 0, "height": 2.0, "slope": 1.0}
    for name, shape in (("a.h5", (45,)), ("a.pt", (9, 5))):
        script["write"](tmp_path / name, points, speeds, **options)
        data = PDEDataModule(train=tmp_path / name, batch_size=3)
        inputs, outputs, _ = next(iter(data.train_dataloader()))
        assert inputs.shape == (3, 2, *shape)
        assert outputs.shape == (3, 1, *shape)
        assert np.isin(speeds.astype(np.float32), outputs.numpy()).all()
    model = OnMesh(2, 1, {"name": "message-passing", "width": 8}, mesh=str(tmp_path / "a.h5"))
    assert model.edges.shape[1] == 2 * (8 * 5 + 9 * 4)
    assert model(torch.as_tensor(points).float().reshape(3, -1, 2).transpose(1, 2)).shape == (
        3,
        1,
        45,
    )
