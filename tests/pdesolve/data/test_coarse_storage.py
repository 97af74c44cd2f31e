"""Samples that are solved on a fine grid and stored on a coarse one."""

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve import generate, get_family
from pdesolve.command_line.main import main
from pdesolve.data import open_dataset, read_card
from pdesolve.data.card import reproduction_command
from pdesolve.data.coarse_storage import CoarseStorage, check_storage


class Nothing:
    def describe(self):
        return {"name": "nothing"}

    def close(self):
        pass


@pytest.mark.parametrize(("fine", "coarse"), [(16, 8), (16, 7), (15, 6), (9, 9), (8, 8)])
@pytest.mark.parametrize("location", ["cell", "vertex"])
def test_kept_modes_are_exact_and_others_vanish(fine, coarse, location):
    grids = [
        StructuredGrid((size, size), (0.5, 0.0), (2.5, 3.0), True, location)
        for size in (fine, coarse)
    ]
    storage = CoarseStorage(Nothing(), *grids, "spectral")
    highest = (coarse - 1) // 2

    def wave(grid, k):
        x, y = grid.points()
        return 1.0 + np.cos(np.pi * k * x + 0.3) * np.sin(2 * np.pi / 3 * highest * y)

    found = storage.project(np.stack([wave(grids[0], highest)]))
    np.testing.assert_allclose(found[0], wave(grids[1], highest), atol=1e-12)
    if fine > coarse:
        high = storage.project(wave(grids[0], (fine - 1) // 2 if fine % 2 else highest + 1))
        np.testing.assert_allclose(high, 1.0, atol=1e-12)


@pytest.fixture(scope="module")
def spectral_pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    family = get_family("burgers1d", num_times=3)
    whole = generate(family, 3, shape=64, out=folder / "fine.h5", estimate_error=False)
    part = generate(
        family, 3, shape=16, solve_shape=64, out=folder / "coarse.h5", estimate_error=False
    )
    return whole, part


def test_stored_modes_are_those_of_the_fine_solution(spectral_pair):
    with open_dataset(spectral_pair[0].path) as fine, open_dataset(spectral_pair[1].path) as coarse:
        assert coarse.info.shape == (16,)
        long, short = fine.read_trajectories(), coarse.read_trajectories()
        first_long, first_short = fine.read()[0], coarse.read()[0]
        offset = coarse.grid.axes()[0][0] - fine.grid.axes()[0][0]
    for one, two in ((long, short), (first_long, first_short)):
        turn = np.exp(2j * np.pi * np.arange(8) * offset)
        np.testing.assert_allclose(
            np.fft.rfft(two)[..., :8] / 16, np.fft.rfft(one)[..., :8] / 64 * turn, atol=1e-12
        )
        assert np.abs(np.fft.rfft(two)[..., 8]).max() < 1e-12
    np.testing.assert_allclose(short[:, 0], first_short, atol=1e-12)


def test_the_card_says_it_and_how_to_make_the_file_again(spectral_pair):
    info = spectral_pair[1]
    assert "Solved on 64, stored as Fourier modes" in read_card(info.path)
    assert "--solve-shape 64" in reproduction_command(info)
    assert "--solve-shape" not in reproduction_command(spectral_pair[0])


def test_finite_volumes_are_averaged(tmp_path):
    family = get_family("heat2d", num_times=3)
    common = {"backend": "grid", "estimate_error": False}
    fine = generate(family, 2, shape=16, out=tmp_path / "fine.h5", **common)
    coarse = generate(family, 2, shape=8, solve_shape=16, out=tmp_path / "coarse.h5", **common)
    with open_dataset(fine.path) as one, open_dataset(coarse.path) as two:
        long, short = one.read_trajectories(), two.read_trajectories()
    means = long.reshape(*long.shape[:3], 8, 2, 8, 2).mean(axis=(-1, -3))
    np.testing.assert_allclose(short, means, rtol=0, atol=1e-12 * np.abs(means).max())


def test_the_command_line(tmp_path):
    out = tmp_path / "set.h5"
    words = ["generate", "burgers1d", "--num-samples", "2", "--shape", "16"]
    assert main([*words, "--solve-shape", "64", "--out", str(out)]) == 0
    with open_dataset(out) as data:
        assert data.info.settings["strategy"]["solved_on"] == [64]
    darcy = ["generate", "darcy2d", "--num-samples", "4", "--shape", "8", "--solve-shape", "16"]
    assert main([*darcy, "--strategy", "auto", "--out", str(tmp_path / "darcy.h5")]) == 0
    # settings that differ are not taken for the same file
    assert main([*words, "--solve-shape", "32", "--out", str(out)]) == 2


def test_grids_that_do_not_fit():
    eight, twelve = StructuredGrid((8,)), StructuredGrid((12,))
    with pytest.raises(InputError, match="no multiple"):
        check_storage(twelve, eight, "grid")
    with pytest.raises(InputError, match="coarser than the storage grid"):
        check_storage(eight, twelve, "spectral")
    with pytest.raises(InputError, match="backends 'spectral' and 'grid'"):
        check_storage(twelve, eight, "fem")
    with pytest.raises(InputError, match="at vertices"):
        check_storage(*(StructuredGrid((n,), location="vertex") for n in (9, 3)), "grid")


def test_own_strategies_and_meshes_are_refused(tmp_path):
    with pytest.raises(InputError, match="strategies by name"):
        generate(
            "darcy2d", 1, shape=8, solve_shape=16, out=tmp_path / "a.h5",
            strategy=lambda *_: Nothing(),
        )  # fmt: skip
    with pytest.raises(InputError, match="its own mesh"):
        generate("slit_plate", 1, shape=8, solve_shape=16, out=tmp_path / "a.h5")


@pytest.mark.petsc
@pytest.mark.parametrize("name", ["shape", "solve_shape"])
@pytest.mark.parametrize("given", [0, -8, 16.0, True, "16", (16, 16, 16), (16, 8.0), {16}])
def test_shapes_that_are_none_are_refused_by_name(tmp_path, name, given):
    shapes = {"shape": 8, name: given}
    with pytest.raises(InputError, match=rf"^{name}="):
        generate("darcy2d", 2, out=tmp_path / "set.h5", **shapes)


@pytest.mark.petsc
def test_a_chosen_strategy_on_a_finer_grid(tmp_path, monkeypatch):
    monkeypatch.setattr("pdesolve.data.pilot.PREFERENCE", ("batched",))
    common = {"num_samples": 24, "shape": 6, "solve_shape": 12}
    found = generate("darcy2d", out=tmp_path / "auto.h5", strategy="auto", **common)
    named = generate("darcy2d", out=tmp_path / "named.h5", strategy="batched", **common)
    assert found.path.read_bytes() == named.path.read_bytes()
    assert '"trial":' in (tmp_path / "auto.h5.log.jsonl").read_text()


@pytest.mark.parametrize("sizes", [["0"], ["16", "16", "16"]])
def test_the_command_line_names_its_option(tmp_path, capsys, sizes):
    words = ["generate", "darcy2d", "--num-samples", "2", "--shape", "8", "--solve-shape", *sizes]
    assert main([*words, "--out", str(tmp_path / "set.h5")]) == 2
    assert "error: --solve-shape" in capsys.readouterr().err


def test_picked_points_are_those_of_the_fine_solution(tmp_path):
    common = {"num_samples": 2, "estimate_error": False}
    fine = generate("darcy2d", shape=15, out=tmp_path / "fine.h5", **common)
    coarse = generate(
        "darcy2d", shape=5, solve_shape=15, storage="points", out=tmp_path / "coarse.h5", **common
    )
    with open_dataset(fine.path) as one, open_dataset(coarse.path) as two:
        np.testing.assert_allclose(one.grid.axes()[0][1::3], two.grid.axes()[0], atol=1e-15)
        for long, short in zip(one.read(), two.read(), strict=True):
            np.testing.assert_array_equal(short, long[..., 1::3, 1::3])
    assert "--storage points" in reproduction_command(coarse)
    assert "values at the points of the storage grid" in read_card(coarse.path)


@pytest.mark.parametrize("periodic", [True, False])
def test_picked_vertices(periodic):
    sizes = (12, 4) if periodic else (13, 5)
    grids = [StructuredGrid((n,), (0.0,), (2.0,), periodic, "vertex") for n in sizes]
    storage = CoarseStorage(Nothing(), *grids, "grid", "points")
    np.testing.assert_array_equal(storage.project(grids[0].axes()[0]), grids[1].axes()[0])


def test_points_that_are_not_there(tmp_path):
    eight, four = StructuredGrid((8,)), StructuredGrid((4,))
    with pytest.raises(InputError, match="3, 5, 7"):
        check_storage(eight, four, "grid", "points")
    with pytest.raises(InputError, match="must be one of projection, points"):
        check_storage(eight, four, "grid", "median")
    with pytest.raises(InputError, match="is for solve_shape"):
        generate("darcy2d", 1, shape=8, storage="points", out=tmp_path / "a.h5")
    words = ["generate", "darcy2d", "--num-samples", "1", "--shape", "8", "--storage", "points"]
    assert main([*words, "--out", str(tmp_path / "a.h5")]) == 2
