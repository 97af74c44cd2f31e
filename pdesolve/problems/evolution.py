"""Problems that evolve in time."""

from __future__ import annotations

from typing import Any, ClassVar

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.base import Problem
from pdesolve.spectral.evolution import SpectralEvolution


class EvolutionProblem(Problem):
    """One initial (and boundary) value problem.

    An implementation sets the attributes of :class:`Problem` and those below, and gives
    one or more of :meth:`grid_evolution` for the backend ``grid``,
    :meth:`evolution_form` for ``fem`` and :meth:`spectral_evolution` for ``spectral``.
    :func:`pdesolve.evolve` solves it.

    Attributes
    ----------
    times
        Times at which the solution is reported, growing, the initial time first.
    unknowns
        Names of the channels of the state, the main one first.
    """

    times: tuple[float, ...]
    unknowns: ClassVar[tuple[str, ...]] = ("u",)

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends whose form this problem gives, the default first."""
        own = type(self)
        found = []
        if own.spectral_evolution is not EvolutionProblem.spectral_evolution:
            found.append("spectral")
        if own.grid_evolution is not EvolutionProblem.grid_evolution:
            found.append("grid")
        if own.evolution_form is not EvolutionProblem.evolution_form:
            found.append("fem")
        return tuple(found)

    def grid_evolution(self, block: GridBlock) -> GridEvolution:
        """The ordinary differential equations on a process's block (backend ``grid``).

        The block has as many ghost layers as :attr:`stencil_width` says.
        """
        del block
        raise InputError(f"problem '{self.name}' has no form for the backend 'grid'")

    stencil_width: ClassVar[int] = 1

    def evolution_form(self, context: Any) -> Any:
        """The weak form with its time derivatives (backend ``fem``)."""
        del context
        raise InputError(f"problem '{self.name}' has no form for the backend 'fem'")

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """The equations for Fourier coefficients (backend ``spectral``)."""
        del grid
        raise InputError(f"problem '{self.name}' has no form for the backend 'spectral'")
