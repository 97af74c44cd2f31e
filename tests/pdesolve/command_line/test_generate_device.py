"""``generate --device``: where a batch is solved."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.petsc, pytest.mark.torch]

GENERATE = "generate darcy2d --num-samples 3 --shape 8 --out d.h5"


def test_hands_the_device_and_the_options_to_torch(command, monkeypatch) -> None:
    """Without a GPU: the choice of the device is replaced by the CPU."""
    import neural.batched_solve
    from pdesolve import open_dataset

    make, asked = neural.batched_solve.torch_batches, []

    def on_cpu(device, **options):
        asked.append((device, options))
        return make("cpu", **options)

    monkeypatch.setattr(neural.batched_solve, "torch_batches", on_cpu)
    outcome = command(f"{GENERATE} --strategy batched --device cuda --rtol 1e-6")
    assert outcome.code == 0, outcome.err
    assert asked == [("cuda", {"rtol": 1e-6, "estimate_error": True})]
    strategy = open_dataset("d.h5").info.settings["strategy"]
    assert (strategy["name"], strategy["tolerance"]) == ("batched", 1e-6)
    assert strategy["device"] == "torch cpu"


def test_the_cpu_is_the_default(command) -> None:
    from pdesolve import open_dataset

    assert command(f"{GENERATE} --strategy batched --device cpu").code == 0
    assert open_dataset("d.h5").info.settings["strategy"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "is for --strategy batched with the backend grid, not for strategy independent"),
        ("--strategy skr", "not for strategy skr with grid; leave --device out"),
        ("--strategy batched --backend fem", "not for strategy batched with fem"),
        ("--strategy batched --order two-opt", "takes no --order; leave that out"),
        ("--strategy batched -- -ksp_type cg", "takes no PETSc options"),
    ],
)
def test_a_gpu_is_for_batches_alone(refused, words, text) -> None:
    assert text in refused(f"{GENERATE} --device cuda {words}")


def test_absent_gpu_is_refused(refused) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("needs a machine without a CUDA device")
    assert "sees 0 CUDA devices" in refused(f"{GENERATE} --strategy batched --device cuda")
