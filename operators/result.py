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
    linear_iterations
        Iterations of the linear solver inside, summed, for nonlinear problems.

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
    linear_iterations: int = 0

    def describe(self) -> str:
        """One line for a log."""
        plural = "iteration" if self.iterations == 1 else "iterations"
        return f"{self.solver}: {self.reason} after {self.iterations} {plural}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        values["seconds"] = dict(self.seconds)
        return values


@dataclass(frozen=True)
class EvolutionResult:
    """How a solve in time went.

    Parameters
    ----------
    converged
        Whether the last requested time was reached.
    reason
        ``CONVERGED_TIME``, or why it stopped, such as ``DIVERGED_NOT_FINITE`` or
        ``DIVERGED_STEP_REJECTED``.
    time
        The time reached, in the problem's unit.
    num_steps, num_rejected
        Steps taken, and steps thrown away by the control of the step size.
    step_size
        The last step's size, or the one that an adaptive method would take next.
    method
        The method, such as ``"arkimex 3"`` or ``"etdrk4"``.
    nonlinear_iterations, linear_iterations
        Summed over all steps.
    num_unknowns
        Unknowns at one time, over all processes.
    seconds
        Wall time of each phase: ``setup``, ``steps``.
    notes
        Remarks for the record.

    Examples
    --------
    >>> EvolutionResult(True, "CONVERGED_TIME", 1.0, 100, method="etdrk4").describe()
    'etdrk4: CONVERGED_TIME at t = 1 after 100 steps'
    """

    converged: bool
    reason: str
    time: float
    num_steps: int
    num_rejected: int = 0
    step_size: float = float("nan")
    method: str = ""
    nonlinear_iterations: int = 0
    linear_iterations: int = 0
    num_unknowns: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for a log."""
        plural = "step" if self.num_steps == 1 else "steps"
        return (
            f"{self.method}: {self.reason} at t = {self.time:.6g} after {self.num_steps} {plural}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        values["seconds"] = dict(self.seconds)
        return values
