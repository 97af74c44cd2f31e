"""Where Firedrake is not installed the message holds the command that installs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.mpi import ROOT

_PROGRAM = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("firedrake", "ufl"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import pdesolve, pdesolve.fem
from meshes import MissingDependencyError, UnstructuredMesh
mesh = UnstructuredMesh([[0.0], [1.0]], [[0, 1]], "interval")
for action in (
    lambda: pdesolve.solve(pdesolve.DarcyProblem(1.0), mesh=4, backend="fem"),
    lambda: pdesolve.solve(pdesolve.DarcyProblem(1.0), mesh="domain.msh"),
    lambda: pdesolve.fem.LinearForm,
    mesh.to_firedrake,
):
    try:
        action()
    except MissingDependencyError as error:
        print(error)
"""


@pytest.mark.petsc
def test_the_message_says_how_to_install_it():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("This needs 'firedrake', which cannot be imported here")
        assert "Install it with: make install" in line
