"""Convection through the faces of a cell-centred grid: central, upwind, exponential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.structured import AXIS_NAMES, FloatArray
from operators.spatial import ConstantFunction, SpatialFunction, values_on_axes
from pdesolve.grid.block_data import Values

Scheme = Literal["central", "upwind", "exponential"]
SCHEMES: tuple[str, ...] = get_args(Scheme)


@dataclass(frozen=True)
class Convection:
    """b·∇u in the form Σ_faces b·n (u_face − u_i) / h, which maps constants to zero.

    With the outward normal velocity β at a face, the distance d between the two values
    and the diffusivity ε there, the cell's equation gets w · (u_i − u_j) / h with

    - ``"central"``: w = ε/d − β/2 (u_face is the mean): second order, wiggles where the
      cell Péclet number |β| h/ε exceeds 2;
    - ``"upwind"``: w = ε/d + max(−β, 0): first order, an M-matrix for every velocity, so
      that the discrete maximum principle holds;
    - ``"exponential"``: w = ε/d B(β d/ε), B(p) = p/(eᵖ − 1), exact for the 1D problem
      with constant coefficients between the two values: an M-matrix, second order for
      h → 0 and upwind in the limit of large Péclet numbers.

    At a side with u given, d = h/2 and u_face is the value there.

    Parameters
    ----------
    velocity
        Components of b along the axes; None for none at all.
    scheme
        One of the three.

    References
    ----------
    Scharfetter, Gummel (1969), Large-signal analysis of a silicon Read diode oscillator,
    IEEE Transactions on Electron Devices 16, doi:10.1109/T-ED.1969.16566.

    Roos, Stynes, Tobiska (2008), Robust Numerical Methods for Singularly Perturbed
    Differential Equations, doi:10.1007/978-3-540-34467-4.

    Examples
    --------
    >>> from operators.spatial import as_spatial_function
    >>> upwind = Convection((as_spatial_function(3.0),), "upwind")
    >>> float(upwind.weight(1.0, outward=1.0, velocity=3.0, h=1.0))
    1.0
    >>> float(upwind.weight(1.0, outward=-1.0, velocity=3.0, h=1.0))
    4.0
    """

    velocity: tuple[SpatialFunction, ...] | None = None
    scheme: Scheme = "exponential"

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise InputError(
                f"there is no scheme {self.scheme!r}. {suggest(str(self.scheme), SCHEMES)}"
            )

    def at_faces(self, block: GridBlock, axis: int, faces: slice | int) -> Values:
        """Velocity along an axis at faces across it.

        Parameters
        ----------
        block
            The cells.
        axis
            The axis.
        faces
            Numbers of the faces, the block's lower end being 0; a slice, or one number
            (whose axis is then left out).

        Raises
        ------
        InputError
            If a value is not finite.
        """
        if self.velocity is None:
            return 0.0
        function = self.velocity[axis]
        if isinstance(function, ConstantFunction):
            return function.value
        axes = list(block.axes())
        low, h = block.grid.lower[axis], block.grid.spacing[axis]
        places = low + h * np.arange(block.start[axis], block.stop[axis] + 1, dtype=np.float64)
        if block.grid.periodic[axis]:  # the last face is the first
            places[np.arange(block.start[axis], block.stop[axis] + 1) == block.grid.shape[axis]] = (
                low
            )
        axes[axis] = places[faces] if isinstance(faces, slice) else places[faces : faces + 1]
        values = values_on_axes(function, axes)
        if not np.isfinite(values).all():
            raise InputError(f"the velocity along {AXIS_NAMES[axis]} is not finite everywhere")
        return values if isinstance(faces, slice) else values.squeeze(axis=axis)

    def weight(
        self,
        diffusion: Values,
        outward: float,
        velocity: Values,
        h: float,
        *,
        at_side: bool = False,
    ) -> Values:
        """w/h of the class's formulas, from ε/(d h).

        Parameters
        ----------
        diffusion
            ε/(d h).
        outward
            1 at a cell's upper face, −1 at its lower one.
        velocity
            Component of b along the axis.
        h
            Size of the cell.
        at_side
            Whether the other value is at the face itself.
        """
        if self.velocity is None:
            return diffusion
        speed = velocity * (outward / h)
        if self.scheme == "central":
            return diffusion - (speed if at_side else 0.5 * speed)
        if self.scheme == "upwind":
            drift: Values = np.maximum(-speed, 0.0)
            return diffusion + drift
        return diffusion * bernoulli(speed / diffusion)

    def free_side(
        self, diffusion: Values, outward: float, velocity: Values, h: float
    ) -> tuple[Values, Values]:
        """Where u is not given at a side but ε ∂u/∂n is, perhaps as a function of u.

        Returns
        -------
        tuple
            w/h, and q/h with ε ∂u/∂n = q (u_side − u_i); w = q − β but for ``"upwind"`` at
            an outflow, where u_side is u_i in the convective part.
        """
        if self.velocity is None:
            return diffusion, diffusion
        speed = velocity * (outward / h)
        if self.scheme == "upwind":
            drift: Values = np.maximum(-speed, 0.0)
            return diffusion + drift, diffusion
        if self.scheme == "central":
            return diffusion - speed, diffusion
        # towards an inflow the exponential is steep beyond reason: a straight line there
        slope = diffusion * bernoulli(-np.maximum(speed / diffusion, 0.0))
        return slope - speed, slope


def bernoulli(p: Values) -> Values:
    """B(p) = p/(eᵖ − 1), with B(0) = 1.

    Examples
    --------
    >>> [round(float(bernoulli(p)), 6) for p in (0.0, 1e-9, 1.0, -800.0, 800.0)]
    [1.0, 1.0, 0.581977, 800.0, 0.0]
    """
    x = np.asarray(p, dtype=np.float64)
    with np.errstate(over="ignore"):
        shifted = np.expm1(x)
    small = np.abs(x) < 1e-8
    result: FloatArray = np.where(small, 1.0 - 0.5 * x, 0.0)
    np.divide(x, shifted, out=result, where=~small)
    return result if result.ndim else float(result)


def cell_peclet(block: GridBlock, convection: Convection, diffusivity: Values) -> float:
    """Largest |b_k| h_k/ε on a block, the cell Péclet number."""
    largest = 0.0
    least = float(np.min(diffusivity))
    for axis, h in enumerate(block.grid.spacing):
        speed = np.abs(convection.at_faces(block, axis, slice(0, None)))
        largest = max(largest, float(np.max(speed)) * h / least)
    return largest
