"""Solve PDEs with PETSc and Firedrake, make training data, use surrogates in the solver.

Examples
--------
>>> import pdesolve
>>> family = pdesolve.get_family("darcy2d")
>>> parameters = family.sample(pdesolve.sample_generator(0, "train", 0))
>>> solution = pdesolve.solve(family.problem(parameters), mesh=(32, 32))
>>> solution.result.converged
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshes.field import Field as Field
    from meshes.structured import StructuredGrid as StructuredGrid
    from meshes.unstructured import UnstructuredMesh as UnstructuredMesh
    from operators.failures import InputError as InputError
    from operators.failures import PDESolveError as PDESolveError
    from operators.failures import SolveFailure as SolveFailure
    from operators.result import SolveResult as SolveResult
    from pdesolve.data import check_dataset as check_dataset
    from pdesolve.data import generate as generate
    from pdesolve.data import open_dataset as open_dataset
    from pdesolve.evolving import evolve as evolve
    from pdesolve.problems.base import LinearSystem as LinearSystem
    from pdesolve.problems.base import Problem as Problem
    from pdesolve.problems.base import ProblemFamily as ProblemFamily
    from pdesolve.problems.boundary import Absorbing as Absorbing
    from pdesolve.problems.boundary import Dirichlet as Dirichlet
    from pdesolve.problems.boundary import Neumann as Neumann
    from pdesolve.problems.boundary import Periodic as Periodic
    from pdesolve.problems.boundary import Robin as Robin
    from pdesolve.problems.darcy import DarcyFamily as DarcyFamily
    from pdesolve.problems.darcy import DarcyProblem as DarcyProblem
    from pdesolve.problems.evolution import EvolutionProblem as EvolutionProblem
    from pdesolve.problems.registry import get_family as get_family
    from pdesolve.random_streams import sample_generator as sample_generator
    from pdesolve.solution import Solution as Solution
    from pdesolve.solving import solve as solve
    from pdesolve.trajectory import Trajectory as Trajectory

__version__ = "0.1.0"

_HOME = {
    "DarcyFamily": "pdesolve.problems.darcy",
    "DarcyProblem": "pdesolve.problems.darcy",
    "Dirichlet": "pdesolve.problems.boundary",
    "Field": "meshes.field",
    "InputError": "meshes.errors",
    "LinearSystem": "pdesolve.problems.base",
    "Neumann": "pdesolve.problems.boundary",
    "PDESolveError": "meshes.errors",
    "Periodic": "pdesolve.problems.boundary",
    "Problem": "pdesolve.problems.base",
    "ProblemFamily": "pdesolve.problems.base",
    "Solution": "pdesolve.solution",
    "SolveFailure": "operators.failures",
    "SolveResult": "operators.result",
    "StructuredGrid": "meshes.structured",
    "UnstructuredMesh": "meshes.unstructured",
    "check_dataset": "pdesolve.data",
    "generate": "pdesolve.data",
    "get_family": "pdesolve.problems.registry",
    "open_dataset": "pdesolve.data",
    "sample_generator": "pdesolve.random_streams",
    "solve": "pdesolve.solving",
    "EvolutionProblem": "pdesolve.problems.evolution",
    "Robin": "pdesolve.problems.boundary",
    "Absorbing": "pdesolve.problems.boundary",
    "Trajectory": "pdesolve.trajectory",
    "evolve": "pdesolve.evolving",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'pdesolve' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
