"""Samples solved as a sequence of related systems, each helped by those before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.result import SolveResult
from pdesolve.data.answers import (
    Answer,
    accepted,
    refused,
    repeated_directly,
    sample_record,
)
from pdesolve.data.error_estimate import relative_error_estimate
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleRecord, SampleTask, Schedule, UnusedOptions
from pdesolve.data.schema import Status
from pdesolve.tolerances import checked_tolerance, with_tolerance

MOST_WAITING = 64
"""Right-hand sides that wait for others with their operators; then all are solved."""

CHUNK = 64
"""Samples of a chunk: enough that the first, to which nothing is handed, counts little."""


@dataclass(frozen=True)
class SequenceSettings:
    """What is handed on from system to system.

    Parameters
    ----------
    name
        Name of the strategy.
    order
        Order of the samples, see :data:`pdesolve.sequences.ORDERS`.
    chunk
        Samples of one chunk, between which nothing is handed on; the engine's choice when None.
    solver_parameters
        PETSc options over the source's defaults.
    neighbors
        Solved systems that a first guess is made from; 0 for none.
    lag
        When a preconditioner is kept although the operator changes; never when left out.
    block
        Right-hand sides solved at once where operators repeat; 1 for one by one.
    apart
        Whether nothing is handed on that an answer depends on, to the last bit.
    """

    name: str = "sequence"
    order: str = "index"
    chunk: int | None = CHUNK
    solver_parameters: Mapping[str, Any] = field(default_factory=dict)
    neighbors: int = 0
    lag: Any = None
    block: int = 1
    apart: bool = False

    def __post_init__(self) -> None:
        for name, least in (("chunk", 1), ("neighbors", 0), ("block", 1)):
            value = getattr(self, name)
            if name == "chunk" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"{name}={value!r} must be an integer of {least} or more; "
                    "leave it out for the default"
                )

    def describe(self) -> dict[str, Any]:
        """Plain values."""
        found = {key: getattr(self, key) for key in ("order", "chunk", "neighbors", "block")}
        return {**found, "lag": None if self.lag is None else asdict(self.lag)}


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A right-hand side that waits for others with the same operator."""

    task: SampleTask
    system: Any
    right: FloatArray
    assembly: float


class SequenceStrategy:
    """A sequence of systems from one source through one solver.

    A solve that misses the tolerance is repeated with a sparse direct solver. What one
    sample hands to the next stays within a shard, so a shard's answers depend on its
    samples alone.

    Parameters
    ----------
    source
        Where the systems come from, see
        :class:`pdesolve.sequences._petsc_sources.SystemSource`.
    grid
        Storage grid.
    rtol
        Relative residual to reach.
    settings
        What is handed on.
    solver_parameters
        PETSc options of the caller, over those of the settings.
    backend
        Name of the backend, for the description.
    estimator
        Gives, from a problem and its solution, an estimate of the relative
        discretisation error, and has ``describe`` and ``close``.
    unused_options
        Whether options that PETSc did not read are a warning or an error.
    release
        What becomes of the source at the end; it is closed when left out.
    """

    def __init__(
        self,
        source: Any,
        grid: StructuredGrid,
        rtol: float,
        settings: SequenceSettings,
        solver_parameters: Mapping[str, Any] | None = None,
        *,
        backend: str = "grid",
        estimator: Any = None,
        unused_options: UnusedOptions = "warn",
        release: Callable[[Any], None] | None = None,
    ) -> None:
        self.source = source
        self._release = release
        self.grid = grid
        self.rtol = checked_tolerance(rtol)
        self.settings = settings
        self.backend = backend
        self.unused_options = unused_options
        self.schedule = Schedule(settings.order, settings.chunk)
        self.in_batches = settings.block > 1
        self.samples_apart = settings.apart
        self._estimator = estimator
        self._checked = False
        self.limit: float | None = None
        """Seconds an iteration may take in trials, which repeat no failed solve."""
        self.parameters = with_tolerance(solver_parameters, rtol, "ksp_rtol")
        self._solver = self._new_solver(self.parameters)

    def _new_solver(self, parameters: Mapping[str, Any], prefix: str = "") -> Any:
        from pdesolve._petsc_options import flatten, merged_options
        from pdesolve.sequences._petsc_sequence_solver import SequenceSolver

        own = {} if prefix else flatten(self.settings.solver_parameters)
        return SequenceSolver(
            merged_options(flatten(self.source.defaults()), own),
            parameters,
            prefix,
            lag=self.settings.lag if not prefix else None,
            neighbors=self.settings.neighbors if not prefix else 0,
        )

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers."""
        return {
            "name": self.settings.name,
            "backend": self.backend,
            "discretization": self.source.describe(),
            "tolerance": self.rtol,
            "solver_parameters": dict(self._solver.options.options),
            "given_parameters": dict(self._solver.options.given),
            "sequence": self.settings.describe(),
            "error_estimate": self._estimator.describe() if self._estimator else None,
        }

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Solve in the order given; samples with one operator together where asked for."""
        self._solver.restart()
        self._solver.limit = self.limit
        if self._estimator is not None and hasattr(self._estimator, "restart"):
            self._estimator.restart()
        if self.settings.block == 1:
            for task in tasks:
                yield self._solve_one(task)
            return
        yield from self._solve_groups(tasks)

    def _solve_groups(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Right-hand sides wait by operator until a block of them is full."""
        waiting: dict[bytes, list[_Waiting]] = {}
        for task in tasks:
            start = time.perf_counter()
            with posing(task.index):
                group = waiting.setdefault(self.source.fingerprint(task.problem), [])
                # the matrix is filled again where the operator is not the one at hand
                system = self.source.load(task.problem)
            right = np.array(system.right.array_r)
            group.append(_Waiting(task, system, right, time.perf_counter() - start))
            if len(group) == self.settings.block:
                yield from self._solve_block(group)
                group.clear()
            elif sum(map(len, waiting.values())) == MOST_WAITING:
                yield from self._solve_waiting(waiting)
        yield from self._solve_waiting(waiting)

    def _solve_waiting(self, waiting: dict[bytes, list[_Waiting]]) -> Iterator[SampleRecord]:
        for group in waiting.values():
            if group:
                self.source.load(group[0].task.problem)
                yield from self._solve_block(group)
        waiting.clear()

    def _solve_one(self, task: SampleTask) -> SampleRecord:
        start = time.perf_counter()
        with posing(task.index):
            system = self.source.load(task.problem)
        assembly = time.perf_counter() - start
        try:
            vector, result = self._solver.solve(system)
        except InputError as error:
            if not self._checked:
                raise  # options that do not fit the first sample fit none
            result = refused(error, self.rtol)
            return self._record(task, system, system.right, result, assembly, {})
        self._look_at_options()
        details = {}
        if self._solver.treatment:
            details["preconditioner"] = self._solver.treatment
        return self._record(task, system, vector, result, assembly, details)

    def _solve_block(self, group: Sequence[_Waiting]) -> Iterator[SampleRecord]:
        """Solve what waits; the matrix at hand is theirs."""
        rights = [item.right for item in group]
        details: dict[str, Any] = {"right_hand_sides": len(group)}
        try:
            vectors, results = self._solver.solve_block(group[0].system, rights)
        except InputError as error:
            if not self._checked:
                raise
            vectors = [group[0].system.right.duplicate() for _ in group]
            results = [refused(error, self.rtol)] * len(group)
        self._look_at_options()
        if self._solver.treatment:
            details["directions"] = self._solver.treatment
        for item, vector, result in zip(group, vectors, results, strict=True):
            item.system.right.array = item.right
            yield self._record(item.task, item.system, vector, result, item.assembly, details)
            vector.destroy()

    def _look_at_options(self) -> None:
        if not self._checked:
            from pdesolve.grid._petsc_solver import warn_unused

            self._checked = True
            warn_unused(self._solver.unused, error=self.unused_options == "error")

    def _record(
        self,
        task: SampleTask,
        system: Any,
        vector: Any,
        result: SolveResult,
        assembly: float,
        details: Mapping[str, Any],
    ) -> SampleRecord:
        values = self.source.values(vector, system)
        answer = Answer(values, result)
        if not accepted(values, result, self.rtol):
            if self.limit is not None:
                answer = Answer(values, result, Status.FAILED, result.describe())
            else:
                # whatever the failure left in the solver must not reach the next sample
                self._solver.restart()
                answer = self._repeat(system, result)
        return sample_record(
            task,
            task.problem.input_fields(self.grid).values,
            answer,
            self.rtol,
            estimator=self._estimator,
            seconds={"assembly": assembly, **answer.result.seconds},
            details=details,
        )

    def _repeat(self, system: Any, first: SolveResult) -> Answer:
        def attempt(solver: Any) -> tuple[FloatArray, SolveResult]:
            vector, result = solver.solve(system)
            return self.source.values(vector, system), result

        return repeated_directly(first, self._new_solver, attempt, self.rtol)

    def close(self) -> None:
        """Free the PETSc objects."""
        self._solver.destroy()
        if self._release is None:
            self.source.close()
        else:
            self._release(self.source)
        if self._estimator is not None:
            self._estimator.close()


class HalfResolutionEstimator:
    """Relative L2 discretisation error from the same problem with half the cells an axis.

    The difference between the two solutions; of first order it is about the error of the
    finer one.

    Parameters
    ----------
    source
        Systems on the coarser mesh.
    coarse, grid
        Grids of the two solutions.
    parameters
        PETSc options of the coarse solves.
    """

    def __init__(
        self,
        source: Any,
        coarse: StructuredGrid,
        grid: StructuredGrid,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        from pdesolve.sequences._petsc_sequence_solver import SequenceSolver

        self.source, self.coarse, self.grid = source, coarse, grid
        self._solver = SequenceSolver(source.defaults(), parameters, "pdesolve_coarse_")

    def describe(self) -> dict[str, Any]:
        """Plain values, for the settings."""
        return {"method": "same problem on half the cells along each axis", "order": 1.0}

    def estimate(self, problem: Any, values: FloatArray) -> float:
        """Estimate for values ``(channel, *grid.shape)``; NaN where none can be made."""
        try:
            system = self.source.load(problem)
        except InputError:  # such as too few points a wavelength
            return float("nan")
        vector, result = self._solver.solve(system)
        if not result.converged:
            self._solver.restart()
            return float("nan")
        found = self.source.values(vector, system)
        names = tuple(f"channel {number}" for number in range(len(found)))
        finer = Field(self.coarse, found, names).resample(self.grid).values
        return relative_error_estimate(values, finer - values, 1.0)

    def restart(self) -> None:
        """Forget earlier problems."""
        self._solver.restart()

    def close(self) -> None:
        """Free the PETSc objects."""
        self._solver.destroy()
        self.source.close()
