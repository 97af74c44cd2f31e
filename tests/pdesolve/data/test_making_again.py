"""The command on a card makes the same data again."""

import shlex
from dataclasses import replace

import h5py
import numpy as np
import pytest

from meshes import StructuredGrid
from pdesolve.command_line.main import main
from pdesolve.data import generate, read_info
from pdesolve.data.card import read_card, reproduction_command
from pdesolve.data.engine import chunk_size
from pdesolve.data.samples import Schedule
from pdesolve.data.sequences import SequenceSettings, SequenceStrategy
from pdesolve.data.settings import GenerationSettings
from pdesolve.sequences._petsc_sources import StencilSource

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "skr", "shard_size": 5, "order": "two-opt", "dtype": "float32"},
        {"strategy": "lag", "shard_size": 3},
        {"strategy": "skr"},
        {"strategy": "batched", "shard_size": 3},
        {"strategy": "skr", "solver_parameters": {"pc_type": "jacobi"}},
        {"estimate_error": False, "licence": 'CC BY 4.0, and "mine"'},
    ],
)
def test_command_makes_the_same_samples(tmp_path, monkeypatch, options):
    info = generate("darcy2d", 12, shape=12, out=tmp_path / "one.h5", **options)
    words = shlex.split(reproduction_command(info))
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path / "again")
    assert main(words[1:]) == 0
    again = read_info("one.h5")
    assert again.sha256 == info.sha256
    assert again.fingerprint == info.fingerprint


def test_card_says_what_the_command_cannot(tmp_path):
    def mine(grid, reference):
        source = StencilSource(grid, reference)
        return SequenceStrategy(source, grid, 1e-8, SequenceSettings("mine"))

    info = generate("darcy2d", 2, shape=12, out=tmp_path / "a.h5", strategy=mine)
    assert "solved by 'mine', which was given in Python" in read_card(info.path)
    assert "--strategy" not in reproduction_command(info)
    named = generate("darcy2d", 2, shape=12, out=tmp_path / "b.h5", strategy="skr")
    assert "given in Python" not in read_card(named.path)


def test_device_in_the_command(tmp_path):
    info = generate("darcy2d", 2, shape=12, out=tmp_path / "a.h5", strategy="batched")
    on_device = {**info.settings["strategy"], "device": "torch cuda"}
    there = replace(info, settings={**info.settings, "strategy": on_device})
    assert "--strategy batched" in reproduction_command(there)
    assert "--device cuda" in reproduction_command(there)
    assert "--device" not in reproduction_command(info)


def test_chunks_of_large_samples_are_smaller():
    for size, expected in ((64, 50), (512, 50), (1024, 15), (2048, 15)):
        grid = StructuredGrid((size, size))
        settings = GenerationSettings(
            family={"name": "darcy2d"}, num_samples=200, grid=grid, seed=0, split="train",
            dtype="float64", inputs=("a",), outputs=("u",), units={}, strategy={}, licence="",
            scalars=(), boundary_conditions={},
        )  # fmt: skip
        assert chunk_size(settings, Schedule(chunk=64)) == expected
        assert chunk_size(settings, Schedule()) is None


@pytest.mark.filterwarnings("ignore:.*points per wavelength")
def test_no_estimate_where_half_the_cells_do_not_resolve_the_waves(tmp_path):
    info = generate("helmholtz2d", 2, shape=40, seed=1, out=tmp_path / "waves.h5")
    assert info.num_failed == 0
    with h5py.File(info.path) as file:
        assert np.isnan(file["pdesolve/error_estimate"][:]).all()


def test_choice_of_an_interrupted_run_is_kept_for_the_same_request_only(tmp_path):
    def interrupt(choice):
        raise InterruptedError(choice.name)

    options = {"shape": 12, "strategy": "auto", "estimate_error": False, "out": tmp_path / "a.h5"}
    with pytest.raises(InterruptedError):
        generate("convection_diffusion2d", 24, report=interrupt, **options)
    reasons = []
    for rtol in (None, 1e-6):
        with pytest.raises(InterruptedError):
            generate(
                "convection_diffusion2d",
                24,
                rtol=rtol,
                report=lambda choice: reasons.append(choice.reason) or interrupt(choice),
                **options,
            )
    assert reasons[0].startswith("chosen before the interruption")
    assert not reasons[1].startswith("chosen before the interruption")
