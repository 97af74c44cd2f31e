"""Integrals of states given by Fourier coefficients, each of shape ``batch``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Array = Any


def mass(transforms: Any, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """∫ u dx of the first channel.

    Examples
    --------
    >>> import numpy as np
    >>> from meshes import StructuredGrid
    >>> from pdesolve.spectral.transforms import Transforms
    >>> transforms = Transforms(StructuredGrid(8, upper=2.0, periodic=True))
    >>> float(mass(transforms, transforms.forward(np.ones((1, 8))), {}))
    2.0
    """
    del parameters
    constant = u_hat[(..., 0, *(0,) * transforms.grid.dimension)]
    return transforms.xp.real(constant) * transforms.grid.cell_volume


def energy(transforms: Any, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """½ ∫ |u|² dx over all channels."""
    del parameters
    volume = math.prod(transforms.grid.extent)
    return 0.5 * volume * transforms.xp.sum(transforms.mean_square(u_hat), axis=-1)


def gradient_energy(transforms: Any, u_hat: Array) -> Array:
    """½ ∫ |∇u|² dx over all channels."""
    volume = math.prod(transforms.grid.extent)
    total = sum(
        transforms.mean_square(transforms.derivative(u_hat, axis))
        for axis in range(transforms.grid.dimension)
    )
    return 0.5 * volume * transforms.xp.sum(total, axis=-1)
