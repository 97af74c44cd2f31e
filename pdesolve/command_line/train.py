"""``pdesolve train``: hand over to the neural package."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from meshes.errors import InputError, require


def run(words: Sequence[str]) -> int:
    """Pass the words on to Lightning's command line."""
    if "--" in words:
        raise InputError("'pdesolve train' takes no PETSc options; leave out '--' and what follows")
    require("pytorch_lightning", extra="neural")
    code: int = importlib.import_module("neural.command_line").main(list(words))
    return code
