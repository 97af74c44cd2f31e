"""The names of neural models."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from meshes.errors import InputError, suggest

MODELS: dict[str, str] = {
    "space-time-fno": "neural.models.space_time_fno:SpaceTimeFNO",
    "deeponet": "neural.models.deeponet:DeepONet",
    "fno": "neural.models.fno:FNO",
    "lsm": "neural.models.lsm:LatentSpectralModel",
    "lsm-points": "neural.models.point_lsm:PointLatentSpectralModel",
    "message-passing": "neural.models.message_passing:MessagePassingNetwork",
    "on-mesh": "neural.models.on_mesh:OnMesh",
    "transolver": "neural.models.transolver:Transolver",
    "factorized-fno": "neural.models.factorized_fno:FactorizedFNO",
    "unet": "neural.models.unet:UNet",
}


def get_model(name: str) -> type[nn.Module]:
    """The class of a model.

    Parameters
    ----------
    name
        A name of :data:`MODELS`.

    Raises
    ------
    InputError
        If there is no such model; the text lists those that exist.

    Examples
    --------
    >>> get_model("fno").__name__
    'FNO'
    """
    if name not in MODELS:
        raise InputError(f"there is no model '{name}'. {suggest(name, MODELS)}")
    module, _, attribute = MODELS[name].partition(":")
    found: type[nn.Module] = getattr(importlib.import_module(module), attribute)
    return found


def build_model(name: str, options: Mapping[str, Any]) -> nn.Module:
    """A model with new weights.

    Parameters
    ----------
    name
        A name of :data:`MODELS`.
    options
        Arguments of the class.

    Raises
    ------
    InputError
        If the model, or one of the options, does not exist, or a needed one is missing.

    Examples
    --------
    >>> model = build_model("fno", {"in_channels": 1, "out_channels": 1, "modes": [4], "width": 8})
    >>> model.dimension
    1
    """
    factory = get_model(name)
    known = [key for key in inspect.signature(factory).parameters if key != "self"]
    for key in options:
        if key not in known:
            raise InputError(f"model '{name}' has no option '{key}'. {suggest(key, known)}")
    try:
        return factory(**options)
    except TypeError as error:
        raise InputError(f"model '{name}' cannot be made: {error}") from error


def describe_model(model: nn.Module) -> dict[str, Any]:
    """Name and options that :func:`build_model` makes an equal model from, as plain values.

    Raises
    ------
    InputError
        If the class is not registered.

    Examples
    --------
    >>> model = build_model("fno", {"in_channels": 1, "out_channels": 1, "modes": [4], "width": 8})
    >>> describe_model(model)["options"]["modes"]
    [4]
    """
    home = f"{type(model).__module__}:{type(model).__qualname__}"
    names = [name for name, place in MODELS.items() if place == home]
    options = getattr(model, "options", None)
    if not names or not isinstance(options, Mapping):
        raise InputError(
            f"a {type(model).__name__} is not in the registry, so a checkpoint could not name it: "
            "add the class to neural.models.registry.MODELS and keep its arguments in `options`"
        )
    return {"name": names[0], "options": dict(options)}
