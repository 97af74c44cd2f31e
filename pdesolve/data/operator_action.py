"""Samples made without a solve: the right-hand side from a chosen solution."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.stencil import Stencil
from pdesolve.data.operator_action_settings import (
    BOUNDARY_VALUES,
    SOURCE,
    OperatorActionSettings,
    operator_action_refusal,
)
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, UnusedOptions
from pdesolve.data.schema import Status
from pdesolve.data.solution_basis import Combination, SolutionBasis, boundary_part
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.tolerances import checked_tolerance

__all__ = [
    "OperatorActionSettings",
    "OperatorActionStrategy",
    "operator_action_refusal",
    "residual_norm",
]


class OperatorActionStrategy:
    """Training data by operator action: u chosen, f = A u computed.

    A few problems of the family are solved, u_1, …, u_J, drawn from a random stream of
    their own. Sample i keeps its own drawn operator A_i and takes

    u_i = Σ_j c_ij u_j + δ_i,  f_i = A_i u_i − g_i,

    with g_i the boundary data's part of the right-hand side. The weights c_ij are
    independent standard normal numbers for `weights` of the solutions, chosen without
    replacement, divided by their Euclidean norm, as in the program of the authors (which
    combines ten). δ_i is an optional smooth Gaussian field that keeps the homogeneous
    boundary conditions. One application of the discrete operator takes the place of a
    solve, so (A_i, f_i, u_i) fulfil the discrete equations up to rounding.

    **The distribution of f is another one than the family's**, hence f is an input
    channel, ``source``. Where A_i is not the operator that u_j was solved with, f_i has
    the traces of both: with coefficients that jump it is concentrated along the jumps of
    both, of a size that grows like 1/h there. A surrogate trained on such data does not
    predict the family's problems but for as far as its inputs reach there.

    Boundary data. Where they are the same but not zero in all problems, the weights are
    shifted to sum to one, which keeps them. Where they are drawn, they are combined with
    the same weights, and the input channel ``boundary_values`` is that combination
    (the sample's own data would put a layer of size 1/h² into f).

    Parameters
    ----------
    family
        The problem family.
    grid
        Storage and solution grid.
    reference
        Problem of sample 0.
    seed, split
        Random stream of the samples; the basis is drawn from the split
        ``"<split>/operator-action-basis"``, weights and noise from
        ``"<split>/operator-action"``.
    settings
        Sizes.
    rtol, solver_parameters
        Of the basis solves: relative residual, PETSc options.
    unused_options
        Whether options that PETSc did not read are a warning or an error.

    Attributes
    ----------
    replaced_inputs
        Input channels of the family whose values are made here.
    extra_inputs
        Input channels that follow those of the family.
    extra_units
        Their units.

    Raises
    ------
    InputError
        For families that are nonlinear, in time, have several unknowns a cell, a mesh of
        their own or no source, and where combinations would not keep the boundary
        conditions.

    References
    ----------
    Dong, Wang, Liu, Luo, Wang (2024), Accelerating PDE Data Generation via Differential
    Operator Action in Solution Space, ICML, doi:10.48550/arXiv.2402.05957.

    Examples
    --------
    >>> from pdesolve import DarcyFamily, sample_generator
    >>> family = DarcyFamily(2)
    >>> problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    >>> settings = OperatorActionSettings(basis=4, weights=2)
    >>> way = OperatorActionStrategy(
    ...     family, problem.grid(8), problem, seed=0, split="train", settings=settings
    ... )
    >>> record = next(way.solve([SampleTask(0, problem, {})]))
    >>> record.inputs.shape, record.iterations, record.residual < 1e-14
    ((2, 8, 8), 0, True)
    """

    def __init__(
        self,
        family: Any,
        grid: StructuredGrid,
        reference: Problem,
        *,
        seed: int,
        split: str,
        settings: OperatorActionSettings | None = None,
        rtol: float = 1e-8,
        solver_parameters: Mapping[str, Any] | None = None,
        unused_options: UnusedOptions = "warn",
    ) -> None:
        reason = operator_action_refusal(family, reference)
        if reason:
            raise InputError(
                f"operator action {reason}. '{family.name}' can be solved sample by sample: "
                "strategy='independent'"
            )
        if grid.location != "cell":
            raise InputError("operator action stores cell values; use a grid with location='cell'")
        self.family, self.grid = family, grid
        self.settings = settings or OperatorActionSettings()
        self.rtol = checked_tolerance(rtol)
        _check_scaling(reference, grid)
        self._basis = SolutionBasis(
            family,
            grid,
            self.settings,
            seed=seed,
            split=split,
            rtol=rtol,
            solver_parameters=solver_parameters,
            unused_options=unused_options,
        )
        names = reference.input_fields(grid).names
        made = [SOURCE]
        if self._basis.sides.kind == "drawn":
            made.append(BOUNDARY_VALUES)
            if BOUNDARY_VALUES not in names:
                raise InputError(
                    "operator action combines the boundary data of the basis, which differ here; "
                    f"the problem needs an input channel '{BOUNDARY_VALUES}' that says what they "
                    "are. Give its family one, or use strategy='independent'"
                )
        self.replaced_inputs = tuple(name for name in made if name in names)
        self.extra_inputs = () if SOURCE in names else (SOURCE,)
        units = {name: family.units.get(name, "") for name in self.extra_inputs}
        self.extra_units = {name: unit for name, unit in units.items() if unit}

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers, and that the distribution is not the family's."""
        solver = self._basis.describe_solver()
        made = (*self.replaced_inputs, *self.extra_inputs)
        return {
            **solver,
            "name": "operator-action",
            "operator_action": self.settings.describe(),
            "made_inputs": list(made),
            "distribution": (
                f"made by operator action, f = A u: {' and '.join(made)} and the outputs follow "
                f"another distribution than the family '{self.family.name}'; u combines "
                f"{self.settings.weights} of {self.settings.basis} solutions of the family"
            ),
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Make the samples in the order given; the basis is solved first of all."""
        seconds: dict[str, float] = {}
        if not self._basis.solved:
            start = time.perf_counter()
            self._basis.solve()
            seconds["basis"] = time.perf_counter() - start
        for task in tasks:
            yield self._make(task, seconds)
            seconds = {}

    def _make(self, task: SampleTask, seconds: Mapping[str, float]) -> SampleRecord:
        start = time.perf_counter()
        with posing(task.index):
            fields = task.problem.input_fields(self.grid)
            system = task.problem.discretize(self.grid)
        self._basis.check_operator(system)
        assembled = time.perf_counter()
        combination = self._basis.combine(task.index)
        values = combination.solution
        if system.constant_null_space:
            values = values - values.mean()
        boundary = self._boundary(task.problem, system, combination)
        source = system.stencil.apply(values) - boundary
        right = source + boundary
        size = float(np.linalg.norm(right))
        residual = residual_norm(system.stencil, values, right)
        made = {SOURCE: source, BOUNDARY_VALUES: combination.boundary_values}
        inputs = [
            made[name] if name in self.replaced_inputs else fields[name] for name in fields.names
        ]
        inputs += [made[name] for name in self.extra_inputs]
        done = time.perf_counter()
        return SampleRecord(
            task.index,
            np.stack(inputs),
            values[None],
            Status.SOLVED,
            0,
            residual / size if size > 0 else residual,
            self.rtol,
            seconds={**seconds, "assembly": assembled - start, "action": done - assembled},
            details={
                "made_by": "operator action",
                "basis": list(combination.numbers),
                "weights": combination.weights.tolist(),
            },
        )

    def _boundary(
        self, problem: Problem, system: LinearSystem, combination: Combination
    ) -> FloatArray | float:
        """The boundary data's part of the right-hand side."""
        if combination.boundary is not None:
            return combination.boundary
        self._basis.sides.check(problem)
        if self._basis.sides.kind == "zero":
            return 0.0
        return boundary_part(problem, system, self.grid)

    def close(self) -> None:
        """Free the PETSc objects."""
        self._basis.close()


def _check_scaling(reference: Problem, grid: StructuredGrid) -> None:
    """Refuse problems whose right-hand side away from the sides is not f."""
    system = reference.discretize(grid)
    rest = boundary_part(reference, system, grid)
    inside = tuple(slice(None) if wrap else slice(1, -1) for wrap in grid.periodic)
    if system.constant_null_space:
        rest = rest - np.median(rest)
    size = float(np.abs(system.right_hand_side).max())
    if rest[inside].size and float(np.abs(rest[inside]).max()) > 1e-9 * size:
        raise InputError(
            f"away from the sides the right-hand side of '{reference.name}' is not its source; "
            "operator action needs rows divided by the cell volume, with A u = f there. Use "
            "strategy='independent'"
        )


def residual_norm(stencil: Stencil, values: FloatArray, right: FloatArray) -> float:
    """‖b − A u‖₂ with A u summed in extended precision where the machine has it.

    In the precision in which b = A u was computed the difference would be zero and say
    nothing of what was rounded.

    Parameters
    ----------
    stencil
        A.
    values, right
        u and b, shape ``stencil.grid.shape``.

    Examples
    --------
    >>> stencil = Stencil(StructuredGrid((3,)), [[-1], [0], [1]], [-1.0, 2.0, -1.0])
    >>> residual_norm(stencil, np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 5.0]))
    1.0
    """
    rest = right.astype(np.longdouble)
    long = values.astype(np.longdouble)
    axes = tuple(range(values.ndim))
    for offset, coefficients in zip(stencil.offsets, stencil.coefficients, strict=True):
        rest -= coefficients * np.roll(long, tuple(-int(step) for step in offset), axes)
    return float(np.linalg.norm(rest.astype(np.float64)))
