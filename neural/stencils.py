"""Grid stencils as torch convolutions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from operators.stencil import Stencil

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class StencilConvolution(nn.Module):
    r"""The torch rendering of a :class:`operators.Stencil`.

    .. math:: (A u)_i = \sum_s c_s(i)\, u_{i + o_s}

    A convolution with one-hot kernels makes the shifted fields, which are multiplied by
    the coefficients and summed; with coefficients that are equal everywhere one kernel
    does both. Periodic axes are padded by wrapping, the others by zeros. The
    coefficients are buffers: they move with the module, and gradients flow through u.

    Parameters
    ----------
    stencil
        What to render.
    dtype
        Of the coefficients; also the type that the input must have.

    Raises
    ------
    InputError
        If the input (when applied) has another shape or type.

    Examples
    --------
    >>> from meshes import StructuredGrid
    >>> stencil = Stencil(StructuredGrid((4,)), [[-1], [0], [1]], [-1.0, 2.0, -1.0])
    >>> StencilConvolution(stencil)(torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64))
    tensor([-1.,  2., -1.,  0.], dtype=torch.float64)
    """

    coefficients: Tensor
    kernel: Tensor

    def __init__(self, stencil: Stencil, *, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        grid, offsets = stencil.grid, np.asarray(stencil.offsets)
        self.shape = grid.shape
        self.periodic = grid.periodic
        below = np.maximum(-offsets.min(axis=0), 0)
        above = np.maximum(offsets.max(axis=0), 0)
        self.reach = tuple((int(low), int(high)) for low, high in zip(below, above, strict=True))
        weights = np.zeros((len(offsets), 1, *(below + above + 1)))
        for s, row in enumerate(offsets):
            weights[(s, 0, *(row + below))] = 1.0
        values = np.asarray(stencil.coefficients)
        constants = self._constants(stencil)
        self.constant = constants is not None
        if constants is not None:
            weights = np.tensordot(constants, weights, axes=(0, 0))[None]
            values = np.zeros((0, *grid.shape))
        self.register_buffer("kernel", torch.as_tensor(weights, dtype=dtype))
        self.register_buffer("coefficients", torch.as_tensor(values, dtype=dtype))

    @staticmethod
    def _constants(stencil: Stencil) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        """One number an offset, if the coefficient is that wherever the neighbour exists."""
        inside = stencil.column_indices() >= 0
        constants = np.zeros(len(inside))
        for s, (mask, values) in enumerate(zip(inside, stencil.coefficients, strict=True)):
            found = values[mask]
            if len(found) and (found != found[0]).any():
                return None
            constants[s] = found[0] if len(found) else 0.0
        return constants

    def forward(self, values: Tensor) -> Tensor:
        """Apply A to fields of shape ``(*any, *grid.shape)``."""
        dimension = len(self.shape)
        if tuple(values.shape[-dimension:]) != self.shape or values.ndim < dimension:
            raise InputError(
                f"values of shape {tuple(values.shape)} do not end in the grid's shape {self.shape}"
            )
        if values.dtype != self.kernel.dtype:
            raise InputError(
                f"values of type {values.dtype} do not fit coefficients of type "
                f"{self.kernel.dtype}; make StencilConvolution(stencil, dtype=...) or convert"
            )
        leading = values.shape[:-dimension]
        padded = values.reshape(math.prod(leading), 1, *self.shape)
        for wrap in (True, False):  # wrap first: zeros must not be wrapped around
            widths = [
                width if self.periodic[axis] == wrap else 0
                for axis in reversed(range(dimension))
                for width in self.reach[axis]
            ]
            if any(widths):
                padded = functional.pad(padded, widths, mode="circular" if wrap else "constant")
        shifted = _CONVOLUTIONS[dimension](padded, self.kernel)
        if not self.constant:
            shifted = (shifted * self.coefficients).sum(1)
        return shifted.reshape(*leading, *self.shape)

    def extra_repr(self) -> str:
        """Sizes, for ``print(module)``."""
        return f"shape={self.shape}, constant={self.constant}"
