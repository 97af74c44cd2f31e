"""How sharp certificates are: bounds beside true errors of small trained models."""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.table import Table
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.grids import unknowns_of
from neural.evaluation import metrics
from neural.evaluation.certified import certified_errors
from neural.models.fno import FNO
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.base import Problem

FAMILIES = (
    "poisson2d",
    "darcy2d",
    "darcy2d_lognormal",
    "convection_diffusion2d",
    "one_sided_reaction2d",
    "bratu2d",
    "p_laplacian2d",
    "helmholtz2d",
)
FINER = {"helmholtz2d": 2}
"""Times as many cells along each axis, for the waves to be resolved."""


def run(shape: int = 32, num_train: int = 64, num_test: int = 20, num_epochs: int = 20) -> Table:
    """All families with a certificate on grids."""
    table = Table(
        "certificates",
        "Certified and true errors of a Fourier neural operator",
        (
            "family",
            "kind",
            "relative L2",
            "true energy error",
            "mean bound",
            "least effectivity",
            "mean effectivity",
            "largest effectivity",
            "certificate (ms)",
            "solve (ms)",
        ),
        notes=[
            f"{shape}² cells ({2 * shape}² for the waves), {num_train} training samples, "
            f"{num_epochs} epochs, {num_test} test samples. "
            "Energy errors and bounds are relative to the prediction's energy norm; "
            "effectivity is bound (or estimate) over true error, against the discrete solution.",
            "Times are medians on one thread of a shared machine. A certificate takes "
            "transforms of the axes; a solve is the default one of the family.",
        ],
    )
    for name in FAMILIES:
        size = FINER.get(name, 1) * shape
        grid, inputs, targets, _, _ = _samples(name, "train", num_train, size)
        model, scales = _trained(inputs, targets, num_epochs)
        _, inputs, targets, problems, seconds = _samples(name, "test", num_test, size)
        predictions = _predict(model, scales, inputs)
        found, remark = certified_errors(
            problems, predictions, targets, grid, unknowns_of(problems[0])
        )
        if found is None:
            raise RuntimeError(f"{name}: {remark}")
        table.add(
            name,
            found.kind,
            float(metrics.relative_l2(predictions, targets).mean()),
            found.mean_error,
            found.mean_bound,
            found.least_effectivity,
            found.mean_effectivity,
            found.largest_effectivity,
            1e3 * found.seconds,
            1e3 * seconds,
        )
    return table


def _samples(
    name: str, split: str, count: int, shape: int
) -> tuple[StructuredGrid, FloatArray, FloatArray, list[Problem], float]:
    """Grid, inputs, solutions to a tight tolerance, problems, and the time of a solve."""
    family = get_family(name)
    problems: list[Problem] = [
        family.problem(family.sample(sample_generator(0, split, index))) for index in range(count)
    ]
    grid = problems[0].grid(shape)
    outputs, seconds = [], []
    for problem in problems:
        start = time.perf_counter()
        solve(problem, mesh=grid)
        seconds.append(time.perf_counter() - start)
        outputs.append(solve(problem, mesh=grid, rtol=1e-12).on(grid).values)
    inputs = np.stack([problem.input_fields(grid).values for problem in problems])
    return grid, inputs, np.stack(outputs), problems, float(np.median(seconds))


def _trained(
    inputs: FloatArray, targets: FloatArray, num_epochs: int
) -> tuple[FNO, list[torch.Tensor]]:
    """Relative L2, Adam, one cycle of learning rates."""
    torch.manual_seed(0)
    model = FNO(inputs.shape[1], targets.shape[1], (8, 8), 16)
    scales = []
    for values in (inputs, targets):
        scales += [torch.tensor(values.mean((0, 2, 3), keepdims=True)).float()]
        scales += [torch.tensor(values.std((0, 2, 3), keepdims=True) + 1e-12).float()]
    given, wanted = torch.tensor(inputs).float(), torch.tensor(targets).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps = num_epochs * -(-len(given) // 8)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(num_epochs):
        for numbers in torch.randperm(len(given)).split(8):
            output = model((given[numbers] - scales[0]) / scales[1]) * scales[3] + scales[2]
            error = (output - wanted[numbers]).flatten(1).norm(dim=1)
            loss = (error / wanted[numbers].flatten(1).norm(dim=1)).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return model.eval(), scales


@torch.no_grad()
def _predict(model: FNO, scales: list[torch.Tensor], inputs: FloatArray) -> FloatArray:
    output = model((torch.tensor(inputs).float() - scales[0]) / scales[1]) * scales[3] + scales[2]
    values: FloatArray = output.double().numpy()
    return values
