"""What a space-time field leaves in the equations of a periodic problem."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from neural.refinement.time_derivative import differentiation_matrix
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.transforms import Transforms


class SpaceTimeResidual:
    r"""R = ∂u/∂t − L u − N(u) at the predicted frames of a periodic problem.

    L and N are those of the backend ``spectral``, with its 2/3 rule; for two-dimensional
    flow, R = ∂ω/∂t + u·∇ω − ν Δω − f. ∂/∂t is that of the frames' own interpolant in time
    (:func:`~neural.refinement.time_derivative.differentiation_matrix`) through the known
    frames and the predicted ones. It never asks the equation how the field should change:
    a difference quotient over a step of the same equation would vanish for every field.

    All is computed in float64 and differentiable in torch.

    Parameters
    ----------
    problem
        With a form for the backend ``spectral``: equation, numbers, forcing, box.
    grid
        Where the frames sit, such as ``problem.grid(64)``.
    times
        Of all frames, the known ones first.
    known
        The known frames, ``(num_known, channel, *shape)``; at least the initial state.
    order
        Of the differences in time. Left out: 6 where three or more frames are known, 4
        otherwise, as high one-sided differences at the first frames amplify errors.
    device
        Where to compute.

    Attributes
    ----------
    evolution
        The equation in Fourier modes.
    transforms
        Fourier transforms on the grid.
    linear
        L, broadcastable to ``(channel, *modes)``.
    derivative
        Rows of the differentiation matrix that belong to the predicted frames, ``(T, num_known
        + T)``.
    order
        Of the differences in time.
    autonomous
        Whether the equation is the same at all times.

    Raises
    ------
    InputError
        If shapes do not fit, or the problem has no spectral form of what its frames hold.

    References
    ----------
    Cao, Brarda, Li, Xi (2025), Spectral-Refiner: Accurate Fine-Tuning of Spatiotemporal
    Fourier Neural Operator for Turbulent Flows, ICLR, doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> from pdesolve import evolve, get_family
    >>> family = get_family("taylor_green2d")
    >>> values = {"amplitude": 1.0, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    >>> problem = family.problem(values)
    >>> grid = problem.grid(16)
    >>> frames = torch.as_tensor(evolve(problem, mesh=grid).on(grid))
    >>> residual = SpaceTimeResidual(problem, grid, problem.times, frames[:1])
    >>> bool(residual(frames[1:]).abs().max() < 1e-4 * frames.abs().max())
    True
    """

    def __init__(
        self,
        problem: EvolutionProblem,
        grid: StructuredGrid,
        times: Sequence[float] | np.ndarray,
        known: Tensor | np.ndarray,
        *,
        order: int | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        evolution = problem.spectral_evolution(grid)
        if evolution.reported_names != evolution.names:
            raise InputError(
                f"frames of '{problem.name}' hold {', '.join(evolution.reported_names)}, and its "
                f"equations in Fourier modes are for {', '.join(evolution.names)}: there is no "
                "residual of such frames. Take a problem whose state is what it reports"
            )
        self.problem, self.grid = problem, grid
        self.times = tuple(float(time) for time in times)
        self.transforms = Transforms(grid, torch, "float64", device)
        self.known = torch.as_tensor(known, dtype=torch.float64, device=device)
        expected = (len(evolution.names), *grid.shape)
        if self.known.shape[1:] != expected or not 1 <= len(self.known) < len(self.times):
            raise InputError(
                f"known frames of shape {tuple(self.known.shape)} must have shape "
                f"(num_known, {', '.join(map(str, expected))}) with at least 1 and fewer than the "
                f"{len(self.times)} times"
            )
        if not bool(torch.isfinite(self.known).all()):
            raise InputError("the known frames are not finite")
        usual = 6 if len(self.known) >= 3 else 4
        self.order = usual if order is None else order
        matrix = differentiation_matrix(self.times, self.order)
        self.derivative = self.transforms.asarray(matrix[len(self.known) :])
        self.parameters = {
            name: self.transforms.asarray(value) for name, value in evolution.parameters.items()
        }
        linear = evolution.linear
        self.linear: Tensor = (
            linear(self.transforms, self.parameters)
            if callable(linear)
            else self.transforms.asarray(linear)
        )
        self.evolution = evolution
        self._known_modes: Tensor = self.transforms.forward(self.known)
        self.autonomous = self._is_autonomous()

    @property
    def num_predicted(self) -> int:
        """Number T of frames that are not known."""
        return len(self.times) - len(self.known)

    def __call__(self, frames: Tensor) -> Tensor:
        """R at the predicted frames.

        Parameters
        ----------
        frames
            ``(T, channel, *shape)``.

        Returns
        -------
        Tensor
            The same shape, in the unit of the frames per unit of time.
        """
        result: Tensor = self.transforms.inverse(self.modes(self.forward(frames)))
        return result

    def forward(self, frames: Tensor) -> Tensor:
        """Fourier coefficients ``(T, channel, *modes)`` of frames, checked."""
        expected = (self.num_predicted, *self.known.shape[1:])
        if tuple(frames.shape) != expected:
            raise InputError(
                f"frames of shape {tuple(frames.shape)} must have shape {expected}: one for each "
                f"time after the {len(self.known)} known"
            )
        result: Tensor = self.transforms.forward(frames.to(self.known.device, torch.float64))
        return result

    def forward_known(self) -> Tensor:
        """Fourier coefficients ``(num_known, channel, *modes)`` of the known frames."""
        return self._known_modes

    def modes(self, frames_hat: Tensor) -> Tensor:
        """R's Fourier coefficients from those of the predicted frames."""
        rate = self.rate_of_change(torch.cat([self._known_modes, frames_hat]))
        return rate - self.right_hand_side(frames_hat)

    def rate_of_change(self, all_hat: Tensor) -> Tensor:
        """∂/∂t at the predicted frames, from the coefficients of all frames."""
        matrix = self.derivative.to(all_hat.dtype)
        result: Tensor = torch.tensordot(matrix, all_hat, dims=([1], [0]))
        return result

    def right_hand_side(self, frames_hat: Tensor) -> Tensor:
        """L û + N(û) at the predicted frames, in Fourier coefficients."""
        if self.autonomous:
            return self._rate(self.times[-1], frames_hat)
        later = self.times[len(self.known) :]
        parts = [self._rate(time, frames_hat[number]) for number, time in enumerate(later)]
        return torch.stack(parts)

    def _rate(self, time: float, state: Tensor) -> Tensor:
        factor = self.evolution.time_factor
        result = self.linear * state * (1.0 if factor is None else factor(time))
        if self.evolution.nonlinear is not None:
            tendency = self.evolution.nonlinear(self.transforms, time, state, self.parameters)
            result = result + tendency
        return result

    def _is_autonomous(self) -> bool:
        """Whether the rates of a known state agree at all times, not only at both ends."""
        state = self._known_modes[0]
        first = self._rate(self.times[0], state)
        return all(torch.equal(first, self._rate(time, state)) for time in self.times[1:])
