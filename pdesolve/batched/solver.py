"""Batched solves one after another, with everything kept that depends on the grid alone."""

from __future__ import annotations

import numbers
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from meshes.errors import InputError
from operators.failures import LinearSolveFailure
from pdesolve.batched.refinement import ChunkRecord, ChunkSolver, RefinementSettings
from pdesolve.batched.result import INDEFINITE, ITERATIONS, STAGNATED, BatchedResult, host
from pdesolve.batched.samples import Samples, checked_array, null_spaces
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array
from pdesolve.tolerances import checked_tolerance

_CACHED_BYTES = 2**20  # of one field of the iteration; larger chunks fall out of a core's cache
_DEVICE_BYTES = 2**28
_SMALLEST = 1e-15
_FIRST_ITERATIONS = 25
_WORTH_A_RETRY = (ITERATIONS, INDEFINITE, STAGNATED)


class BatchedSolver:
    """Solves batch after batch on one grid; the arrays of the multigrid are made once.

    Parameters
    ----------
    rtol, max_iterations, inner_dtype, refinement, inner_iterations, retry, chunk, workers
        As for :func:`pdesolve.batched.solve_batched`.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> from meshes import StructuredGrid
    >>> from operators import Stencil
    >>> laplacian = Stencil(StructuredGrid((8,)), [[-1], [0], [1]], [-1.0, 2.0, -1.0])
    >>> solver = BatchedSolver(rtol=1e-10)
    >>> for b in (np.ones((1, 8)), np.arange(8.0)[None]):
    ...     result = solver.solve(StackedStencils.of([laplacian]), b)
    ...     print(result.reasons, bool(np.allclose(laplacian.apply(result.values[0]), b)))
    ('CONVERGED_RTOL',) True
    ('CONVERGED_RTOL',) True
    """

    def __init__(
        self,
        *,
        rtol: float = 1e-8,
        max_iterations: int = 200,
        inner_dtype: str = "float32",
        refinement: bool = True,
        inner_iterations: int | None = None,
        retry: bool = True,
        chunk: int | None = None,
        workers: int = 1,
    ) -> None:
        tolerance = checked_tolerance(rtol)
        if tolerance < _SMALLEST:
            raise InputError(
                f"rtol={rtol!r} is below what float64 can reach; give at least {_SMALLEST:g}"
            )
        if inner_dtype not in ("float32", "float64"):
            raise InputError(
                f"inner_dtype={inner_dtype!r} must be 'float32' or 'float64'; the first is faster"
            )
        if not refinement:
            inner_iterations = max_iterations
        elif inner_iterations is None:
            inner_iterations = 5 if inner_dtype == "float32" else 25
        counts = {
            "max_iterations": max_iterations,
            "inner_iterations": inner_iterations,
            "workers": workers,
            "chunk": 1 if chunk is None else chunk,
        }
        for name, count in counts.items():
            _check_positive(name, count)
        self.settings = RefinementSettings(
            tolerance, max_iterations, inner_dtype, inner_iterations, refine=refinement
        )
        self._chunk, self._workers = chunk, workers
        self._retries = (
            retry and refinement and inner_dtype == "float32" and max_iterations > _FIRST_ITERATIONS
        )
        self._free: dict[Any, list[ChunkSolver]] = {}
        self._lock = threading.Lock()

    def solve(
        self,
        stencils: StackedStencils,
        right_hand_side: Array,
        *,
        initial: Array | None = None,
        constant_null_space: bool | None = None,
        check: bool = False,
    ) -> BatchedResult:
        """Solve A u = b for a batch, see :func:`pdesolve.batched.solve_batched`.

        Raises
        ------
        InputError
            If arrays do not fit together, or the stencils are not symmetric or reach too far.
        LinearSolveFailure
            If `check` is set and samples fail; ``solution`` holds the result.
        """
        right = checked_array("right_hand_side", right_hand_side, stencils)
        first = None if initial is None else checked_array("initial", initial, stencils)
        samples = Samples(stencils, right, first, constant_null_space)
        if not self._retries:
            result = self._in_chunks(samples, self.settings)
        else:
            settings = replace(self.settings, max_iterations=_FIRST_ITERATIONS)
            result = self._in_chunks(samples, settings)
            self._retry(samples, result)
        if check and not result.converged.all():
            raise LinearSolveFailure(result.describe(), solution=result)
        return result

    def _retry(self, samples: Samples, result: BatchedResult) -> None:
        """Go on in float64 with what float32 did not solve."""
        begun = np.isfinite(result.relative_residuals)
        left = np.flatnonzero(np.isin(result.status, _WORTH_A_RETRY) & begun)
        if not left.size:
            return
        settings = replace(
            self.settings,
            max_iterations=self.settings.max_iterations - _FIRST_ITERATIONS,
            inner_dtype="float64",
            inner_iterations=25,
        )
        again = self._in_chunks(samples.taken(left, result), settings)
        for position, number in enumerate(left.tolist()):
            result.values[number, ...] = again.values[position, ...]
        result.status[left] = again.status
        result.iterations[left] += again.iterations
        result.refinements[left] += again.refinements
        result.relative_residuals[left] = again.relative_residuals

    def _in_chunks(self, samples: Samples, settings: RefinementSettings) -> BatchedResult:
        stencils = samples.stencils
        size = min(stencils.batch, self._chunk or self._default_chunk(stencils, samples.right))

        def solve(start: int) -> ChunkRecord:
            part = samples.part(start, min(start + size, stencils.batch))
            if not part.stencils.known_symmetric and not part.stencils.symmetric():
                raise InputError(
                    "the stencils are not symmetric; conjugate gradients need that they are. Solve "
                    "these systems one by one with PETSc (ksp_type gmres or bcgs)"
                )
            singular = null_spaces(part.stencils, part.free)
            key = settings, part.stencils.batch, *part.stencils.kind
            with self._lock:
                kept = self._free.get(key)
                solver = kept.pop() if kept else None
            if solver is None:
                solver = ChunkSolver(part.stencils, settings)
            record = solver.solve(part.stencils, part.right, part.initial, singular)
            with self._lock:
                self._free.setdefault(key, []).append(solver)
            return record

        with self._lock:  # arrays of another grid are not kept
            self._free = {k: v for k, v in self._free.items() if k[2:] == stencils.kind}
        starts = range(0, stencils.batch, size)
        if self._workers == 1 or len(starts) == 1:
            records = [solve(start) for start in starts]
        else:
            with ThreadPoolExecutor(self._workers) as pool:
                records = list(pool.map(solve, starts))
        return _joined(stencils.xp, records, settings.rtol)

    def _default_chunk(self, stencils: StackedStencils, right: Array) -> int:
        from array_api_compat import device

        allowed = _CACHED_BYTES if str(device(right)) == "cpu" else _DEVICE_BYTES
        found = max(1, allowed // (4 * stencils.grid.num_points))
        return min(found, -(-stencils.batch // self._workers))


def _joined(xp: Any, records: list[ChunkRecord], rtol: float) -> BatchedResult:
    def joined(name: str) -> np.ndarray[Any, Any]:
        return np.concatenate([host(getattr(record, name)) for record in records])

    return BatchedResult(
        xp.concat([record.values for record in records], axis=0),
        joined("status"),
        joined("iterations"),
        joined("refinements"),
        joined("relative_residuals"),
        rtol,
    )


def _check_positive(name: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
        raise InputError(
            f"{name}={count!r} must be a positive integer; leave it out for the default"
        )
