"""What an evaluation found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neural.evaluation.certified import CertifiedErrors

LABELS = {
    "relative_l2": "relative L2",
    "first_frame": "first frame",
    "mean_frame": "mean over frames",
    "last_frame": "last frame",
    "relative_mass": "relative L2 as an integral",
    "rmse": "RMSE",
    "nrmse": "nRMSE",
    "vrmse": "VRMSE",
    "relative_maximum": "relative maximum",
    "relative_h1": "relative H1",
    "relative_dual": "relative H-1",
    "relative_energy": "relative energy",
    "band_low": "low band",
    "band_middle": "middle band",
    "band_high": "high band",
}


@dataclass(frozen=True)
class DatasetErrors:
    """Errors and times on one data set.

    Parameters
    ----------
    path
        The file.
    shape
        Its resolution.
    num_samples
        Samples measured.
    zero_shot
        Whether the resolution is not the one trained on.
    mean, worst
        By metric name (see :data:`LABELS`): mean over samples, and the largest; RMSE in the
        unit of the field, the others relative.
    surrogate_seconds
        Wall-clock time of a prediction, per sample, in batches.
    solver_seconds
        Time of a default solve (assembly, set-up, iteration) of the same problem on one
        process; None where it was not measured.
    break_even
        Number of solves from which on training has paid: training time over the time saved
        by one prediction. None if unknown, infinite if a prediction is not faster.
    break_even_with_data
        The same with the time to generate the training data, estimated as one solve of
        this resolution for each training sample.
    remarks
        Why something is missing.
    octaves
        Relative error of the waves of each octave over all samples, see
        :func:`neural.evaluation.spectra.octave_errors`.
    certified
        Bounds that need no solution beside the true errors, where bounds are known.
    frames
        Mean relative L2 error of each predicted frame of rollouts.
    label
        Heading of the column; the resolution when left out.
    """

    path: Path
    shape: tuple[int, ...]
    num_samples: int
    zero_shot: bool
    mean: Mapping[str, float]
    worst: Mapping[str, float]
    surrogate_seconds: float
    solver_seconds: float | None = None
    break_even: float | None = None
    break_even_with_data: float | None = None
    remarks: tuple[str, ...] = ()
    octaves: Mapping[str, float] = field(default_factory=dict)
    certified: CertifiedErrors | None = None
    frames: tuple[float, ...] = ()
    label: str = ""

    @property
    def samples_per_second(self) -> float:
        """Predictions a second."""
        return 1.0 / self.surrogate_seconds


@dataclass(frozen=True)
class EvaluationReport:
    """A surrogate on one or more data sets.

    Parameters
    ----------
    checkpoint
        Where the surrogate came from.
    family, model
        Names of its family and model.
    trained_shape
        Resolution of its training data.
    num_parameters
        Real trained numbers.
    num_train
        Training samples.
    training_seconds
        Wall-clock time of training.
    datasets
        One entry a file.

    Examples
    --------
    >>> report = EvaluationReport("best.ckpt", "darcy2d", "fno", (43, 43), 2368001, 1000, 300.0, ())
    >>> report.to_dict()["family"]
    'darcy2d'
    """

    checkpoint: str
    family: str
    model: str
    trained_shape: tuple[int, ...]
    num_parameters: int
    num_train: int
    training_seconds: float
    datasets: tuple[DatasetErrors, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite numbers become texts."""
        values = _plain(dataclasses.asdict(self))
        assert isinstance(values, dict)  # noqa: S101
        for entry, errors in zip(values["datasets"], self.datasets, strict=True):
            entry["samples_per_second"] = errors.samples_per_second
        return values

    def rows(self) -> list[tuple[str, ...]]:
        """The table: a heading row, then one row a quantity, one column a data set."""
        shapes = [
            entry.label or " x ".join(str(size) for size in entry.shape) for entry in self.datasets
        ]
        heads = [
            f"{shape} (zero-shot)" if entry.zero_shot else shape
            for shape, entry in zip(shapes, self.datasets, strict=True)
        ]
        names = [name for name in LABELS if any(name in entry.mean for entry in self.datasets)]
        rows: list[tuple[str, ...]] = [("", *heads)]
        rows.append(("samples", *(str(entry.num_samples) for entry in self.datasets)))
        rows += [(LABELS[name], *(_error(name, e) for e in self.datasets)) for name in names]
        octaves = {octave for entry in self.datasets for octave in entry.octaves}
        rows += [
            (f"waves {octave}", *(_percent(e.octaves.get(octave)) for e in self.datasets))
            for octave in sorted(octaves, key=lambda octave: int(octave.partition("-")[0]))
        ]
        rows.append(
            ("worst relative L2", *(_percent(e.worst["relative_l2"]) for e in self.datasets))
        )
        certified = [entry.certified for entry in self.datasets]
        if any(certified):
            rows.append(("certified error, mean", *(_bound(item) for item in certified)))
            rows.append(("  bound over true error", *(_effectivity(item) for item in certified)))
        rows.append(("predictions / s", *(f"{e.samples_per_second:.0f}" for e in self.datasets)))
        rows.append(("default solve", *(_seconds(e.solver_seconds) for e in self.datasets)))
        rows.append(("break-even solves", *(_count(e.break_even) for e in self.datasets)))
        rows.append(
            ("  with training data", *(_count(e.break_even_with_data) for e in self.datasets))
        )
        return rows


def _bound(certified: CertifiedErrors | None) -> str:
    if certified is None:
        return "-"
    about = "about " if certified.kind == "estimate" else ""
    return about + _percent(certified.mean_bound)


def _effectivity(certified: CertifiedErrors | None) -> str:
    if certified is None:
        return "-"
    least, largest = certified.least_effectivity, certified.largest_effectivity
    return f"{least:.3g} to {largest:.3g}"


def _error(name: str, entry: DatasetErrors) -> str:
    if name not in entry.mean:
        return "-"
    return f"{entry.mean[name]:.3e}" if name == "rmse" else _percent(entry.mean[name])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{1000 * value:.3g} ms"


def _count(value: float | None) -> str:
    if value is None:
        return "-"
    return "never" if math.isinf(value) else f"{math.ceil(value)}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
