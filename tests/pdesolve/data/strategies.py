"""Ways of solving for tests: quick, failing, or deadly."""

from __future__ import annotations

import numpy as np

from pdesolve.data.samples import SampleRecord
from pdesolve.data.schema import Status


class Quick:
    """No solve at all: the output is a function of the input."""

    def __init__(self, grid, problem, failing=(), raising=None):  # noqa: ARG002
        self.grid, self.failing, self.raising = grid, failing, raising

    def describe(self):
        return {"name": "quick", "tolerance": 1e-8}

    def solve(self, tasks):
        for task in tasks:
            if self.raising is not None and task.index == self.raising:
                raise RuntimeError("a strategy broke")
            inputs = task.problem.input_fields(self.grid).values
            failed = task.index in self.failing
            yield SampleRecord(
                task.index,
                inputs,
                np.full_like(inputs, np.nan) if failed else np.cumsum(inputs, axis=-1),
                Status.FAILED if failed else Status.SOLVED,
                1,
                1e-9,
                1e-8,
                0.1,
            )

    def close(self):
        pass


class Backwards(Quick):
    """The same in another order of work."""

    def solve(self, tasks):
        return super().solve(list(reversed(tasks)))


def failing(*indices):
    return lambda grid, problem: Quick(grid, problem, failing=indices)


def raising(index):
    return lambda grid, problem: Quick(grid, problem, raising=index)
