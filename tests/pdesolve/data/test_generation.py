import json
import shutil
import warnings
from collections import namedtuple

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.data import generate, open_dataset, read_card
from pdesolve.data.schema import Status
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator
from tests.pdesolve.data.strategies import Backwards, Quick, failing, raising

pytestmark = pytest.mark.petsc


def test_inputs_are_the_family_s_draws_and_outputs_its_solutions(tmp_path):
    from pdesolve.solving import solve

    info = generate(
        "darcy2d_lognormal", 3, shape=(8, 10), seed=4, split="test", out=tmp_path / "set.h5"
    )
    assert (info.family, info.shape, info.seed) == ("darcy2d_lognormal", (8, 10), 4)
    family = get_family("darcy2d_lognormal")
    with open_dataset(info.path) as data:
        inputs, outputs = data.read()
        records = data.read_records()
    for index in range(3):
        problem = family.problem(family.sample(sample_generator(4, "test", index)))
        grid = problem.grid((8, 10))
        assert np.array_equal(inputs[index], problem.input_fields(grid).values)
        exact = solve(problem, mesh=(8, 10), solver_parameters={"ksp_rtol": 1e-12}).field.values
        assert outputs[index] == pytest.approx(exact, rel=1e-6)
    assert (records["status"] == Status.SOLVED).all()
    assert (records["residual"] <= 1e-8).all()
    assert (records["iterations"] > 0).all()
    assert np.isfinite(records["error_estimate"]).all()


def test_a_longer_set_begins_with_the_shorter_one(tmp_path):
    short = generate("darcy2d", 3, shape=8, out=tmp_path / "short.h5")
    long = generate("darcy2d", 7, shape=8, out=tmp_path / "long.h5", shard_size=2)
    with open_dataset(short.path) as a, open_dataset(long.path) as b:
        for left, right in zip(a.read(), b.read([0, 1, 2]), strict=True):
            assert np.array_equal(left, right)


def test_shards_and_order_of_work_do_not_matter(make):
    first = make("a.h5", 7)
    second = make("b.h5", 7, shard_size=3, strategy=Backwards)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def test_order_of_real_solves_does_not_matter(tmp_path):
    from pdesolve.data.independent import GridStrategy

    class Reversed(GridStrategy):
        def __init__(self, grid, problem):
            super().__init__(grid, problem, 1e-8)

        def solve(self, tasks):
            return super().solve(list(reversed(tasks)))

    first = generate("darcy2d", 9, shape=32, out=tmp_path / "a.h5", shard_size=3)
    second = generate(
        "darcy2d", 9, shape=32, out=tmp_path / "b.h5", strategy=Reversed, shard_size=9
    )
    assert first.path.read_bytes() == second.path.read_bytes()


def test_splits_seeds_and_settings_differ(make):
    sets = [make("a.h5"), make("b.h5", split="test"), make("c.h5", seed=1)]
    assert len({info.sha256 for info in sets}) == 3
    assert len({info.fingerprint for info in sets}) == 3


def test_nothing_is_left_but_file_card_and_log(make, tmp_path):
    info = make()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "set.h5",
        "set.h5.log.jsonl",
        "set.h5.md",
    ]
    log = [json.loads(line) for line in (tmp_path / "set.h5.log.jsonl").open()]
    assert [entry["sample"] for entry in log] == list(range(6))
    assert all(entry["seconds"] >= 0 and entry["status"] == "solved" for entry in log)
    assert info.num_failed == 0


def test_float32_storage(make):
    info = make(dtype="float32")
    double = make("double.h5")
    with open_dataset(info.path) as single, open_dataset(double.path) as exact:
        values, reference = single.read()[1], exact.read()[1]
    assert values.dtype == np.float64
    assert info.path.stat().st_size < double.path.stat().st_size
    assert values == pytest.approx(reference, rel=1e-6)


def test_progress_counts_samples(make):
    seen = []
    make(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(count, 6) for count in range(1, 7)]


def test_a_failed_solve_is_repeated_directly(tmp_path):
    info = generate(
        "darcy2d", 3, shape=8, out=tmp_path / "set.h5", solver_parameters={"ksp_max_it": 1}
    )
    reference = generate("darcy2d", 3, shape=8, out=tmp_path / "reference.h5")
    with open_dataset(info.path) as data, open_dataset(reference.path) as good:
        records = data.read_records()
        assert (records["status"] == Status.SOLVED_DIRECTLY).all()
        assert (records["residual"] <= 1e-8).all()
        assert data.read()[1] == pytest.approx(good.read()[1], rel=1e-6)
    assert info.num_failed == 0
    log = (tmp_path / "set.h5.log.jsonl").read_text()
    assert "DIVERGED_ITS after 1 iteration; directly: preonly + lu" in log


@pytest.mark.parametrize("options", [{}, {"backend": "fem"}], ids=["grid", "fem"])
def test_a_tolerance_from_elsewhere_is_not_taken_for_the_one_asked_for(tmp_path, options):
    if options:
        pytest.importorskip("firedrake")
    from petsc4py import PETSc

    PETSc.Options().setValue("ksp_rtol", 1e-2)  # as PETSC_OPTIONS would
    try:
        info = generate("darcy2d", 2, shape=8, out=tmp_path / "set.h5", **options)
    finally:
        PETSc.Options().delValue("ksp_rtol")
    assert info.num_failed == 0
    with open_dataset(info.path) as data:
        assert (data.read_records()["residual"] <= 1.5e-8).all()


def test_a_sample_that_cannot_be_solved_is_marked(tmp_path, monkeypatch):
    from pdesolve.data import answers

    hopeless = {"ksp_type": "richardson", "pc_type": "none", "ksp_max_it": 1}
    monkeypatch.setattr(answers, "DIRECT_PARAMETERS", hopeless)
    with pytest.warns(UserWarning, match="2 of 2 samples .* could not be solved"):
        info = generate(
            "darcy2d", 2, shape=8, out=tmp_path / "set.h5", solver_parameters={"ksp_max_it": 1}
        )
    assert info.num_failed == 2


def test_failed_samples_are_left_out_and_counted(make):
    with pytest.warns(UserWarning, match="2 of 6 samples"):
        info = make(strategy=failing(1, 4))
    assert info.num_failed == 2
    with pytest.warns(UserWarning, match="2 of 6 samples were not solved .* left out: 1, 4"):
        data = open_dataset(info.path)
    assert data.valid_indices.tolist() == [0, 2, 3, 5]
    inputs, outputs = data.read()
    assert inputs.shape == outputs.shape == (4, 1, 8, 8)
    with pytest.raises(InputError, match=r"sample 4 .* was not solved"):
        data.read([0, 4])
    assert data.read_records()["status"].tolist() == [1, 3, 1, 1, 3, 1]


def test_an_existing_file_is_kept_unless_overwritten(make):
    before = make().path.read_bytes()
    with pytest.raises(InputError, match=r"exists; pass overwrite=True \(--overwrite\)"):
        make(seed=1)
    with pytest.raises(InputError, match="exists and holds this very data set"):
        make()
    assert make(seed=1, overwrite=True).path.read_bytes() != before


def test_parts_of_other_settings_are_refused_with_both_shown(make, tmp_path):
    with pytest.raises(RuntimeError, match="a strategy broke"):
        make(strategy=raising(5), shard_size=2)
    assert (tmp_path / "set.h5.parts").is_dir()
    with pytest.raises(InputError, match=r"other settings:\n  settings.seed: 0 there, 1 asked"):
        make(seed=1, shard_size=2)
    with pytest.raises(InputError, match="shard_size: 2 there, 3 asked for now"):
        make(shard_size=3)
    info = make(shard_size=2)
    assert info.path.read_bytes() == make("whole.h5").path.read_bytes()


def test_a_run_that_finished_no_shard_does_not_stand_in_the_way(make, tmp_path):
    with pytest.raises(RuntimeError, match="a strategy broke"):
        make(strategy=raising(0))
    assert make(seed=1).seed == 1
    with pytest.raises(RuntimeError, match="a strategy broke"):
        make("other.h5", strategy=raising(5), shard_size=2)
    (tmp_path / "other.h5.parts" / "settings.json").unlink()
    with pytest.raises(InputError, match=r"settings.json cannot be read .* remove the folder"):
        make("other.h5", shard_size=2)


def test_a_damaged_shard_is_solved_again(make, tmp_path):
    with pytest.raises(RuntimeError):
        make(strategy=raising(5), shard_size=2)
    shard = tmp_path / "set.h5.parts" / "shard-000000.bin"
    content = bytearray(shard.read_bytes())
    content[-700] ^= 0xFF
    shard.write_bytes(content)
    with pytest.warns(UserWarning, match=r"shard-000000.bin' is damaged.* solved again"):
        info = make(shard_size=2)
    assert info.path.read_bytes() == make("whole.h5").path.read_bytes()


def test_an_interrupt_leaves_a_run_that_goes_on(make):
    class Interrupted(Quick):
        def solve(self, tasks):
            for record in super().solve(tasks):
                if record.index == 4:
                    raise KeyboardInterrupt
                yield record

    with pytest.raises(KeyboardInterrupt):
        make(strategy=Interrupted, shard_size=2)
    assert make(shard_size=2).path.read_bytes() == make("whole.h5").path.read_bytes()


def test_a_small_disk_is_refused_before_any_work(make, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(InputError, match=r"needs about \d+ MiB .* 0 MiB are free"):
        make()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples=0 must be at least 1"),
        ({"num_samples": 2.5}, "num_samples=2.5 must be a positive integer"),
        ({"num_samples": True}, "must be a positive integer"),
        ({"shape": (8, 8, 8)}, "has 3 entries; 'darcy2d' has 2 axes"),
        ({"shape": 0}, "must hold positive sizes"),
        ({"shape": (8, 2.5)}, "must hold integers"),
        ({"seed": -1}, "seed=-1 must lie between"),
        ({"seed": 1.5}, "must be an integer"),
        ({"split": "a/b"}, "must be a name of letters"),
        ({"split": ""}, "must be a name of letters"),
        ({"dtype": "int32"}, "must be one of float64, float32"),
        ({"shard_size": 0}, "shard_size=0 must be at least 1"),
        ({"name": "set.txt"}, "must end in .h5 or .hdf5"),
        ({"name": "nowhere/set.h5"}, "does not exist; make it first"),
        ({"strategy": None, "rtol": 0.0}, "rtol=0.0 must be a number between 0 and 1"),
        ({"strategy": None, "rtol": "small"}, "must be a number between 0 and 1"),
        ({"strategy": None, "backend": "fen"}, "no backend 'fen'. Did you mean 'fem'"),
        ({"strategy": None, "discretization": {"degree": 2}}, "is for the backend 'fem'"),
        (
            {"strategy": None, "solver_parameters": {"ksp_rtol": 1e-3}},
            "two tolerances: rtol=1e-08 and ksp_rtol=0.001",
        ),
        (
            {
                "strategy": None,
                "solver_parameters": {"ksp_typ": "cg"},
                "unused_options": "error",
            },
            "PETSc did not use: -ksp_typ",
        ),
    ],
)
def test_bad_arguments(make, options, message):
    with pytest.raises(InputError, match=message):
        make(**options)


def test_an_unknown_family_gets_a_suggestion(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'darcy2d'"):
        generate("darcy2", 3, out=tmp_path / "set.h5")


def test_card_says_what_a_person_needs(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        info = make(licence="CC-BY-4.0")
    card = read_card(info.path)
    for text in (
        "-div(a grad u) = f",
        "[0, 1] × [0, 1] m",
        "x_lower: Dirichlet",
        "alpha: 2.0",
        "Seed 0, split 'train'",
        info.sha256,
        info.fingerprint,
        "CC-BY-4.0",
        "doi:10.48550/arXiv.2010.08895",
        "pdesolve generate darcy2d --num-samples 6 --shape 8 8",
    ):
        assert text in card
    import hashlib

    assert hashlib.sha256(info.path.read_bytes()).hexdigest() in card


def test_command_of_the_card_names_what_differs_from_the_defaults(tmp_path):
    family = get_family("darcy2d", above=4.0)
    plain = generate("darcy2d", 2, shape=8, out=tmp_path / "plain.h5")
    assert "--rtol 1e-08 --out plain.h5\n" in read_card(plain.path)
    info = generate(
        family, 2, shape=8, out=tmp_path / "set.h5", solver_parameters={"pc_type": "icc"}
    )
    assert (
        "pdesolve generate darcy2d --set above=4.0 --num-samples 2 --shape 8 8 --seed 0 "
        "--split train --backend grid --rtol 1e-08 --out set.h5 -- -pc_type icc\n"
    ) in read_card(info.path)
    own = generate(get_family("darcy2d", name="own"), 2, shape=8, out=tmp_path / "own.h5")
    assert "pdesolve generate path/to/file.py:ClassName --num" in read_card(own.path)


@pytest.mark.firedrake
def test_finite_elements(tmp_path):
    info = generate(
        "darcy2d_lognormal",
        2,
        shape=16,
        out=tmp_path / "fem.h5",
        backend="fem",
        discretization={"degree": 2},
    )
    grid = generate("darcy2d_lognormal", 2, shape=16, out=tmp_path / "grid.h5")
    with open_dataset(info.path) as fem, open_dataset(grid.path) as volumes:
        a, b = fem.read(), volumes.read()
        assert np.array_equal(a[0], b[0])
        assert np.linalg.norm(a[1] - b[1]) < 0.03 * np.linalg.norm(b[1])
        assert np.isfinite(fem.read_records()["error_estimate"]).all()
    assert info.settings["strategy"]["backend"] == "fem"
