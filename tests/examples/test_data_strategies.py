"""The scripts on strategies at a size of seconds, each with a number that can fail."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "data_strategies"))

pytestmark = pytest.mark.petsc


def found_by(name: str, folder: Path, *arguments: object) -> dict[str, Any]:
    """What a script returns; it must have saved a figure."""
    given = ["--output", str(folder), *map(str, arguments)]
    found: dict[str, Any] = importlib.import_module(name).main(given)
    (figure,) = folder.glob("*.png")
    assert figure.stat().st_size > 10_000
    return found


def test_recycling_saves_iterations_sorted_or_not(tmp_path: Path) -> None:
    found = found_by("skr", tmp_path, "--cells", 32, "--num-samples", 16)
    for name in ("sorted", "as drawn"):
        # nothing is handed to the first, which needs restarts as GMRES(40) does
        assert found[f"later, {name}"] < 0.75 * found[f"first, {name}"]
        assert found[f"later, {name}"] < 0.75 * found["later, GMRES(40)"]
    assert found["largest difference"] < 1e-6


def test_deflation_saves_iterations_with_either_preconditioner(tmp_path: Path) -> None:
    found = found_by("recycled_cg", tmp_path, "--cells", 32, "--num-samples", 16)
    assert found["recycled, none"] < 0.85 * found["plain, none"]
    assert found["recycled, icc"] < 0.75 * found["plain, icc"]


def test_lagging_keeps_what_changes_slowly_only(tmp_path: Path) -> None:
    found = found_by("lag", tmp_path, "--cells", 32, "--num-samples", 40)
    assert found["fresh, strip"] < 0.3
    assert found["fresh, darcy2d, strict"] > 0.9


def test_multigrid_hardly_notices_the_grid(tmp_path: Path) -> None:
    found = found_by("classical", tmp_path, "--cells", 16, 64, "--num-samples", 6)
    for name in ("multigrid", "algebraic multigrid"):
        assert found[f"{name}, 64"] < 1.8 * found[f"{name}, 16"]
    assert found["incomplete factors, 64"] > 3.0 * found["incomplete factors, 16"]
    assert found["direct, 64"] == 1
    assert found["largest difference"] < 1e-6


def test_a_repeated_operator_makes_one_group(tmp_path: Path) -> None:
    found = found_by("multi_rhs", tmp_path, "--cells", 16, "--num-samples", 40)
    # 40 samples in blocks of at most 32: a second operator would make a third block
    assert found["blocks, 16"] == pytest.approx(2)
    assert found["largest difference"] < 1e-6


def test_transforms_suit_smooth_coefficients(tmp_path: Path) -> None:
    found = found_by("fast_transform", tmp_path, "--cells", 16, 32, "--num-samples", 12)
    for cells in (16, 32):
        smooth = found[f"darcy2d_lognormal, {cells}, fast-transform"]
        assert smooth < found[f"darcy2d, {cells}, fast-transform"]
    # hardly dependent on the grid
    coarse, fine = (found[f"darcy2d_lognormal, {n}, fast-transform"] for n in (16, 32))
    assert fine < 1.25 * coarse


def test_batches_give_the_same_answers(tmp_path: Path) -> None:
    found = found_by("batched", tmp_path, "--cells", 16, 32, "--num-samples", 12)
    assert found["largest difference"] < 1e-6
    assert found["iterations, 32"] < 15


def test_automatic_choice_sees_a_repeated_operator(tmp_path: Path) -> None:
    found = found_by("auto", tmp_path, "--cells", 16, "--num-samples", 20)
    # what solves one operator for many right-hand sides, and nothing else
    repeated = {"multi-rhs", "independent", "batched", "fast-transform"}
    assert found["poisson2d"] in repeated
    assert set(found["tried, poisson2d"]) <= repeated
    for family in ("darcy2d_lognormal", "convection_diffusion2d"):
        assert "multi-rhs" not in found[f"tried, {family}"]
        assert "operator-action" not in found[f"tried, {family}"]  # makes other data


def test_kept_objects_change_no_answer(tmp_path: Path) -> None:
    found = found_by("independent", tmp_path, "--cells", 32, "--num-samples", 12)
    assert found["largest difference"] < 1e-6
    # the kept interpolation is that of the first sample
    assert abs(found["iterations, kept"] - found["iterations, new objects"]) < 3


@pytest.mark.firedrake
@pytest.mark.torch
def test_the_programs_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "data_engine.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    printed = []
    for program in programs:
        exec(compile(program, "data_engine.md", "exec"), {})  # noqa: S102
        printed.append(capsys.readouterr().out.split())
    own, firedrake, transforms, batches, layer = printed
    assert (tmp_path / "darcy.h5").exists()
    assert not own
    assert not layer
    # the space of the first system helps the second, that of both the third
    first, second, third = (int(number) for number in firedrake[1::2])
    assert third < second < first
    assert int(transforms[0]) < 10
    assert float(batches[1]) < 1e-8


def test_numbering_along_the_flow_saves_iterations(tmp_path: Path) -> None:
    found = found_by("downstream", tmp_path, "--cells", 48, "--num-samples", 24)
    assert found["downstream"] < 0.9 * found["independent"]
    assert found["largest difference"] < 1e-5


def test_guesses_from_neighbours_serve_few_parameters(tmp_path: Path) -> None:
    found = found_by("neighbors", tmp_path, "--cells", 24, "--num-samples", 40)
    assert found["bump, neighbors"] < 0.95 * found["bump, independent"]
    assert found["darcy2d, neighbors"] > 0.95 * found["darcy2d, independent"]
