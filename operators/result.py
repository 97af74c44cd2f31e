"""The record that every solve leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class SolveResult:
    """How a solve went.

    Parameters
    ----------
    converged
        Whether the tolerance was met.
    reason
        PETSc's name of the reason for stopping, such as ``CONVERGED_RTOL`` or
        ``DIVERGED_ITS``.
    iterations
        Number of iterations.
    residual_norms
        Residual norm before the first and after each iteration, in the norm that the
        method monitors.
    relative_residual
        ‖b − A x‖₂ / ‖b‖₂ computed from the answer (‖b − A x‖₂ if b = 0).
    rtol
        The relative tolerance asked for.
    num_unknowns
        Size of the system over all processes.
    solver
        Method and preconditioner, such as ``"cg + gamg"``.
    seconds
        Wall time of each phase: ``assembly``, ``setup``, ``solve``.
    options_prefix
        Prefix of the PETSc options that apply.
    notes
        Remarks such as a right-hand side made compatible.

    Examples
    --------
    >>> SolveResult(True, "CONVERGED_RTOL", 3, solver="cg + gamg").describe()
    'cg + gamg: CONVERGED_RTOL after 3 iterations'
    """

    converged: bool
    reason: str
    iterations: int
    residual_norms: tuple[float, ...] = ()
    relative_residual: float = float("nan")
    rtol: float = float("nan")
    num_unknowns: int = 0
    solver: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    options_prefix: str = ""
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for a log."""
        plural = "iteration" if self.iterations == 1 else "iterations"
        return f"{self.solver}: {self.reason} after {self.iterations} {plural}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        values["seconds"] = dict(self.seconds)
        return values
