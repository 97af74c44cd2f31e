"""Two-layer quasi-geostrophic flow, pseudo-spectral."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from meshes.structured import FloatArray, StructuredGrid
from operators.fourier import derivative_symbols, wavenumbers
from pdesolve.spectral.evolution import Array, SpectralEvolution
from pdesolve.spectral.transforms import Transforms
from pdesolve.spectral.vorticity import FlowSymbols

if TYPE_CHECKING:
    from pdesolve.problems.quasi_geostrophic import QuasiGeostrophicProblem

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class TwoLayerSymbols:
    """Fourier multipliers of the two-layer equations.

    With q̂ = (q̂₁, q̂₂), ψ̂ = inversion · q̂ and, without products of the flow with itself,
    dq̂/dt = linear · q̂.

    Attributes
    ----------
    inversion, linear
        2 × 2 matrices, shape ``(2, 2, *modes)``.
    """

    inversion: ComplexArray
    linear: ComplexArray

    @classmethod
    def of(cls, flow: TwoLayerFlow, k_x: FloatArray, k_y: FloatArray) -> TwoLayerSymbols:
        """The matrices at wavenumbers that broadcast to one shape."""
        f1, f2 = flow.couplings
        squares = k_x**2 + k_y**2
        k_x = np.broadcast_to(k_x, squares.shape)
        determinant = squares * (squares + f1 + f2)
        reciprocal = np.zeros_like(squares)
        np.divide(-1.0, determinant, out=reciprocal, where=determinant > 0)
        ones = np.ones_like(squares)
        inversion = np.array(
            [[squares + f2, f1 * ones], [f2 * ones, squares + f1]], dtype=np.complex128
        )
        inversion *= reciprocal
        upper, lower = flow.mean_velocity
        gradients = (flow.beta + f1 * (upper - lower), flow.beta - f2 * (upper - lower))
        linear = np.stack(
            [-1j * k_x * gradient * inversion[i] for i, gradient in enumerate(gradients)]
        )
        linear[1] += flow.drag * squares * inversion[1]
        for layer, velocity in enumerate(flow.mean_velocity):
            linear[layer, layer] -= 1j * k_x * velocity
            linear[layer, layer] -= flow.hyperviscosity * squares**flow.hyperviscosity_order
        return cls(inversion, linear)


@dataclass(frozen=True)
class TwoLayerFlow:
    """The constants of a two-layer flow, and its tendency N.

    The diagonal of the linear part is L; the rest of it, which is not stiff, and the
    advection −J(ψᵢ, qᵢ) are N. With ζᵢ = Δψᵢ, J(ψ₁, q₁) = J(ψ₁, ζ₁) + F₁ J(ψ₁, ψ₂) and
    J(ψ₂, q₂) = J(ψ₂, ζ₂) − F₂ J(ψ₁, ψ₂), and J(ψ, ζ) = (∂_xx − ∂_yy)(u v) + ∂_xy(v² − u²):
    four inverse and five forward transforms.

    Parameters
    ----------
    mean_velocity
        U₁, U₂.
    beta
        β.
    deformation_radius
        r_d.
    thickness_ratio
        δ = H₁/H₂.
    drag
        r, on the lower layer.
    hyperviscosity, hyperviscosity_order
        ν and p of −ν (−Δ)^p q.
    """

    mean_velocity: tuple[float, float]
    beta: float
    deformation_radius: float
    thickness_ratio: float
    drag: float
    hyperviscosity: float
    hyperviscosity_order: int
    _kept: WeakKeyDictionary[Transforms, tuple[Array, ...]] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )

    @property
    def couplings(self) -> tuple[float, float]:
        """F₁ = r_d^−2 / (1 + δ) and F₂ = δ F₁."""
        first = self.deformation_radius**-2 / (1 + self.thickness_ratio)
        return first, self.thickness_ratio * first

    @property
    def shares(self) -> tuple[float, float]:
        """Thickness of each layer over the sum."""
        ratio = self.thickness_ratio
        return ratio / (1 + ratio), 1 / (1 + ratio)

    def symbols_on(self, grid: StructuredGrid) -> TwoLayerSymbols:
        """The matrices on a grid; waves of half the sampling frequency do not propagate."""
        along_x, _ = derivative_symbols(grid)
        k_x, k_y = wavenumbers(grid)
        found = TwoLayerSymbols.of(self, k_x, k_y)
        alternating = np.broadcast_to((along_x == 0) & (k_x != 0), found.linear.shape)
        linear = np.where(alternating, found.linear.real, found.linear)
        return TwoLayerSymbols(found.inversion, linear)

    def prepared(self, transforms: Transforms) -> tuple[Array, ...]:
        """Multipliers of N in the array library, computed once."""
        if transforms not in self._kept:
            symbols = self.symbols_on(transforms.grid)
            along_x, along_y = derivative_symbols(transforms.grid)
            complexly = np.zeros(1, dtype=np.complex128)
            kept = transforms.kept() + transforms.asarray(complexly)
            gradient = np.stack([-along_y + 0 * along_x, along_x + 0 * along_y])
            # velocities u1, u2, v1, v2 from q1 and from q2, each (4, *modes)
            velocity = gradient[:, np.newaxis, np.newaxis] * symbols.inversion
            parts = velocity.reshape(4, 2, *transforms.modes)
            first, second = self.couplings
            layers = np.reshape([-first, second], (2, 1, 1)) + complexly
            flow = FlowSymbols.of(transforms)
            self._kept[transforms] = (
                transforms.asarray(parts[:, 0]) * kept,
                transforms.asarray(parts[:, 1]) * kept,
                transforms.asarray(np.stack([symbols.linear[0, 1], symbols.linear[1, 0]])),
                flow.shear,
                flow.strain,
                transforms.asarray(layers) * kept,
            )
        return self._kept[transforms]

    def __call__(
        self, transforms: Transforms, time: float, q_hat: Array, parameters: Mapping[str, Array]
    ) -> Array:
        """N, shape ``(*batch, 2, *modes)``."""
        del time, parameters
        from_upper, from_lower, coupling, shear, strain, exchange = self.prepared(transforms)
        upper, lower = q_hat[..., 0:1, :, :], q_hat[..., 1:2, :, :]
        velocity = transforms.inverse(from_upper * upper + from_lower * lower)
        u, v = velocity[..., 0:2, :, :], velocity[..., 2:4, :, :]
        between = u[..., 0:1, :, :] * v[..., 1:2, :, :] - v[..., 0:1, :, :] * u[..., 1:2, :, :]
        tendency = shear * transforms.forward(u * v)
        tendency = tendency + strain * transforms.forward((v - u) * (v + u))
        tendency = tendency + exchange * transforms.forward(between)
        return tendency + coupling * transforms.xp.flip(q_hat, axis=-3)

    def stream(self, transforms: Transforms, q_hat: Array) -> Array:
        """ψ̂ of both layers, shape ``(*batch, 2, *modes)``."""
        matrix = transforms.asarray(self.symbols_on(transforms.grid).inversion)
        return matrix[:, 0] * q_hat[..., 0:1, :, :] + matrix[:, 1] * q_hat[..., 1:2, :, :]

    def energy(
        self, transforms: Transforms, q_hat: Array, parameters: Mapping[str, Array]
    ) -> Array:
        """Σᵢ hᵢ ½⟨|∇ψᵢ|²⟩ + ½ h₁ F₁ ⟨(ψ₁ − ψ₂)²⟩, shape ``(*batch,)``."""
        del parameters
        stream = self.stream(transforms, q_hat)
        slopes = transforms.mean_square((-transforms.laplacian) ** 0.5 * stream)
        difference = stream[..., 0:1, :, :] - stream[..., 1:2, :, :]
        first, second = self.shares
        potential = first * self.couplings[0] * transforms.mean_square(difference)[..., 0]
        return 0.5 * (first * slopes[..., 0] + second * slopes[..., 1] + potential)

    def enstrophy(
        self, transforms: Transforms, q_hat: Array, parameters: Mapping[str, Array]
    ) -> Array:
        """Σᵢ hᵢ ½⟨qᵢ²⟩, the potential enstrophy, shape ``(*batch,)``."""
        del parameters
        squares = transforms.mean_square(q_hat)
        first, second = self.shares
        return 0.5 * (first * squares[..., 0] + second * squares[..., 1])


def quasi_geostrophic_evolution(
    problem: QuasiGeostrophicProblem, grid: StructuredGrid
) -> SpectralEvolution:
    """The equations for the Fourier coefficients of both layers' potential vorticity."""
    problem.check_grid(grid)
    flow = problem.flow
    initial = problem.initial_on(grid)
    initial = initial - initial.mean(axis=(1, 2), keepdims=True)
    linear = flow.symbols_on(grid).linear
    return SpectralEvolution(
        grid,
        problem.unknowns,
        initial,
        np.stack([linear[0, 0], linear[1, 1]]),
        flow,
        diagnostics={"energy": flow.energy, "potential_enstrophy": flow.enstrophy},
        step_size=accurate_step(problem, grid, initial),
    )


def accurate_step(
    problem: QuasiGeostrophicProblem, grid: StructuredGrid, initial: FloatArray
) -> float:
    """A step in which the flow crosses a cell.

    Eddies that grow on the mean shear reach several times its speed; eight times are
    allowed for.
    """
    flow, transforms = problem.flow, Transforms(grid)
    stream = flow.stream(transforms, transforms.forward(initial))
    along_x, along_y = transforms.symbols
    speeds = np.abs(transforms.inverse(along_x * stream))
    speeds = speeds + np.abs(transforms.inverse(along_y * stream))
    upper, lower = flow.mean_velocity
    fastest = max(float(speeds.max()), 8 * abs(upper - lower)) + max(abs(upper), abs(lower))
    shortest = float(min(np.diff(problem.times)))
    return min(min(grid.spacing) / fastest, shortest) if fastest > 0 else shortest
