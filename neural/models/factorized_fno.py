"""The factorised Fourier neural operator: convolutions along single axes in residual layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from neural.models.factorized_convolution import AxisConvolution
from neural.models.fields import (
    ACTIVATIONS,
    Coordinates,
    check_choice,
    check_fields,
    with_coordinates,
)
from neural.models.fno import cropped, padded, padding_fractions, project
from neural.models.spectral_convolution import mode_counts, positive_integer


class FactorizedFNO(nn.Module):
    r"""Factorised Fourier neural operator on uniform grids in 1D, 2D or 3D.

    .. math::
        v_0 = P [a, x], \qquad
        v_{l+1} = v_l + W_l\, \sigma(V_l K_l v_l + c_l) + b_l, \qquad
        u = Q_2\, \sigma(Q_1 v_L)

    with spectral convolutions K that are sums over the axes
    (:class:`neural.models.factorized_convolution.AxisConvolution`) and pointwise affine maps P, V,
    W, Q. Each layer adds to its input, after K and a small network at every point, so that
    many layers can be trained. The layers can share one K.

    The published layers have an activation after W too, and theirs is the output of the last
    layer instead of the sum of all; here W is free to add and to subtract.

    Parameters
    ----------
    in_channels, out_channels
        Channels of input and output, coordinates not counted.
    modes
        Number m per axis: frequencies 0 ... m - 1 along it are kept. The length is the
        dimension.
    width
        Channels of the hidden fields.
    num_layers
        Number of layers L.
    expansion
        Channels between V and W, in multiples of the width.
    shared
        Whether all layers share the weights of K.
    projection_width, activation, padding, append_coordinates, coordinates
        As in :class:`neural.models.fno.FNO`.

    Raises
    ------
    InputError
        As :class:`neural.models.fno.FNO`.

    References
    ----------
    A. Tran, A. Mathews, L. Xie, C. S. Ong (2023), Factorized Fourier neural operators, ICLR,
    doi:10.48550/arXiv.2111.13802.

    Examples
    --------
    >>> import torch
    >>> model = FactorizedFNO(1, 1, modes=(12, 12), width=32)
    >>> sum(parameter.numel() for parameter in model.parameters())
    234497
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
        expansion: int = 4,
        shared: bool = False,
        projection_width: int = 128,
        activation: Literal["gelu", "relu"] = "gelu",
        padding: float | Sequence[float] = 0.1,
        append_coordinates: bool = True,
        coordinates: Coordinates = "cell",
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        expansion = positive_integer("expansion", expansion)
        projection_width = positive_integer("projection_width", projection_width)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("coordinates", coordinates)
        self.padding = padding_fractions(padding, len(self.modes))
        self.activation = activation
        self.coordinates = coordinates if append_coordinates else None
        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "modes": list(self.modes),
            "width": width,
            "num_layers": num_layers,
            "expansion": expansion,
            "shared": bool(shared),
            "projection_width": projection_width,
            "activation": activation,
            "padding": list(self.padding),
            "append_coordinates": bool(append_coordinates),
            "coordinates": coordinates,
        }
        self.lift = nn.Linear(
            self.in_channels + (len(self.modes) if append_coordinates else 0), width
        )
        self.convolutions = nn.ModuleList(
            AxisConvolution(width, width, self.modes) for _ in range(1 if shared else num_layers)
        )
        self.widen = nn.ModuleList(nn.Linear(width, expansion * width) for _ in range(num_layers))
        self.narrow = nn.ModuleList(nn.Linear(expansion * width, width) for _ in range(num_layers))
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
        values = padded(self.lift(with_coordinates(inputs, self.coordinates)), self.padding)
        activate = ACTIVATIONS[self.activation]
        for layer, (widen, narrow) in enumerate(zip(self.widen, self.narrow, strict=True)):
            convolution = self.convolutions[layer % len(self.convolutions)]
            values = values + project(convolution(values), widen, narrow, activate)
        return project(cropped(values, space), self.hidden, self.output, activate).movedim(-1, 1)
