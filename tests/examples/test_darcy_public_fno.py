"""A Fourier neural operator on a data set that other people made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.torch
def test_error_is_below_that_of_the_public_recipe(tmp_path: Path) -> None:
    named = os.environ.get("PDESOLVE_EXTERNAL_DATA")
    if not named or not (Path(named) / "darcy_train_16.pt").exists():
        pytest.skip("PDESOLVE_EXTERNAL_DATA does not name a folder with darcy_train_16.pt")
    from neural import evaluate
    from neural.command_line import main

    status = main(
        [
            *("fit", "--config", str(EXAMPLES / "darcy_public_fno.yaml")),
            *("--data.train", str(Path(named) / "darcy_train_16.pt")),
            *("--data.test", str(Path(named) / "darcy_test_16.pt")),
            *("--out", str(tmp_path), "--trainer.max_epochs", "30"),
        ]
    )
    assert status == 0
    report = evaluate(tmp_path / "last.ckpt", data=[Path(named) / "darcy_test_16.pt"])
    # .092 is what the neuraloperator package's own recipe reaches; 40 epochs here reach .084
    assert report.datasets[0].mean["relative_l2"] < 0.092
