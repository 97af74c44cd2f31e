"""Small Darcy sets in memory, which stand in for generated files."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

# the test files import torch at the top
if importlib.util.find_spec("torch") is None and not os.environ.get("PDESOLVE_FORBID_SKIPS"):
    collect_ignore_glob = ["test_*.py"]


class MemorySource:
    """Behaves as an open data-set file; solved with SciPy."""

    def __init__(
        self, num_samples: int, shape: tuple[int, ...], split: str, seed: int = 0, **changes: Any
    ) -> None:
        from scipy.sparse.linalg import spsolve

        from pdesolve.problems.registry import get_family
        from pdesolve.random_streams import sample_generator

        family = get_family("darcy2d")
        self.path = Path(f"{split}{seed}_{shape[0]}.h5")
        inputs, outputs = [], []
        for index in range(num_samples):
            problem = family.problem(family.sample(sample_generator(seed, split, index)))
            grid = problem.grid(shape)
            system = problem.discretize(grid)
            inputs.append(problem.input_fields(grid).values)
            values = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel())
            outputs.append(values.reshape(1, *shape))
        self.inputs, self.outputs = np.array(inputs), np.array(outputs)
        self.valid_indices = np.arange(num_samples)
        self.reads = 0
        self.info = SimpleNamespace(
            times=(0.0,),
            num_times=1,
            **{
                "path": self.path,
                "family": "darcy2d",
                "inputs": ("coefficient",),
                "outputs": ("pressure",),
                "shape": shape,
                "lower": (0.0, 0.0),
                "upper": (1.0, 1.0),
                "periodic": (False, False),
                "location": "cell",
                "seed": seed,
                "split": split,
                "units": {"coefficient": "m^2 Pa^-1 s^-1", "pressure": "Pa"},
                "num_samples": num_samples,
                "num_failed": 0,
                "sha256": f"{split}-{seed}-{shape}-{num_samples}",
                "settings": {"family": {"name": "darcy2d", "source": 1.0}},
                **changes,
            },
        )

    def read(self, indices: Any = None) -> tuple[Any, Any]:
        self.reads += 1
        wanted = self.valid_indices if indices is None else np.asarray(indices)
        return self.inputs[wanted], self.outputs[wanted]


@pytest.fixture
def memory_source():
    """The class, for further stand-ins."""
    return MemorySource


@pytest.fixture
def sources(monkeypatch):
    """Stand-ins by file name; a test may add to them."""
    import neural.evaluation.measurement
    import neural.training.data

    opened = {
        "train.h5": MemorySource(12, (12, 12), "train"),
        "validation.h5": MemorySource(4, (12, 12), "validation"),
        "test.h5": MemorySource(4, (12, 12), "test"),
    }

    def open_samples(path, *, output_time=-1):
        return opened[str(path)]

    monkeypatch.setattr(neural.training.data, "open_samples", open_samples)
    monkeypatch.setattr(neural.evaluation.measurement, "open_samples", open_samples)
    return opened
