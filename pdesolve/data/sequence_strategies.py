"""Strategies that are a sequence of linear systems through one solver, by name."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.data.error_estimate import CoarseGridEstimator, coarse_grid
from pdesolve.data.requests import (
    NamedStrategy,
    StrategyRequest,
    refuse_discretization,
    refuse_order,
)
from pdesolve.data.samples import Strategy
from pdesolve.data.sequences import (
    HalfResolutionEstimator,
    SequenceSettings,
    SequenceStrategy,
)
from pdesolve.grid.multigrid import geometric_multigrid
from pdesolve.pc.fast_helmholtz import LARGEST_AXIS
from pdesolve.problems.helmholtz import HelmholtzProblem

DIRECT: dict[str, Any] = {"ksp_type": "preonly", "pc_type": "lu"}
NEIGHBORS = 10
"""Solved samples that a first guess is made from."""

MULTIGRID_COST = 10.0
"""About how many iterations with algebraic multigrid take as long as making it (128²)."""

RIGHT_HAND_SIDES = 32
"""Right-hand sides that are solved at once where operators repeat."""

SMALL_CHUNK, LARGE_CHUNK, CHUNK_BYTES = 64, 256, 2**26
"""Samples of a chunk where operators repeat: in each, solved directions are found anew, so it is
large, but for samples of which so many take more than the last number of bytes."""


def _source_refusal(request: StrategyRequest) -> str:
    return request.refusal_of_sequences


def sequence(request: StrategyRequest, settings: SequenceSettings, source: Any = None) -> Strategy:
    """The samples of a request as one sequence."""
    if request.order is not None:
        settings = replace(settings, order=request.order)
    return SequenceStrategy(
        request.take_source() if source is None else source,
        request.grid,
        request.tolerance,
        settings,
        request.solver_parameters,
        backend=request.backend,
        estimator=error_estimator(request),
        unused_options=request.unused_options,
        release=request.give_back if source is None else None,
    )


def error_estimator(request: StrategyRequest) -> Any:
    """What estimates discretisation errors, or nothing."""
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


def symmetric_refusal(request: StrategyRequest) -> str:
    """Why the samples are no symmetric stencils, or nothing."""
    if not request.uses_stencils:
        return "is for problems with one unknown a cell on grids"
    return "" if request.symmetric else "needs symmetric systems"


def _multigrid_refusal(request: StrategyRequest) -> str:
    reason = symmetric_refusal(request)
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
    else:  # waves: the interpolation of another wavenumber costs half as many iterations again
        options |= {"pc_gamg_reuse_interpolation": False, "ksp_gmres_restart": 100}
    settings = SequenceSettings("algebraic-multigrid", chunk=None, solver_parameters=options)
    return sequence(request, settings)


def _algebraic_multigrid_refusal(request: StrategyRequest) -> str:
    reason = request.refusal_of_sequences
    if not reason and request.defaults.get("pc_type") == "gamg":
        reason = "is what 'independent' does here"
    return reason


def _incomplete_factors(request: StrategyRequest) -> Strategy:
    options: dict[str, Any] = {"ksp_type": "gmres", "ksp_gmres_restart": 40, "pc_type": "ilu"}
    if request.positive_definite:
        options = {"ksp_type": "cg", "pc_type": "icc"}
    elif not request.uses_stencils:  # waves: more fill and a longer memory save a third
        options |= {"ksp_gmres_restart": 100, "pc_factor_levels": 1}
    settings = SequenceSettings("incomplete-factors", chunk=None, solver_parameters=options)
    return sequence(request, settings)


def _skr(request: StrategyRequest) -> Strategy:
    from pdesolve.ksp import recycling_parameters

    options = {**recycling_parameters(), "ksp_pc_side": "right", "pc_type": "ilu"}
    return sequence(request, SequenceSettings("skr", "nearest-neighbor", solver_parameters=options))


def _downstream(request: StrategyRequest) -> Strategy:
    options = {"ksp_type": "bcgs", "pc_type": "ilu", "pc_factor_levels": _fill_levels(request)}
    return _numbered_downstream(request, "downstream", options)


def _fill_levels(request: StrategyRequest) -> int:
    """In 2D more fill is cheap and saves most iterations; in 3D it is neither."""
    return 3 if request.grid.dimension == 2 else 0


def _numbered_downstream(request: StrategyRequest, name: str, options: dict[str, Any]) -> Strategy:
    from pdesolve.sequences._petsc_sources import StencilSource

    refuse_discretization(request)
    refuse_order(request, name)
    settings = SequenceSettings(
        name, chunk=None, solver_parameters=options, apart=name == "fast-transform"
    )
    source = StencilSource(request.grid, request.reference, downstream=True)
    return sequence(request, settings, source)


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
    return sequence(request, settings)


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
    return sequence(request, settings)


def _neighbors(request: StrategyRequest) -> Strategy:
    settings = SequenceSettings("neighbors", "nearest-neighbor", neighbors=NEIGHBORS)
    return sequence(request, settings)


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
    return sequence(
        request, SequenceSettings("direct", chunk=None, solver_parameters=_factors(request))
    )


def _factors(request: StrategyRequest) -> dict[str, Any]:
    return {**DIRECT, "pc_type": "cholesky" if request.symmetric else "lu"}


def _multi_rhs(request: StrategyRequest) -> Strategy:
    options = _factors(request)
    if request.grid.dimension < 3:  # minimum degree: one factorisation is not worth a better order
        options["mat_mumps_icntl_7"] = 0
    channels = len(request.family.inputs) + len(request.family.outputs)
    fitting = CHUNK_BYTES // (8 * channels * request.grid.num_points)
    settings = SequenceSettings(
        "multi-rhs",
        chunk=min(max(fitting, SMALL_CHUNK), LARGE_CHUNK),
        solver_parameters=options,
        block=RIGHT_HAND_SIDES,
    )
    return sequence(request, settings)


def _fast_transform(request: StrategyRequest) -> Strategy:
    options: dict[str, Any] = {
        "ksp_type": "cg",
        "pc_type": "python",
        "pc_python_type": "pdesolve.pc.FastPoisson",
    }
    if request.uses_stencils and not request.symmetric:  # convection
        options |= {
            "ksp_type": "bcgs",
            "ksp_pc_side": "right",
            "pc_python_type": "pdesolve.pc.FastConvection",
            "fast_convection_pc_factor_levels": _fill_levels(request),
        }
        return _numbered_downstream(request, "fast-transform", options)
    if not request.uses_stencils:  # waves
        options |= {
            "ksp_type": "gmres",
            "ksp_gmres_restart": 100,
            "ksp_pc_side": "right",
            "pc_python_type": "pdesolve.pc.FastHelmholtz",
        }
    settings = SequenceSettings("fast-transform", chunk=None, apart=True, solver_parameters=options)
    return sequence(request, settings)


def _fast_transform_refusal(request: StrategyRequest) -> str:
    if request.backend == "grid" and isinstance(request.reference, HelmholtzProblem):
        if request.grid.dimension > 1 and max(request.grid.shape) <= LARGEST_AXIS:
            return ""
        return f"is for waves in 2D and 3D on grids of at most {LARGEST_AXIS} cells an axis"
    return "" if request.uses_stencils else symmetric_refusal(request)


def _multigrid(request: StrategyRequest) -> Strategy:
    options = geometric_multigrid(request.grid)
    settings = SequenceSettings("multigrid", chunk=None, solver_parameters=options)
    return sequence(request, settings)


SEQUENCE_STRATEGIES: dict[str, NamedStrategy] = {
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
    "incomplete-factors": NamedStrategy(
        _incomplete_factors,
        "CG with incomplete Cholesky, or GMRES with incomplete LU",
        _source_refusal,
    ),
    "fast-transform": NamedStrategy(
        _fast_transform,
        "transforms along each axis as preconditioner: sines, cosines, or eigenvectors",
        _fast_transform_refusal,
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
        _recycled_cg, "the same with deflated conjugate gradients", symmetric_refusal
    ),
    "lag": NamedStrategy(
        _lag, "sorted samples; a preconditioner kept while it serves", _source_refusal
    ),
    "neighbors": NamedStrategy(
        _neighbors,
        "sorted samples; the family's solver starts from a combination of solved ones",
        _neighbors_refusal,
    ),
    "multi-rhs": NamedStrategy(
        _multi_rhs, "samples with one operator solved at once", _source_refusal
    ),
}
"""By name."""
