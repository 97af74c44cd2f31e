"""``pdesolve list``: what there is."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Sequence

from meshes.errors import require
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import VerbParser
from pdesolve.command_line.tables import print_table, shape_text, text_width

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
    """By equation, steady problems first; answers that are too long go on below."""
    import numpy as np

    from pdesolve.problems.evolution import EvolutionProblem
    from pdesolve.problems.registry import FAMILIES, get_family

    groups: dict[bool, dict[str, list[tuple[str, ...]]]] = {False: {}, True: {}}
    for name in sorted(FAMILIES):
        family = get_family(name)
        problem = family.problem(family.sample(np.random.default_rng(0)))
        row = (
            name,
            f"{family.dimension}D",
            shape_text(family.default_shape),
            ", ".join(family.backends),
            ", ".join(family.outputs),
        )
        kind = groups[isinstance(problem, EvolutionProblem)]
        kind.setdefault(family.equation, []).append(row)
    everything = [row for kind in groups.values() for rows in kind.values() for row in rows]
    columns = ("family", "", "default grid", "backends", "solved for")
    widths = [max(map(len, column)) for column in zip(columns, *everything, strict=True)][:-1]
    width = text_width()
    print(_line(columns, widths, width))
    for in_time, kind in groups.items():
        print(f"\n{'IN TIME' if in_time else 'STEADY'}")
        for equation, rows in kind.items():
            print("\n" + textwrap.fill(equation, width, subsequent_indent="    "))
            for cells in rows:
                print(_line(cells, widths, width))
    print("\nYour own: path/to/file.py:ClassName in place of the name.")


def _line(cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    """A row of the table; the last cell is broken where it has to be."""
    start = "  " + "".join(
        f"{cell:<{size}}  " for cell, size in zip(cells[:-1], widths, strict=True)
    )
    later = " " * len(start)
    return textwrap.fill(
        cells[-1], max(width, len(start) + 30), initial_indent=start, subsequent_indent=later
    )


def _print_models() -> None:
    require("torch", extra="neural")
    models = importlib.import_module("neural.models.registry")
    rows = []
    for name in sorted(models.MODELS):
        summary = (models.get_model(name).__doc__ or "").strip().partition("\n")[0]
        rows.append((name, summary))
    print_table("Neural models", ("model", "what it is"), rows, numbers=False)
