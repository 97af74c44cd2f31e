"""Predictions of samples that stand in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh
from neural.certificates.certificate import Certificate
from neural.certificates.finite_elements import certify_on_mesh
from neural.evaluation.checks import check_steady, grid_of
from neural.evaluation.mesh_problems import mesh_problems, reader_of
from neural.evaluation.points import certifiable, predict_on_points
from neural.evaluation.problems import problems_of
from neural.evaluation.rollouts import windows_of
from neural.surrogate import Surrogate
from neural.training.layouts import open_samples
from neural.trajectory_prediction import TrajectoryPrediction
from neural.trajectory_surrogate import TrajectorySurrogate
from pdesolve.problems.evolution import EvolutionProblem


def opened(surrogate: Surrogate | TrajectorySurrogate, path: str | Path) -> Any:
    """A file, read as the training files of a surrogate were."""
    trained = surrogate.metadata["data"]
    options: dict[str, Any] = dict(trained.get("reading", {}))
    if isinstance(surrogate, Surrogate):
        options["output_time"] = int(trained.get("output_time", -1))
    return open_samples(path, **options)


def continue_sample(
    surrogate: TrajectorySurrogate, path: str | Path, index: int, num_frames: int | None = None
) -> tuple[TrajectoryPrediction, FloatArray]:
    """Continue a trajectory of a file from its first frames.

    Parameters
    ----------
    surrogate
        Of the file's family.
    path
        Of trajectories.
    index
        Number of the sample.
    num_frames
        Frames to predict; as many as the file has when left out.

    Returns
    -------
    prediction, reference
        The latter is what the file has, ``(num_frames, channel, *shape)``.

    Raises
    ------
    InputError
        If there is no such sample, or the file is too short.
    CheckpointError
        If it does not fit the surrogate.

    Examples
    --------
    >>> prediction, reference = continue_sample(surrogate, "test.h5", 0)  # doctest: +SKIP
    """
    source = opened(surrogate, path)
    windows = windows_of(surrogate, source, num_frames)
    history, static, future, _ = windows[_row(source, index)]
    begin = time.perf_counter()
    fixed = static.double().numpy()[None] if surrogate.static else None
    known = history.double().numpy()
    predicted = surrogate.rollout(known[None], len(future), fixed)[0]
    seconds = time.perf_counter() - begin
    info, grid = source.info, grid_of(source.info)
    problems, remark = problems_of(info, [index], source.read([index])[0], grid)
    problem = problems[0] if problems and isinstance(problems[0], EvolutionProblem) else None
    times = np.array(info.times)[windows.frames][: len(known) + len(future)]
    prediction = TrajectoryPrediction(
        grid,
        tuple(float(value) for value in times),
        np.concatenate([known, predicted]),
        len(known),
        surrogate.state,
        0.0,
        seconds,
        problem,
        remark,
    )
    return prediction, future.double().numpy()


class PointPrediction:
    """A prediction on the points of a sample of a file, with what the file has.

    Parameters
    ----------
    surrogate
        Of fields on points.
    path
        File of ``write_mesh_samples``.
    index
        Number of the sample.

    Attributes
    ----------
    info
        What the file says about itself.
    points, cells, cell_type
        Of the sample, without points that only fill up the array.
    inputs, predicted, reference
        Shape ``(channel, num_points)``.
    seconds
        Wall-clock time of the prediction.

    Raises
    ------
    InputError
        If there is no such sample, the file holds fields on grids, or does not fit.

    Examples
    --------
    >>> found = PointPrediction(surrogate, "test.h5", 0)  # doctest: +SKIP
    >>> found.certificate().rows()  # doctest: +SKIP
    """

    def __init__(self, surrogate: Surrogate, path: str | Path, index: int) -> None:
        self._source, self._index = opened(surrogate, path), index
        self.info = self._source.info
        if self.info.location in ("cell", "vertex"):
            raise InputError(
                f"'{path}' holds fields on a grid; predict a problem of family '{self.info.family}'"
            )
        check_steady(surrogate, self._source)
        _row(self._source, index)
        inputs, targets = self._source.read([index])
        begin = time.perf_counter()
        found = predict_on_points(surrogate, self._source, inputs)
        self.seconds = time.perf_counter() - begin
        reader = reader_of(self._source)
        real = inputs[0, -1] > 0.5 if reader.info.masked else np.ones(inputs.shape[2], bool)
        places = reader.points[index] if reader.points.ndim == 3 else reader.points
        self.points = places[real]
        self.cells = None if reader.info.masked else reader.cells
        self.cell_type = None if self.cells is None else reader.cell_type
        self.inputs = inputs[0][:, real]
        self.predicted, self.reference = found[0][:, real], targets[0][:, real]
        self.outputs = surrogate.outputs

    def certificate(self) -> Certificate:
        """Bound on the error; of kind ``"none"``, with the reason, where none is known."""
        mesh, reason = certifiable(self._source)
        if mesh is None:
            return Certificate.nothing("fem", reason.removeprefix("no certificate: "))
        problems, reason = mesh_problems(self._source, [self._index], mesh)
        if not problems:
            return Certificate.nothing("fem", reason)
        return certify_on_mesh(problems[0], self._field(mesh), mesh)

    def _field(self, mesh: UnstructuredMesh) -> Any:
        from meshes.field import Field

        return Field(mesh, self.predicted, self.outputs)


def _row(source: Any, index: int) -> int:
    """Place of a sample among the usable ones."""
    numbers = list(source.valid_indices)
    if index not in numbers:
        raise InputError(
            f"sample {index} is not among the {len(numbers)} usable samples of '{source.path}'"
        )
    return numbers.index(index)
