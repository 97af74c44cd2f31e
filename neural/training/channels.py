"""Models whose channels follow from the names of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from meshes.errors import InputError
from neural.models.registry import build_model, describe_model, get_model


def channel_names(what: str, given: Sequence[str], least: int = 1) -> tuple[str, ...]:
    """A list of different names, checked.

    Raises
    ------
    InputError
        If it is a text, too short, or a name stands twice.

    Examples
    --------
    >>> channel_names("inputs", ["coefficient"])
    ('coefficient',)
    """
    if isinstance(given, str) or len(given) < least or len(set(given)) != len(given):
        raise InputError(
            f"{what}={given!r} must be a list of different names"
            + (", at least one" if least else "")
        )
    return tuple(given)


def kind_of_model(given: nn.Module | Mapping[str, Any]) -> Any:
    """The class of a model, or the model itself.

    Raises
    ------
    InputError
        If a mapping does not name a registered model.

    Examples
    --------
    >>> kind_of_model({"name": "fno", "modes": [4]}).__name__
    'FNO'
    """
    if isinstance(given, nn.Module):
        return given
    if "name" not in given:
        raise InputError(f"model={dict(given)} needs a 'name', such as 'fno'")
    return get_model(given["name"])


def model_with_channels(
    given: nn.Module | Mapping[str, Any], num_inputs: int, num_outputs: int, reason: str
) -> nn.Module:
    """A model with so many channels.

    Parameters
    ----------
    given
        The model, or ``{"name": ..., **options}``.
    num_inputs, num_outputs
        Channels that it must have; filled in where the options leave them out.
    reason
        Where these numbers come from, for the message, after "2 ".

    Raises
    ------
    InputError
        If its channels differ, it is unknown, or an option is.

    Examples
    --------
    >>> model = model_with_channels({"name": "fno", "modes": [4]}, 2, 1, "channels are named")
    >>> model.in_channels, model.out_channels
    (2, 1)
    """
    kind_of_model(given)
    channels = {"in_channels": num_inputs, "out_channels": num_outputs}
    if isinstance(given, nn.Module):
        model = given
    else:
        options = {key: value for key, value in given.items() if key != "name"}
        model = build_model(given["name"], {**channels, **options})
    described = describe_model(model)["options"]
    for key, count in channels.items():
        if described.get(key, count) != count:
            raise InputError(f"the model has {key}={described[key]}, but {count} {reason}")
    return model
