"""What is raised when training does not end well."""

from __future__ import annotations

from operators.failures import PDESolveError


class TrainingFailure(PDESolveError, RuntimeError):  # noqa: N818
    """Training cannot go on: the loss is not finite.

    Parameters
    ----------
    message
        Which samples, where in the run, and what can be tried.
    samples
        Names of the samples whose loss is not finite.

    Examples
    --------
    >>> TrainingFailure("loss is nan", samples=("sample 3 of 'a.h5'",)).samples
    ("sample 3 of 'a.h5'",)
    """

    def __init__(self, message: str, *, samples: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.samples = samples
