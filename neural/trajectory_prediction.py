"""Trajectories of given problems, begun by the solver and continued by a surrogate."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.trajectories import certify_trajectory, why_no_estimate
from neural.trained_family import trained_family
from neural.training.windows import WindowPlan
from neural.trajectory_surrogate import TrajectorySurrogate
from operators.failures import CheckpointError
from pdesolve.problems.evolution import EvolutionProblem


@dataclass(frozen=True, eq=False)
class TrajectoryPrediction:
    """Frames that are known and frames that are predicted.

    Parameters
    ----------
    grid
        Where they sit.
    times
        Of all frames, in the problem's unit.
    frames
        Shape ``(frame, channel, *shape)``, the known ones first.
    num_known
        Number of the known ones.
    names
        Of the channels.
    history_seconds, seconds
        Wall-clock time of the known frames (0 where they were given), and of the rollout.
    problem
        What the trajectory is of, if it is known.
    remark
        Why it is not.
    """

    grid: StructuredGrid
    times: tuple[float, ...]
    frames: FloatArray
    num_known: int
    names: tuple[str, ...]
    history_seconds: float = 0.0
    seconds: float = 0.0
    problem: EvolutionProblem | None = None
    remark: str = ""

    @property
    def num_predicted(self) -> int:
        """Number of predicted frames."""
        return len(self.frames) - self.num_known

    def field(self, index: int) -> Field:
        """One frame."""
        return Field(self.grid, self.frames[index], self.names)

    def certificate(self) -> Certificate:
        """Estimate of the error of the predicted frames; of kind ``"none"`` where none is known."""
        if self.problem is None:
            return Certificate.nothing("spectral", self.remark or "the problem is not known")
        reason = why_no_estimate(self.problem, self.grid, len(self.names))
        if reason:
            return Certificate.nothing(self.problem.backends[0], reason)
        return certify_trajectory(self.problem, self.grid, self.times, self.frames, self.num_known)


def predict_trajectory(
    surrogate: TrajectorySurrogate,
    problem: EvolutionProblem,
    mesh: StructuredGrid,
    *,
    num_frames: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> TrajectoryPrediction:
    """Let the solver make the frames that a surrogate begins from, and the surrogate the rest.

    Where one frame is enough and it is the initial state, nothing is solved.

    Parameters
    ----------
    surrogate
        Of the problem's family.
    problem
        What is to be predicted.
    mesh
        Grid of the problem's box.
    num_frames
        Frames to predict; as many as a training trajectory had when left out.
    parameters
        Numbers that the problem was made of, where the surrogate has such among its static
        channels.

    Returns
    -------
    TrajectoryPrediction
        At the times that the surrogate was trained on.

    Raises
    ------
    CheckpointError
        If the surrogate was trained on another family, box, kind of grid or channels.
    InputError
        If a parameter is missing, or the rollout does not stay finite.

    Examples
    --------
    >>> found = predict_trajectory(surrogate, problem, problem.grid(64))  # doctest: +SKIP
    >>> found.certificate().kind  # doctest: +SKIP
    'estimate'
    """
    _check(surrogate, problem, mesh)
    trained = surrogate.metadata["data"]
    stored = [float(value) for value in trained["times"]]
    plan = WindowPlan(
        start=int(trained.get("start", 0)), frame_step=int(trained.get("frame_step", 1))
    )
    numbers = plan.frames(len(stored))
    known = surrogate.frames_in
    count = len(numbers) - known if num_frames is None else num_frames
    first, step = stored[numbers[0]], surrogate.time_step
    times = tuple(first + step * number for number in range(known + count))
    begin = time.perf_counter()
    history = _history(surrogate, problem, mesh, stored[0], times[:known])
    middle = time.perf_counter()
    static = _static(surrogate, problem, mesh, parameters or {})
    predicted = surrogate.rollout(history[None], count, static)[0]
    return TrajectoryPrediction(
        mesh,
        times,
        np.concatenate([history, predicted]),
        known,
        surrogate.state,
        middle - begin,
        time.perf_counter() - middle,
        problem,
    )


def _check(surrogate: TrajectorySurrogate, problem: EvolutionProblem, mesh: StructuredGrid) -> None:
    member = trained_family(surrogate.metadata, problem.name, "the problem is of")
    box = np.allclose([mesh.lower, mesh.upper], [member.lower, member.upper], rtol=1e-12)
    if mesh.location != surrogate.metadata["location"] or not box:
        raise CheckpointError(
            f"the grid has values at each {mesh.location} of a box from {tuple(mesh.lower)} to "
            f"{tuple(mesh.upper)}, the surrogate was trained with values at each "
            f"{surrogate.metadata['location']} from {member.lower} to {member.upper}"
        )


def _history(
    surrogate: TrajectorySurrogate,
    problem: EvolutionProblem,
    mesh: StructuredGrid,
    initial_time: float,
    times: tuple[float, ...],
) -> FloatArray:
    """Known frames ``(frame, channel, *shape)``."""
    fields = problem.input_fields(mesh)
    initial = [f"initial_{name}" for name in surrogate.state]
    if times == (initial_time,) and set(initial) <= set(fields.names):
        return np.stack([fields[name] for name in initial])[None]
    from pdesolve.evolving import evolve

    wanted = times if times[0] == initial_time else (initial_time, *times)
    if len(wanted) == 1:  # one time alone is no evolution
        wanted = (*wanted, initial_time + surrogate.time_step)
    solved = evolve(problem, mesh=mesh, times=wanted)
    names = solved.gather(0).names
    if names != surrogate.state:
        raise CheckpointError(
            f"the surrogate was trained on the channels {surrogate.state}, the solver gives {names}"
        )
    first = wanted.index(times[0])
    return solved.on(mesh)[first : first + len(times)]


def _static(
    surrogate: TrajectorySurrogate,
    problem: EvolutionProblem,
    mesh: StructuredGrid,
    parameters: Mapping[str, Any],
) -> FloatArray | None:
    """Static channels ``(1, channel, *shape)``, or None where there are none."""
    if not surrogate.static:
        return None
    fields = problem.input_fields(mesh)
    found = []
    for name in surrogate.static:
        if name in fields.names:
            found.append(fields[name])
        elif isinstance(parameters.get(name), int | float):
            found.append(np.full(mesh.shape, float(parameters[name])))
        else:
            raise InputError(
                f"the surrogate takes the static channel '{name}', which is no input field of the "
                f"problem; give parameters={{'{name}': number}}"
            )
    return np.stack(found)[None]
