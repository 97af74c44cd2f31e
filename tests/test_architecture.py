"""The frame of the code: which package may import what, and how large a file may be."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("meshes", "operators", "pdesolve", "neural")  # imports point to the left only

# What a package may import beside the standard library and the packages to its left.
ALLOWED = {
    "meshes": {"numpy", "scipy", "meshio", "gmsh"},
    "operators": {"numpy", "scipy", "meshio"},
    "pdesolve": {
        "numpy", "scipy", "meshio", "h5py", "array_api_compat", "jsonargparse", "yaml", "rich",
        "matplotlib", "vtk", "vtkmodules", "imageio_ffmpeg",
    },
    "neural": {
        "numpy", "scipy", "meshio", "h5py", "array_api_compat", "jsonargparse", "yaml", "rich",
        "matplotlib", "vtk", "vtkmodules", "torch", "pytorch_lightning",
    },
}  # fmt: skip

# Heavy parts, and the only files that may import them.
PETSC = {"petsc4py", "mpi4py"}
FIREDRAKE = {"firedrake", "ufl", "irksome", "finat", "FIAT", "pyop2", "tsfc", "petsctools"}
GATES = dict.fromkeys(PETSC, "_petsc") | dict.fromkeys(FIREDRAKE, "_firedrake")

# Code that may name `neural` in a string, to load it when it is asked for.
MAY_LOAD_NEURAL = ("pdesolve/command_line/", "pdesolve/solving.py")
LEARNING = {"neural", "torch", "pytorch_lightning"}

# A string such as "pdesolve.problems.darcy:DarcyFamily" names a module to load.
_REFERENCE = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+(:\w+)?")


@dataclass(frozen=True)
class Import:
    """One imported module, and whether it was named in a string."""

    module: str
    line: int
    by_name: bool = False

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


def imports(source: str) -> Iterator[Import]:
    """Every import in a file, inside functions too, and modules named in strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Import(f"<relative>.{node.module or ''}", node.lineno)
            else:
                yield Import(node.module or "", node.lineno)
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            text = node.args[0]
            if (
                name in {"import_module", "__import__", "require"}
                and isinstance(text, ast.Constant)
                and isinstance(text.value, str)
            ):
                yield Import(text.value, node.lineno, by_name=True)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _REFERENCE.fullmatch(node.value)
        ):
            yield Import(node.value, node.lineno, by_name=True)


def violations(path: str, source: str, standard_library: frozenset[str]) -> list[str]:
    """What a file imports against the rules.

    Parameters
    ----------
    path
        Relative to the root, such as ``meshes/field.py``.
    source
        The file's text.
    standard_library
        Names that are always allowed.
    """
    package, file_name = path.split("/")[0], path.rpartition("/")[2]
    allowed = ALLOWED[package] | set(PACKAGES[: PACKAGES.index(package) + 1])
    found = []
    for item in sorted(set(imports(source)), key=lambda item: item.line):
        if item.top in standard_library or item.top in allowed:
            continue
        place = f"{path}:{item.line} imports {item.module}"
        if item.top in GATES:
            gate = GATES[item.top]
            through_firedrake = gate == "_petsc" and file_name.startswith("_firedrake")
            by_helper = item.by_name and package in {"meshes", "operators", "pdesolve"}
            if not (file_name.startswith(gate) or through_firedrake or by_helper):
                found.append(f"{place}: only files named {gate}*.py may")
        elif item.by_name and item.top in LEARNING and path.startswith(MAY_LOAD_NEURAL):
            continue
        elif item.top in PACKAGES:
            found.append(f"{place}: imports point from {' to '.join(reversed(PACKAGES))} only")
        elif item.top == "<relative>":
            found.append(f"{place}: name the package in full")
        else:
            found.append(f"{place}: not among the dependencies of {package}")
    return found


def too_long(lengths: dict[str, int], *, limit: int = 600, median: int = 150) -> list[str]:
    """Files longer than `limit` lines, and a complaint when the typical file is too long."""
    found = [f"{path} has {length} lines" for path, length in lengths.items() if length > limit]
    middle = statistics.median(lengths.values())
    if middle > median:
        found.append(f"the median file has {middle:.0f} lines")
    return found


def badly_named(paths: list[str]) -> list[str]:
    """Modules whose name says nothing about what they hold."""
    empty = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    return [path for path in paths if {*path.removesuffix(".py").split("/")} & empty]


def sources() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def standard_library() -> frozenset[str]:
    import sys

    return sys.stdlib_module_names


def test_imports_keep_to_the_arrows_and_gates() -> None:
    known = standard_library()
    found = [line for path, text in sources().items() for line in violations(path, text, known)]
    assert found == []


def test_files_stay_short() -> None:
    assert too_long({path: text.count("\n") for path, text in sources().items()}) == []


def test_names_say_what_is_inside() -> None:
    assert badly_named(list(sources())) == []


def test_every_folder_of_code_is_a_package() -> None:
    folders = {str(Path(path).parent) for path in sources()}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("meshes/field.py", "import operators", "imports point from"),
        ("operators/linear.py", "from pdesolve.solving import solve", "imports point from"),
        ("pdesolve/solving.py", "from neural import Surrogate", "imports point from"),
        ("pdesolve/grid/a.py", "import importlib\nimportlib.import_module('neural.x')", "point"),
        ("meshes/field.py", "from petsc4py import PETSc", "_petsc*.py"),
        ("pdesolve/solving.py", "def f():\n    from mpi4py import MPI", "_petsc*.py"),
        ("pdesolve/fem/forms.py", "import ufl", "_firedrake*.py"),
        ("pdesolve/grid/_petsc_solver.py", "import firedrake", "_firedrake*.py"),
        ("neural/models/fno.py", "import firedrake", "_firedrake*.py"),
        ("pdesolve/data/reader.py", "import torch", "dependencies of pdesolve"),
        ("operators/stencil.py", "import h5py", "dependencies of operators"),
        ("neural/models/fno.py", "import lightning", "dependencies of neural"),
        ("meshes/field.py", "from . import grid", "in full"),
        ("pdesolve/problems/registry.py", "NAMES = {'fno': 'neural.fno:FNO'}", "point from"),
    ],
)
def test_a_planted_import_is_found(path: str, source: str, message: str) -> None:
    found = violations(path, source, standard_library())
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("operators/_petsc_stencil.py", "from petsc4py import PETSc"),
        ("pdesolve/fem/_firedrake_solver.py", "import firedrake\nfrom petsc4py import PETSc"),
        ("neural/models/fno.py", "import torch\nfrom pdesolve.data import reader"),
        ("pdesolve/solving.py", "from importlib import import_module\nimport_module('neural.x')"),
        ("meshes/gmsh.py", "import meshio, numpy as np, os"),
    ],
)
def test_a_lawful_import_passes(path: str, source: str) -> None:
    assert violations(path, source, standard_library()) == []


def test_planted_files_of_bad_size_or_name_are_found() -> None:
    assert too_long({"a.py": 601, "b.py": 20, "c.py": 20}) == ["a.py has 601 lines"]
    assert too_long({"a.py": 200}) == ["the median file has 200 lines"]
    assert badly_named(["neural/utils.py", "neural/utils/a.py", "neural/loss.py"]) == [
        "neural/utils.py",
        "neural/utils/a.py",
    ]
