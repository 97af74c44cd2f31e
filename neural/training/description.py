"""What a checkpoint says about the data it was trained on, and comparing it with other data."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from meshes.errors import InputError
from neural.models.registry import describe_model
from neural.training.checkpoints import FORMAT_VERSION
from neural.training.compatibility import distribution_of
from neural.training.samples import plain
from operators.failures import CheckpointError

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
DESCRIBED = ("family", "data", "shape", "units", "lower", "upper", "periodic", "location")


def check_precision(precision: str) -> None:
    """Refuse a trainer's precision that models cannot work in.

    Raises
    ------
    InputError
        If parameters would have half precision.

    Examples
    --------
    >>> check_precision("bf16-mixed")
    """
    if precision not in PRECISIONS:
        raise InputError(
            f"precision '{precision}' is not supported: complex Fourier weights "
            f"need one of {', '.join(PRECISIONS)}"
        )


def describe_data(info: Any, dataset: Any, **more: Any) -> dict[str, Any]:
    """Where training data come from, as plain values.

    Parameters
    ----------
    info
        What their first file says about itself.
    dataset
        The training split: its files are ``sources``.
    more
        Further entries of ``data``.
    """
    return plain(
        {
            "family": info.family,
            "shape": info.shape,
            "units": info.units,
            "lower": info.lower,
            "upper": info.upper,
            "periodic": info.periodic,
            "location": info.location,
            "data": {
                "sha256": [source.info.sha256 for source in dataset.sources],
                "seed": info.seed,
                "split": info.split,
                "num_train": len(dataset),
                "times": info.times,
                "family": info.settings.get("family", {}),
                "distribution": distribution_of(info),
                **more,
            },
        }
    )


def describe_training(model: nn.Module, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The model, how it was trained, and with which versions."""
    return {
        "format_version": FORMAT_VERSION,
        "model": describe_model(model),
        "settings": dict(settings),
        "num_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "versions": {"torch": torch.__version__, "lightning": version("pytorch-lightning")},
    }


def check_described(info: Any, described: Mapping[str, Any]) -> None:
    """Check that a file is of the kind trained on.

    Raises
    ------
    InputError
        If family, units or box differ.
    """
    here = plain({key: getattr(info, key) for key in ("family", "units", "lower", "upper")})
    for key, value in here.items():
        if key in described and described[key] != value:
            raise InputError(
                f"'{info.path}' has {key} {value}, the model was trained with {described[key]}"
            )


def check_stored(
    stored: Mapping[str, Any], own: Mapping[str, Any], described: Mapping[str, Any]
) -> None:
    """Check that a checkpoint is of this model and these training data.

    Parameters
    ----------
    stored
        What the checkpoint says.
    own
        What must be equal in it.
    described
        This run's training data; empty where there are none.

    Raises
    ------
    CheckpointError
        If something differs.
    """
    for key, value in plain(own).items():
        if stored[key] != value:
            raise CheckpointError(
                f"the checkpoint's {key} is not the one asked for: {stored[key]} there, "
                f"{value} here. Use the configuration that it was trained with"
            )
    trained_on, here = stored["data"]["sha256"], described.get("data", {}).get("sha256")
    if here is not None and here != trained_on:
        raise CheckpointError(
            "the checkpoint was trained, and its normalisers fitted, on other data than "
            f"this run's training files (SHA-256 {trained_on} there, {here} here); resume "
            "with the same files, or train anew"
        )
