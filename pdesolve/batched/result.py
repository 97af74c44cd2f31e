"""What a batched solve gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pdesolve.spectral.transforms import Array

RUNNING, CONVERGED, ITERATIONS, INDEFINITE, NOT_FINITE, STAGNATED, INCOMPATIBLE = range(7)
REASONS = (
    "CONVERGED_ITERATING",
    "CONVERGED_RTOL",
    "DIVERGED_ITS",
    "DIVERGED_INDEFINITE_MAT",
    "DIVERGED_NANORINF",
    "DIVERGED_BREAKDOWN",
    "DIVERGED_NULL_SPACE",
)
_MEANING = {
    ITERATIONS: "did not reach the tolerance in the iterations allowed",
    INDEFINITE: "is not positive definite",
    NOT_FINITE: "has coefficients or a right-hand side that are not finite",
    STAGNATED: "stopped improving (float32 inside does not resolve it, or rtol is below what "
    "float64 reaches)",
    INCOMPATIBLE: "fixes u up to a constant but its right-hand side does not sum to zero",
}


@dataclass(frozen=True, eq=False)
class BatchedResult:
    """Answers of a batch with a record for each sample.

    Parameters
    ----------
    values
        u, shape ``(batch, *grid.shape)``, float64, of the library of the stencils. Where a
        sample failed it is what was reached, or NaN if nothing could be begun.
    status
        Numbers that stand for :attr:`reasons`, NumPy, ``(batch,)``.
    iterations
        Iterations of each sample, NumPy, ``(batch,)``.
    refinements
        How often the residual was computed anew in float64, NumPy, ``(batch,)``.
    relative_residuals
        ‖b − A u‖₂ / ‖b‖₂ in float64, NumPy, ``(batch,)``.
    rtol
        What it was asked to stay below.
    """

    values: Array
    status: npt.NDArray[np.int64]
    iterations: npt.NDArray[np.int64]
    refinements: npt.NDArray[np.int64]
    relative_residuals: npt.NDArray[np.float64]
    rtol: float

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Whether the residual of each sample is below the tolerance, ``(batch,)``."""
        found: npt.NDArray[np.bool_] = self.status == CONVERGED
        return found

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each sample was left, by PETSc's names where it has one."""
        return tuple(REASONS[code] for code in self.status)

    def describe(self) -> str:
        """Which samples failed and why."""
        bad = np.flatnonzero(~self.converged)
        if not bad.size:
            return f"all {self.status.size} samples converged to {self.rtol:.1e}"
        lines = [
            f"sample {number} {_MEANING[int(self.status[number])]} "
            f"(relative residual {self.relative_residuals[number]:.2e} after "
            f"{self.iterations[number]} iterations)"
            for number in bad[:5].tolist()
        ]
        more = f" and {bad.size - 5} more" if bad.size > 5 else ""
        total = self.status.size
        return f"{bad.size} of {total} samples failed: " + "; ".join(lines) + more


def host(values: Any) -> np.ndarray[Any, Any]:
    """An array on the host, as NumPy."""
    if isinstance(values, np.ndarray):
        return values
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
