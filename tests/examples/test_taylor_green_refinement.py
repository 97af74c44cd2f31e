"""The example of refinement at a size of seconds."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "operators"))


@pytest.mark.petsc
@pytest.mark.torch
def test_the_error_falls_with_the_estimate(tmp_path: Path) -> None:
    main = importlib.import_module("taylor_green_refinement").main
    found = main(["--output", str(tmp_path), "--cells", "16", "--steps", "4"])
    for name in ("estimate", "energy error", "relative L2 error"):
        assert all(after < before for before, after in itertools.pairwise(found[name]))
    assert found["relative L2 error"][-1] < 1e-3 * found["relative L2 error"][0]
    assert all(0.3 < value < 3 for value in found["effectivity"])
    assert (tmp_path / "taylor_green_refinement.png").stat().st_size > 10_000
