"""Errors on meshes and point clouds, and certificates where the file says the problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from meshes.field import Field
from meshes.unstructured import UnstructuredMesh
from neural.evaluation import evaluate
from neural.evaluation.mesh_problems import mesh_problems
from neural.surrogate import Surrogate
from neural.training.data import PDEDataModule
from neural.training.mesh_files import MeshFileReader, write_mesh_samples
from neural.training.module import SurrogateModule
from neural.training.point_cloud_module import PointCloudModule
from pdesolve import get_family, sample_generator
from tests.neural.test_mesh_training import loads, solve_poisson
from tests.neural.test_message_passing import triangulation

pytestmark = pytest.mark.torch

INNER = {"name": "transolver", "projection": "linear", "width": 8, "num_layers": 1}


def write(path: Path, mesh: UnstructuredMesh, count: int, seed: int, **changes: Any) -> Path:
    """Poisson problems with u = 0 on the sides; the family has an input of that name."""
    forces = loads(mesh.points, count, seed)
    options: dict[str, Any] = {
        "family": "poisson2d", "points": mesh.points, "cells": mesh.cells,
        "inputs": {"source": forces}, "outputs": {"potential": solve_poisson(mesh, forces)},
        "split": path.stem, "box": ([0, 0], [1, 1]),
        "settings": {"family": {"given_options": {"boundary_deviation": 0.0}}},
    }  # fmt: skip
    return write_mesh_samples(path, **{**options, **changes})


def train(module: SurrogateModule, file: Path, epochs: int = 3) -> Path:
    trainer = lightning.Trainer(
        max_epochs=epochs, default_root_dir=file.parent, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", devices=1,
    )  # fmt: skip
    trainer.fit(module, datamodule=PDEDataModule(train=file, batch_size=8))
    path = file.parent / f"{file.stem}.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files on one mesh and a checkpoint."""
    made: Path = tmp_path_factory.mktemp("mesh")
    mesh = triangulation(80)
    write(made / "train.h5", mesh, 24, 1)
    write(made / "test.h5", mesh, 4, 2)
    torch.manual_seed(0)
    model = {"name": "on-mesh", "mesh": str(made / "train.h5"), "model": INNER}
    module = SurrogateModule(model, ["source"], ["potential"], learning_rate=1e-2)
    train(module, made / "train.h5", 10)
    return made


def test_errors_are_those_of_the_vectors_and_of_the_functions(folder: Path) -> None:
    report = evaluate(folder / "train.ckpt", folder / "test.h5")
    entry = report.datasets[0]
    inputs, targets = MeshFileReader(folder / "test.h5").read()
    found = Surrogate.load(folder / "train.ckpt").predict_batch(inputs)
    errors = np.linalg.norm((found - targets)[:, 0], axis=1) / np.linalg.norm(targets[:, 0], axis=1)
    assert entry.mean["relative_l2"] == pytest.approx(errors.mean(), rel=1e-4)
    assert entry.worst["relative_l2"] == pytest.approx(errors.max(), rel=1e-4)
    # the midpoints of edges integrate squares of linear functions exactly
    mesh = triangulation(80)

    def square(values: np.ndarray) -> float:
        corners = values[mesh.cells]
        middles = (corners + np.roll(corners, 1, axis=1)) / 2
        return float(np.sum(mesh.cell_volumes() * np.mean(middles**2, axis=1)))

    ratios = [
        np.sqrt(square(one - two) / square(two))
        for one, two in zip(found[:, 0], targets[:, 0], strict=True)
    ]
    assert entry.mean["relative_mass"] == pytest.approx(np.mean(ratios), rel=1e-4)
    rows = {row[0]: row[1:] for row in report.rows()}
    assert rows[""] == ("80 points",)
    assert "relative L2 as an integral" in rows


@pytest.mark.firedrake
def test_certificates_enclose_the_error(folder: Path) -> None:
    certified = evaluate(folder / "train.ckpt", folder / "test.h5").datasets[0].certified
    assert certified is not None
    assert (certified.kind, certified.norm, certified.num_samples) == ("guaranteed", "energy", 4)
    # for a = 1 the bound is the error of the solution with elements of one degree more; that of
    # the file is with linear ones, and its source is integrated in another way
    assert certified.least_effectivity == pytest.approx(1.0, abs=0.01)
    assert certified.largest_effectivity == pytest.approx(1.0, abs=0.01)
    assert certified.mean_error > 0.05


def test_problems_are_drawn_again_or_made_from_the_fields(tmp_path: Path) -> None:
    mesh = triangulation(30)
    family = get_family("darcy2d_lognormal")
    drawn = [family.sample(sample_generator(5, "test", index)) for index in range(3)]
    values = np.array([one["coefficient"].evaluate(mesh.points) for one in drawn])
    common: dict[str, Any] = {
        "family": family.name, "points": mesh.points, "cells": mesh.cells, "seed": 5,
        "split": "test", "outputs": {"pressure": values},
    }  # fmt: skip
    path = write_mesh_samples(tmp_path / "a.h5", inputs={"coefficient": values}, **common)
    problems, remark = mesh_problems(MeshFileReader(path), [0, 2], mesh)
    assert remark == ""
    inner = np.random.default_rng(0).random((9, 2))  # between the points of the mesh
    for problem, number in zip(problems, (0, 2), strict=True):
        expected = drawn[number]["coefficient"].evaluate(inner)
        np.testing.assert_allclose(problem.coefficient.evaluate(inner), expected)  # type: ignore[attr-defined]
    path = write_mesh_samples(tmp_path / "b.h5", inputs={"coefficient": 2 * values}, **common)
    problems, _ = mesh_problems(MeshFileReader(path), [1], mesh)
    field = Field(mesh, 2 * values[1], ("coefficient",))
    here = mesh.cell_centroids()
    np.testing.assert_allclose(
        problems[0].coefficient.evaluate(here),  # type: ignore[attr-defined]
        field.evaluate(here)[0],
    )


def test_what_keeps_a_certificate_away_is_said(folder: Path, tmp_path: Path) -> None:
    mesh = triangulation(80)
    for name, changes in (
        ("unknown", {"family": "membrane"}),
        ("bare", {"cells": None}),
        ("names", {"inputs": {"load": loads(mesh.points, 4, 2)}}),
    ):
        write(tmp_path / f"{name}.h5", mesh, 4, 2, **changes)
    problems = [
        mesh_problems(MeshFileReader(tmp_path / f"{name}.h5"), [0], mesh)
        for name in ("unknown", "names")
    ]
    assert [found for found, _ in problems] == [[], []]
    assert "the equations of family 'membrane' are not known here" in problems[0][1]
    assert "the problems of the samples are not known" in problems[1][1]
    with pytest.raises(InputError, match="has family membrane, the surrogate was trained with"):
        evaluate(folder / "train.ckpt", tmp_path / "unknown.h5")
    entry = evaluate(folder / "train.ckpt", tmp_path / "bare.h5").datasets[0]
    assert entry.certified is None
    assert "does not hold one mesh with cells" in entry.remarks[0]
    with pytest.raises(InputError, match=r"num_frames=3 is for models of trajectories"):
        evaluate(folder / "train.ckpt", folder / "test.h5", num_frames=3)


def test_points_that_fill_up_do_not_count(tmp_path: Path) -> None:
    rng, paths = np.random.default_rng(0), {}
    mask = np.ones((6, 12))
    mask[:, 9:] = 0
    for split in ("train", "test"):
        points = rng.random((6, 12, 2))
        paths[split] = write_mesh_samples(
            tmp_path / f"{split}.h5", family="cloud", points=points, inputs={}, mask=mask,
            outputs={"value": 1 + points[..., 0]}, box=([0, 0], [1, 1]), split=split, seed=0,
        )  # fmt: skip
    model = {"name": "on-mesh", "mesh": str(paths["train"]), "model": INNER}
    module = PointCloudModule(model, ["x", "y", "mask"], ["value"])
    checkpoint = train(module, paths["train"])
    entry = evaluate(checkpoint, paths["test"]).datasets[0]
    inputs, targets = MeshFileReader(paths["test"]).read()
    found = Surrogate.load(checkpoint).predict_batch(inputs)[:, 0, :9]
    real = targets[:, 0, :9]
    errors = np.linalg.norm(found - real, axis=1) / np.linalg.norm(real, axis=1)
    assert entry.mean["relative_l2"] == pytest.approx(errors.mean(), rel=1e-4)
    assert "rmse" not in entry.mean
    assert entry.certified is None
