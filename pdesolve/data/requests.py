"""What a strategy is made for, and what a named strategy is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.data.samples import Strategy, UnusedOptions
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem


@dataclass(frozen=True, eq=False)
class StrategyRequest:
    """What a strategy is made for.

    Parameters
    ----------
    family
        The family.
    grid
        Storage grid.
    reference
        Problem of sample 0.
    backend
        One of the family's backends.
    rtol
        Relative residual to reach; the default of the strategy when left out.
    solver_parameters
        The caller's PETSc options.
    discretization
        Arguments of :func:`pdesolve.solve` or :func:`pdesolve.evolve`.
    estimate_error
        Whether to estimate discretisation errors.
    unused_options
        Whether options that PETSc did not read are a warning or an error.
    order
        Order of the samples, where the strategy's own is not wanted.
    seed, split
        Random stream of the samples.
    """

    family: Any
    grid: StructuredGrid
    reference: Problem
    backend: str
    rtol: float | None = None
    solver_parameters: Mapping[str, Any] | None = None
    discretization: Mapping[str, Any] | None = None
    estimate_error: bool = True
    unused_options: UnusedOptions = "warn"
    order: str | None = None
    seed: int = 0
    split: str = "train"
    _spare: list[Any] = field(default_factory=list, repr=False)
    """Sources on the storage grid that wait for use, shared with requests made from this one."""

    @property
    def tolerance(self) -> float:
        """The relative residual of linear solves."""
        return 1e-8 if self.rtol is None else self.rtol

    @property
    def in_time(self) -> bool:
        """Whether samples are trajectories."""
        return isinstance(self.reference, EvolutionProblem)

    @property
    def uses_stencils(self) -> bool:
        """Whether samples are linear systems with one unknown a cell."""
        return self.backend == "grid" and self.reference.has_stencil and not self.in_time

    @cached_property
    def symmetric(self) -> bool:
        """Whether the systems are symmetric, as far as the first one tells."""
        if self.uses_stencils:
            return bool(self.reference.discretize(self.grid).symmetric)
        if self.refusal_of_sequences:
            return False
        source = self.take_source()
        self.give_back(source)
        return bool(source.load(self.reference).symmetric)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """PETSc options of the family's own solver; empty where there is no such."""
        if self.refusal_of_sequences:
            return {}
        source = self.take_source()
        self.give_back(source)
        return dict(source.defaults())

    @property
    def positive_definite(self) -> bool:
        """Whether conjugate gradients are the family's method."""
        return bool(self.defaults.get("ksp_type") == "cg")

    @cached_property
    def refusal_of_sequences(self) -> str:
        """Why the samples are no sequence of linear systems of one size, or nothing."""
        if self.in_time:
            return "is for steady problems"
        if self.backend == "spectral":
            return "is for the backends 'grid' and 'fem'"
        if self.backend == "grid":
            linear = self.reference.has_stencil or self.reference.has_block_system
            return "" if linear else "is for linear problems"
        if _need_firedrake(self.solver_parameters):
            return "takes PETSc's options only, and some of these are Firedrake's"
        if self._spare:
            return ""
        source = _form_source(self, self.grid)
        if source is None:
            return "is not there for this finite-element form"
        self._spare.append(source)
        return ""

    def give_back(self, source: Any) -> None:
        """Keep a source on the storage grid for the next that wants one."""
        self._spare.append(source)

    def close(self) -> None:
        """Free what waits for use."""
        while self._spare:
            self._spare.pop().close()

    def take_source(self, grid: StructuredGrid | None = None) -> Any:
        """A source of the systems, on the storage grid or another one.

        To be closed, or given back where it is on the storage grid.
        """
        from pdesolve.sequences._petsc_sources import BlockSource, StencilSource

        if grid is None and self._spare:
            return self._spare.pop()
        if self.backend == "fem":
            return _form_source(self, grid or self.grid)
        refuse_discretization(self)
        grid = grid or self.grid
        if self.reference.has_stencil:
            return StencilSource(grid, self.reference)
        return BlockSource(grid, self.reference, self.family.outputs)


def _need_firedrake(parameters: Mapping[str, Any] | None) -> bool:
    """Whether solver options are Firedrake's, or need what it knows of the form."""
    from pdesolve._petsc_options import flatten

    if parameters is None or isinstance(parameters, str):
        return parameters is not None
    return any(
        name in ("mat_type", "pmat_type", "preconditioner")
        or name.endswith("pc_fieldsplit_type")
        or str(value).startswith("firedrake")
        for name, value in flatten(parameters).items()
    )


def _form_source(request: StrategyRequest, grid: StructuredGrid) -> Any:
    from pdesolve._petsc_comm import own_communicator
    from pdesolve.sequences._firedrake_source import form_source_for

    reference, comm = request.reference, own_communicator()
    return form_source_for(request.family, grid, reference, request.discretization, comm)


def _never(request: StrategyRequest) -> str:
    del request
    return ""


@dataclass(frozen=True)
class NamedStrategy:
    """A strategy that can be asked for by name.

    Parameters
    ----------
    make
        Makes it from a request.
    summary
        What it does, in a few words.
    refusal
        Gives, from a request, why it cannot be used, or nothing.
    """

    make: Callable[[StrategyRequest], Strategy]
    summary: str
    refusal: Callable[[StrategyRequest], str] = _never


def refuse_discretization(request: StrategyRequest) -> None:
    """Raise where arguments for finite elements are given on grids."""
    if request.discretization:
        raise InputError(
            f"discretization={dict(request.discretization)!r} is for the backend 'fem'; 'grid' "
            "uses cell-centred finite volumes. Leave it out, or take backend='fem'"
        )


def refuse_order(request: StrategyRequest, name: str) -> None:
    """Raise where an order is given to a strategy that has no use for it."""
    if request.order not in (None, "index"):
        raise InputError(
            f"order='{request.order}' is of no use to the strategy '{name}', which hands nothing "
            "from sample to sample; leave it out or take 'skr' or 'lag'"
        )
