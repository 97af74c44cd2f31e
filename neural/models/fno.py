"""The Fourier neural operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from neural.models.factorized_convolution import Factorization, Rank, make_convolution
from neural.models.fields import (
    ACTIVATIONS,
    Coordinates,
    check_choice,
    check_fields,
    with_coordinates,
)
from neural.models.spectral_convolution import mode_counts, positive_integer

_BLOCK = 2**20  # numbers in one block of the wide projection


class FNO(nn.Module):
    r"""Fourier neural operator on uniform grids in 1D, 2D or 3D.

    .. math::
        v_0 = P [a, x], \qquad v_{l+1} = \sigma(K_l v_l + W_l v_l + b_l), \qquad
        u = Q_2\, \sigma(Q_1 v_L)

    with pointwise affine maps P, W, Q and spectral convolutions K; the last layer has no
    σ. The defaults are today's recipe: GELU and a zero-padded domain, so that problems
    that are not periodic fit the periodic basis. ``activation="relu",
    normalization="batch", padding=0`` is the recipe of the published tables, which is
    less accurate.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    modes
        Number m per axis: frequencies -m ... m - 1 are kept, and 0 ... m - 1 on the last
        axis. The length is the dimension.
    width
        Channels of the hidden fields.
    num_layers
        Number of layers L.
    projection_width
        Channels between the two maps Q.
    activation
        σ, ``"gelu"`` or ``"relu"``.
    normalization
        ``"none"``, or ``"batch"`` for batch normalisation of K v + W v + b.
    padding
        Length added at the upper end of each axis, as a fraction of the side (one number,
        or one an axis; 0 on periodic axes). A grid of n values becomes n + round(padding
        · n). It is a fraction, not a number of cells: the padded box is the same at every
        resolution where padding · n is a whole number (such as 0.125 for multiples of 8), and
        differs by up to half a spacing elsewhere, which limits the transfer.
    append_coordinates
        Whether the coordinates of the grid, scaled to [0, 1], are extra input channels.
    coordinates
        ``"cell"``: value i of n sits at (i + 1/2)/n; ``"vertex"``: at i/(n - 1), both ends
        included. Use the kind of the training grid: then a grid of another resolution gets
        coordinates of the same points.
    factorization, rank
        How the weights of K are kept, see
        :func:`neural.models.factorized_convolution.make_convolution`: ``"dense"``, a matrix a
        mode; ``"axes"``, a sum of convolutions along single axes; ``"tucker"`` and
        ``"cp"``, low-rank tensors of the given rank (as a float, the part of the dense
        parameters to have at most).

    Attributes
    ----------
    options
        The arguments as plain values, from which an equal model can be made.

    Raises
    ------
    InputError
        If a size is not a positive integer, an option is unknown, or (when applied) the
        input has other channels or another dimension, or too few points for the modes.

    References
    ----------
    Z. Li, N. Kovachki, K. Azizzadenesheli, B. Liu, K. Bhattacharya, A. Stuart,
    A. Anandkumar (2021), Fourier neural operator for parametric partial differential
    equations, ICLR, doi:10.48550/arXiv.2010.08895.

    Examples
    --------
    >>> model = FNO(1, 1, modes=(12, 12), width=32)
    >>> sum(parameter.numel() for parameter in model.parameters())
    2368001
    >>> model(torch.ones(2, 1, 43, 43)).shape
    torch.Size([2, 1, 43, 43])
    """

    resolution_invariant = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int] = (12, 12),
        width: int = 32,
        num_layers: int = 4,
        projection_width: int = 128,
        activation: Literal["gelu", "relu"] = "gelu",
        normalization: Literal["none", "batch"] = "none",
        padding: float | Sequence[float] = 0.1,
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
        factorization: Factorization = "dense",
        rank: Rank | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        projection_width = positive_integer("projection_width", projection_width)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("normalization", normalization, ("none", "batch"))
        check_choice("coordinates", coordinates)
        self.padding = padding_fractions(padding, len(self.modes))
        self.activation = activation
        self.append_coordinates = append_coordinates
        self.coordinates = coordinates

        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "modes": list(self.modes),
            "width": width,
            "num_layers": num_layers,
            "projection_width": projection_width,
            "activation": activation,
            "normalization": normalization,
            "padding": list(self.padding),
            "append_coordinates": append_coordinates,
            "coordinates": coordinates,
        }
        if factorization != "dense":  # checkpoints of dense models name neither
            self.options["factorization"] = factorization
            if rank is not None:
                self.options["rank"] = list(rank) if isinstance(rank, Sequence) else rank
        lifted = self.in_channels + (len(self.modes) if append_coordinates else 0)
        self.lift = nn.Linear(lifted, width)
        self.convolutions = nn.ModuleList(
            make_convolution(width, width, self.modes, factorization, rank)
            for _ in range(num_layers)
        )
        self.pointwise = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width) for _ in range(num_layers if normalization == "batch" else 0)
        )
        self.hidden = nn.Linear(width, projection_width)
        self.output = nn.Linear(projection_width, self.out_channels)

    @property
    def dimension(self) -> int:
        """Number of space axes."""
        return len(self.modes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the operator.

        Parameters
        ----------
        inputs
            Shape ``(batch, in_channels, *space)``.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space)``.
        """
        check_fields(inputs, self.in_channels, self.dimension)
        space = inputs.shape[2:]
        # channels last, so that every pointwise map is one matrix product
        values = with_coordinates(inputs, self.coordinates if self.append_coordinates else None)
        values = padded(self.lift(values), self.padding)
        activate = ACTIVATIONS[self.activation]
        for layer, convolution in enumerate(self.convolutions):
            values = convolution(values, plus=self.pointwise[layer](values))
            if self.norms:
                values = self.norms[layer](values.flatten(0, -2)).view(values.shape)
            if layer < len(self.convolutions) - 1:
                values = activate(values)
        return project(cropped(values, space), self.hidden, self.output, activate).movedim(-1, 1)


def project(
    values: Tensor, hidden: nn.Module, output: nn.Module, activate: Callable[[Tensor], Tensor]
) -> Tensor:
    """Two affine maps with an activation between, output(σ(hidden(v))), at every point.

    The channels of v come last.

    Examples
    --------
    >>> project(torch.ones(2, 9, 4), nn.Linear(4, 8), nn.Linear(8, 1), torch.relu).shape
    torch.Size([2, 9, 1])
    """
    parts = [values]
    if values.device.type == "cpu":
        # Blocks this small are reused by the allocator, larger ones are fetched from the
        # system and cleared at every step, which takes longer than the arithmetic.
        per_sample = math.prod(values.shape[1:-1]) * next(hidden.parameters()).shape[0]
        parts = list(values.split(max(1, _BLOCK // per_sample)))
    results = [output(activate(hidden(part))) for part in parts]
    return torch.cat(results) if len(results) > 1 else results[0]


def padded(values: Tensor, fractions: Sequence[float]) -> Tensor:
    """A field with zeros beyond the upper end of each axis; channels come last.

    Examples
    --------
    >>> padded(torch.ones(2, 16, 15, 3), (0.25, 0.0)).shape
    torch.Size([2, 20, 15, 3])
    """
    sizes = values.shape[1:-1]
    extra = [round(part * size) for part, size in zip(fractions, sizes, strict=True)]
    if not any(extra):
        return values
    return functional.pad(values, [0, 0, *(n for e in extra[::-1] for n in (0, e))])


def cropped(values: Tensor, space: Sequence[int]) -> Tensor:
    """The part of a field that :func:`padded` was given, on `space` points.

    Examples
    --------
    >>> cropped(torch.ones(2, 20, 15, 3), (16, 15)).shape
    torch.Size([2, 16, 15, 3])
    """
    for axis, size in enumerate(space):
        values = values.narrow(axis + 1, 0, size)
    return values


def padding_fractions(padding: float | Sequence[float], dimension: int) -> tuple[float, ...]:
    """Fractions of the side added to each axis.

    Raises
    ------
    InputError
        If one is not between 0 and 1, or their number is not that of the axes.

    Examples
    --------
    >>> padding_fractions(0.1, 2)
    (0.1, 0.1)
    """
    given = (padding,) * dimension if isinstance(padding, int | float) else tuple(padding)
    if len(given) != dimension:
        raise InputError(f"padding={padding!r} must be one number or {dimension}, one an axis")
    if not all(isinstance(part, int | float) and 0 <= part <= 1 for part in given) or any(
        not math.isfinite(part) for part in given
    ):
        raise InputError(
            f"padding={padding!r} must lie between 0 and 1: it is a fraction of the side"
        )
    return tuple(float(part) for part in given)
