"""What is raised when a solve does not end well."""

from __future__ import annotations

from meshes.errors import InputError, MissingDependencyError, PDESolveError, require, suggest
from operators.result import EvolutionResult, SolveResult

__all__ = [
    "CheckpointError",
    "DataFileError",
    "InputError",
    "LinearSolveFailure",
    "MeshMoveFailure",
    "MissingDependencyError",
    "NonlinearSolveFailure",
    "PDESolveError",
    "SolveFailure",
    "SurrogateWarning",
    "TimeStepFailure",
    "require",
    "suggest",
]


class SolveFailure(PDESolveError, RuntimeError):  # noqa: N818
    """A solve ended without meeting its tolerance.

    Parameters
    ----------
    message
        What failed and what can be tried.
    result
        The record of the solve.
    solution
        The last iterate as a ``Solution``, when there is one.

    Examples
    --------
    >>> failure = LinearSolveFailure("stagnated")
    >>> isinstance(failure, SolveFailure), failure.result is None
    (True, True)
    """

    def __init__(
        self, message: str, *, result: SolveResult | None = None, solution: object = None
    ) -> None:
        super().__init__(message)
        self.result = result
        self.solution = solution


class LinearSolveFailure(SolveFailure):
    """A Krylov method or a factorisation failed."""


class NonlinearSolveFailure(SolveFailure):
    """A Newton-type method failed."""


class TimeStepFailure(SolveFailure):
    """A time step was rejected for good, or its state is not finite.

    Parameters
    ----------
    message
        Step, time, channel and place, and what can be tried.
    result
        The record of the steps taken.
    solution
        The ``Trajectory`` up to the last output time.
    """

    result: EvolutionResult | None  # type: ignore[assignment]

    def __init__(
        self, message: str, *, result: EvolutionResult | None = None, solution: object = None
    ) -> None:
        super().__init__(message, solution=solution)
        self.result = result


class MeshMoveFailure(SolveFailure):
    """A mesh mover did not converge or made a tangled mesh."""


class DataFileError(PDESolveError):
    """A data set is damaged, unfinished, or of another format."""


class CheckpointError(PDESolveError):
    """A checkpoint is damaged, unsafe, or belongs to another model or family."""


class SurrogateWarning(UserWarning):
    """A surrogate is used outside what it was trained on."""
