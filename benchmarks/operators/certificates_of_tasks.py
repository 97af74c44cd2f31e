"""How sharp certificates are for rollouts and on meshes, as ``pdesolve evaluate`` reports them."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from scipy.spatial import Delaunay

from benchmarks.operators.training_runs import quiet_trainer
from benchmarks.table import Table
from meshes.unstructured import UnstructuredMesh
from neural.evaluation import evaluate
from neural.evaluation.report import DatasetErrors
from neural.training import PDEDataModule, SurrogateModule, TrajectoryDataModule, TrajectoryModule
from neural.training.mesh_files import write_mesh_samples
from pdesolve import get_family, sample_generator, solve
from pdesolve.data import generate

RESULTS = Path(__file__).parents[1] / "results" / "operators"
FLOWS: dict[str, tuple[dict[str, Any], int]] = {
    "heat2d": ({"num_times": 11}, 1),
    "burgers1d": ({"num_times": 11}, 1),
    "navier_stokes2d": ({"final_time": 2.0, "num_times": 11}, 2),
}
STEPS = {"name": "fno", "width": 16, "padding": 0}
AT_ONCE = {"name": "space-time-fno", "width": 8}
ON_MESH = {"name": "transolver", "projection": "linear", "width": 32, "num_layers": 2}


def run(num_train: int = 32, num_test: int = 10, epochs: int = 30, size: int = 24) -> Table:
    """Three equations in time, one model that gives all frames at once, and two on a mesh."""
    table = Table(
        "certificates_of_tasks",
        "Certified and true errors of rollouts and on a mesh",
        (
            "family",
            "model",
            "kind",
            "relative L2",
            "true error",
            "mean certificate",
            "least effectivity",
            "mean effectivity",
            "largest effectivity",
            "certificate (ms)",
        ),
        notes=[
            f"{num_train} training and {num_test} test samples, {epochs} epochs, seed 0. In time: "
            f"{size} points an axis, rollouts of all frames that follow the known ones; errors in "
            "the space-time energy norm. On the mesh: about 250 vertices, linear elements; errors "
            "in the energy norm. All but relative L2 are over the size of the prediction, against "
            "the data set's solutions; effectivity is certificate over true error.",
            "Times are medians on one thread of a shared machine.",
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for family, (options, known) in FLOWS.items():
            for split, count in (("train", num_train), ("test", num_test)):
                path = folder / f"{family}_{split}.h5"
                made = get_family(family, **options)
                generate(made, count, shape=size, split=split, out=path, estimate_error=False)
            found = _rollouts(folder, family, STEPS, known, epochs)
            _add(table, family, "fno, steps", found)
        found = _rollouts(folder, "navier_stokes2d", AT_ONCE, 2, epochs)
        _add(table, "navier_stokes2d", "space-time-fno", found)
        for family, options in (("poisson2d", {"boundary_deviation": 0.0}), ("darcy2d", {})):
            _add(
                table,
                family,
                "transolver on a mesh",
                _on_mesh(folder, family, options, num_train, num_test, epochs),
            )
    return table


def _add(table: Table, family: str, model: str, found: DatasetErrors) -> None:
    certified = found.certified
    if certified is None:
        raise RuntimeError(f"{family}: {found.remarks}")
    table.add(
        family,
        model,
        certified.kind,
        found.mean["relative_l2"],
        certified.mean_error,
        certified.mean_bound,
        certified.least_effectivity,
        certified.mean_effectivity,
        certified.largest_effectivity,
        1e3 * certified.seconds,
    )


def _rollouts(
    folder: Path, family: str, model: Mapping[str, Any], known: int, epochs: int
) -> DatasetErrors:
    data = TrajectoryDataModule(
        train=folder / f"{family}_train.h5",
        frames_in=known,
        frames_out=None if model["name"] == "space-time-fno" else 1,
        batch_size=16,
    )
    info, static = data.info_of("train"), data.split("train").static
    dimension, more = len(info.shape), 1 if model["name"] == "space-time-fno" else 0
    torch.manual_seed(0)
    module = TrajectoryModule(
        {**model, "modes": [6] * dimension + [3] * more},
        info.outputs,
        static,
        frames_in=known,
        output="state" if more else "increment",
        statistics="none" if more else "channel",
        learning_rate=5e-3,
    )
    return _measured(module, data, folder / f"{family}_test.h5", epochs)


def _on_mesh(
    folder: Path,
    name: str,
    options: Mapping[str, Any],
    num_train: int,
    num_test: int,
    epochs: int,
) -> DatasetErrors:
    mesh, family = _triangulation(), get_family(name, **options)
    for split, count in (("train", num_train), ("test", num_test)):
        inputs, outputs = [], []
        for index in range(count):
            parameters = family.sample(sample_generator(0, split, index))
            problem = family.problem(parameters)
            (unknown,) = family.inputs
            inputs.append(parameters[unknown].evaluate(mesh.points))
            solution = solve(problem, mesh=mesh, backend="fem", degree=1)
            outputs.append(solution.field.evaluate(mesh.points)[0])
        write_mesh_samples(
            folder / f"{name}_{split}.h5",
            family=name,
            points=mesh.points,
            cells=mesh.cells,
            inputs={unknown: np.array(inputs)},
            outputs={family.outputs[0]: np.array(outputs)},
            seed=0,
            split=split,
            settings={"family": {"given_options": dict(options)}},
        )
    torch.manual_seed(0)
    train = folder / f"{name}_train.h5"
    module = SurrogateModule(
        {"name": "on-mesh", "mesh": str(train), "model": ON_MESH},
        family.inputs,
        family.outputs,
        learning_rate=5e-3,
    )
    data = PDEDataModule(train=train, batch_size=8)
    return _measured(module, data, folder / f"{name}_test.h5", epochs)


def _triangulation(count: int = 14) -> UnstructuredMesh:
    """The unit square; points inside are moved a little."""
    line = np.linspace(0.0, 1.0, count + 2)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    inner = ((points > 0) & (points < 1)).all(axis=1)
    moved = np.random.default_rng(0).uniform(-0.3, 0.3, (int(inner.sum()), 2)) / (count + 1)
    points[inner] += moved
    cells = Delaunay(points).simplices
    a, b, c = (points[cells[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    cells, area = cells[np.abs(area) > 1e-9], area[np.abs(area) > 1e-9]
    cells[area < 0] = cells[area < 0][:, ::-1]
    return UnstructuredMesh(points, cells)


def _measured(
    module: lightning.LightningModule,
    data: lightning.LightningDataModule,
    test: Path,
    epochs: int,
) -> DatasetErrors:
    trainer = quiet_trainer(max_epochs=epochs, accelerator="cpu", devices=1)
    trainer.fit(module, datamodule=data)
    checkpoint = test.with_suffix(".ckpt")
    trainer.save_checkpoint(checkpoint)
    return evaluate(checkpoint, test, num_timed_solves=0).datasets[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    table = run(epochs=options.epochs)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
