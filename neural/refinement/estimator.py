"""The dual norm of a space-time residual as an estimate of the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from neural.refinement.residuals import SpaceTimeResidual
from operators.random_fields import is_finite_number


@dataclass(frozen=True)
class TrajectoryErrors:
    """Distance of predicted frames to a reference.

    Parameters
    ----------
    relative_l2
        Over space and time, no unit.
    relative_dual
        The same in H^-1 in space.
    energy
        In the norm in which the estimator is exact for linear equations, see
        :meth:`ResidualEstimator.errors`.
    effectivity
        Estimator over `energy`.
    """

    relative_l2: float
    relative_dual: float
    energy: float
    effectivity: float


class ResidualEstimator:
    r"""η² = ∫ ‖R(t)‖²_{H^-1} dt for predicted frames, by Parseval's identity.

    .. math:: \eta^2 = |\Omega| \sum_j \tau_j \sum_k |\hat R_k(t_j)|^2 / (\alpha + |k|^2)

    with the wavenumbers k = 2π m / length of the box and τ_j = t_j − t_{j−1}. The sum is
    exact for the trigonometric interpolant in space, no Poisson problem has to be solved.

    Parameters
    ----------
    residual
        Of the problem whose frames are judged.
    alpha
        α ≥ 0 in 1/m²: the norm is the dual of (α‖v‖² + ‖∇v‖²)^½. The square of the box's
        smallest wavenumber when left out, so that the mean counts like the longest wave.
        With α = 0 the mean does not count.

    Raises
    ------
    InputError
        If α is negative or not finite.

    References
    ----------
    Cao, Brarda, Li, Xi (2025), Spectral-Refiner: Accurate Fine-Tuning of Spatiotemporal
    Fourier Neural Operator for Turbulent Flows, ICLR, doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> from pdesolve import get_family
    >>> values = {"amplitude": 1.0, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    >>> problem = get_family("taylor_green2d").problem(values)
    >>> grid = problem.grid(16)
    >>> start = torch.as_tensor(problem.initial_on(grid))[None, None]
    >>> estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, (0.0, 0.1, 0.2), start))
    >>> frozen = start.expand(2, 1, 16, 16)  # a flow that does not decay is no solution
    >>> round(float(estimator(frozen)), 3)
    1.499
    """

    def __init__(self, residual: SpaceTimeResidual, alpha: float | None = None) -> None:
        if alpha is not None and not (is_finite_number(alpha) and alpha >= 0):
            raise InputError(f"alpha={alpha!r} must be finite and not negative, or None")
        self.residual = residual
        grid, transforms = residual.grid, residual.transforms
        smallest = (2 * np.pi / max(grid.extent)) ** 2
        self.alpha = float(smallest if alpha is None else alpha)
        multiplicity = np.full(transforms.modes[-1], 2.0)
        multiplicity[0] = 1.0
        if grid.shape[-1] % 2 == 0:
            multiplicity[-1] = 1.0
        box = float(np.prod(grid.extent)) / grid.num_points**2
        # |Ω| times the number of modes that one stored mode stands for
        self.volume: Tensor = transforms.asarray(box * multiplicity)
        shifted = self.alpha - transforms.laplacian
        self.dual_weight: Tensor = torch.where(shifted > 0, 1.0 / shifted, 0.0) * self.volume
        times = np.array(residual.times)
        steps = np.diff(times)[len(residual.known) - 1 :]
        self.steps: Tensor = transforms.asarray(steps).reshape(-1, *[1] * (1 + grid.dimension))

    def __call__(self, frames: Tensor) -> Tensor:
        """η of frames ``(T, channel, *shape)``: one number, differentiable."""
        return torch.sqrt(self.squared(self.residual.forward(frames)))

    def squared(self, frames_hat: Tensor) -> Tensor:
        """η² of the Fourier coefficients ``(T, channel, *modes)`` of frames."""
        return self.dual_square(self.residual.modes(frames_hat))

    def dual_square(self, modes: Tensor) -> Tensor:
        """∫ ‖·‖²_{H^-1} dt of Fourier coefficients at the predicted times."""
        return torch.sum(self.steps * self.dual_weight * modes.abs() ** 2)

    def errors(self, frames: Tensor, reference: Tensor) -> TrajectoryErrors:
        """Distance of frames to a reference solution, and what the estimator makes of it.

        With L = A + i B, real and imaginary symbol, the energy norm of the error e is

        ‖e‖² = ∫ ‖∂e/∂t − i B e‖²_{-1} + ‖A e‖²_{-1} dt + ‖(−A)^½ e(T)‖²_{-1}.

        For a linear equation and e = 0 at the first time this equals ∫ ‖R‖²_{-1} dt for
        the continuous problem; with advection the two differ by factors that depend on
        the flow and on viscosity, but not on the grid. Where L has an imaginary part the rate
        is that in the frame of the wave: an error that is carried along costs nothing.

        Parameters
        ----------
        frames, reference
            ``(T, channel, *shape)`` at the predicted times.

        Returns
        -------
        TrajectoryErrors
            Infinite effectivity where the frames are the reference.
        """
        residual = self.residual
        error = residual.forward(frames) - residual.forward(reference)
        size = residual.forward(reference)
        energy = self.norm(error)
        estimate = float(self(frames))
        return TrajectoryErrors(
            relative_l2=_root_ratio(self._square(error), self._square(size)),
            relative_dual=_root_ratio(self.dual_square(error), self.dual_square(size)),
            energy=energy,
            effectivity=estimate / energy if energy > 0 else float("inf"),
        )

    def norm(self, modes: Tensor) -> float:
        """The energy norm of :meth:`errors`, of Fourier coefficients at the predicted times."""
        residual = self.residual
        rate = residual.rate_of_change(
            torch.cat([torch.zeros_like(residual.forward_known()), modes])
        )
        if residual.linear.is_complex():
            rate = rate - 1j * residual.linear.imag * modes
        return self._energy(rate, residual.linear.real * modes, modes[-1])

    def size(self, modes: Tensor) -> float:
        """What errors are compared with: ∂u/∂t and L u of predicted and known frames.

        As the energy norm, but with the whole rate, which does not vanish for a wave that is
        carried along.
        """
        residual = self.residual
        rate = residual.rate_of_change(torch.cat([residual.forward_known(), modes]))
        return self._energy(rate, residual.linear * modes, modes[-1])

    def _energy(self, rate: Tensor, image: Tensor, last: Tensor) -> float:
        end = -self.residual.linear.real * self.dual_weight * last.abs() ** 2
        squares = self.dual_square(rate) + self.dual_square(image)
        return float(torch.sqrt(squares + end.sum().clamp(min=0.0)))

    def _square(self, modes: Tensor) -> Tensor:
        return torch.sum(self.steps * self.volume * modes.abs() ** 2)


def _root_ratio(error: Tensor, size: Tensor) -> float:
    if not float(size) > 0:
        raise InputError("the reference is zero: a relative error is not defined")
    return float(torch.sqrt(error / size))
