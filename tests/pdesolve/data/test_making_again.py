"""The command on a card makes the same data again."""

import shlex

import h5py
import numpy as np
import pytest

from pdesolve.command_line.main import main
from pdesolve.data import generate, read_info
from pdesolve.data.card import reproduction_command

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "skr", "shard_size": 5, "order": "two-opt", "dtype": "float32"},
        {"strategy": "lag", "shard_size": 3},
        {"strategy": "skr"},
        {"strategy": "batched", "shard_size": 3},
        {"strategy": "skr", "solver_parameters": {"pc_type": "jacobi"}},
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
