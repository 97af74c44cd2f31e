"""The deep operator network: products of functions of the input and functions of the point."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.models.fields import (
    ACTIVATIONS,
    Coordinates,
    check_choice,
    check_fields,
    grid_coordinates,
    space_dimension,
)
from neural.models.spectral_convolution import positive_integer
from neural.models.unet import CONVOLUTIONS

_BRANCHES = ("convolution", "linear")
_COARSEST = 4  # points an axis that the convolutions of the branch end with


class DeepONet(nn.Module):
    r"""Deep operator network from fields on uniform grids to values at any points.

    .. math:: u_c(y) = \beta_c + \sum_{k=1}^{p} b_{ck}(a)\, t_{ck}(y)

    for output channel c: the branch b is a network of the values of the input at sensors, the
    trunk t one of the coordinates y. The sensors are the points of a fixed uniform grid, which the
    input is resampled to: by linear interpolation from coarser grids, and by averages with
    a hat function of the sensors' spacing from finer ones. So the input may come on a
    grid of any size, though details finer than the sensors are lost.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output; each output has p products of its own.
    latent
        p.
    width
        Channels of the first convolution of the branch, and an eighth of the width of the
        trunk.
    num_layers
        Hidden layers of the trunk.
    sensors
        Sensors along each axis (one number, or one an axis).
    dimension
        Number of space axes.
    branch
        ``"convolution"``: convolutions that halve the grid until 4 points an axis are left,
        and two affine maps; ``"linear"``: one affine map of the sensor values, for operators that
        are linear.
    num_frequencies
        The trunk sees cos(πky) and sin(πky) of each coordinate y for k = 1 ... this number, and y
        itself.
    activation
        ``"gelu"`` or ``"relu"``.
    coordinates
        As in :class:`neural.models.fno.FNO`.

    Raises
    ------
    InputError
        If a size is not a positive integer, an option is unknown, or (when applied) the
        input has other channels or another dimension, or points are not in the unit box.

    References
    ----------
    L. Lu, P. Jin, G. Pang, Z. Zhang, G. E. Karniadakis (2021), Learning nonlinear operators via
    DeepONet based on the universal approximation theorem of operators, Nature Machine
    Intelligence 3, doi:10.1038/s42256-021-00302-5.

    Examples
    --------
    >>> model = DeepONet(1, 2, latent=16, width=4, sensors=16)
    >>> model(torch.ones(3, 1, 43, 44)).shape
    torch.Size([3, 2, 43, 44])
    >>> model(torch.ones(3, 1, 43, 44), points=torch.rand(100, 2)).shape
    torch.Size([3, 2, 100])
    """

    resolution_invariant = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        latent: int = 128,
        width: int = 32,
        num_layers: int = 4,
        sensors: int | Sequence[int] = 64,
        dimension: int = 2,
        branch: Literal["convolution", "linear"] = "convolution",
        num_frequencies: int = 8,
        activation: Literal["gelu", "relu"] = "gelu",
        coordinates: Coordinates = "cell",
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.latent = positive_integer("latent", latent)
        width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        self.dimension = space_dimension(dimension)
        self.num_frequencies = (
            0 if num_frequencies == 0 else positive_integer("num_frequencies", num_frequencies)
        )
        check_choice("branch", branch, _BRANCHES)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("coordinates", coordinates)
        self.coordinates = coordinates
        self.sensors = _sensor_counts(sensors, self.dimension)
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "latent": self.latent,
            "width": width,
            "num_layers": num_layers,
            "sensors": list(self.sensors),
            "dimension": self.dimension,
            "branch": branch,
            "num_frequencies": self.num_frequencies,
            "activation": activation,
            "coordinates": coordinates,
        }
        functions = self.out_channels * self.latent
        activate = {"gelu": nn.GELU, "relu": nn.ReLU}[activation]
        self.branch = (
            self._convolutions(width, functions, activate)
            if branch == "convolution"
            else nn.Sequential(
                nn.Flatten(), nn.Linear(self.in_channels * math.prod(self.sensors), functions)
            )
        )
        layers: list[nn.Module] = []
        size = self.dimension * (1 + 2 * self.num_frequencies)
        for _ in range(num_layers):
            layers += [nn.Linear(size, 8 * width), activate()]
            size = 8 * width
        self.trunk = nn.Sequential(*layers, nn.Linear(size, functions))
        self.bias = nn.Parameter(torch.zeros(self.out_channels))

    def _convolutions(self, width: int, functions: int, activate: type[nn.Module]) -> nn.Sequential:
        layers: list[nn.Module] = []
        channels, sizes = self.in_channels, self.sensors
        while max(sizes) > _COARSEST:
            wider = width if not layers else min(2 * channels, 4 * width)
            kind = CONVOLUTIONS[self.dimension - 1]
            layers += [kind(channels, wider, 3, stride=2, padding=1), activate()]
            channels, sizes = wider, tuple((size + 1) // 2 for size in sizes)
        layers += [nn.Flatten(), nn.Linear(channels * math.prod(sizes), 8 * width), activate()]
        return nn.Sequential(*layers, nn.Linear(8 * width, functions))

    def forward(self, inputs: Tensor, points: Tensor | None = None) -> Tensor:
        """Apply the operator.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, *space)``.
        points
            Where to give the output, in units of the box, each coordinate in [0, 1]: shape
            ``(num_points, dimension)``, or ``(batch, num_points, dimension)`` for other points
            for every sample. The points of the input's grid when left out.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, num_points)``, or ``(batch, out_channels, *space)``.
        """
        check_fields(inputs, self.in_channels, self.dimension)
        batch, space = inputs.shape[0], inputs.shape[2:]
        if points is None:
            places = grid_coordinates(space, self.coordinates, inputs).flatten(0, -2)
        else:
            places = self._checked(points, batch).to(inputs)
        shape = (self.out_channels, self.latent)
        of_input = self.branch(self._at_sensors(inputs)).unflatten(-1, shape)
        of_points = self.trunk(self._features(places)).unflatten(-1, shape)
        equation = "bck,nck->bcn" if places.ndim == 2 else "bck,bnck->bcn"
        values = torch.einsum(equation, of_input, of_points) + self.bias[:, None]
        return values if points is not None else values.unflatten(-1, space)

    def _at_sensors(self, inputs: Tensor) -> Tensor:
        """Values at the sensors, ``(batch, in_channels, *sensors)``."""
        with torch.autocast(inputs.device.type, enabled=False):
            values = inputs
            for axis, count in enumerate(self.sensors):
                size = inputs.shape[axis + 2]
                if size != count:
                    matrix = _resampling(size, count, self.coordinates, inputs.dtype, inputs.device)
                    values = torch.tensordot(values, matrix, dims=([axis + 2], [1]))
                    values = values.movedim(-1, axis + 2)
        return values

    def _features(self, places: Tensor) -> Tensor:
        """Coordinates and their sines and cosines."""
        if not self.num_frequencies:
            return places
        frequencies = torch.arange(1, self.num_frequencies + 1).to(places)
        angles = (math.pi * places.unsqueeze(-1) * frequencies).flatten(-2)
        return torch.cat([places, angles.sin(), angles.cos()], -1)

    def _checked(self, points: Tensor, batch: int) -> Tensor:
        single = points.ndim == 2
        if points.shape[-1] != self.dimension or not (
            single or (points.ndim == 3 and points.shape[0] == batch)
        ):
            raise InputError(
                f"points of shape {tuple(points.shape)} do not fit this model: give (num_points, "
                f"{self.dimension}), or ({batch}, num_points, {self.dimension}) for this batch"
            )
        if not bool(((points >= -1e-6) & (points <= 1 + 1e-6)).all()):
            raise InputError(
                "points must lie in the unit box, each coordinate between 0 and 1: subtract the "
                "lower corner of the domain and divide by its sides"
            )
        return points


def _sensor_counts(sensors: int | Sequence[int], dimension: int) -> tuple[int, ...]:
    given = (sensors,) * dimension if isinstance(sensors, int) else tuple(sensors)
    if len(given) != dimension:
        raise InputError(f"sensors={sensors!r} must be one number or {dimension}, one an axis")
    return tuple(positive_integer(f"sensors[{axis}]", count) for axis, count in enumerate(given))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _resampling(
    size: int, count: int, coordinates: str, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """What :func:`_made_resampling` gives; a constant of the grid for ``torch.compile``."""
    return _made_resampling(size, count, coordinates, dtype, device)


@functools.lru_cache(maxsize=256)
def _made_resampling(
    size: int, count: int, coordinates: str, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Matrix ``(count, size)`` from values on one grid to values on another."""
    like = torch.zeros(1, dtype=torch.float64)
    given = grid_coordinates((size,), coordinates, like)[:, 0].numpy()
    wanted = grid_coordinates((count,), coordinates, like)[:, 0].numpy()
    closed = 0 if coordinates == "cell" else 1
    spacing = 1.0 / max(min(size, count) - closed, 1)  # the larger of both
    weights = np.maximum(0.0, 1.0 - np.abs(wanted[:, None] - given) / spacing)
    weights /= weights.sum(1, keepdims=True)
    # tensors made under inference_mode could not be used in a later training step
    with torch.inference_mode(False):
        return torch.as_tensor(weights, dtype=dtype, device=device)
