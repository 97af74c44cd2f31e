"""Measuring a surrogate of trajectories on data sets."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.trajectories import certify_trajectory, why_no_estimate
from neural.certificates.wave_trajectories import wave_error
from neural.evaluation import metrics
from neural.evaluation.certified import CertifiedErrors, compared
from neural.evaluation.checks import check_trajectories, grid_of
from neural.evaluation.problems import problems_of, solved_by_another, solved_finer
from neural.evaluation.report import DatasetErrors
from neural.evaluation.solver_times import break_even, default_solve_seconds
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from neural.training.windows import WindowDataset, WindowPlan
from neural.trajectory_surrogate import TrajectorySurrogate
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.wave import WaveProblem

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
    end = known + windows.frames_out
    errors: dict[str, list[FloatArray]] = {}
    kept: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    seconds = 0.0
    for states, fields in windows.batches(batch_size):
        frames = states[:, :end].double().numpy()
        history, future = frames[:, :known], frames[:, known:]
        static = fields.double().numpy() if surrogate.static else None
        if not errors:
            surrogate.rollout(history, windows.frames_out, static)  # prepares the transforms
        start = time.perf_counter()
        predicted = surrogate.rollout(history, windows.frames_out, static)
        seconds += time.perf_counter() - start
        for name, values in _errors(predicted, future).items():
            errors.setdefault(name, []).append(values)
        if sum(len(part[0]) for part in kept) < MOST_CERTIFIED:
            kept.append((history, predicted, future))
    found = {name: np.concatenate(parts) for name, parts in errors.items()}
    each = found.pop("frames")
    chosen = windows.chosen[0][: max(MOST_CERTIFIED, num_timed_solves)]
    problems, remark = problems_of(info, chosen, source.read(chosen)[0], grid)
    remarks = [remark] if remark else []
    times = np.array(info.times)[windows.frames][:end]
    first = [np.concatenate(parts) for parts in zip(*kept, strict=True)]
    certified, reason = None, solved_finer(info)
    if not reason:
        certified, reason = certified_rollouts(problems, grid, times, first[0], first[1], first[2])
    remarks += [reason] if reason and problems else []
    other = solved_by_another(info, "spectral") if certified else ""
    remarks += [other] if other else []
    until = (float(info.times[0]), float(times[-1]))
    solver, note = default_solve_seconds(problems[:num_timed_solves], grid, until)
    remarks += [note] if note else []
    remarks.append(
        f"rollouts of {windows.frames_out} frames, {surrogate.time_step:g} apart, from t = "
        f"{times[known - 1]:g} on"
    )
    training = float(surrogate.metadata.get("training_seconds", 0.0))
    num_train = int(surrogate.metadata["data"].get("num_trajectories", 0))
    rollout = seconds / len(each)
    return DatasetErrors(
        path=Path(info.path),
        shape=tuple(info.shape),
        num_samples=len(each),
        zero_shot=list(info.shape) != list(surrogate.metadata["shape"]),
        mean={name: float(values.mean()) for name, values in found.items()},
        worst={name: float(values.max()) for name, values in found.items()},
        surrogate_seconds=rollout,
        solver_seconds=solver,
        break_even=break_even(training, solver, rollout),
        break_even_with_data=break_even(training + num_train * (solver or 0.0), solver, rollout),
        remarks=tuple(remarks),
        certified=certified,
        frames=tuple(float(value) for value in each.mean(axis=0)),
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
    found, errors = [], []
    for number, problem in enumerate(problems[:MOST_CERTIFIED]):
        reason = why_no_estimate(problem, grid, predicted.shape[2])
        if reason or not isinstance(problem, EvolutionProblem):
            return None, f"no certificate: {reason}"
        known = history[number]
        frames = np.concatenate([known, predicted[number]])
        found.append(certify_trajectory(problem, grid, times, frames, len(known)))
        pair = predicted[number], future[number]
        none = found[-1].kind == "none"
        errors.append(math.nan if none else _error_in_norm(problem, grid, times, known, *pair))
    return compared(found, errors)


def _error_in_norm(
    problem: EvolutionProblem,
    grid: StructuredGrid,
    times: FloatArray,
    known: FloatArray,
    predicted: FloatArray,
    future: FloatArray,
) -> float:
    """Relative error of one rollout in the norm of its certificate."""
    if isinstance(problem, WaveProblem):
        return wave_error(problem, grid, predicted, future)
    residual = SpaceTimeResidual(problem, grid, times, known)
    estimator = ResidualEstimator(residual)
    modes = [residual.forward(_tensor(one)) for one in (predicted, future)]
    return float(estimator.norm(modes[0] - modes[1]) / estimator.size(modes[0]))


def _tensor(values: FloatArray) -> Any:
    import torch

    return torch.as_tensor(values, dtype=torch.float64)


def _errors(predicted: FloatArray, future: FloatArray) -> dict[str, FloatArray]:
    """Relative L2 errors of rollouts, each ``(n,)``; and ``frames``, of shape ``(n, frame)``."""
    each = np.stack(
        [
            metrics.relative_l2(predicted[:, frame], future[:, frame])
            for frame in range(future.shape[1])
        ],
        axis=1,
    )
    return {
        "relative_l2": metrics.relative_l2(predicted, future),
        "first_frame": each[:, 0],
        "mean_frame": each.mean(axis=1),
        "last_frame": each[:, -1],
        "frames": each,
    }
