"""Measuring a surrogate of trajectories on data sets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.trajectories import certify_trajectory, why_no_estimate
from neural.evaluation import metrics
from neural.evaluation.certified import CertifiedErrors, compared
from neural.evaluation.checks import check_trajectories, grid_of
from neural.evaluation.problems import problems_of
from neural.evaluation.report import DatasetErrors
from neural.evaluation.solver_times import break_even, default_solve_seconds
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from neural.training.windows import WindowDataset, WindowPlan
from neural.trajectory_surrogate import TrajectorySurrogate
from pdesolve.problems.evolution import EvolutionProblem

MOST_CERTIFIED = 20
"""Trajectories of a data set that are certified."""


def windows_of(
    surrogate: TrajectorySurrogate, source: Any, num_frames: int | None = None
) -> WindowDataset:
    """The first window of each trajectory, in the frames that the model was trained on.

    Parameters
    ----------
    surrogate
        Knows how many frames it sees, and which times of a file are frames.
    source
        Open file of trajectories.
    num_frames
        Of the future; when left out, all that follow.

    Raises
    ------
    InputError
        If the file holds no trajectories, or shorter ones.
    CheckpointError
        If it does not fit the surrogate.
    """
    info = source.info
    if len(info.times) < 2 or not hasattr(source, "read_trajectories"):
        raise InputError(
            f"'{info.path}' (family '{info.family}') holds no trajectories, which a model trained "
            "with task: trajectory continues; generate a family in time"
        )
    trained = surrogate.metadata["data"]
    plan = WindowPlan(
        frames_in=surrogate.frames_in,
        frames_out=num_frames,
        stride=0,
        start=int(trained.get("start", 0)),
        frame_step=int(trained.get("frame_step", 1)),
    )
    plan.horizon(len(info.times), f"'{info.path}', whose trajectories are")
    check_trajectories(surrogate, source, plan.step(info.times, f"'{info.path}'"))
    chosen = [np.asarray(source.valid_indices)]
    return WindowDataset([source], chosen, plan, surrogate.static, in_memory=False)


def measure_rollouts(
    surrogate: TrajectorySurrogate,
    windows: WindowDataset,
    batch_size: int,
    num_timed_solves: int,
) -> DatasetErrors:
    """Errors of rollouts over the windows of one file, and of their certificates."""
    source: Any = windows.sources[0]
    info, grid, known = source.info, grid_of(source.info), surrogate.frames_in
    frames, static = _arrays(windows)
    history, future = frames[:, :known], frames[:, known : known + windows.frames_out]
    predicted, seconds = _rollouts(surrogate, history, static, future.shape[1], batch_size)
    each = np.stack(
        [
            metrics.relative_l2(predicted[:, frame], future[:, frame])
            for frame in range(future.shape[1])
        ]
    )
    found = {
        "relative_l2": metrics.relative_l2(predicted, future),
        "first_frame": each[0],
        "mean_frame": each.mean(axis=0),
        "last_frame": each[-1],
    }
    problems, remark = problems_of(info, windows.chosen[0], source.read(windows.chosen[0])[0], grid)
    remarks = [remark] if remark else []
    times = np.array(info.times)[windows.frames][: known + future.shape[1]]
    certified, reason = certified_rollouts(problems, grid, times, history, predicted, future)
    remarks += [reason] if reason and problems else []
    until = (float(info.times[0]), float(times[-1]))
    solver, note = default_solve_seconds(problems[:num_timed_solves], grid, until)
    remarks += [note] if note else []
    remarks.append(
        f"rollouts of {future.shape[1]} frames, {surrogate.time_step:g} apart, from t = "
        f"{times[known - 1]:g} on"
    )
    training = float(surrogate.metadata.get("training_seconds", 0.0))
    num_train = int(surrogate.metadata["data"].get("num_trajectories", 0))
    return DatasetErrors(
        path=Path(info.path),
        shape=tuple(info.shape),
        num_samples=len(future),
        zero_shot=list(info.shape) != list(surrogate.metadata["shape"]),
        mean={name: float(values.mean()) for name, values in found.items()},
        worst={name: float(values.max()) for name, values in found.items()},
        surrogate_seconds=seconds,
        solver_seconds=solver,
        break_even=break_even(training, solver, seconds),
        break_even_with_data=break_even(training + num_train * (solver or 0.0), solver, seconds),
        remarks=tuple(remarks),
        certified=certified,
        frames=tuple(float(value) for value in each.mean(axis=1)),
    )


def certified_rollouts(
    problems: Sequence[Any],
    grid: StructuredGrid,
    times: FloatArray,
    history: FloatArray,
    predicted: FloatArray,
    future: FloatArray,
) -> tuple[CertifiedErrors | None, str]:
    """Certificates of rollouts beside their true errors in the same norm.

    Parameters
    ----------
    problems
        Of the trajectories.
    grid
        Where the frames are.
    times
        Of the frames of `history` and then `future`.
    history, predicted, future
        Shape ``(n, frame, channel, *shape)``.

    Returns
    -------
    errors, remark
        Nothing, with the reason, where no estimate is known.
    """  # fmt: skip
    bounds, errors, seconds = [], [], []
    found = None
    for number, problem in enumerate(problems[:MOST_CERTIFIED]):
        reason = why_no_estimate(problem, grid, predicted.shape[2])
        if reason or not isinstance(problem, EvolutionProblem):
            return None, f"no certificate: {reason}"
        known = history[number]
        frames = np.concatenate([known, predicted[number]])
        found = certify_trajectory(problem, grid, times, frames, len(known))
        residual = SpaceTimeResidual(problem, grid, times, known)
        estimator = ResidualEstimator(residual)
        modes = [residual.forward(_tensor(one[number])) for one in (predicted, future)]
        size = estimator.size(modes[0])
        bounds.append(found.upper)
        errors.append(estimator.norm(modes[0] - modes[1]) / size)
        seconds.append(found.seconds)
    if found is None:
        return None, "no certificate: the problems of the samples are not known"
    return compared(found, bounds, errors, seconds), ""


def _tensor(values: FloatArray) -> Any:
    import torch

    return torch.as_tensor(values, dtype=torch.float64)


def _arrays(windows: WindowDataset) -> tuple[FloatArray, FloatArray]:
    """All frames ``(n, frame, channel, *shape)`` and static channels."""
    parts = list(windows.batches())
    frames, static = (np.concatenate([part[k].numpy() for part in parts]) for k in (0, 1))
    return frames.astype(np.float64), static.astype(np.float64)


def _rollouts(
    surrogate: TrajectorySurrogate,
    history: FloatArray,
    static: FloatArray,
    num_frames: int,
    batch_size: int,
) -> tuple[FloatArray, float]:
    """Predicted frames, and seconds a trajectory."""

    def run(first: int) -> FloatArray:
        part = slice(first, first + batch_size)
        fixed = static[part] if surrogate.static else None
        return surrogate.rollout(history[part], num_frames, fixed)

    run(0)  # first use prepares the transforms
    start = time.perf_counter()
    found = [run(first) for first in range(0, len(history), batch_size)]
    return np.concatenate(found), (time.perf_counter() - start) / len(history)
