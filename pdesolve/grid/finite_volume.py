"""Cell-centred finite volumes for diffusion."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.stencil import Stencil
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann


def diffusion_offsets(dimension: int) -> npt.NDArray[np.int64]:
    """Centre, then the lower and upper neighbour along each axis, ``(1 + 2 d, d)``."""
    offsets = np.zeros((1 + 2 * dimension, dimension), dtype=np.int64)
    for axis in range(dimension):
        offsets[1 + 2 * axis, axis] = -1
        offsets[2 + 2 * axis, axis] = 1
    return offsets


def _face_points(grid: StructuredGrid, axis: int, upper: bool) -> FloatArray:
    """Centres of a side's faces, shape ``(n, dimension)``."""
    axes = list(grid.axes())
    axes[axis] = np.array([grid.upper[axis] if upper else grid.lower[axis]])
    return np.stack(np.meshgrid(*axes, indexing="ij")).reshape(grid.dimension, -1).T


def diffusion_system(
    grid: StructuredGrid,
    coefficient: FloatArray,
    source: FloatArray,
    conditions: Mapping[str, Condition],
) -> LinearSystem:
    """Discretise −∇·(a ∇u) = f by conservative finite volumes.

    The flux through the face between cells i and j at distance h is
    2 a_i a_j / (a_i + a_j) · (u_i − u_j) / h, the exact one for a that jumps at the face
    (harmonic average). A side with u = g is half a cell away, 2 a_i (u_i − g) / h; a
    given flux enters as it is. The error is O(h²) in the cell values for smooth a and
    for jumps along faces.

    Parameters
    ----------
    grid
        Cell-centred grid.
    coefficient, source
        a > 0 and f at the cell centres, shape ``grid.shape``.
    conditions
        One condition for each of ``grid.side_names``.

    Returns
    -------
    LinearSystem
        Divided by the cell volume, so that A u approximates −∇·(a ∇u).

    Raises
    ------
    InputError
        For a vertex grid, or fluxes and sources that do not balance where constants
        solve the homogeneous problem.

    References
    ----------
    Eymard, Gallouët, Herbin (2000), Finite volume methods, Handbook of Numerical
    Analysis 7, doi:10.1016/S1570-8659(00)07005-8.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> sides = {"x_lower": Dirichlet(0.0), "x_upper": Dirichlet(0.0)}
    >>> system = diffusion_system(grid, np.ones(4), np.ones(4), sides)
    >>> system.stencil.diagonal()
    array([48., 32., 32., 48.])
    """
    if grid.location != "cell":
        raise InputError("finite volumes need a grid with location='cell'")
    dimension = grid.dimension
    values = np.zeros((1 + 2 * dimension, *grid.shape))
    diagonal = values[0]
    right = np.array(source, dtype=np.float64)
    fixed = False
    for axis in range(dimension):
        h = grid.spacing[axis]
        size = grid.shape[axis]

        def along(window: slice | int, axis: int = axis) -> tuple[slice | int, ...]:
            return (slice(None),) * axis + (window,)

        low, high = along(slice(0, size - 1)), along(slice(1, size))
        below, above = coefficient[low], coefficient[high]
        face = below * above
        face /= below + above
        face *= 2.0 / h**2
        diagonal[low] += face
        diagonal[high] += face
        np.negative(face, out=values[2 + 2 * axis][low])
        np.negative(face, out=values[1 + 2 * axis][high])
        first, last = along(0), along(size - 1)
        if grid.periodic[axis]:
            wrap = 2.0 / h**2 * coefficient[first] * coefficient[last]
            wrap /= coefficient[first] + coefficient[last]
            diagonal[first] += wrap
            diagonal[last] += wrap
            values[1 + 2 * axis][first] -= wrap
            values[2 + 2 * axis][last] -= wrap
            continue
        for upper, window in ((False, first), (True, last)):
            condition = conditions[f"{'xyz'[axis]}_{'upper' if upper else 'lower'}"]
            if not isinstance(condition, Dirichlet | Neumann):
                raise InputError(f"{condition!r} cannot be used on a side of a box")
            given = condition.value if isinstance(condition, Dirichlet) else condition.flux
            homogeneous = isinstance(given, numbers.Real) and given == 0
            side: FloatArray | float = 0.0
            if not homogeneous:
                points = _face_points(grid, axis, upper)
                side = condition.function.evaluate(points).reshape(right[window].shape)
            if isinstance(condition, Dirichlet):
                fixed = True
                weight = 2.0 / h**2 * coefficient[window]
                diagonal[window] += weight
                if not homogeneous:
                    right[window] += weight * side
            elif not homogeneous:
                right[window] += side / h
    stencil = Stencil(grid, diffusion_offsets(dimension), values)
    if fixed:
        return LinearSystem(stencil, right, symmetric=True)
    return _balanced(stencil, right)


def _balanced(stencil: Stencil, right: FloatArray) -> LinearSystem:
    """The system where constants are a null space, its right-hand side summing to zero."""
    grid = stencil.grid
    mean, size = float(right.mean()), float(np.abs(right).mean())
    # the midpoint rule's error for data that vary over a third of the box or more
    coarsest = max(h / length for h, length in zip(grid.spacing, grid.extent, strict=True))
    allowed = min(4.0 * coarsest**2, 0.5)
    if size > 0 and abs(mean) / size > max(allowed, 1e-8):
        raise InputError(
            "no side fixes u, so sources and fluxes must balance, ∫f + ∮flux = 0; here they leave "
            f"{mean * np.prod(grid.extent):.3g} ({abs(mean) / size:.1%} of their size). Change f "
            "or a flux, or give one side Dirichlet"
        )
    notes = (
        ("sources and fluxes balance up to the quadrature error, which was spread evenly",)
        if abs(mean) > 1e-12 * size
        else ()
    )
    return LinearSystem(
        stencil, right - mean, symmetric=True, constant_null_space=True, notes=notes
    )
