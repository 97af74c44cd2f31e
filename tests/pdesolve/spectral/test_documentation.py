"""The Python lines of docs/spectral.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "spectral.md"


@pytest.mark.torch
def test_python_lines(capsys) -> None:
    import torch

    torch.set_num_threads(1)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    on_gpu = 'device="cuda"'
    lines = "\n".join(block for block in blocks if on_gpu not in block)
    names: dict[str, object] = {}
    exec(compile(lines, str(PAGE), "exec"), names)  # noqa: S102
    assert capsys.readouterr().out == "0.0500\n"
    assert names["batch"].values.shape == (16, 3, 1, 256)
    assert names["states"].shape == (3, 1, 64)
