"""What all models do with fields on uniform grids: check them, and give points coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from meshes.errors import InputError, suggest
from neural.models.spectral_convolution import positive_integer

Coordinates = Literal["cell", "vertex"]
KINDS = ("cell", "vertex")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
}


def check_fields(inputs: Tensor, in_channels: int, dimension: int) -> None:
    """Refuse fields that are not of shape ``(batch, in_channels, *space)``.

    Parameters
    ----------
    inputs
        What a model is applied to.
    in_channels, dimension
        Its channels and space axes.

    Raises
    ------
    InputError
        If they have other channels or another dimension, are empty, or are no real numbers.

    Examples
    --------
    >>> check_fields(torch.ones(2, 1, 8, 8), in_channels=1, dimension=2)
    """
    if inputs.ndim != dimension + 2 or inputs.shape[1] != in_channels:
        axes = ", ".join(f"n{axis}" for axis in range(dimension))
        raise InputError(
            f"input of shape {tuple(inputs.shape)} does not fit this model: it takes "
            f"(batch, {in_channels}, {axes}). Give {in_channels} channel(s), and make a model for "
            "as many axes as the fields have (`modes`, or `dimension`)"
        )
    check_values(inputs)


def check_values(inputs: Tensor) -> None:
    """Refuse fields that are no real numbers, or none at all.

    Raises
    ------
    InputError
        If they are of a whole or complex type, or an axis is empty.

    Examples
    --------
    >>> check_values(torch.ones(2, 1, 8, 8))
    """
    if not inputs.is_floating_point():
        raise InputError(
            f"input of type {inputs.dtype} must be real: convert it to the type of the model's "
            "parameters, such as torch.float32"
        )
    if inputs.numel() == 0:
        raise InputError(
            f"input of shape {tuple(inputs.shape)} has no values: give at least one sample with "
            "at least one point along every axis"
        )


def check_choice(name: str, given: str, allowed: Iterable[str] = KINDS) -> None:
    """Refuse an unknown word for an option.

    Parameters
    ----------
    name, given
        Of the option, and the word.
    allowed
        The words that are known; the kinds of coordinates when left out.

    Raises
    ------
    InputError
        If it is none of them.

    Examples
    --------
    >>> check_choice("coordinates", "cell")
    """
    if given not in (known := tuple(allowed)):
        raise InputError(f"{name}={given!r} is unknown. {suggest(str(given), known)}")


def space_dimension(given: object) -> int:
    """The number of space axes given, if it is 1, 2 or 3.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> space_dimension(2)
    2
    """
    dimension = positive_integer("dimension", given)
    if dimension > 3:
        raise InputError(f"dimension={dimension} is not supported: it must be 1, 2 or 3")
    return dimension


def grid_coordinates(space: Sequence[int], coordinates: str, like: Tensor) -> Tensor:
    """Coordinates of the points of a uniform grid, scaled to the unit box.

    Parameters
    ----------
    space
        Points along each axis.
    coordinates
        ``"cell"``: value i of n sits at (i + 1/2)/n; ``"vertex"``: at i/(n - 1).
    like
        Gives type and device.

    Returns
    -------
    Tensor
        Shape ``(*space, dimension)``.

    Examples
    --------
    >>> grid_coordinates((4,), "cell", torch.zeros(1))[:, 0]
    tensor([0.1250, 0.3750, 0.6250, 0.8750])
    """
    shift, closed = (0.5, 0) if coordinates == "cell" else (0.0, 1)
    # half precision does not count as far as an axis is long
    counting = torch.promote_types(like.dtype, torch.float32)
    axes = [
        (torch.arange(size, dtype=counting, device=like.device) + shift) / max(size - closed, 1)
        for size in space
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).to(like.dtype)


def with_coordinates(inputs: Tensor, coordinates: str | None) -> Tensor:
    """Fields with channels last, and the coordinates of the grid as further channels.

    Parameters
    ----------
    inputs
        Shape ``(batch, channel, *space)``.
    coordinates
        Kind, as in :func:`grid_coordinates`; None adds none.

    Returns
    -------
    Tensor
        Shape ``(batch, *space, channel + dimension)``, or with as many channels as before.

    Examples
    --------
    >>> with_coordinates(torch.ones(2, 3, 8, 9), "cell").shape
    torch.Size([2, 8, 9, 5])
    """
    values = inputs.movedim(1, -1)
    if coordinates is None:
        return values
    points = grid_coordinates(inputs.shape[2:], coordinates, inputs)
    return torch.cat([values, points.expand(inputs.shape[0], *points.shape)], -1)
