"""``predict`` and ``evaluate`` with models of trajectories, on meshes, and of several families."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.petsc, pytest.mark.torch]

FLOW = """\
task: trajectory
model:
  model: {name: fno, modes: [3, 3], width: 4, num_layers: 1, padding: 0}
  state: [vorticity]
  frames_in: 2
  output: increment
data: {train: train.h5, batch_size: 4, frames_in: 2, frames_out: 1, start: 1}
trainer: {max_epochs: 2}
out: flow
"""

MESH = """\
task: points
model:
  model:
    name: on-mesh
    mesh: mesh.h5
    model: {name: transolver, projection: linear, width: 8, num_layers: 1}
  inputs: [source]
  outputs: [potential]
data: {train: mesh.h5, batch_size: 4}
trainer: {max_epochs: 2}
out: mesh
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of flows and one on a mesh, with test files."""
    from neural.training.mesh_files import write_mesh_samples
    from pdesolve.command_line.main import main
    from tests.neural.test_mesh_training import loads, solve_poisson
    from tests.neural.test_message_passing import triangulation

    made: Path = tmp_path_factory.mktemp("kinds")
    mesh = triangulation(40)
    for name, count, seed in (("mesh", 8, 1), ("mesh_test", 3, 2)):
        forces = loads(mesh.points, count, seed)
        write_mesh_samples(
            made / f"{name}.h5", family="poisson2d", points=mesh.points, cells=mesh.cells,
            inputs={"source": forces}, outputs={"potential": solve_poisson(mesh, forces)},
            box=([0, 0], [1, 1]), split=name, units={"source": "1", "potential": "1"},
            settings={"family": {"given_options": {"boundary_deviation": 0.0}}},
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for split, count in (("train", 4), ("test", 2)):
            words = f"generate navier_stokes2d --num-samples {count} --shape 12 --split {split}"
            words += f" --set final_time=1.0 num_times=6 --out {split}.h5"
            assert main(words.split()) == 0
        for name, text in (("flow", FLOW), ("mesh", MESH)):
            (made / f"{name}.yaml").write_text(text)
            assert main(["train", "fit", "--config", f"{name}.yaml"]) == 0
            shutil.copy(made / name / "last.ckpt", made / f"{name}.ckpt")
    return made


@pytest.fixture
def here(command, folder, tmp_path):
    """The command, in a folder that holds checkpoints and test files."""
    for name in ("flow.ckpt", "mesh.ckpt", "test.h5", "mesh_test.h5"):
        shutil.copy(folder / name, tmp_path / name)
    return command


def test_evaluate_rollouts(here, tmp_path):
    outcome = here("evaluate flow.ckpt --data test.h5 --timed-solves 1 --json flow.json")
    assert outcome.code == 0, outcome.err
    for row in ("first frame", "mean over frames", "last frame", "certified error, mean"):
        assert row in outcome.out
    assert "rollouts of 3 frames, 0.2 apart" in outcome.out
    report = json.loads((tmp_path / "flow.json").read_text())["datasets"][0]
    assert len(report["frames"]) == 3
    assert report["certified"]["largest_effectivity"] < 10
    shown = re.search(r" first frame +([\d.]+) %", outcome.out)
    assert float(shown[1]) == pytest.approx(100 * report["frames"][0], rel=1e-2)
    outcome = here("evaluate flow.ckpt --data test.h5 --timed-solves 0 --frames 2")
    assert "rollouts of 2 frames" in outcome.out


def test_predict_begins_from_the_solver(here, tmp_path):
    words = "predict flow.ckpt navier_stokes2d --seed 7 --set final_time=1.0 num_times=6"
    outcome = here(f"{words} --frames 4 --out p.pvd --plot p.png")
    assert outcome.code == 0, outcome.err
    assert "APPROXIMATE prediction: navier_stokes2d, sample 0 of 'test' with seed 7" in outcome.out
    assert re.search(r"known frames +2, up to t = 0.4, by the solver in", outcome.out)
    assert re.search(r"predicted frames +4, up to t = 1.2", outcome.out)
    assert re.search(r"error in the space-time energy norm +about [\d.]+ %", outcome.out)
    assert len(list((tmp_path / "p").glob("*.vti"))) == 6
    assert b"vorticity_approximate" in (tmp_path / "p" / "p_0005.vti").read_bytes()
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_predict_continues_a_file(here):
    from neural import TrajectorySurrogate
    from pdesolve.data import open_dataset

    outcome = here("predict flow.ckpt --data test.h5 --index 1")
    assert outcome.code == 0, outcome.err
    states = open_dataset("test.h5").read_trajectories([1])[0, 1:]
    found = TrajectorySurrogate.load("flow.ckpt").rollout(states[None, :2], 3)[0]
    error = np.linalg.norm(found - states[2:]) / np.linalg.norm(states[2:])
    shown = re.search(r"relative L2 error to the file's frames +([\d.]+) %", outcome.out)
    assert float(shown[1]) == pytest.approx(100 * error, rel=1e-2)
    assert "by the solver" not in outcome.out
    assert "error in the space-time energy norm" in outcome.out


def test_another_viscosity_warns_or_is_refused(here, refused):
    words = "predict flow.ckpt navier_stokes2d --set viscosity=0.01"
    assert "viscosity=0.01, the training data viscosity" in here(words).err
    assert "strict=True refuses" in refused(f"{words} --strict true")


@pytest.mark.firedrake
def test_models_on_meshes(here, tmp_path):
    outcome = here("evaluate mesh.ckpt --data mesh_test.h5")
    assert outcome.code == 0, outcome.err
    assert "40 points" in outcome.out
    assert "certified error, mean" in outcome.out
    outcome = here("predict mesh.ckpt --data mesh_test.h5 --index 2 --out p.pvd --plot p.png")
    assert outcome.code == 0, outcome.err
    assert re.search(r"error in the energy norm +[\d.]+ % to [\d.]+ %", outcome.out)
    assert re.search(r"relative L2 error to the file's values +[\d.]+ %", outcome.out)
    import meshio

    written = meshio.read(tmp_path / "p" / "p_0000.vtu")
    assert set(written.point_data) == {"potential_approximate", "source"}
    assert written.cells[0].type == "triangle"
    assert len(written.points) == 40


def test_words_that_do_not_fit_are_refused(here, refused):
    for words, said in (
        ("predict mesh.ckpt poisson2d", "give --data FILE --index NUMBER"),
        ("predict mesh.ckpt --data mesh_test.h5 --index 9", "sample 9 is not among the 3 usable"),
        ("predict mesh.ckpt --data test.h5", "holds fields on a grid"),
        ("predict mesh.ckpt --data mesh_test.h5 --frames 3", "--frames is for models of traj"),
        ("predict flow.ckpt darcy2d", "was trained on the family 'navier_stokes2d'"),
        ("predict flow.ckpt navier_stokes2d --data test.h5", "so does family=navier_stokes2d"),
        ("predict flow.ckpt --data mesh_test.h5", "holds no trajectories"),
        ("predict flow.ckpt --data test.h5 --frames 0", "--frames 0 must be at least 1"),
        ("predict flow.ckpt", "family is missing"),
        ("evaluate mesh.ckpt --data mesh_test.h5 --frames 2", "num_frames=2 is for models of"),
    ):
        assert said in refused(words)


def test_data_is_not_for_models_on_grids(command, refused, trained, checkpoint, tmp_path):
    shutil.copy(checkpoint, tmp_path / "best.ckpt")
    shutil.copy(trained / "darcy_test.h5", tmp_path / "darcy_test.h5")
    message = refused("predict best.ckpt --data darcy_test.h5")
    assert "pdesolve predict best.ckpt darcy2d" in message
