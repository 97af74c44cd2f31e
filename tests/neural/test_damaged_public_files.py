"""Files of other projects that are damaged, or whose samples do not belong together."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from meshes.errors import InputError
from neural.training.layouts import open_samples
from neural.training.mesh_files import write_mesh_samples
from operators.failures import DataFileError

pytestmark = pytest.mark.torch
POINTS = np.linspace(0.0, 1.0, 8)


def one_dimensional_well(path, points):
    with h5py.File(path, "w") as file:
        file.attrs.update({"n_trajectories": 2, "n_spatial_dims": 1})
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x"]
        dimensions["x"], dimensions["time"] = points, np.arange(3.0)
        group = file.create_group("t0_fields")
        group.attrs["field_names"] = ["u"]
        field = group.create_dataset("u", data=np.ones((2, 3, len(points))))
        field.attrs.update({"sample_varying": True, "time_varying": True, "dim_varying": [True]})
    return path


@pytest.mark.parametrize(
    "points", [POINTS[::-1], np.where(POINTS == 1.0, np.nan, POINTS), np.zeros(8)]
)
def test_coordinates_must_be_finite_and_increase(tmp_path, points) -> None:
    with pytest.raises(DataFileError, match="coordinates along x must be finite and increase"):
        open_samples(one_dimensional_well(tmp_path / "well.h5", points))


def grouped(path, times, points):
    with h5py.File(path, "w") as file:
        for number, (moments, places) in enumerate(zip(times, points, strict=True)):
            group = file.create_group(f"{number:04d}")
            group["data"] = np.ones((len(moments), len(places), 1))
            group["grid/x"], group["grid/t"] = places, moments
    return path


@pytest.mark.parametrize(
    ("times", "points", "message"),
    [
        ((np.arange(3.0), np.arange(2.0)), (POINTS, POINTS), "0001/data.* has shape"),
        ((np.arange(3.0), 2 * np.arange(3.0)), (POINTS, POINTS), "grid/t.* differs"),
        ((np.arange(3.0), np.arange(3.0)), (POINTS, 5 * POINTS), "grid/x.* differs"),
    ],
)
def test_samples_of_one_file_share_grid_and_times(tmp_path, times, points, message) -> None:
    with pytest.raises(DataFileError, match=message):
        open_samples(grouped(tmp_path / "groups.h5", times, points))


def test_tensors_that_cannot_be_read_as_numbers(tmp_path) -> None:
    ones = torch.ones(3, 8, 8)
    for wrong in (ones.to_sparse(), torch.ones(3, 8, 8, device="meta")):
        torch.save({"x": wrong, "y": ones}, tmp_path / "wrong.pt")
        with pytest.raises(DataFileError, match="real tensor"):
            open_samples(tmp_path / "wrong.pt")


def test_tensors_that_require_gradients_are_numbers_too(tmp_path) -> None:
    values = torch.rand(3, 8, 8, requires_grad=True)
    torch.save({"x": values, "y": torch.ones(3, 8, 8)}, tmp_path / "set.pt")
    read = open_samples(tmp_path / "set.pt").read()[0]
    np.testing.assert_array_equal(read[:, 0], values.detach().numpy())


@pytest.mark.parametrize(
    ("key", "value"),
    [("inputs", "ab"), ("lower", [None]), ("settings", 3), ("units", []), ("seed", "x"),
     ("outputs", [["u"]]), ("family", 1), ("cell_type", 2)],
)  # fmt: skip
def test_a_mesh_file_with_another_description(tmp_path, key, value) -> None:
    path = write_mesh_samples(
        tmp_path / "bar.h5", family="bar", points=[[0.0], [0.4], [1.0]],
        inputs={"load": [[1.0, 2.0, 3.0]]}, outputs={"u": [[0.0, 1.0, 0.0]]},
    )  # fmt: skip
    with h5py.File(path, "a") as file:
        described = json.loads(bytes(file["description"][:]).decode())
        del file["description"]
        text = json.dumps({**described, key: value}).encode()
        file["description"] = np.frombuffer(text, np.uint8)
    with pytest.raises(DataFileError, match="of another type"):
        open_samples(path)


@pytest.mark.parametrize("suffix", [".pt", ".mat", ".h5"])
def test_one_changed_byte_is_read_or_refused_in_words(tmp_path, suffix) -> None:
    path = tmp_path / f"set{suffix}"
    if suffix == ".pt":
        torch.save({"x": torch.rand(3, 8, 8), "y": torch.ones(3, 8, 8)}, path)
    elif suffix == ".mat":
        scipy.io.savemat(path, {"a": np.ones((4, 8)), "u": np.ones((4, 8))})
    else:
        one_dimensional_well(path, POINTS)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(1), 0
    for place in rng.integers(len(whole), size=80):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 255))
        path.write_bytes(damaged)
        try:
            open_samples(path).read()
        except (DataFileError, InputError):  # any other error fails the test
            refused += 1
    assert refused > 0
