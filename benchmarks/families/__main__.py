"""Measure families: ``python -m benchmarks.families [TOPIC ...] [--only orders]``.

Every module of this folder may have ``TITLE``, ``orders() -> list[OrderStudy]``,
``solvers() -> list[SolverStudy]`` and ``FIGURES``, the words after ``pdesolve solve`` by
the name of the picture. Tables go to ``benchmarks/results/families``, pictures to
``docs/figures/families``.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

from benchmarks.families.study import order_table, solver_table
from pdesolve import EvolutionProblem, sample_generator

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "families"
FIGURES = HERE.parents[1] / "docs" / "figures" / "families"
PARTS = ("orders", "solvers", "figures")
PAGES = {"darcy": "../darcy.md"}  # where the page is not named after the module


def topics() -> list[str]:
    """Names of the modules with studies."""
    found = [module.name for module in pkgutil.iter_modules([str(HERE)])]
    return sorted(name for name in found if name not in ("__main__", "study"))


def run(topic: str, parts: tuple[str, ...], *, small: bool) -> None:
    """Measure one topic."""
    module = importlib.import_module(f"benchmarks.families.{topic}")
    title = module.TITLE
    if "orders" in parts and hasattr(module, "orders"):
        table = order_table(topic, title, module.orders(), small=small)
        table.print()
        table.save(RESULTS)
    if "solvers" in parts and hasattr(module, "solvers"):
        table = solver_table(topic, title, module.solvers())
        table.print()
        table.save(RESULTS)
    if "figures" in parts:
        FIGURES.mkdir(parents=True, exist_ok=True)
        for name, words in getattr(module, "FIGURES", {}).items():
            command = [sys.executable, "-m", "pdesolve.command_line.main", "solve", *words]
            subprocess.run([*command, "--plot", str(FIGURES / f"{name}.png")], check=True)


def write_list() -> None:
    """The table of all families, for the documentation."""
    from pdesolve.problems.registry import FAMILIES, get_family

    lines = ["| family | dimension | backends | in time | page |", "|---|---|---|---|---|"]
    for name, place in sorted(FAMILIES.items()):
        family = get_family(name)
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        in_time = "yes" if isinstance(problem, EvolutionProblem) else ""
        module = place.partition(":")[0].rpartition(".")[2]
        page = PAGES.get(module, f"{module}.md")
        lines.append(
            f"| `{name}` | {family.dimension} | {', '.join(family.backends)} | {in_time} "
            f"| [{module.replace('_', ' ')}]({page}) |"
        )
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "list.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(topics()))
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--small", action="store_true", help="the sizes that the tests use")
    options = parser.parse_args()
    if not options.topics:
        write_list()
    for topic in options.topics or topics():
        if topic not in topics():
            parser.error(f"there is no topic '{topic}'; known: {', '.join(topics())}")
        run(topic, tuple(options.only or PARTS), small=options.small)


if __name__ == "__main__":
    main()
