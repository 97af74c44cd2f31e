"""Everything but the gated files imports without PETSc, Firedrake and torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_SOLVERS = ("petsc4py", "petsctools", "mpi4py", "firedrake", "ufl", "irksome", "pyop2")
WITHOUT_TORCH = ("torch", "pytorch_lightning", "lightning")
HEAVY = (*WITHOUT_SOLVERS, *WITHOUT_TORCH, "matplotlib", "jsonargparse", "rich", "vtk", "meshio",
         "h5py", "scipy", "yaml")  # fmt: skip

# Refuses the blocked packages as if they were absent, then imports and prints the failures.
_IMPORT_ALL = """
import importlib, json, sys
folder, blocked, names = json.loads(sys.argv[1])
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, folder)
failures = []
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failures.append(f"{name}: {type(error).__name__}: {error}")
print(json.dumps([failures, sorted({m.split(".")[0] for m in sys.modules})]))
"""


def ungated_modules(folder: Path, packages: Sequence[str]) -> list[str]:
    """Modules of the packages, apart from the files that PETSc or Firedrake live in."""
    found = []
    for package in packages:
        for path in sorted((folder / package).rglob("*.py")):
            if path.name.startswith(("_petsc", "_firedrake")):
                continue
            parts = path.relative_to(folder).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def import_all(
    folder: Path, names: Sequence[str], blocked: Sequence[str] = ()
) -> tuple[list[str], set[str]]:
    """Import modules in a new process.

    Returns
    -------
    tuple
        The failures, and the top-level names that were loaded.
    """
    answer = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, json.dumps([str(folder), list(blocked), list(names)])],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    failures, loaded = json.loads(answer.stdout.splitlines()[-1])
    return failures, set(loaded)


@pytest.mark.torch
def test_everything_imports_without_petsc_and_firedrake() -> None:
    pytest.importorskip("torch")
    names = ungated_modules(ROOT, ("meshes", "operators", "pdesolve", "neural"))
    assert import_all(ROOT, names, WITHOUT_SOLVERS)[0] == []


def test_everything_outside_neural_imports_without_torch() -> None:
    names = ungated_modules(ROOT, ("meshes", "operators", "pdesolve"))
    assert len(names) > 10
    assert import_all(ROOT, names, (*WITHOUT_SOLVERS, *WITHOUT_TORCH))[0] == []


def test_the_packages_load_without_heavy_parts() -> None:
    loaded = import_all(ROOT, ["meshes", "operators", "pdesolve", "neural"])[1]
    assert loaded & set(HEAVY) == set()


def test_planted_imports_are_found(tmp_path: Path) -> None:
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").write_text("import json\n", encoding="utf-8")
    (package / "good.py").write_text("import math\n", encoding="utf-8")
    (package / "bad.py").write_text("import petsc4py\n", encoding="utf-8")
    (package / "worse.py").write_text("from torch import nn\n", encoding="utf-8")
    (package / "_petsc_part.py").write_text("import petsc4py\n", encoding="utf-8")
    (package / "heavy.py").write_text("import h5py\n", encoding="utf-8")
    names = ungated_modules(tmp_path, ["planted"])
    assert "planted._petsc_part" not in names
    failures, loaded = import_all(tmp_path, names, ("petsc4py", "torch"))
    assert [line.split(":")[0] for line in failures] == ["planted.bad", "planted.worse"]
    assert "h5py" in loaded
