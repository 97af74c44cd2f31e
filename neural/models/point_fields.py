"""What all models do with fields on points: check them."""

from __future__ import annotations

from torch import Tensor

from meshes.errors import InputError
from neural.models.fields import check_values


def check_points(
    inputs: Tensor, points: Tensor, in_channels: int, dimension: int, mask: Tensor | None = None
) -> Tensor:
    """Refuse fields, coordinates and masks that do not fit together.

    Parameters
    ----------
    inputs
        What a model is applied to, ``(batch, in_channels, num_points)``.
    points
        Coordinates, ``(num_points, dimension)`` or ``(batch, num_points, dimension)``.
    in_channels, dimension
        Of the model.
    mask
        ``(batch, num_points)``, or None.

    Returns
    -------
    Tensor
        The coordinates in the type and on the device of the inputs.

    Raises
    ------
    InputError
        If a shape or type is another, a mask holds other numbers than 0 and 1, or a
        sample's mask leaves no point.

    Examples
    --------
    >>> import torch
    >>> check_points(torch.ones(2, 1, 5), torch.ones(5, 2), in_channels=1, dimension=2).shape
    torch.Size([5, 2])
    """
    if inputs.ndim != 3 or inputs.shape[1] != in_channels:
        raise InputError(
            f"input of shape {tuple(inputs.shape)} does not fit this model: on points it takes "
            f"(batch, {in_channels}, num_points)"
        )
    check_values(inputs)
    batch, _, count = inputs.shape
    if tuple(points.shape) not in ((count, dimension), (batch, count, dimension)):
        raise InputError(
            f"points of shape {tuple(points.shape)} do not fit the input: they must have shape "
            f"({count}, {dimension}) or ({batch}, {count}, {dimension})"
        )
    if mask is not None:
        if tuple(mask.shape) != (batch, count):
            raise InputError(f"a mask of shape {tuple(mask.shape)} must be ({batch}, {count})")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise InputError("a mask must hold 1 where a point counts and 0 where it does not")
        if not bool((mask != 0).any(1).all()):
            raise InputError("the mask of a sample leaves no point; leave such samples out")
    return points.to(device=inputs.device, dtype=inputs.dtype)
