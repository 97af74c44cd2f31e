"""Ways to solve the samples of a data set, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meshes.errors import InputError, suggest
from pdesolve.data.any_backend import MeshStrategy
from pdesolve.data.batches import BatchStrategy
from pdesolve.data.evolutions import EvolutionStrategy
from pdesolve.data.independent import GridStrategy
from pdesolve.data.operator_action import OperatorActionStrategy, operator_action_refusal
from pdesolve.data.refusals import posing
from pdesolve.data.requests import (
    NamedStrategy,
    StrategyRequest,
    refuse_discretization,
    refuse_order,
)
from pdesolve.data.samples import SampleTask, Strategy
from pdesolve.data.sequence_strategies import (
    SEQUENCE_STRATEGIES,
    error_estimator,
    sequence,
    symmetric_refusal,
)
from pdesolve.data.sequences import SequenceSettings
from pdesolve.data.spectral_batches import SpectralBatchStrategy


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


def _independent(request: StrategyRequest) -> Strategy:
    refuse_order(request, "independent")
    if request.in_time:
        return _in_time(request)
    if request.uses_stencils:
        refuse_discretization(request)
        return GridStrategy(
            request.grid,
            request.reference,
            request.tolerance,
            request.solver_parameters,
            estimate_error=request.estimate_error,
            unused_options=request.unused_options,
        )
    if request.refusal_of_sequences:
        return _one_by_one(request)
    return sequence(request, SequenceSettings("independent", chunk=None))


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


def _batched(request: StrategyRequest) -> Strategy:
    refuse_order(request, "batched")
    refuse_discretization(request)
    if request.solver_parameters:
        raise InputError(
            f"the strategy 'batched' takes no PETSc options, and there are "
            f"{dict(request.solver_parameters)!r}; leave them out"
        )
    return BatchStrategy(
        request.grid, request.reference, request.tolerance, estimator=error_estimator(request)
    )


def _operator_action(request: StrategyRequest) -> Strategy:
    refuse_order(request, "operator-action")
    refuse_discretization(request)
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
    **SEQUENCE_STRATEGIES,
    "batched": NamedStrategy(_batched, "many grids at once by array operations", symmetric_refusal),
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
    found = set()
    try:
        for task in tasks:
            with posing(task.index):
                found.add(source.fingerprint(task.problem))
            if len(found) > 1:
                return False
        return True
    finally:
        request.give_back(source)
