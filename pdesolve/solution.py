"""The answer to one problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from meshes.field import Field
from meshes.structured import StructuredGrid
from operators.result import SolveResult
from pdesolve.problems.base import Problem


class DistributedState(Protocol):
    """What a backend keeps of an answer: its native objects, spread over the processes.

    Every method but :meth:`local_fields` is collective.
    """

    @property
    def native(self) -> Any:
        """The library's own object (a PETSc vector, a Firedrake function)."""

    def local_fields(self) -> Mapping[str, Field]:
        """The part of each unknown that this process holds, the main one first."""

    def gather(self) -> Field:
        """The main unknown on every process, whole."""

    def sample(self, grid: StructuredGrid) -> Field:
        """The main unknown at the points of a grid, on every process."""

    def write_paraview(self, path: Path, time: float) -> None:
        """Write a file that ParaView opens."""


@dataclass(frozen=True, eq=False)
class Solution:
    """An answer with the record of how it was found.

    Parameters
    ----------
    problem
        What was solved.
    result
        Iterations, residuals, reason, seconds.
    backend
        ``"grid"`` or ``"fem"``.
    state
        The backend's distributed objects.

    Examples
    --------
    >>> from pdesolve import solve, get_family, sample_generator
    >>> family = get_family("darcy2d")
    >>> problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    >>> solution = solve(problem, mesh=16)
    >>> solution.field.values.shape, solution.result.converged
    ((1, 16, 16), True)
    """

    problem: Problem
    result: SolveResult
    backend: str
    state: DistributedState

    @property
    def native(self) -> Any:
        """The library's own object: a PETSc ``Vec`` or a Firedrake ``Function``."""
        return self.state.native

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The part of every unknown that this process holds, by name."""
        return self.state.local_fields()

    @property
    def field(self) -> Field:
        """The main unknown as far as this process holds it; all of it on one process."""
        return next(iter(self.fields.values()))

    def gather(self) -> Field:
        """The main unknown, whole, on every process (collective)."""
        return self.state.gather()

    def on(self, grid: StructuredGrid) -> Field:
        """The main unknown at the points of a grid, on every process (collective)."""
        return self.state.sample(grid)

    def save(self, path: str | Path, *, time: float = 0.0) -> Path:
        """Write a ``.pvd`` file for ParaView with the data files that it names (collective).

        Raises
        ------
        InputError
            If the path does not end in ``.pvd``.
        """
        from meshes.errors import InputError

        target = Path(path)
        if target.suffix != ".pvd":
            raise InputError(f"'{path}' must end in .pvd, the format that ParaView opens")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.state.write_paraview(target, time)
        return target

    def plot(self, path: str | Path) -> Path:
        """Draw inputs and solution into a picture file; collective, one process draws."""
        from pdesolve.output.plotting import plot_solution

        return plot_solution(self, Path(path))
