"""Ways to solve the samples of a data set, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from meshes.errors import InputError, suggest
from meshes.structured import StructuredGrid
from pdesolve.data.any_backend import MeshStrategy
from pdesolve.data.batches import BatchStrategy
from pdesolve.data.error_estimate import CoarseGridEstimator, coarse_grid
from pdesolve.data.evolutions import EvolutionStrategy
from pdesolve.data.independent import GridStrategy
from pdesolve.data.operator_action import OperatorActionStrategy, operator_action_refusal
from pdesolve.data.samples import SampleTask, Strategy, UnusedOptions
from pdesolve.data.sequences import (
    HalfResolutionEstimator,
    SequenceSettings,
    SequenceStrategy,
)
from pdesolve.data.spectral_batches import SpectralBatchStrategy
from pdesolve.grid.multigrid import geometric_multigrid
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem

DIRECT: dict[str, Any] = {"ksp_type": "preonly", "pc_type": "lu"}
NEIGHBORS = 10
"""Solved samples that a first guess is made from."""

MULTIGRID_COST = 10.0
"""About how many iterations with algebraic multigrid take as long as making it (128²)."""

RIGHT_HAND_SIDES = 32
"""Right-hand sides that are solved at once where operators repeat."""


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
        _refuse_discretization(self)
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


def make_strategy(name: str, request: StrategyRequest) -> Strategy:
    """A strategy by name.

    Raises
    ------
    InputError
        For an unknown name, or a strategy that cannot solve the request.
    """
    if name not in STRATEGIES:
        raise InputError(f"there is no strategy '{name}'. {suggest(name, (*STRATEGIES, 'auto'))}")
    found = STRATEGIES[name]
    reason = found.refusal(request)
    if reason:
        possible = ", ".join(applicable(request))
        raise InputError(f"strategy '{name}' {reason}; possible here: {possible}")
    return found.make(request)


def applicable(request: StrategyRequest) -> tuple[str, ...]:
    """Names of the strategies that can solve a request."""
    return tuple(name for name, found in STRATEGIES.items() if not found.refusal(request))


# --- one by one -------------------------------------------------------------------------


def _independent(request: StrategyRequest) -> Strategy:
    _refuse_order(request, "independent")
    if request.in_time:
        return _in_time(request)
    if request.uses_stencils:
        _refuse_discretization(request)
        return GridStrategy(
            request.grid,
            request.reference,
            request.tolerance,
            request.solver_parameters,
            estimate_error=request.estimate_error,
            unused_options=request.unused_options,
        )
    if _source_refusal(request):
        return _one_by_one(request)
    return _sequence(request, SequenceSettings("independent", chunk=None))


def _in_time(request: StrategyRequest) -> Strategy:
    reference: Any = request.reference
    if request.backend != "spectral":
        return EvolutionStrategy(
            request.grid,
            reference,
            request.backend,
            request.rtol,
            request.solver_parameters,
            stepping=request.discretization,
            estimate_error=request.estimate_error,
            unused_options=request.unused_options,
            own_mesh=request.family.has_own_mesh,
        )
    if request.solver_parameters or request.rtol is not None:
        raise InputError(
            "the backend 'spectral' takes fixed steps and no PETSc options; leave "
            f"{'solver_parameters' if request.solver_parameters else 'rtol'} out, and give "
            "discretization={'dt': ...} for smaller steps"
        )
    return SpectralBatchStrategy(
        request.grid,
        reference,
        stepping=request.discretization,
        estimate_error=request.estimate_error,
    )


def _one_by_one(request: StrategyRequest) -> Strategy:
    return MeshStrategy(
        request.grid,
        request.tolerance,
        request.solver_parameters,
        backend=request.backend,  # type: ignore[arg-type]
        discretization=request.discretization,
        estimate_error=request.estimate_error,
        unused_options=request.unused_options,
        outputs=request.family.outputs,
        own_mesh=request.family.has_own_mesh,
    )


def _refuse_discretization(request: StrategyRequest) -> None:
    if request.discretization:
        raise InputError(
            f"discretization={dict(request.discretization)!r} is for the backend 'fem'; 'grid' "
            "uses cell-centred finite volumes"
        )


# --- sequences of linear systems --------------------------------------------------------


def _source_refusal(request: StrategyRequest) -> str:
    return request.refusal_of_sequences


def _sequence(request: StrategyRequest, settings: SequenceSettings, source: Any = None) -> Strategy:
    if request.order is not None:
        settings = replace(settings, order=request.order)
    return SequenceStrategy(
        request.take_source() if source is None else source,
        request.grid,
        request.tolerance,
        settings,
        request.solver_parameters,
        backend=request.backend,
        estimator=_estimator(request),
        unused_options=request.unused_options,
        release=request.give_back if source is None else None,
    )


def _estimator(request: StrategyRequest) -> Any:
    if not request.estimate_error or request.family.has_own_mesh:
        return None
    if request.uses_stencils:
        from pdesolve._petsc_comm import own_communicator

        return CoarseGridEstimator(request.grid, own_communicator())
    coarse = coarse_grid(request.grid)
    if coarse is None:
        return None
    parameters = {**(request.solver_parameters or {}), "ksp_rtol": request.tolerance}
    try:
        source = request.take_source(coarse)
    except InputError:  # such as too few points a wavelength
        return None
    return HalfResolutionEstimator(source, coarse, request.grid, parameters)


def _symmetric_refusal(request: StrategyRequest) -> str:
    if not request.uses_stencils:
        return "is for problems with one unknown a cell on grids"
    return "" if request.symmetric else "needs symmetric systems"


def _multigrid_refusal(request: StrategyRequest) -> str:
    reason = _symmetric_refusal(request)
    if not reason and not geometric_multigrid(request.grid):
        reason = "needs a grid that halves several times along each axis"
    return reason


def _algebraic_multigrid(request: StrategyRequest) -> Strategy:
    options: dict[str, Any] = {"ksp_type": "gmres", "ksp_pc_side": "right", "pc_type": "gamg"}
    if request.positive_definite:
        options = {"ksp_type": "cg", "pc_type": "gamg"}
    elif request.uses_stencils:  # smoothed aggregation diverges where convection prevails
        options |= {
            "pc_gamg_agg_nsmooths": 0,
            "pc_mg_cycle_type": "w",
            "mg_levels_ksp_type": "richardson",
            "mg_levels_pc_type": "sor",
        }
    settings = SequenceSettings("algebraic-multigrid", chunk=None, solver_parameters=options)
    return _sequence(request, settings)


def _algebraic_multigrid_refusal(request: StrategyRequest) -> str:
    reason = request.refusal_of_sequences
    if not reason and request.defaults.get("pc_type") == "gamg":
        reason = "is what 'independent' does here"
    return reason


def _skr(request: StrategyRequest) -> Strategy:
    from pdesolve.ksp import recycling_parameters

    options = {**recycling_parameters(), "ksp_pc_side": "right", "pc_type": "ilu"}
    return _sequence(
        request, SequenceSettings("skr", "nearest-neighbor", solver_parameters=options)
    )


def _downstream(request: StrategyRequest) -> Strategy:
    from pdesolve.sequences._petsc_sources import StencilSource

    # in 2D more fill is cheap and saves most iterations; in 3D it is neither
    levels = 3 if request.grid.dimension == 2 else 0
    options = {"ksp_type": "bcgs", "pc_type": "ilu", "pc_factor_levels": levels}
    settings = SequenceSettings("downstream", chunk=None, solver_parameters=options)
    _refuse_discretization(request)
    _refuse_order(request, "downstream")
    source = StencilSource(request.grid, request.reference, downstream=True)
    return _sequence(request, settings, source)


def _downstream_refusal(request: StrategyRequest) -> str:
    if not request.uses_stencils:
        return "is for problems with one unknown a cell on grids"
    return "is for systems that are not symmetric" if request.symmetric else ""


def _recycled_cg(request: StrategyRequest) -> Strategy:
    options = {
        "ksp_type": "python",
        "ksp_python_type": "pdesolve.ksp.DeflatedCG",
        "pc_type": "icc",
    }
    settings = SequenceSettings("recycled-cg", "nearest-neighbor", solver_parameters=options)
    return _sequence(request, settings)


def _lag(request: StrategyRequest) -> Strategy:
    from pdesolve.sequences.lagging import LagSettings

    options: dict[str, Any] = {}
    cost = MULTIGRID_COST
    if not request.positive_definite:
        options = {**_factors(request), "ksp_type": "gmres", "ksp_pc_side": "right"}
        cost = factorisation_cost(request.grid)
    lag = LagSettings(
        closest=math.inf,
        setup_cost=cost,
        scaling="smooth" if request.uses_stencils and request.positive_definite else "none",
    )
    settings = SequenceSettings("lag", "nearest-neighbor", solver_parameters=options, lag=lag)
    return _sequence(request, settings)


def _neighbors(request: StrategyRequest) -> Strategy:
    settings = SequenceSettings("neighbors", "nearest-neighbor", neighbors=NEIGHBORS)
    return _sequence(request, settings)


def _neighbors_refusal(request: StrategyRequest) -> str:
    reason = request.refusal_of_sequences
    if not reason and request.defaults.get("pc_type") in ("lu", "cholesky"):
        reason = "is of no use where the family's own solver factorises, which needs no first guess"
    return reason


def factorisation_cost(grid: StructuredGrid) -> float:
    """About how many iterations with sparse factors take as long as making them.

    Measured with MUMPS at 10⁴ unknowns; in 3D it grows like n^(2/3), as the ratio of the
    operations does for nested dissection (George 1973, doi:10.1137/0710032).

    Examples
    --------
    >>> factorisation_cost(StructuredGrid((100, 100)))
    7.0
    """
    if grid.dimension < 3:
        return 7.0
    return 11.0 * float(max((grid.num_points / 1e4) ** (2 / 3), 1.0))


def _direct(request: StrategyRequest) -> Strategy:
    return _sequence(
        request, SequenceSettings("direct", chunk=None, solver_parameters=_factors(request))
    )


def _factors(request: StrategyRequest) -> dict[str, Any]:
    return {**DIRECT, "pc_type": "cholesky" if request.symmetric else "lu"}


def _multi_rhs(request: StrategyRequest) -> Strategy:
    settings = SequenceSettings(
        "multi-rhs", solver_parameters=_factors(request), block=RIGHT_HAND_SIDES
    )
    return _sequence(request, settings)


def _fast_transform(request: StrategyRequest) -> Strategy:
    options = {
        "ksp_type": "cg",
        "pc_type": "python",
        "pc_python_type": "pdesolve.pc.FastPoisson",
    }
    settings = SequenceSettings("fast-transform", chunk=None, solver_parameters=options)
    return _sequence(request, settings)


def _multigrid(request: StrategyRequest) -> Strategy:
    options = geometric_multigrid(request.grid)
    settings = SequenceSettings("multigrid", chunk=None, solver_parameters=options)
    return _sequence(request, settings)


def _refuse_order(request: StrategyRequest, name: str) -> None:
    if request.order not in (None, "index"):
        raise InputError(
            f"order='{request.order}' is of no use to the strategy '{name}', which hands nothing "
            "from sample to sample; leave it out or take 'skr' or 'lag'"
        )


def _batched(request: StrategyRequest) -> Strategy:
    _refuse_order(request, "batched")
    _refuse_discretization(request)
    if request.solver_parameters:
        raise InputError(
            f"the strategy 'batched' takes no PETSc options, and there are "
            f"{dict(request.solver_parameters)!r}; leave them out"
        )
    return BatchStrategy(
        request.grid, request.reference, request.tolerance, estimator=_estimator(request)
    )


def _operator_action(request: StrategyRequest) -> Strategy:
    _refuse_order(request, "operator-action")
    _refuse_discretization(request)
    return OperatorActionStrategy(
        request.family,
        request.grid,
        request.reference,
        seed=request.seed,
        split=request.split,
        rtol=request.tolerance,
        solver_parameters=request.solver_parameters,
        unused_options=request.unused_options,
    )


def _operator_action_refusal(request: StrategyRequest) -> str:
    if not request.uses_stencils:
        return "is for linear problems with one unknown a cell on grids"
    return operator_action_refusal(request.family, request.reference)


STRATEGIES: dict[str, NamedStrategy] = {
    "independent": NamedStrategy(
        _independent, "one by one with the family's solver; pattern and objects kept"
    ),
    "direct": NamedStrategy(
        _direct, "a sparse factorisation each; symbolic part kept", _source_refusal
    ),
    "multigrid": NamedStrategy(
        _multigrid, "CG with geometric multigrid on halved grids", _multigrid_refusal
    ),
    "algebraic-multigrid": NamedStrategy(
        _algebraic_multigrid,
        "CG or GMRES with GAMG, for families whose own solver is another one",
        _algebraic_multigrid_refusal,
    ),
    "fast-transform": NamedStrategy(
        _fast_transform, "scaled sine and cosine transforms as preconditioner", _symmetric_refusal
    ),
    "downstream": NamedStrategy(
        _downstream,
        "BiCGStab with incomplete factors, cells numbered along the flow",
        _downstream_refusal,
    ),
    "skr": NamedStrategy(
        _skr, "sorted samples; GCRO-DR hands a subspace from each to the next", _source_refusal
    ),
    "recycled-cg": NamedStrategy(
        _recycled_cg, "the same with deflated conjugate gradients", _symmetric_refusal
    ),
    "lag": NamedStrategy(
        _lag, "sorted samples; a factorisation kept while the operator stays close", _source_refusal
    ),
    "neighbors": NamedStrategy(
        _neighbors,
        "sorted samples; the family's solver starts from a combination of solved ones",
        _neighbors_refusal,
    ),
    "batched": NamedStrategy(
        _batched, "many grids at once by array operations", _symmetric_refusal
    ),
    "multi-rhs": NamedStrategy(
        _multi_rhs, "samples with one operator solved at once", _source_refusal
    ),
    "operator-action": NamedStrategy(
        _operator_action,
        "solutions made of solved ones, the source computed from them: other sources than the "
        "family's",
        _operator_action_refusal,
    ),
}
"""By name. ``auto`` is not among them: it chooses one of them."""


def repeats_operator(request: StrategyRequest, tasks: Sequence[SampleTask]) -> bool:
    """Whether these samples have one operator, by its fingerprint."""
    if len(tasks) < 2 or request.refusal_of_sequences:
        return False
    source = request.take_source()
    try:
        return len({source.fingerprint(task.problem) for task in tasks}) == 1
    finally:
        request.give_back(source)
