"""Samples made without a solve: the right-hand side from a chosen solution."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import LinearSolveFailure
from operators.random_fields import is_finite_number
from operators.spatial import as_spatial_function
from operators.stencil import Stencil
from pdesolve.data.boundary_data import BoundaryData
from pdesolve.data.independent import GridStrategy
from pdesolve.data.samples import SampleRecord, SampleTask, UnusedOptions
from pdesolve.data.schema import Status
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.random_streams import sample_generator
from pdesolve.tolerances import checked_tolerance

SOURCE = "source"
BOUNDARY_VALUES = "boundary_values"


@dataclass(frozen=True)
class OperatorActionSettings:
    """How solutions are put together.

    Parameters
    ----------
    basis
        Number of problems of the family that are solved.
    weights
        Number of these solutions in one sample.
    noise
        Root mean square of the smooth noise over that of the combination.

    Raises
    ------
    InputError
        If `basis` is less than 2, `weights` is not from 1 to `basis`, or `noise` is
        negative or not finite.

    Examples
    --------
    >>> OperatorActionSettings(basis=20, weights=5).describe()
    {'basis': 20, 'weights': 5, 'noise': 0.0}
    """

    basis: int = 64
    weights: int = 10
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("basis", 2), ("weights", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name}={value!r} must be an integer of {least} or more")
        if self.weights > self.basis:
            raise InputError(
                f"weights={self.weights} solutions a sample cannot be taken from basis={self.basis}"
                "; lower weights or raise basis"
            )
        if not is_finite_number(self.noise) or self.noise < 0:
            raise InputError(f"noise={self.noise!r} must be finite and not negative, such as 0.01")

    def describe(self) -> dict[str, Any]:
        """Plain values."""
        return {"basis": self.basis, "weights": self.weights, "noise": self.noise}


def operator_action_refusal(family: Any, problem: Problem) -> str:
    """Why the samples of a family cannot be made by operator action, or nothing.

    Examples
    --------
    >>> from pdesolve import DarcyFamily
    >>> family = DarcyFamily(2)
    >>> operator_action_refusal(family, family.problem({"coefficient": 1.0}))
    ''
    """
    if isinstance(problem, EvolutionProblem):
        return "is for steady problems; this one is in time"
    if family.has_own_mesh:
        return "needs a structured grid; this family brings a mesh of its own"
    if problem.is_nonlinear_on_grids:
        return "is for linear problems; combinations of solutions of this one mean nothing"
    if problem.has_block_system:
        return "is for one unknown a cell; this problem has several"
    if not problem.has_stencil:
        return "needs a linear form for the backend 'grid', which this problem does not have"
    if not hasattr(problem, SOURCE):
        return f"needs a problem with an attribute '{SOURCE}', the f of A u = f; this one has none"
    return ""


@dataclass(frozen=True, eq=False)
class _Basis:
    """Solved problems, and what they have on the sides."""

    solutions: FloatArray
    boundary: FloatArray  # their parts of the right-hand sides, where they are combined
    boundary_values: FloatArray


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
        self.seed, self.split = seed, split
        self.settings = settings or OperatorActionSettings()
        self.rtol = checked_tolerance(rtol)
        names = reference.input_fields(grid).names
        self._sides = BoundaryData(grid, [self._basis_problem(0), self._basis_problem(1)])
        made = [SOURCE] + [BOUNDARY_VALUES] * (self._sides.kind == "drawn")
        self.replaced_inputs = tuple(name for name in made if name in names)
        self.extra_inputs = () if SOURCE in names else (SOURCE,)
        units = {name: family.units.get(name, "") for name in self.extra_inputs}
        self.extra_units = {name: unit for name, unit in units.items() if unit}
        if self._sides.kind == "drawn" and BOUNDARY_VALUES not in names:
            raise InputError(
                "operator action combines the boundary data of the basis, which differ here; the "
                f"problem needs an input channel '{BOUNDARY_VALUES}' that says what they are"
            )
        self._stencil = self._checked_scaling(reference)
        self._given = solver_parameters
        self._solver = GridStrategy(
            grid,
            self._basis_problem(0),
            rtol,
            solver_parameters,
            estimate_error=False,
            unused_options=unused_options,
        )
        self._basis: _Basis | None = None

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers, and that the distribution is not the family's."""
        solver = self._solver.describe()
        described = {key: solver[key] for key in ("backend", "discretization", "tolerance")}
        parameters = {key: solver[key] for key in ("solver_parameters", "given_parameters")}
        made = (*self.replaced_inputs, *self.extra_inputs)
        return {
            "name": "operator-action",
            **described,
            **parameters,
            "operator_action": self.settings.describe(),
            "made_inputs": list(made),
            "distribution": (
                f"made by operator action, f = A u: {' and '.join(made)} and the outputs follow "
                f"another distribution than the family '{self.family.name}'; u combines "
                f"{self.settings.weights} of {self.settings.basis} solutions of the family"
            ),
            "error_estimate": None,
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Make the samples in the order given; the basis is solved first of all."""
        seconds: dict[str, float] = {}
        if self._basis is None:
            start = time.perf_counter()
            self._basis = self._solve_basis()
            seconds["basis"] = time.perf_counter() - start
        for task in tasks:
            yield self._make(task, self._basis, seconds)
            seconds = {}

    def _make(self, task: SampleTask, basis: _Basis, seconds: Mapping[str, float]) -> SampleRecord:
        start = time.perf_counter()
        fields = task.problem.input_fields(self.grid)
        system = task.problem.discretize(self.grid)
        assembled = time.perf_counter()
        rng = sample_generator(self.seed, f"{self.split}/operator-action", task.index)
        chosen, weights = self._weights(rng)
        values = np.tensordot(weights, basis.solutions[chosen], 1)
        if self.settings.noise > 0:
            size = float(np.sqrt(np.mean(values**2)))
            values += self.settings.noise * size * self._sides.noise(rng)
        if system.constant_null_space:
            values -= values.mean()
        boundary = self._boundary(task.problem, system, basis, chosen, weights)
        action = system.stencil.apply(values)
        source = action - boundary
        right = source + boundary
        size = float(np.linalg.norm(right))
        residual = residual_norm(system.stencil, values, right)
        made = {SOURCE: source}
        if self._sides.kind == "drawn":
            made[BOUNDARY_VALUES] = np.tensordot(weights, basis.boundary_values[chosen], 1)
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
                "basis": chosen.tolist(),
                "weights": weights.tolist(),
            },
        )

    def _weights(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Numbers of the basis solutions and their weights."""
        count = self.settings.weights
        chosen = rng.choice(self.settings.basis, size=count, replace=False)
        weights = rng.standard_normal(count)
        weights /= np.linalg.norm(weights)
        if self._sides.kind == "shared":
            weights += (1.0 - weights.sum()) / count
        return chosen, weights

    def _boundary(
        self,
        problem: Problem,
        system: LinearSystem,
        basis: _Basis,
        chosen: npt.NDArray[np.int64],
        weights: FloatArray,
    ) -> FloatArray | float:
        """The boundary data's part of the right-hand side."""
        self._check_operator(system)
        if self._sides.kind == "drawn":
            combined: FloatArray = np.tensordot(weights, basis.boundary[chosen], 1)
            return combined
        self._sides.check(problem)
        if self._sides.kind == "zero":
            return 0.0
        return _boundary_part(problem, system, self.grid)

    def _check_operator(self, system: LinearSystem) -> None:
        if self._sides.need_one_operator and not np.array_equal(
            system.stencil.coefficients, self._stencil
        ):
            raise InputError(
                "the operator differs between samples, and combinations of solutions then miss "
                "boundary conditions that it is a part of (given fluxes, Robin) or that are drawn; "
                "operator action takes u given and zero fluxes there. Solve the samples one by "
                "one: strategy='independent'"
            )

    def _basis_problem(self, number: int) -> Problem:
        generator = sample_generator(self.seed, f"{self.split}/operator-action-basis", number)
        problem: Problem = self.family.problem(self.family.sample(generator))
        return problem

    def _solve_basis(self) -> _Basis:
        """Solutions in the order of their numbers, the same in every process."""
        solutions, boundary, boundary_values = [], [], []
        for number in range(self.settings.basis):
            problem = self._basis_problem(number)
            (record,) = self._solver.solve([SampleTask(number, problem, {})])
            if record.status is Status.FAILED:
                raise LinearSolveFailure(
                    f"problem {number} of the basis could not be solved: {record.message}. Choose "
                    "another seed or solver"
                )
            solutions.append(record.outputs[0])
            if self._sides.kind == "drawn":
                system = problem.discretize(self.grid)
                self._check_operator(system)
                boundary.append(_boundary_part(problem, system, self.grid))
                boundary_values.append(problem.input_fields(self.grid)[BOUNDARY_VALUES])
            else:
                self._sides.check(problem)
        return _Basis(np.stack(solutions), np.array(boundary), np.array(boundary_values))

    def _checked_scaling(self, reference: Problem) -> FloatArray:
        """The operator of the reference, whose right-hand side away from the sides must be f."""
        system = reference.discretize(self.grid)
        rest = _boundary_part(reference, system, self.grid)
        inside = tuple(slice(None) if wrap else slice(1, -1) for wrap in self.grid.periodic)
        if system.constant_null_space:
            rest = rest - np.median(rest)
        size = float(np.abs(system.right_hand_side).max())
        if rest[inside].size and float(np.abs(rest[inside]).max()) > 1e-9 * size:
            raise InputError(
                f"away from the sides the right-hand side of '{reference.name}' is not its source; "
                "operator action needs rows divided by the cell volume, with A u = f there"
            )
        return system.stencil.coefficients

    def close(self) -> None:
        """Free the PETSc objects."""
        self._solver.close()


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


def _boundary_part(problem: Any, system: LinearSystem, grid: StructuredGrid) -> FloatArray:
    return system.right_hand_side - as_spatial_function(problem.source).on(grid)
