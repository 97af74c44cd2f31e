"""Two-dimensional incompressible flow in vorticity form, pseudo-spectral."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.fourier import derivative_symbols, wavenumbers
from pdesolve.spectral.evolution import Array, SpectralEvolution
from pdesolve.spectral.pruned_advection import PrunedAdvection
from pdesolve.spectral.transforms import Transforms

if TYPE_CHECKING:
    from pdesolve.problems.vorticity import VorticityProblem

_LARGEST_MEAN = 1e-2
"""Of a vorticity's size: what sampling a random field may leave, and no more."""


@dataclass(frozen=True, eq=False)
class FlowSymbols:
    """Fourier multipliers of a flow on one grid, in one array library.

    Attributes
    ----------
    velocity
        (u, v) from ω, aliasing modes left out; shape ``(2, *modes)``.
    shear, strain
        −∂_xx + ∂_yy on u v and −∂_xy on v² − u², aliasing modes left out; ``modes``.
    pruned
        The same for NumPy arrays on one thread, about twice as fast.
    """

    velocity: Array
    shear: Array
    strain: Array
    pruned: PrunedAdvection | None = None

    @classmethod
    def of(cls, transforms: Transforms) -> FlowSymbols:
        """The multipliers of a grid."""
        along_x, along_y = derivative_symbols(transforms.grid)
        squares = np.zeros(transforms.modes)
        for k in wavenumbers(transforms.grid):
            squares = squares + k**2
        inverse = np.zeros_like(squares)
        np.divide(1.0, squares, out=inverse, where=squares > 0)
        complexly = transforms.asarray(np.zeros(1, dtype=np.complex128))
        kept = transforms.kept() + complexly  # complex, as products of one type are faster
        velocity = np.stack([along_y * inverse, -along_x * inverse])
        found = (
            transforms.asarray(velocity) * kept,
            transforms.asarray(-(along_x**2) + along_y**2) * kept,
            transforms.asarray(-along_x * along_y) * kept,
        )
        if isinstance(kept, np.ndarray) and transforms.workers == 1:
            return cls(*found, PrunedAdvection(*found, transforms.grid.shape))
        return cls(*found)


@dataclass(frozen=True)
class Advection:
    """N(ω̂) = −(u·∇ω)^ + f̂ with Δψ = −ω, (u, v) = (∂_y ψ, −∂_x ψ).

    For a divergence-free velocity u·∇ω = (∂_xx − ∂_yy)(u v) + ∂_xy(v² − u²): two inverse
    and two forward transforms, against five for u ∂_x ω + v ∂_y ω. Modes above the 2/3
    rule are left out of the factors and of the products, which makes both forms equal and
    keeps energy and enstrophy.

    References
    ----------
    Basdevant (1983), Technical Improvements for Direct Numerical Simulation of Homogeneous
    Three-Dimensional Turbulence, doi:10.1016/0021-9991(83)90064-5.
    """

    _kept: WeakKeyDictionary[Transforms, FlowSymbols] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )

    def symbols(self, transforms: Transforms) -> FlowSymbols:
        """The multipliers of a grid, computed once."""
        if transforms not in self._kept:
            self._kept[transforms] = FlowSymbols.of(transforms)
        return self._kept[transforms]

    def __call__(
        self, transforms: Transforms, time: float, w_hat: Array, parameters: Mapping[str, Array]
    ) -> Array:
        """N, shape ``(*batch, 1, *modes)``."""
        symbols = self.symbols(transforms)
        if symbols.pruned is not None:
            return self.into(transforms, time, w_hat, parameters, np.empty_like(w_hat))
        forcing = parameters.get("forcing")
        velocity = transforms.inverse(symbols.velocity * w_hat)
        u, v = velocity[..., 0:1, :, :], velocity[..., 1:2, :, :]
        tendency = symbols.shear * transforms.forward(u * v)
        tendency = tendency + symbols.strain * transforms.forward((v - u) * (v + u))
        return tendency if forcing is None else tendency + forcing

    def into(
        self,
        transforms: Transforms,
        time: float,
        w_hat: Array,
        parameters: Mapping[str, Array],
        out: Array,
    ) -> Array:
        """N, written to `out` where arrays are NumPy's."""
        pruned = self.symbols(transforms).pruned
        if pruned is None:
            return self(transforms, time, w_hat, parameters)
        pruned(w_hat, out)
        if "forcing" in parameters:
            out += parameters["forcing"]
        return out


def kinetic_energy(transforms: Transforms, w_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """½⟨|u|²⟩, shape ``(*batch,)``."""
    del parameters
    inverse = (-transforms.inverse_laplacian) ** 0.5
    return 0.5 * transforms.mean_square(inverse * w_hat)[..., 0]


def enstrophy(transforms: Transforms, w_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """½⟨ω²⟩, shape ``(*batch,)``."""
    del parameters
    return 0.5 * transforms.mean_square(w_hat)[..., 0]


def with_velocity(transforms: Transforms, w_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """Vorticity and velocity, shape ``(*batch, 3, *modes)``."""
    del parameters
    along_x, along_y = transforms.symbols
    stream = -transforms.inverse_laplacian * w_hat
    return transforms.xp.concat([w_hat, along_y * stream, -along_x * stream], axis=-3)


def velocity_of(vorticity: Field) -> Field:
    """The velocity, of mean zero, of a vorticity on a periodic grid.

    Parameters
    ----------
    vorticity
        One channel, in 1/s.

    Returns
    -------
    Field
        Channels ``velocity_x`` and ``velocity_y``: ∂_y ψ and −∂_x ψ with Δψ = −ω.

    Examples
    --------
    >>> grid = StructuredGrid((16, 16), upper=2 * np.pi, periodic=True, location="vertex")
    >>> x, y = grid.points()
    >>> found = velocity_of(Field(grid, 2 * np.cos(x) * np.cos(y), ("vorticity",)))
    >>> bool(np.allclose(found.values[0], -np.cos(x) * np.sin(y)))
    True
    """
    grid = vorticity.mesh
    if not isinstance(grid, StructuredGrid) or vorticity.num_channels != 1:
        raise InputError("the vorticity must be one channel on a grid that wraps on every axis")
    transforms = Transforms(grid)
    found = with_velocity(transforms, transforms.forward(vorticity.values), {})[1:]
    return Field(grid, transforms.inverse(found), ("velocity_x", "velocity_y"))


@dataclass(frozen=True)
class Viscosity:
    """L = −ν |k|^(2p) − μ, with ν and μ the parameters ``viscosity`` and ``drag``.

    Parameters
    ----------
    order
        p.
    """

    order: int = 1

    def __call__(self, transforms: Transforms, parameters: Mapping[str, Array]) -> Array:
        """L, shape ``(*batch, 1, *modes)``; differentiable in torch."""
        squares = (-transforms.laplacian) ** self.order
        viscosity = transforms.per_problem(parameters["viscosity"])
        return -viscosity * squares - transforms.per_problem(parameters["drag"])


def vorticity_evolution(problem: VorticityProblem, grid: StructuredGrid) -> SpectralEvolution:
    """The equation for the Fourier coefficients of the vorticity.

    Raises
    ------
    InputError
        If the vorticity's mean does not vanish, as it must on a torus. What sampling
        leaves of a mean is removed.
    """
    problem.check_grid(grid)
    initial = without_mean("initial vorticity", problem.initial_on, grid)
    forcing = without_mean("forcing", problem.forcing_on, grid)
    transforms = Transforms(grid)
    parameters: dict[str, Array] = {
        "viscosity": np.asarray(float(problem.viscosity)),
        "drag": np.asarray(float(problem.drag)),
    }
    if forcing.any():
        parameters["forcing"] = transforms.forward(forcing[np.newaxis])
    return SpectralEvolution(
        grid,
        ("vorticity",),
        initial[np.newaxis],
        Viscosity(problem.viscosity_order),
        Advection(),
        parameters,
        output=with_velocity if problem.report_velocity else None,
        output_names=problem.unknowns,
        diagnostics={"energy": kinetic_energy, "enstrophy": enstrophy},
        step_size=accurate_step(problem, grid, initial, forcing),
    )


def without_mean(
    name: str, values_on: Callable[[StructuredGrid], FloatArray], grid: StructuredGrid
) -> FloatArray:
    """Values less their mean, which must be small, on this grid or at last on a finer one.

    Few points see a mean in waves that are shorter than their distance.
    """
    values = values_on(grid)
    for where in (grid, grid.with_shape([4 * size + 1 for size in grid.shape])):
        seen = values if where is grid else values_on(where)
        mean, size = float(seen.mean()), float(np.sqrt(np.mean(seen**2)))
        if abs(mean) <= _LARGEST_MEAN * size:
            result: FloatArray = values - values.mean()
            return result
    raise InputError(
        f"the {name} must have mean zero on a periodic box; its mean is {mean:.3g}, "
        f"{abs(mean) / size:.1%} of its size"
    )


def accurate_step(
    problem: VorticityProblem, grid: StructuredGrid, initial: FloatArray, forcing: FloatArray
) -> float:
    """A step in which the flow crosses a cell, with room for what the forcing adds.

    ETDRK4 is stable up to |u| dt / h = 2.83 · 3 / (2π) = 1.35 under the 2/3 rule. The speed
    is that at the first time plus the forcing's over the whole time, or until viscosity
    and drag balance it.
    """
    transforms = Transforms(grid)

    def speed(vorticity: FloatArray) -> float:
        found = with_velocity(transforms, transforms.forward(vorticity[np.newaxis]), {})[1:]
        return float(np.abs(transforms.inverse(found)).sum(axis=0).max())

    duration = problem.times[-1] - problem.times[0]
    fastest = speed(initial)
    if forcing.any():
        push = speed(forcing)
        wavenumber = float(np.sqrt(np.mean(forcing**2))) / push
        rate = problem.viscosity * wavenumber ** (2 * problem.viscosity_order) + problem.drag
        fastest += push * min(duration, 1 / rate if rate > 0 else duration)
    shortest = min(np.diff(problem.times))
    if fastest == 0:
        return float(shortest)
    turnover = 0.2 / max(float(np.abs(initial).max()), 1e-300)
    return float(min(min(grid.spacing) / fastest, turnover, shortest))
