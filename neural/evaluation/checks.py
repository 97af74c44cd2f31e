"""What is said of a data set before a model is measured on it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from neural.trained_family import trained_family
from neural.training.compatibility import distribution_of
from neural.training.samples import plain
from operators.failures import SurrogateWarning


def grid_of(info: Any) -> StructuredGrid:
    """Where the values of a file sit."""
    return StructuredGrid(info.shape, info.lower, info.upper, info.periodic, info.location)


def check_steady(surrogate: Any, source: Any) -> None:
    """Refuse a file of fields that does not fit a surrogate.

    Raises
    ------
    InputError
        If family, channels, units or, on points, the box differ, or there is no sample.
    CheckpointError
        If the grid is not of the kind trained on.
    """
    info, described = source.info, surrogate.metadata
    expected = {key: described[key] for key in ("inputs", "outputs") if key in described}
    if info.family in surrogate.families:
        member = trained_family(described, info.family, "the file is of")
        expected = {"family": info.family, **expected}
        if "units" in described:
            expected["units"] = dict(member.units)
    else:
        expected = {"family": " or ".join(surrogate.families), **expected}
    here = plain({key: getattr(info, key) for key in expected})
    for key, value in expected.items():
        if here[key] != value:
            raise InputError(
                f"'{info.path}' has {key} {here[key]}, the surrogate was trained with {value}"
            )
    if described["location"] in ("cell", "vertex") or info.location in ("cell", "vertex"):
        surrogate.check_grid(grid_of(info), info.family)
    elif [list(info.lower), list(info.upper)] != [described["lower"], described["upper"]]:
        raise InputError(
            f"'{info.path}' has a box from {list(info.lower)} to {list(info.upper)}, the surrogate "
            f"was trained with {described['lower']} to {described['upper']}"
        )
    options = info.settings.get("family", {}).get("options", {})
    _warn_of_options(info, surrogate.other_options(options, info.family))
    warn_of_data(info, described, len(source.valid_indices))


def check_trajectories(surrogate: Any, source: Any, time_step: float) -> None:
    """Refuse a file of trajectories that does not fit a surrogate.

    Raises
    ------
    CheckpointError
        If family, channels, units, grid or time step differ.
    InputError
        If there is no sample.
    """
    info = source.info
    surrogate.check(info, time_step)
    member = trained_family(surrogate.metadata, info.family, "the file is of")
    # the frames say when they are; how long trajectories go on is no part of the equation
    options = info.settings.get("family", {}).get("options", {})
    _warn_of_options(info, member.differing(options, ("final_time", "num_times")))
    warn_of_data(info, surrogate.metadata, len(source.valid_indices))


def warn_of_data(info: Any, described: Mapping[str, Any], count: int) -> None:
    """Warn of training data and of other distributions; refuse empty files."""
    trained = described["data"]
    distributions = (distribution_of(info), str(trained.get("distribution", "")))
    if distributions[0] != distributions[1]:
        said, trained_on = (text or "drawn from the family" for text in distributions)
        _warn(
            f"'{info.path}' and the training data follow different distributions: {said}; and "
            f"{trained_on}"
        )
    if count == 0:
        raise InputError(f"'{info.path}' holds no usable sample")
    same_stream = info.seed is not None and (info.seed, info.split) == (
        trained.get("seed"),
        trained.get("split"),
    )
    if same_stream or info.sha256 in trained["sha256"]:
        _warn(
            f"'{info.path}' holds training data (seed {info.seed}, split '{info.split}'): these "
            "errors say nothing about new problems"
        )


def _warn_of_options(info: Any, differing: str) -> None:
    if differing:
        _warn(f"'{info.path}': {differing}: the predictions are extrapolations")


def _warn(message: str) -> None:
    warnings.warn(message, SurrogateWarning, stacklevel=6)
