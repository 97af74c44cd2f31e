"""Samples that survive an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.data.kept_samples import KeptSamples


def sample(number: int) -> dict[str, np.ndarray]:
    return {"u": np.full(3, number), "x": np.eye(2) * number}


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    made = []

    def make(number: int, stop: int) -> dict[str, np.ndarray]:
        if number == stop:
            raise KeyboardInterrupt
        made.append(number)
        return sample(number)

    out = tmp_path / "set.h5"
    with pytest.raises(KeyboardInterrupt):
        KeptSamples(out, {"seed": 0}).stacked(5, lambda number: make(number, 3))
    # what a kill in the middle of writing leaves is not taken for a sample
    (tmp_path / "set.h5.samples" / "000003.npz.temporary").write_bytes(b"PK")
    counted: list[int] = []
    kept = KeptSamples(out, {"seed": 0})
    found = kept.stacked(5, lambda number: make(number, 9), lambda n, _: counted.append(n))
    assert made == [0, 1, 2, 3, 4]
    assert counted == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(found["u"][:, 0], np.arange(5))
    assert found["x"].shape == (5, 2, 2)
    kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_samples_of_another_run_are_not_taken(tmp_path: Path) -> None:
    out = tmp_path / "set.h5"
    KeptSamples(out, {"seed": 0, "shape": (3, 4)}).stacked(1, sample)
    KeptSamples(out, {"seed": 0, "shape": [3, 4]})
    with pytest.raises(InputError, match="remove the folder"):
        KeptSamples(out, {"seed": 1, "shape": (3, 4)})
    (tmp_path / "set.h5.samples" / "000000.npz").write_bytes(b"no samples")
    with pytest.raises(InputError, match="it is made again"):
        KeptSamples(out, {"seed": 0, "shape": (3, 4)}).stacked(1, sample)
    (tmp_path / "set.h5.samples" / "000000.npz").write_bytes(b"")
    with pytest.raises(InputError, match="it is made again"):
        KeptSamples(out, {"seed": 0, "shape": (3, 4)}).stacked(1, sample)
    (tmp_path / "file.h5.samples").touch()
    with pytest.raises(InputError, match="cannot be made"):
        KeptSamples(tmp_path / "file.h5", {})
    with pytest.raises(InputError, match="make it first"):
        KeptSamples(tmp_path / "nowhere" / "set.h5", {})


def test_what_cannot_be_begun(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        KeptSamples(tmp_path, {})
    with pytest.raises(InputError, match="settings must be"):
        KeptSamples(tmp_path / "set.h5", {"shape": object()})
    assert list(tmp_path.iterdir()) == []


def test_samples_must_be_alike(tmp_path: Path) -> None:
    kept = KeptSamples(tmp_path / "set.h5", {})
    with pytest.raises(InputError, match="sample 1 has the arrays"):
        kept.stacked(2, lambda number: {"u": np.zeros(2 + number)})
    with pytest.raises(InputError, match="arrays of Python objects"):
        KeptSamples(tmp_path / "b.h5", {}).stacked(1, lambda _: {"u": np.array([None])})
    with pytest.raises(InputError, match="at least 1"):
        kept.stacked(0, sample)


def test_files_hold_the_arrays_alone(tmp_path: Path) -> None:
    kept = KeptSamples(tmp_path / "set.h5", {})
    kept.stacked(1, sample)
    with np.load(kept.folder / "000000.npz") as found:
        assert sorted(found.files) == ["u", "x"]
