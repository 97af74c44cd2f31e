"""Fields on meshes and point clouds: the file, the model that holds the mesh, training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import factorized

from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh
from neural.models.mesh_graph import nearest_neighbor_edges
from neural.models.neighbor_edges import NeighborEdges
from neural.models.on_mesh import OnMesh
from neural.models.registry import build_model, describe_model
from neural.surrogate import Surrogate
from neural.training.data import PDEDataModule
from neural.training.mesh_files import MeshFileReader, write_mesh_samples
from neural.training.module import SurrogateModule
from neural.training.point_cloud_module import PointCloudModule
from operators.failures import DataFileError
from tests.neural.test_message_passing import triangulation

pytestmark = pytest.mark.torch

TRANSOLVER = {
    "name": "transolver",
    "projection": "linear",
    "width": 16,
    "num_layers": 2,
    "num_slices": 8,
}
MESSAGES = {"name": "message-passing", "width": 16, "num_layers": 4}


def solve_poisson(mesh: UnstructuredMesh, loads: np.ndarray) -> np.ndarray:
    """Linear elements for −Δu = f, u = 0 on the boundary; loads and solutions at vertices."""
    corners = mesh.points[mesh.cells]
    edge = np.stack([corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3] for k in range(3)], 1)
    area = mesh.cell_volumes()
    local = np.einsum("cid,cjd->cij", edge, edge) / (4 * area[:, None, None])
    mass = area[:, None, None] / 12 * (np.ones((3, 3)) + np.eye(3))
    rows = np.repeat(mesh.cells, 3, axis=1).ravel()
    columns = np.tile(mesh.cells, (1, 3)).ravel()
    size = (mesh.num_points, mesh.num_points)
    stiffness = coo_matrix((local.ravel(), (rows, columns)), size).tocsc()
    free = np.setdiff1d(np.arange(mesh.num_points), mesh.boundary_facets)
    forces = coo_matrix((mass.ravel(), (rows, columns)), size).tocsr() @ loads.T
    solutions = np.zeros_like(loads)
    solve = factorized(stiffness[free][:, free])
    for k in range(len(loads)):
        solutions[k, free] = solve(forces[free, k])
    return solutions


def loads(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """One and two waves of random size, which do not depend on the mesh."""
    sizes = np.random.default_rng(seed).uniform(-1.5, 1.5, (count, 2))
    return np.asarray(1.0 + sizes @ np.cos(np.pi * points.T))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Poisson problems on one triangulation of 80 points."""
    mesh, folder = triangulation(80), tmp_path_factory.mktemp("mesh")
    found = {}
    for split, count, seed in (("train", 96, 1), ("test", 24, 2)):
        forces = loads(mesh.points, count, seed)
        found[split] = write_mesh_samples(
            folder / f"{split}.h5",
            family="poisson on a mesh",
            points=mesh.points,
            cells=mesh.cells,
            inputs={"load": forces},
            outputs={"solution": solve_poisson(mesh, forces)},
            units={"load": "1", "solution": "1"},
            seed=seed,
            split=split,
        )
    return found


def train(module: SurrogateModule, data: PDEDataModule, epochs: int, folder: Path) -> float:
    trainer = lightning.Trainer(
        max_epochs=epochs,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        gradient_clip_val=1.0,
    )
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(folder / "last.ckpt")
    return float(trainer.test(module, datamodule=data, verbose=False)[0]["test_relative_l2"])


def module_for(model: dict[str, Any], reader: MeshFileReader, rate: float) -> SurrogateModule:
    torch.manual_seed(0)
    return SurrogateModule(
        model, reader.info.inputs, reader.info.outputs, learning_rate=rate, schedule="one_cycle"
    )


class TestTraining:
    @pytest.mark.parametrize("inner", [TRANSOLVER, MESSAGES])
    def test_poisson_on_a_triangulation(
        self, files: dict[str, Path], tmp_path: Path, inner: dict[str, Any]
    ) -> None:
        reader = MeshFileReader(files["train"])
        model = {"name": "on-mesh", "model": inner, "mesh": str(files["train"])}
        module = module_for(model, reader, 1e-2)
        data = PDEDataModule(train=files["train"], test=files["test"], batch_size=6)
        error = train(module, data, 15, tmp_path)
        assert error < 0.1
        # what the mean of the training data achieves
        known, wanted = reader.read()[1].mean(axis=0), MeshFileReader(files["test"]).read()[1]
        mean = np.linalg.norm(known - wanted, axis=2) / np.linalg.norm(wanted, axis=2)
        assert mean.mean() > 0.2

        surrogate = Surrogate.load(tmp_path / "last.ckpt")  # without the file of the mesh
        inputs, outputs = MeshFileReader(files["test"]).read()
        found = surrogate.predict_batch(inputs)
        again = np.linalg.norm(found - outputs, axis=2) / np.linalg.norm(outputs, axis=2)
        assert again.mean() == pytest.approx(error, rel=1e-4)

    def test_points_of_each_sample(self, tmp_path: Path) -> None:
        """The same problem with the points shifted differently in each sample."""
        mesh, rng, paths = triangulation(60), np.random.default_rng(3), {}
        for split, count in (("train", 24), ("test", 8)):
            points = mesh.points + 0.2 * rng.normal(size=(count, 1, 2))
            values = np.sin(3 * points[..., 0]) + points[..., 1]
            paths[split] = write_mesh_samples(
                tmp_path / f"{split}.h5", family="field", points=points, inputs={},
                outputs={"value": values}, box=([-2, -2], [3, 3]), split=split, seed=0,
            )  # fmt: skip
        reader = MeshFileReader(paths["train"])
        assert reader.info.inputs == ("x", "y")
        data = PDEDataModule(train=paths["train"], test=paths["test"], batch_size=4)
        for inner in (TRANSOLVER, {**MESSAGES, "num_layers": 2}):
            module = module_for(
                {"name": "on-mesh", "model": inner, "mesh": str(paths["train"])}, reader, 1e-2
            )
            assert train(module, data, 5, tmp_path) < 0.5  # 1 is the error of zero

    def test_filling_is_not_trained_on(self, tmp_path: Path) -> None:
        """Clouds of 20 to 40 points; what fills them up has no part in the error."""
        rng, paths = np.random.default_rng(4), {}
        for split, count in (("train", 24), ("test", 8)):
            points = rng.random((count, 40, 2))
            mask = np.arange(40) < rng.integers(20, 40, (count, 1))
            values = 2.0 + np.sin(3 * points[..., 0]) + points[..., 1]
            paths[split] = write_mesh_samples(
                tmp_path / f"{split}.h5", family="field", points=points, inputs={},
                outputs={"value": values}, mask=mask, box=([0, 0], [1, 1]), split=split, seed=0,
            )  # fmt: skip
        reader = MeshFileReader(paths["train"])
        torch.manual_seed(0)
        module = PointCloudModule(
            {"name": "on-mesh", "model": TRANSOLVER, "mesh": str(paths["train"])},
            reader.info.inputs,
            reader.info.outputs,
            learning_rate=1e-2,
        )
        data = PDEDataModule(train=paths["train"], test=paths["test"], batch_size=4)
        error = train(module, data, 5, tmp_path)
        inputs, outputs = (torch.as_tensor(a).float() for a in MeshFileReader(paths["test"]).read())
        with torch.no_grad():
            found = module.eval()(inputs)
        real = inputs[:, -1:] > 0.5
        assert float(found[~real].abs().max()) == 0.0
        parts = [
            float((f[m] - u[m]).norm() / u[m].norm())
            for f, u, m in zip(found, outputs, real, strict=True)
        ]
        assert error == pytest.approx(np.mean(parts), rel=1e-4)
        assert error < 0.1


class TestOnMesh:
    def test_checkpoint_brings_the_mesh(self, files: dict[str, Path]) -> None:
        torch.manual_seed(0)
        model = build_model(
            "on-mesh",
            {"in_channels": 1, "out_channels": 1, "model": MESSAGES, "mesh": str(files["train"])},
        )
        described = describe_model(model)
        assert described["options"]["mesh"] is None
        other = build_model(described["name"], described["options"])
        other.load_state_dict(model.state_dict())
        inputs = torch.randn(2, 1, 80)
        assert torch.equal(model(inputs), other(inputs))

    def test_from_a_mesh_is_from_its_file(self, files: dict[str, Path]) -> None:
        named = OnMesh(1, 1, MESSAGES, mesh=str(files["train"]))
        made = OnMesh.from_mesh(1, 1, MESSAGES, triangulation(80))
        assert torch.equal(named.points, made.points)
        assert torch.equal(named.edges, made.edges)
        assert named.options == made.options
        assert float(made.points.min()) == 0.0
        assert float(made.points.max()) == 1.0

    def test_clouds_of_different_size(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        points, values = rng.random((2, 12, 2)), rng.random((2, 12))
        mask = np.ones((2, 12))
        mask[1, 7:] = 0
        path = write_mesh_samples(
            tmp_path / "a.h5", family="clouds", points=points, inputs={"a": values},
            outputs={"u": values}, mask=mask,
        )  # fmt: skip
        reader = MeshFileReader(path)
        assert reader.info.inputs == ("x", "y", "a", "mask")
        inputs, outputs = reader.read()
        assert np.array_equal(outputs[1, 0], np.where(mask[1], values[1], 0))
        model = OnMesh(4, 1, TRANSOLVER, mesh=str(path)).double().eval()
        fields = torch.as_tensor(inputs)
        fields[:, -1] -= 0.5  # as a normaliser leaves it
        alone = model(fields[1:, :, :7])
        assert torch.allclose(model(fields)[1:, :, :7], alone, atol=1e-12)
        with pytest.raises(InputError, match="cannot mask"):
            OnMesh(4, 1, MESSAGES, mesh=str(path))

    def test_neighbours_are_searched_once_for_each_cloud(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        searched = []

        def search(points: Any, num_neighbors: int) -> torch.Tensor:
            searched.append(np.array(points))
            return nearest_neighbor_edges(points, num_neighbors)

        monkeypatch.setattr("neural.models.neighbor_edges.nearest_neighbor_edges", search)
        model = OnMesh(3, 1, MESSAGES, moving=True, num_neighbors=3).eval()
        fields = torch.rand(2, 3, 9, generator=torch.Generator().manual_seed(0))
        first = model(fields)
        assert torch.equal(model(fields.flip(0)).flip(0), first)
        assert len(searched) == 2
        moved = fields.clone()
        moved[1, :2, 4] += 0.5
        fresh = OnMesh(3, 1, MESSAGES, moving=True, num_neighbors=3).eval()
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(model(moved), fresh(moved))
        assert np.array_equal(searched[2], moved[1, :2].T.double().numpy())

    def test_kept_neighbours_are_bounded(self) -> None:
        edges = NeighborEdges(2, capacity=25)
        clouds = torch.rand(5, 6, 2, generator=torch.Generator().manual_seed(0))
        for cloud in clouds:
            assert torch.equal(edges(cloud), nearest_neighbor_edges(cloud.double(), 2))
        assert len(edges._known) == 2

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: OnMesh(1, 1, {"name": "fno"}, num_points=4), "takes no points"),
            (lambda: OnMesh(1, 1, TRANSOLVER), "there are no points"),
            (lambda: OnMesh(1, 1, {"width": 4}, num_points=4), "needs a 'name'"),
            (
                lambda: OnMesh(1, 1, {"name": "lsm-points", "upper": [2.0, 1.0]}, num_points=4),
                "'on-mesh' scales; leave it out",
            ),
            (lambda: OnMesh(1, 1, TRANSOLVER, num_points=4)(torch.ones(1, 1, 5)), "has 4"),
            (lambda: OnMesh(1, 1, TRANSOLVER, num_points=4)(torch.ones(1, 2, 4)), "does not fit"),
        ],
    )
    def test_refusals(self, call: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            call()


GOOD: dict[str, Any] = {
    "family": "f",
    "points": np.random.default_rng(0).random((5, 2)),
    "inputs": {"a": np.ones((3, 5))},
    "outputs": {"u": np.arange(15.0).reshape(3, 5)},
}


class TestFile:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        path = write_mesh_samples(tmp_path / "a.h5", **GOOD, cells=[[0, 1, 2]], units={"u": "m"})
        reader = MeshFileReader(path)
        inputs, outputs = reader.read([2, 0])
        assert np.array_equal(outputs[:, 0], GOOD["outputs"]["u"][[2, 0]])
        assert np.array_equal(inputs[:, 0], np.ones((2, 5)))
        assert np.array_equal(reader.points, GOOD["points"])
        assert reader.cells is not None
        assert reader.info.units == {"u": "m"}
        assert reader.info.shape == (5,)
        assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"points": np.ones((5, 4))}, "d = 1, 2 or 3"),
            ({"points": np.ones((2, 5, 2)) * [[[1.0, 2.0]]]}, "points of 2 samples"),
            ({"inputs": {"a": np.ones((3, 4))}}, r"inputs have shape \(3, 1, 4\)"),
            ({"inputs": {}}, "there is no input"),
            ({"outputs": {}}, "there is no output"),
            ({"inputs": {"u": np.ones((3, 5))}}, "must be different"),
            ({"inputs": {"a": np.ones((3, 5)), "b": np.ones((2, 5))}}, "must all have shape"),
            ({"outputs": {"u": np.full((3, 5), np.nan)}}, "of sample 0 are not finite"),
            ({"mask": np.ones((3, 5))}, "points of its own"),
            ({"cells": [[0, 1, 5]]}, "from 0 to 4"),
            ({"cells": [[0, 1]]}, r"\(num_cells, 3\)"),
            ({"cells": [[0, 1, 2]], "cell_type": "circle"}, "no cell type 'circle'"),
            ({"box": ([0, 0], [0, 1])}, "is not one"),
        ],
    )
    def test_writing_refuses(self, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            write_mesh_samples(tmp_path / "a.h5", **{**GOOD, **changes})
        assert list(tmp_path.iterdir()) == []

    def test_reading_refuses(self, tmp_path: Path) -> None:
        def damaged(change: Any) -> Path:
            path = write_mesh_samples(tmp_path / "a.h5", **GOOD)
            with h5py.File(path, "r+") as file:
                change(file)
            return path

        def nan(file: Any) -> None:
            file["inputs"][1, 0, 2] = np.nan

        def link(file: Any) -> None:
            file["cells"] = h5py.ExternalLink("b.h5", "/cells")

        def objects(file: Any) -> None:
            del file["inputs"]
            file.create_dataset("inputs", (3,), dtype=h5py.string_dtype())

        def less(file: Any) -> None:
            del file["outputs"]

        def more(file: Any) -> None:
            file.create_group("more")

        def older(file: Any) -> None:
            del file["description"]
            text = b'{"format": "pdesolve mesh samples", "format_version": 9}'
            file["description"] = np.frombuffer(text, np.uint8)

        for change, message in (
            (nan, "sample 1 are not finite"),
            (link, "is a link"),
            (objects, "has type object"),
            (less, "lacks outputs"),
            (more, "does not belong"),
            (older, "format version 9"),
        ):
            with pytest.raises(DataFileError, match=message):
                MeshFileReader(damaged(change))
        path = write_mesh_samples(tmp_path / "a.h5", **GOOD)
        path.write_bytes(path.read_bytes()[:-700])
        with pytest.raises(DataFileError, match="damaged"):
            MeshFileReader(path)
        with pytest.raises(InputError, match="no file"):
            MeshFileReader(tmp_path / "b.h5")

    def test_one_flipped_byte_is_found(self, tmp_path: Path) -> None:
        path = write_mesh_samples(tmp_path / "a.h5", **GOOD)
        content = bytearray(path.read_bytes())
        place = content.find(np.float64(13.0).tobytes())
        content[place + 3] ^= 1
        path.write_bytes(content)
        with pytest.raises(DataFileError, match="damaged"):
            MeshFileReader(path)

    def test_files_of_two_meshes_do_not_mix(self, tmp_path: Path) -> None:
        one = write_mesh_samples(tmp_path / "a.h5", **GOOD, box=([0, 0], [1, 1]))
        moved = {**GOOD, "points": GOOD["points"][::-1]}
        two = write_mesh_samples(tmp_path / "b.h5", **moved, box=([0, 0], [1, 1]))
        with pytest.raises(InputError, match="different options"):
            PDEDataModule(train=one, test=two).setup()
