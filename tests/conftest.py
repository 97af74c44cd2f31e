"""Settings that hold for every test, and what to do where an optional part is absent."""

from __future__ import annotations

import importlib.util
import os

import pytest

# Before PETSc starts: it takes pytest's own arguments for its options, and would report
# them as unused after pytest's closing line.
os.environ["PETSC_OPTIONS"] = f"{os.environ.get('PETSC_OPTIONS', '')} -options_left no".strip()
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"

_NEEDS = {
    "petsc": ("petsc4py",),
    "parallel": ("petsc4py", "mpi4py"),
    "firedrake": ("firedrake",),
    "torch": ("torch", "pytorch_lightning"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests whose mark names a part that is not installed.

    With PDESOLVE_FORBID_SKIPS set, as where everything should be there, they run and fail.
    """
    if os.environ.get("PDESOLVE_FORBID_SKIPS"):
        return
    present = {
        module: importlib.util.find_spec(module) is not None
        for modules in _NEEDS.values()
        for module in modules
    }
    for item in items:
        for mark, modules in _NEEDS.items():
            missing = [module for module in modules if not present[module]]
            if missing and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))
