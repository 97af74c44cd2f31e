"""Measuring a surrogate on data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from meshes.structured import FloatArray
from neural.evaluation import metrics
from neural.evaluation.certified import certified_errors
from neural.evaluation.checks import check_steady, grid_of
from neural.evaluation.points import measure_points, timed_predictions
from neural.evaluation.problems import problems_of, solved_by_another, solved_finer, zero_sides_of
from neural.evaluation.report import DatasetErrors, EvaluationReport
from neural.evaluation.rollouts import measure_rollouts, windows_of
from neural.evaluation.solver_times import break_even, default_solve_seconds
from neural.evaluation.spectra import octave_errors, relative_sobolev
from neural.models.spectral_convolution import positive_integer
from neural.restoring import load_surrogate
from neural.surrogate import Surrogate
from neural.trained_family import trained_family
from neural.training.layouts import open_samples
from neural.training.scalar_channels import ScalarChannels
from neural.trajectory_surrogate import TrajectorySurrogate


def evaluate(
    checkpoint: str | Path | Surrogate | TrajectorySurrogate,
    data: Sequence[str | Path] | str | Path,
    *,
    batch_size: int = 20,
    num_timed_solves: int = 5,
    device: str = "cpu",
    num_frames: int | None = None,
) -> EvaluationReport:
    """Errors, speed and worth of a surrogate on one or more data sets.

    Parameters
    ----------
    checkpoint
        A checkpoint of any task, or a surrogate.
    data
        Data-set files of the family trained on; at other resolutions the error is the
        zero-shot error. For models on meshes, files of ``write_mesh_samples``.
    batch_size
        Samples predicted at a time.
    num_timed_solves
        Problems of each set that are also solved, to time the default solver; 0 for none.
    device
        Where predictions run.
    num_frames
        Frames of the rollouts of a model of trajectories; all that follow when left out.

    Returns
    -------
    EvaluationReport
        Means over samples. On grids: relative L2, RMSE, nRMSE, VRMSE, relative maximum,
        relative H1 and H-1, relative energy (where the family has a form on grids), and the
        error in three frequency bands; and the error of the waves in each octave. Of
        rollouts: relative L2 over all frames together, of the first and the last frame, and
        the mean over frames. On points: relative L2, RMSE, VRMSE, relative maximum, and on
        one mesh with cells relative L2 as an integral.

    Raises
    ------
    InputError
        If there is no data, or a file does not fit the surrogate.
    CheckpointError
        If the checkpoint cannot be read, or was trained on another box or kind of grid.

    Warns
    -----
    SurrogateWarning
        If a file was used for training, its family had other options there, or it follows
        another distribution.

    Examples
    --------
    >>> report = evaluate("best.ckpt", ["darcy_test.h5"])  # doctest: +SKIP
    >>> report.datasets[0].mean["relative_l2"]  # doctest: +SKIP
    0.0095
    """
    files = [data] if isinstance(data, str | Path) else list(data)
    if not files:
        raise InputError("no data set to evaluate on; give one or more files")
    positive_integer("batch_size", batch_size)
    if num_timed_solves < 0:
        raise InputError(f"num_timed_solves={num_timed_solves} must be at least 0")
    given = isinstance(checkpoint, Surrogate | TrajectorySurrogate)
    name = "surrogate" if given else str(checkpoint)
    surrogate: Any = checkpoint if given else load_surrogate(str(checkpoint), device=device)
    measured = [  # all are checked before the first is measured
        _prepared(surrogate, path, batch_size, num_timed_solves, num_frames) for path in files
    ]
    described = surrogate.metadata
    return EvaluationReport(
        checkpoint=name,
        family=surrogate.family,
        model=str(described["model"]["name"]),
        trained_shape=tuple(described["shape"]),
        num_parameters=int(described.get("num_parameters", 0)),
        num_train=int(described["data"].get("num_train", 0)),
        training_seconds=float(described.get("training_seconds", 0.0)),
        datasets=tuple(measure() for measure in measured),
    )


def _prepared(
    surrogate: Surrogate | TrajectorySurrogate,
    path: str | Path,
    batch_size: int,
    num_timed_solves: int,
    num_frames: int | None,
) -> Callable[[], DatasetErrors]:
    """Check a file, and give what measures it."""
    trained = surrogate.metadata["data"]
    reading = trained.get("reading", {})
    if isinstance(surrogate, TrajectorySurrogate):
        source: Any = open_samples(path, **reading)
        windows = windows_of(surrogate, source, num_frames)
        return partial(measure_rollouts, surrogate, windows, batch_size, num_timed_solves)
    if num_frames is not None:
        raise InputError(
            f"num_frames={num_frames} is for models of trajectories; this one maps fields to fields"
        )
    source = open_samples(path, output_time=int(trained.get("output_time", -1)), **reading)
    family = source.info.family
    labels = {}
    if family in surrogate.families:
        labels = dict(trained_family(surrogate.metadata, family, "the file is of").labels)
    if labels:
        source = ScalarChannels(source, (), labels)
    check_steady(surrogate, source)
    if source.info.location not in ("cell", "vertex"):
        return partial(measure_points, surrogate, source, batch_size)
    return partial(_measure, surrogate, source, batch_size, num_timed_solves, len(labels))


def _measure(
    surrogate: Surrogate, source: Any, batch_size: int, num_timed_solves: int, num_labels: int
) -> DatasetErrors:
    info, grid = source.info, grid_of(source.info)
    inputs, targets = source.read(source.valid_indices)
    predictions, seconds = timed_predictions(surrogate, inputs, batch_size)
    own = inputs[:, : inputs.shape[1] - num_labels]
    problems, remark = problems_of(info, source.valid_indices, own, grid)
    remarks = [remark] if remark else []
    zero_sides = zero_sides_of(problems[0], grid) if problems else ()
    found: dict[str, FloatArray] = {
        "relative_l2": metrics.relative_l2(predictions, targets),
        "rmse": metrics.root_mean_square_error(predictions, targets),
        "nrmse": metrics.normalized_error(predictions, targets),
        "vrmse": metrics.variance_scaled_error(predictions, targets),
        "relative_maximum": metrics.relative_maximum(predictions, targets),
        "relative_h1": metrics.relative_h1(predictions, targets, grid, zero_sides),
        "relative_dual": relative_sobolev(predictions, targets, grid, -1, zero_sides),
    }
    if problems and problems[0].has_stencil and targets.shape[1] == 1:
        found["relative_energy"] = metrics.relative_energy(
            predictions, targets, lambda index: problems[index].discretize(grid).stencil
        )
    certified, remark = None, solved_finer(info)
    if not remark:
        certified, remark = certified_errors(problems, predictions, targets, grid, info.outputs)
    remarks += [remark] if remark and problems else []
    other = solved_by_another(info, "grid") if certified else ""
    remarks += [other] if other else []
    bands = metrics.band_errors(predictions, targets, grid)
    found.update({f"band_{name}": values for name, values in bands.items()})

    until = None
    if info.num_times > 1:
        until = (info.times[0], info.times[source.output_time])
        remarks.append(f"outputs at t = {until[1]:g}, inputs at t = {until[0]:g}")
    solver, note = default_solve_seconds(problems[:num_timed_solves], grid, until)
    remarks += [note] if note else []
    training = float(surrogate.metadata.get("training_seconds", 0.0))
    num_train = int(surrogate.metadata["data"].get("num_train", 0))
    return DatasetErrors(
        path=Path(info.path),
        shape=tuple(info.shape),
        num_samples=len(targets),
        zero_shot=list(info.shape) != list(surrogate.metadata["shape"]),
        mean={name: float(values.mean()) for name, values in found.items()},
        worst={name: float(values.max()) for name, values in found.items()},
        surrogate_seconds=seconds,
        solver_seconds=solver,
        break_even=break_even(training, solver, seconds),
        break_even_with_data=break_even(training + num_train * (solver or 0.0), solver, seconds),
        remarks=tuple(remarks),
        octaves=octave_errors(predictions, targets, grid, zero_sides),
        certified=certified,
    )
