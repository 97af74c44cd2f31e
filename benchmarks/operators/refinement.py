"""Correcting predicted trajectories of three flows by the equations, and by solvers.

A small space-time Fourier neural operator is trained for each flow. Its prediction for
samples that it has not seen is then refined (no solution is used), corrected by Newton–Krylov
and Parareal, and compared with solving from the last known frame. All errors are relative L2
in space and time to the same reference: ETDRK4 on the same grid with sixteen steps a frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.table import Table
from neural.models.space_time_fno import SpaceTimeFNO
from neural.refinement import (
    FourierCorrection,
    HeadCorrection,
    Refinement,
    RefinementSettings,
    ResidualEstimator,
    SpaceTimeResidual,
    newton_krylov,
    parareal,
    refine,
)
from neural.refinement.classical import propagate
from pdesolve import get_family, sample_generator
from pdesolve.spectral.batch import evolve_batch, rollout

NUM_KNOWN = 10


@dataclass(frozen=True)
class Flow:
    """One benchmark: a family, its frames, and the model's growth rate."""

    title: str
    family: str
    options: dict[str, Any]
    first_time: float
    spacing: float
    num_predicted: int
    shape: int = 64
    substeps: int = 1
    growth_rate: float = 0.01
    modes: tuple[int, ...] = field(default=(12, 12, 5))

    @property
    def times(self) -> tuple[float, ...]:
        """Of all frames in training, known ones first."""
        count = NUM_KNOWN + self.num_predicted
        return tuple(self.first_time + self.spacing * number for number in range(count))

    @property
    def refined_times(self) -> tuple[float, ...]:
        """With the predicted frames closer by the number of substeps."""
        last, step = self.times[NUM_KNOWN - 1], self.spacing / self.substeps
        count = self.num_predicted * self.substeps
        later = tuple(last + step * number for number in range(1, count + 1))
        return (*self.times[:NUM_KNOWN], *later)


FLOWS = (
    Flow("Taylor–Green", "taylor_green2d", {}, 0.0, 0.1, 10, shape=32, growth_rate=-0.01),
    Flow("forced, ν = 1e-3", "navier_stokes2d", {"viscosity": 1e-3}, 30.0, 0.2, 40, shape=32),
    Flow(
        "McWilliams, ν = 1e-3",
        "decaying_turbulence2d",
        {"viscosity": 1e-3, "viscosity_order": 1, "largest_wavenumber": 20},
        4.5,
        0.055,
        10,
        substeps=2,
        growth_rate=-0.01,
    ),
)


def run(num_train: int = 24, num_epochs: int = 10, num_test: int = 1) -> Table:
    """All flows."""
    table = Table(
        "refinement",
        "Predicted trajectories, refined and corrected",
        ("flow and method", "relative L2", "relative H-1", "residual η", "effectivity", "seconds"),
        notes=[
            f"{num_train} training trajectories, {num_epochs} epochs, mean of {num_test} test "
            f"sample(s), {NUM_KNOWN} known frames; one thread of a shared machine, so that times "
            "are indications.",
            "Reference: ETDRK4 on the same grid with 16 steps a frame. Its residual is the error "
            "of the differences in time: where a method goes below it, the error falls no more.",
            "Grids: " + ", ".join(f"{flow.title} {flow.shape}²" for flow in FLOWS) + ". The model "
            "of the McWilliams flow gives two frames for each of training.",
            "Effectivity: η over the error in the space-time energy norm.",
            "Stage 2 changes the last layer's modes; 'all modes' is a free correction of every "
            "Fourier mode and frame. Adam uses the published rates.",
        ],
    )
    for flow in FLOWS:
        _measure(table, flow, num_train, num_epochs, num_test)
    return table


def _measure(table: Table, flow: Flow, num_train: int, num_epochs: int, num_test: int) -> None:
    frames, _ = _trajectories(flow, "train", num_train)
    begin = time.perf_counter()
    model = _trained(flow, frames, num_epochs)
    print(f"{flow.title}: trained in {time.perf_counter() - begin:.0f} s", flush=True)
    tests, problems = _trajectories(flow, "test", num_test)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for sample, problem in zip(tests, problems, strict=True):
        grid = problem.grid(flow.shape)
        known, reference = sample[:NUM_KNOWN], sample[NUM_KNOWN:]
        residual = SpaceTimeResidual(problem, grid, flow.refined_times, known)
        estimator = ResidualEstimator(residual)
        start = time.perf_counter()
        with torch.no_grad():
            history = known.movedim(0, -1)[None].float()
            predicted = model(history, residual.num_predicted)[0].movedim(-1, 0).double()
        seconds = time.perf_counter() - start
        found = {"prediction": Refinement(predicted, (float(estimator(predicted)),), "", seconds)}
        for name, method in _methods(model, estimator, predicted).items():
            found[name] = method()
        start = time.perf_counter()
        states = [known[-1]]
        for _ in range(residual.num_predicted):
            step = flow.spacing / flow.substeps
            states.append(propagate(residual, states[-1][None], step, 4)[0])
        solved = torch.stack(states[1:])
        seconds = time.perf_counter() - start
        found["solver, 4 steps a frame"] = Refinement(solved, (), "", seconds)
        found["reference"] = Refinement(reference, (), "", float("nan"))
        for name, refined in found.items():
            error = estimator.errors(refined.frames, reference)
            estimate = float(estimator(refined.frames))
            sharpness = error.effectivity if error.relative_l2 > 0 else float("nan")
            rows.setdefault(name, []).append(
                (error.relative_l2, error.relative_dual, estimate, sharpness, refined.seconds)
            )
    for name, values in rows.items():
        table.add(f"{flow.title}: {name}", *(float(mean) for mean in np.mean(values, axis=0)))


def _methods(
    model: SpaceTimeFNO, estimator: ResidualEstimator, predicted: Tensor
) -> dict[str, Callable[[], Refinement]]:
    newton = RefinementSettings(num_steps=5, inner_steps=20)
    quasi = RefinementSettings(method="lbfgs", num_steps=15)
    adam = RefinementSettings(method="adam", num_steps=50, patience=50)

    def published() -> Refinement:
        head = HeadCorrection(model, estimator, scaled=False, change_weight=True)
        return refine(head, estimator, adam)

    return {
        "stage 2, Adam": published,
        "stage 2, L-BFGS": lambda: refine(HeadCorrection(model, estimator), estimator, quasi),
        "stage 2, Gauss–Newton": lambda: refine(
            HeadCorrection(model, estimator), estimator, newton
        ),
        "all modes, Gauss–Newton": lambda: refine(
            FourierCorrection(predicted, estimator), estimator, newton
        ),
        "Newton–Krylov, 2 steps": lambda: newton_krylov(predicted, estimator, num_steps=2),
        "Parareal, 1 correction": lambda: parareal(predicted, estimator),
    }


def _trajectories(flow: Flow, split: str, count: int) -> tuple[Tensor, list[Any]]:
    """Frames ``(count, time, channel, *shape)``, and the problems."""
    family = get_family(flow.family, **flow.options)
    problems: list[Any] = [
        family.problem(family.sample(sample_generator(0, split, index))) for index in range(count)
    ]
    before = (0.0,) if flow.first_time > 0 else ()
    if split == "train":
        found = evolve_batch(problems, flow.shape, (*before, *flow.times))
        return torch.as_tensor(found.values[:, len(before) :]), problems
    exact, step = [], flow.spacing / flow.substeps / 16
    for problem in problems:
        evolution = problem.spectral_evolution(problem.grid(flow.shape))
        start = evolution.initial
        if before:
            start = rollout(evolution, (0.0, flow.first_time))[-1]
        history = rollout(evolution, flow.refined_times, dt=step, initial=start)
        exact.append(history)
    return torch.as_tensor(np.stack(exact)), problems


def _trained(flow: Flow, frames: Tensor, num_epochs: int) -> SpaceTimeFNO:
    """Stage 1: relative L2, Adam, one cycle of learning rates up to 1e-2."""
    torch.manual_seed(0)
    modes = tuple(min(count, flow.shape // 2) for count in flow.modes)
    model = SpaceTimeFNO(1, 1, modes=modes, width=10, growth_rate=flow.growth_rate)
    data = frames.movedim(1, -1).float()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batch = 4
    steps = num_epochs * -(-len(data) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-2, total_steps=steps, div_factor=1e3, final_div_factor=1e4
    )
    for _ in range(num_epochs):
        for numbers in torch.randperm(len(data)).split(batch):
            history, future = data[numbers].split((NUM_KNOWN, flow.num_predicted), dim=-1)
            difference = model(history, flow.num_predicted) - future
            loss = (difference.flatten(1).norm(dim=1) / future.flatten(1).norm(dim=1)).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return model.eval()
