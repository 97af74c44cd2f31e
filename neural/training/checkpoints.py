"""What a checkpoint says about the model in it, and reading checkpoints safely."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from meshes.errors import InputError
from operators.failures import CheckpointError

KEY = "pdesolve"
FORMAT_VERSION = 1
_ALWAYS = ("family", "model", "lower", "upper", "location", "shape", "data")
NEEDED = {
    "steady": (
        *_ALWAYS,
        "inputs",
        "outputs",
        "input_normalizer",
        "output_normalizer",
        "parameter_ranges",
    ),
    "trajectory": (*_ALWAYS, "state", "static", "predictor", "state_ranges", "time_step"),
}
_LOADED_BY = {"steady": "neural.Surrogate", "trajectory": "neural.TrajectorySurrogate"}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    dict
        Its content: tensors and plain values.

    Raises
    ------
    InputError
        If there is no such file.
    CheckpointError
        If it is damaged, holds pickled objects, was not written by this project, or has a
        newer format.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no checkpoint '{file}'")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"'{file}' is not a checkpoint of tensors and plain values, and is not read: loading "
            "pickled objects would run their code. Train again, or save a state_dict"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"'{file}' is damaged or not a checkpoint: {str(error).splitlines()[0]}"
        ) from error
    metadata_of(content, file, "any")
    checked: dict[str, Any] = content
    return checked


def metadata_of(content: Any, path: str | Path, kind: str = "steady") -> dict[str, Any]:
    """The part that describes the model, checked.

    Parameters
    ----------
    content
        Of a checkpoint.
    path
        Where it comes from, for messages.
    kind
        ``"steady"``, ``"trajectory"``, or ``"any"`` of them.

    Raises
    ------
    CheckpointError
        If it is missing, incomplete, of a newer format, or of another kind.
    """
    metadata = content.get(KEY) if isinstance(content, Mapping) else None
    if not isinstance(metadata, Mapping) or "format_version" not in metadata:
        raise CheckpointError(
            f"'{path}' was not written by `pdesolve train`: it does not say what it was trained on"
        )
    version = metadata["format_version"]
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise CheckpointError(
            f"'{path}' has checkpoint format {version}; this release reads up to "
            f"{FORMAT_VERSION}. Install a newer release"
        )
    found = metadata.get("kind", "steady")
    if found not in NEEDED:
        raise CheckpointError(
            f"'{path}' holds a model of the kind '{found}'; this release knows "
            f"{', '.join(NEEDED)}. Install a newer release"
        )
    if kind not in (found, "any"):
        raise CheckpointError(
            f"'{path}' holds a model trained with task: {found}, here one of task: {kind} is "
            f"needed. Load it with {_LOADED_BY[found]}, and train, test or predict with the "
            "configuration that it was trained with"
        )
    missing = [key for key in NEEDED[found] if key not in metadata]
    if missing or not isinstance(content.get("state_dict"), Mapping):
        raise CheckpointError(f"'{path}' is incomplete: {', '.join(missing) or 'state_dict'}")
    return dict(metadata)


def check_weights(
    expected: Mapping[str, Any], weights: Mapping[str, Any], path: str | Path
) -> None:
    """Refuse missing, unexpected, misshapen and non-finite weights.

    Parameters
    ----------
    expected
        The module's own ``state_dict()``.
    weights
        What is to be loaded into it.
    path
        Where they come from, for messages.

    Raises
    ------
    CheckpointError
        If the weights do not fit.
    """
    missing = sorted(expected.keys() - weights.keys())
    unexpected = sorted(weights.keys() - expected.keys())
    wrong = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if missing or unexpected or wrong:
        parts = [
            f"{text}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
            for text, names in (
                ("missing", missing),
                ("unexpected", unexpected),
                ("wrong shape", wrong),
            )
            if names
        ]
        raise CheckpointError(
            f"the weights in '{path}' are not those of its model ({'; '.join(parts)})"
        )
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(f"weights in '{path}' are not finite: {', '.join(broken[:5])}")
