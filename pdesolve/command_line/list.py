"""``pdesolve list``: what there is."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from meshes.errors import require
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import VerbParser
from pdesolve.command_line.tables import print_table, shape_text

EXAMPLES = ("list", "list --models")


def run(words: Sequence[str]) -> int:
    """Print the families, or the neural models."""
    parser = VerbParser("list", "List the problem families, or the neural models.", EXAMPLES)
    parser.switch("models", "list neural models instead")
    given = parser.parse(words)
    if given["models"]:
        _print_models()
    else:
        _print_families()
    return SUCCESS


def _print_families() -> None:
    from pdesolve.problems.registry import FAMILIES, get_family

    rows = []
    equations: dict[str, list[str]] = {}
    for name in sorted(FAMILIES):
        family = get_family(name)
        rows.append(
            (
                name,
                f"{family.dimension}D",
                ", ".join(family.backends),
                ", ".join(family.inputs),
                ", ".join(family.outputs),
                shape_text(family.default_shape),
            )
        )
        equations.setdefault(family.equation, []).append(name)
    columns = ("family", "", "backends", "inputs", "outputs", "default grid")
    print_table("Problem families", columns, rows, numbers=False)
    for equation, names in equations.items():
        print(f"{', '.join(names)}:\n  {equation}")
    print("Your own: path/to/file.py:ClassName in place of the name.")


def _print_models() -> None:
    require("torch", extra="neural")
    models = importlib.import_module("neural.models.registry")
    rows = []
    for name in sorted(models.MODELS):
        summary = (models.get_model(name).__doc__ or "").strip().partition("\n")[0]
        rows.append((name, summary))
    print_table("Neural models", ("model", "what it is"), rows, numbers=False)
