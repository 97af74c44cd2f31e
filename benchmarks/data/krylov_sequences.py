"""Solve sequences of sparse systems with one PETSc KSP, and count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from petsc4py import PETSc
from scipy.sparse import csr_array

from benchmarks.data.released_matrices import FloatArray
from pdesolve._petsc_options import SolverOptions, reason_name

System = tuple[csr_array, FloatArray]

GMRES: Mapping[str, Any] = {"ksp_type": "gmres", "ksp_gmres_restart": 40, "ksp_pc_side": "left"}
SKR: Mapping[str, Any] = {
    "ksp_type": "python",
    "ksp_python_type": "pdesolve.ksp.GCRODR",
    "gcrodr_restart": 40,
    "gcrodr_recycle": 20,
    "ksp_pc_side": "left",
}
CG: Mapping[str, Any] = {"ksp_type": "cg"}


@dataclass(frozen=True)
class SequenceRecord:
    """Iterations and seconds of each system of a sequence.

    Parameters
    ----------
    iterations
        As PETSc reports them.
    recycle_matvecs
        Further products with the matrix that the method does not call iterations (A Y for
        the recycled vectors Y), zero for other methods.
    seconds
        Processor time of each solve with the set-up of its preconditioner (one thread).
    reasons
        PETSc's names of the reasons for stopping.
    residuals
        ‖b - A x‖ / ‖b‖, computed anew.
    histories
        Norms that the method watched, one array a system, from the initial one on.
    """

    iterations: tuple[int, ...]
    recycle_matvecs: tuple[int, ...]
    seconds: tuple[float, ...]
    reasons: tuple[str, ...]
    residuals: tuple[float, ...]
    histories: tuple[FloatArray, ...]

    def mean(self, *, products: bool = False, after: int = 0) -> float:
        """Mean iterations, with the other products on request, from system `after` on."""
        counts = np.array(self.iterations)
        if products:
            counts = counts + np.array(self.recycle_matvecs)
        return float(counts[after:].mean())

    def standard_error(self) -> float:
        """Of the mean of the iterations over the distribution of samples."""
        return float(np.std(self.iterations, ddof=1) / len(self.iterations) ** 0.5)

    def up_to(self, rtol: float) -> SequenceRecord:
        """The same solves stopped at a looser tolerance, with their share of the time.

        For methods that carry nothing from one system to the next.
        """
        counts, seconds, reasons = [], [], []
        for history, count, time_, reason in zip(
            self.histories, self.iterations, self.seconds, self.reasons, strict=True
        ):
            reached = np.flatnonzero(history <= rtol * history[0])
            counts.append(int(reached[0]) if len(reached) else count)
            reasons.append("CONVERGED_RTOL" if len(reached) else reason)
            seconds.append(time_ * counts[-1] / max(count, 1))
        return replace(
            self, iterations=tuple(counts), seconds=tuple(seconds), reasons=tuple(reasons)
        )

    @property
    def capped(self) -> int:
        """How many systems stopped at the largest number of iterations."""
        return sum(reason == "DIVERGED_ITS" for reason in self.reasons)

    @property
    def failed(self) -> int:
        """How many stopped for another reason than convergence or the cap."""
        return sum(reason.startswith("DIVERGED") for reason in self.reasons) - self.capped


def solve_sequence(
    systems: Iterable[System],
    method: Mapping[str, Any],
    preconditioner: Mapping[str, Any] | None = None,
    *,
    rtol: float = 1e-5,
    max_it: int = 10_000,
    prepare: Callable[[Any], None] | None = None,
) -> SequenceRecord:
    """Solve one system after another, keeping matrix and Krylov method, from a zero guess.

    Parameters
    ----------
    systems
        Matrix and right-hand side; all matrices have one pattern.
    method
        PETSc options such as `GMRES`, `SKR`, `CG`.
    preconditioner
        PETSc options; none when left out.
    rtol
        On the norm that the method watches, here the preconditioned residual's.
    max_it
        Largest number of iterations.
    prepare
        Called with the preconditioner once it has its matrix.
    """
    given = {
        "ksp_norm_type": "preconditioned",
        "ksp_rtol": rtol,
        "ksp_atol": 1e-50,
        "ksp_divtol": 1e20,
        "ksp_max_it": max_it,
        **method,
        **(preconditioner or {"pc_type": "none"}),
    }
    options = SolverOptions({}, given, "sequence_")
    ksp = PETSc.KSP().create(PETSc.COMM_SELF)
    ksp.setOptionsPrefix("sequence_")
    matrix: Any = None
    counts, products, seconds, reasons, residuals, histories = [], [], [], [], [], []
    options.insert()
    try:
        for new, right in systems:
            if matrix is None:
                csr = (new.indptr, new.indices, new.data)
                matrix = PETSc.Mat().createAIJ(new.shape, csr=csr, comm=PETSc.COMM_SELF)
                x, b = matrix.createVecs()
                ksp.setOperators(matrix)
                if prepare is not None:
                    prepare(ksp.getPC())
                ksp.setFromOptions()
                ksp.setConvergenceHistory(max_it + 1, reset=True)
            else:
                matrix.setValuesCSR(new.indptr, new.indices, new.data)
                matrix.assemble()
                ksp.setOperators(matrix)
            b.setArray(right)
            start = time.process_time()
            ksp.solve(b, x)
            seconds.append(time.process_time() - start)
            counts.append(ksp.getIterationNumber())
            context = ksp.getPythonContext() if ksp.getType() == "python" else None
            products.append(int(getattr(context, "recycle_matvecs", 0)))
            reasons.append(reason_name(ksp.getConvergedReason()))
            histories.append(np.array(ksp.getConvergenceHistory()))
            residual = right - new @ x.getArray(readonly=True)
            residuals.append(float(np.linalg.norm(residual) / np.linalg.norm(right)))
        unused = options.unused()
    finally:
        options.remove()
    if unused:
        raise ValueError(f"PETSc did not use {unused}")
    for item in (ksp, matrix, x, b):
        item.destroy()
    return SequenceRecord(
        tuple(counts),
        tuple(products),
        tuple(seconds),
        tuple(reasons),
        tuple(residuals),
        tuple(histories),
    )


def greedy_order(features: FloatArray) -> list[int]:
    """Start at the first and go to the nearest one not yet visited, Euclidean distance."""
    from pdesolve.sequences.orders import nearest_neighbor_order

    return [int(index) for index in nearest_neighbor_order(features.reshape(len(features), -1))]


def in_order(items: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """The items in that order."""
    return [items[index] for index in order]
