"""Studies of families: orders of accuracy and candidates for the default solver."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from benchmarks.table import Table


@dataclass(frozen=True)
class OrderStudy:
    """Errors against an exact, manufactured or much finer solution, and their order.

    Parameters
    ----------
    family, backend
        What is solved, and by what (with element and degree, or the method in time).
    quantity
        What is measured, such as ``"u, relative L2"``.
    error
        Takes one of the sizes and gives the error.
    kind
        ``"space"``: sizes are cells an axis, the error falls with a power of 1/size;
        ``"time"``: sizes are step sizes; ``"spectral"``: cells an axis, the error falls
        faster than any power, and only `cap` is asked for.
    sizes
        Measured for the documentation, coarse to fine.
    small
        Measured by the tests.
    theory
        Expected order.
    cap
        Bound on the error at the finest of `small`.
    """

    family: str
    backend: str
    quantity: str
    error: Callable[[Any], float]
    sizes: tuple[float, ...]
    small: tuple[float, ...]
    theory: float
    cap: float
    kind: Literal["space", "time", "spectral"] = "space"

    def measure(self, sizes: tuple[float, ...] | None = None) -> Measured:
        """Errors at the sizes, and the order fitted to them."""
        chosen = self.small if sizes is None else sizes
        errors = tuple(float(self.error(size)) for size in chosen)
        return Measured(self, chosen, errors)

    def check(self) -> Measured:
        """Measure at the small sizes and assert order and cap.

        The fitted order may be 0.15 below the theory in space and 0.2 in time, and as
        much above it; the error at the finest size must stay below the cap.
        """
        found = self.measure()
        assert found.errors[-1] <= self.cap, f"{self.family} {self.backend}: {found}"
        if self.kind != "spectral":
            slack = 0.15 if self.kind == "space" else 0.2
            assert abs(found.order - self.theory) <= slack, f"{self.family}: {found}"
        return found


@dataclass(frozen=True)
class Measured:
    """Errors of one study."""

    study: OrderStudy
    sizes: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def order(self) -> float:
        """Least-squares slope of log error over log size."""
        slope = float(np.polyfit(np.log(self.sizes), np.log(self.errors), 1)[0])
        return slope if self.study.kind == "time" else -slope

    def __str__(self) -> str:
        pairs = ", ".join(f"{s:g}: {e:.3e}" for s, e in zip(self.sizes, self.errors, strict=True))
        return f"errors {pairs}; order {self.order:.3f}, theory {self.study.theory:g}"


@dataclass(frozen=True)
class SolverStudy:
    """Candidates for a family's default solver, on meshes of growing size.

    Parameters
    ----------
    family, backend
        What is solved, and by what.
    solve
        Takes a size and the candidate's options, solves, and gives the record
        (a ``SolveResult`` or ``EvolutionResult``); it raises where the solver fails.
    sizes
        Cells an axis.
    candidates
        Options by the label that the table shows; the default's label ends in
        ``" (default)"``.
    """

    family: str
    backend: str
    solve: Callable[[int, Mapping[str, Any]], Any]
    sizes: tuple[int, ...]
    candidates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def order_table(name: str, title: str, studies: list[OrderStudy], *, small: bool) -> Table:
    """Errors and orders of all studies of a topic."""
    columns = ("family", "backend", "error of", "sizes", "errors", "order", "theory")
    table = Table(f"{name}_orders", f"Accuracy: {title}", columns)
    for study in studies:
        found = study.measure(study.small if small else study.sizes)
        exponential = study.kind == "spectral"
        table.add(
            study.family,
            study.backend,
            study.quantity,
            ", ".join(f"{size:g}" for size in found.sizes),
            ", ".join(f"{error:.2e}" for error in found.errors),
            "" if exponential else f"{found.order:.2f}",
            "exponential" if exponential else f"{study.theory:g}",
        )
    table.notes.append(
        "Sizes are cells along each axis, or steps in time; the order is the slope fitted to all."
    )
    return table


def solver_table(name: str, title: str, studies: list[SolverStudy]) -> Table:
    """Seconds and iterations of all candidates of a topic."""
    columns = ("family", "backend", "solver", "size", "seconds", "iterations")
    table = Table(f"{name}_solvers", f"Candidates for the default solver: {title}", columns)
    for study in studies:
        for label, options in study.candidates.items():
            for size in study.sizes:
                try:
                    study.solve(size, options)  # the first loads and compiles
                    start = time.perf_counter()
                    result = study.solve(size, options)
                    seconds = f"{time.perf_counter() - start:.3f}"
                    iterations = _iterations(result)
                except Exception as error:  # what fails is part of the answer
                    seconds, iterations = "fails", type(error).__name__
                table.add(study.family, study.backend, label, size, seconds, iterations)
    table.notes.append("Seconds of the second of two runs, set-up and assembly counted.")
    return table


def _iterations(result: Any) -> str:
    if hasattr(result, "num_steps"):
        return f"{result.num_steps} steps, {result.linear_iterations} linear"
    inner = getattr(result, "linear_iterations", 0)
    return f"{result.iterations} ({inner} linear)" if inner else str(result.iterations)
