"""``pdesolve train``: hand over to the neural package."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from meshes.errors import InputError, require, suggest
from pdesolve.command_line.main import SUCCESS

VERBS = ("fit", "validate", "test", "predict")

HELP = """\
usage: pdesolve train {fit,validate,test,predict} [--config FILE] [options]

Train a surrogate with PyTorch Lightning, or measure or apply a trained one. Options come
from YAML files and from the command line, where later ones win.

examples:
  pdesolve train fit --config examples/darcy_fno.yaml
  pdesolve train fit --config examples/darcy_fno.yaml --trainer.max_epochs 50
  pdesolve train test --config examples/darcy_fno.yaml --ckpt_path best.ckpt
  pdesolve train fit --help
"""


def run(words: Sequence[str]) -> int:
    """Check the first word and pass the rest on."""
    if not words or words[0] in ("-h", "--help"):
        print(HELP, end="")
        if words:
            return SUCCESS
        raise InputError(f"'pdesolve train' needs one of: {', '.join(VERBS)}")
    if words[0] not in VERBS:
        raise InputError(f"there is no 'pdesolve train {words[0]}'. {suggest(words[0], VERBS)}")
    if "--" in words:
        raise InputError("'pdesolve train' takes no PETSc options; leave out '--' and what follows")
    require("pytorch_lightning", extra="neural")
    module = importlib.import_module("neural.command_line")
    code = module.main(list(words))
    return SUCCESS if code is None else int(code)
