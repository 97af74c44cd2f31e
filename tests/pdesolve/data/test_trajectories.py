"""Data sets of problems in time."""

import h5py
import numpy as np
import pytest

from meshes.errors import InputError
from operators.failures import DataFileError
from pdesolve import evolve, generate, get_family, sample_generator
from pdesolve.data import check_dataset, open_dataset, read_card, read_info
from pdesolve.data.schema import FIELDS, Status
from tests.mpi import start_parallel


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp("set") / "burgers.h5"
    family = get_family("burgers1d", num_times=4)
    return generate(family, 5, shape=32, out=out, shard_size=2)


def test_what_the_file_says(small):
    info = read_info(small.path)
    assert info.schema_version == 2
    assert info.num_times == 4
    assert info.times == pytest.approx(np.linspace(0.0, info.times[-1], 4))
    assert info.outputs == ("velocity",)
    assert info.inputs == ("initial_velocity",)
    report = check_dataset(small.path)
    assert report.passed, report.text()
    assert "every step converged" in report.text()


def test_values_are_those_of_a_solve(small):
    family = get_family("burgers1d", num_times=4)
    with open_dataset(small.path) as data:
        inputs, last = data.read()
        trajectories = data.read_trajectories()
        records = data.read_records()
        parameters = data.read_parameters()
    assert trajectories.shape == (5, 4, 1, 32)
    assert np.array_equal(trajectories[:, -1], last)
    assert np.allclose(trajectories[:, 0], inputs[:, :1], rtol=0, atol=1e-12)
    for index in (0, 3):
        draw = family.sample(sample_generator(0, "train", index))
        step = small.times[-1] / int(records["iterations"][index])
        trajectory = evolve(family.problem(draw), mesh=32, backend="spectral", dt=step)
        expected = np.stack([trajectory.gather(k).values for k in range(4)])
        assert np.allclose(trajectories[index], expected, rtol=0, atol=1e-12)
        for name, values in parameters.items():
            assert values[index] == draw[name]
    assert (records["status"] == Status.SOLVED).all()
    assert np.isfinite(records["error_estimate"]).all()


def test_one_time_as_the_output(small):
    with open_dataset(small.path) as data:
        trajectories = data.read_trajectories([1])
    with open_dataset(small.path, output_time=1) as data:
        assert np.array_equal(data.read([1])[1], trajectories[:, 1])
    with pytest.raises(InputError, match=r"output_time=4, but .* has 4 times, 0 to 3"):
        open_dataset(small.path, output_time=4)
    with pytest.raises(InputError, match="must be an integer"):
        open_dataset(small.path, output_time=0.5)


def test_layout_is_that_of_the_well(small):
    with h5py.File(small.path) as file:
        assert file["dimensions/time"].shape == (4,)
        velocity, initial = file[FIELDS]["velocity"], file[FIELDS]["initial_velocity"]
        assert velocity.shape == (5, 4, 32)
        assert velocity.attrs["time_varying"]
        assert initial.shape == (5, 32)
        assert not initial.attrs["time_varying"]


def test_same_file_again_and_from_several_processes(small, tmp_path):
    family = get_family("burgers1d", num_times=4)
    again = generate(family, 5, shape=32, out=tmp_path / "burgers.h5", shard_size=2)
    assert again.path.read_bytes() == small.path.read_bytes()


@pytest.mark.petsc
@pytest.mark.parallel
def test_two_processes_write_the_same_samples(small, tmp_path):
    out = tmp_path / "burgers.h5"
    words = "burgers1d --set num_times=4 --num-samples 5 --shape 32 --shard-size 2"
    program = "from pdesolve.command_line.main import main; main()"
    done = start_parallel(program, 2, "generate", *words.split(), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert read_info(out).sha256 == small.sha256


def test_card(small):
    card = read_card(small.path)
    assert "- Times: 4, from 0 to" in card
    assert "- Steps: " in card
    assert "--set num_times=4" in card
    assert "--rtol" not in card


def test_step_that_does_not_divide_the_times_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not divide the time between the outputs"):
        generate("burgers1d", 1, shape=16, out=tmp_path / "set.h5", discretization={"dt": 0.0303})
    with pytest.raises(InputError, match="discretization has no entry 'tolerance'"):
        generate("burgers1d", 1, shape=16, out=tmp_path / "set.h5", discretization={"tolerance": 1})


def test_damaged_times_are_noticed(small, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(small.path.read_bytes())
    with h5py.File(copy, "r+") as file:
        file[FIELDS]["velocity"][2, 1, 5] += 1.0
    report = check_dataset(copy)
    assert not report.passed
    assert "sample digests" in report.text()
    with h5py.File(copy, "r+") as file:
        file[FIELDS]["velocity"][2, 1, 5] = np.nan
    with open_dataset(copy) as data:
        data.read([2])  # the last time is whole
        with pytest.raises(DataFileError, match="'velocity' of sample 2 is not finite"):
            data.read_trajectories([2])


@pytest.mark.petsc
def test_one_after_another_on_a_grid(tmp_path):
    family = get_family("burgers1d", num_times=3, final_time=0.1)
    info = generate(family, 2, shape=32, out=tmp_path / "grid.h5", backend="grid")
    assert check_dataset(info.path).checks[0].passed
    with open_dataset(info.path) as data:
        trajectories = data.read_trajectories()
    for index in range(2):
        draw = family.sample(sample_generator(0, "train", index))
        trajectory = evolve(family.problem(draw), mesh=32, backend="grid")
        expected = np.stack([trajectory.gather(k).values for k in range(3)])
        assert np.array_equal(trajectories[index], expected)


def test_samples_do_not_depend_on_their_batch(tmp_path):
    family = get_family("burgers1d", num_times=3, final_time=0.1)
    sets = [
        generate(family, 4, shape=32, out=tmp_path / f"{size}.h5", shard_size=size)
        for size in (1, 4)
    ]
    one, other = (open_dataset(info.path).read_trajectories() for info in sets)
    assert np.allclose(one, other, rtol=0, atol=1e-13)


def test_small_states_are_solved_together(tmp_path, monkeypatch):
    from pdesolve.data.spectral_batches import SpectralBatchStrategy

    seen = []
    whole = SpectralBatchStrategy.solve

    def watched(self, tasks):
        seen.append(len(tasks))
        return whole(self, tasks)

    monkeypatch.setattr(SpectralBatchStrategy, "solve", watched)
    family = get_family("burgers1d", num_times=2, final_time=0.05)
    generate(family, 6, shape=16, out=tmp_path / "set.h5")
    assert seen == [6]
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    wanted = [SpectralBatchStrategy(problem.grid(n), problem).schedule.least for n in (1024, 2**17)]
    assert wanted == [32, 1]


def test_options_that_fourier_modes_do_not_have_are_refused(tmp_path):
    out = tmp_path / "set.h5"
    with pytest.raises(InputError, match="takes fixed steps and no PETSc options; leave rtol out"):
        generate("burgers1d", 1, shape=16, out=out, rtol=1e-6)
    with pytest.raises(InputError, match="takes no 'degree'; that is for the backend 'fem'"):
        generate("burgers1d", 1, shape=16, out=out, discretization={"degree": 2})


def test_a_coarse_run_that_blows_up_leaves_the_estimate_open(tmp_path, monkeypatch):
    from pdesolve.data.spectral_batches import SpectralBatchStrategy

    whole = SpectralBatchStrategy._evolve

    def coarse_fails(self, tasks, grid, steps):
        values, finite = whole(self, tasks, grid, steps)
        if grid != self.grid:
            values[1], finite[1] = np.nan, False
        return values, finite

    monkeypatch.setattr(SpectralBatchStrategy, "_evolve", coarse_fails)
    family = get_family("burgers1d", num_times=2, final_time=0.1)
    options = {"shard_size": 3, "discretization": {"dt": 0.01}}
    info = generate(family, 3, shape=32, out=tmp_path / "set.h5", **options)
    with open_dataset(info.path) as data:
        assert np.isnan(data.read_records()["error_estimate"]).tolist() == [False, True, False]
