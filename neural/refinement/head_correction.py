"""The last layer of a space-time Fourier neural operator, refined for one input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from neural.models.space_time_fno import SpaceTimeFNO
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.minimisation import Refinement, RefinementSettings, refine
from neural.refinement.residuals import SpaceTimeResidual
from pdesolve.problems.evolution import EvolutionProblem


class HeadCorrection(nn.Module):
    r"""Frames as a function of the bias of the last spectral convolution, all else frozen.

    The latent field is computed once. The head gets more modes in float64, with the trained
    values copied, so that its frames are the prediction at first. For a single input with one
    channel the multiplier R and the bias b reach the same frames, Y = R v̂ + b; the bias
    alone is changed unless `change_weight` is set, as in the publication.

    Parameters
    ----------
    model
        Trained.
    estimator
        Of the problem; its known frames are the model's input.
    modes
        Number per axis, time last; all that the grid and the latent frames resolve when left
        out.
    scaled
        Whether the bias is scaled mode by mode by the size that the linear part of the equation
        gives the residual, as Gauss–Newton and L-BFGS want it. Otherwise it is that of
        transforms without a factor, for which the rates of Adam were published.
    change_weight
        Whether R is changed too.
    static
        Further input channels that do not change in time, ``(channel, *shape)``, as the model
        was trained to see them.
    mean, deviation
        Of the normalisation of the frames that the model was trained with.

    Raises
    ------
    InputError
        If the model does not take the known frames, `modes` are too many or too few, or the known
        frames or those that follow the last of them are not equally far apart in time.

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
    >>> residual = SpaceTimeResidual(problem, grid, (0.0, 0.1, 0.2, 0.3), start)
    >>> model = SpaceTimeFNO(1, 1, modes=(4, 4, 2), width=6, latent_frames=4)
    >>> HeadCorrection(model, ResidualEstimator(residual))().shape
    torch.Size([3, 1, 16, 16])
    """

    def __init__(
        self,
        model: SpaceTimeFNO,
        estimator: ResidualEstimator,
        *,
        modes: Sequence[int] | None = None,
        scaled: bool = True,
        change_weight: bool = False,
        static: Tensor | np.ndarray | None = None,
        mean: float = 0.0,
        deviation: float = 1.0,
    ) -> None:
        super().__init__()
        residual = estimator.residual
        if not (np.isfinite(mean) and np.isfinite(deviation) and deviation > 0):
            raise InputError(
                f"mean={mean!r} and deviation={deviation!r} must be finite, and the deviation "
                "positive"
            )
        _check_steps(residual.times, len(residual.known))
        self.mean, self.deviation = float(mean), float(deviation)
        self.num_out = residual.num_predicted
        parameter = next(model.parameters())
        history = ((residual.known - mean) / deviation).movedim(0, -1)[None]
        if model.divergence_free or model.out_channels != history.shape[1]:
            raise InputError(
                f"the model gives {model.out_channels} channels"
                f"{' without divergence' if model.divergence_free else ''}, the problem's state "
                f"has {history.shape[1]}: only a model of the state itself can be refined"
            )
        if static is not None:
            fixed = torch.as_tensor(static, dtype=torch.float64, device=history.device)
            fixed = fixed[None, ..., None].expand(1, *fixed.shape, history.shape[-1])
            history = torch.cat([history, fixed], dim=1)
        with torch.no_grad():
            given = history.to(parameter.device, parameter.dtype)
            latent = model.latent(given).double()
            last = model.last_frame(history.to(parameter.device))
        most = (*(size // 2 for size in residual.grid.shape), latent.shape[-1] + 1)
        chosen = tuple(most if modes is None else modes)
        if any(count > limit for count, limit in zip(chosen, most, strict=False)):
            raise InputError(
                f"modes={list(chosen)} are more than the grid {residual.grid.shape} and "
                f"{latent.shape[-1]} latent frames resolve, {list(most)}"
            )
        head = model.head.enlarged(chosen)
        convolution = head.convolution
        if convolution.bias is not None:
            with torch.no_grad():  # δ b stays what it was
                convolution.bias.mul_(head.bias_scale)
        convolution.weight.requires_grad_(change_weight)
        self.latent_frames = int(latent.shape[-1])
        if scaled:
            scale = _bias_scale(estimator, chosen, self.latent_frames)[:, None, None]
        else:
            points = residual.grid.num_points * 2 * (self.latent_frames + 1)
            scale = torch.tensor(1.0 / points, dtype=torch.float64)
        parametrize.register_parametrization(
            convolution, "bias", _Scaled(scale.to(parameter.device))
        )
        self.head = head
        with torch.no_grad():
            self.register_buffer("spectrum", head.spectrum(latent, last))
        self.register_buffer("last", last)
        self.spectrum: Tensor
        self.last: Tensor

    def forward(self) -> Tensor:
        """The frames, ``(T, channel, *shape)``."""
        frames = self.head.frames(
            self.spectrum, self.last, self.num_out, self.latent_frames, bias_scale=1.0
        )
        return frames[0].movedim(-1, 0) * self.deviation + self.mean


class _Scaled(nn.Module):
    """The bias is a given scale times the parameter."""

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.scale: Tensor

    def forward(self, parameter: Tensor) -> Tensor:
        return self.scale * parameter

    def right_inverse(self, bias: Tensor) -> Tensor:
        return bias / self.scale


def _bias_scale(estimator: ResidualEstimator, modes: Sequence[int], latent: int) -> Tensor:
    """(α + |k|²)^½ / |i ω_l − L_k| for the kept modes, in their order; shape ``(num_kept,)``."""
    residual = estimator.residual
    grid, transforms = residual.grid, residual.transforms
    numbers = np.meshgrid(
        *(np.concatenate([np.arange(m), np.arange(-m, 0)]) for m in modes[:-1]), indexing="ij"
    )
    squares = sum(
        (2 * np.pi * number / length) ** 2
        for number, length in zip(numbers, grid.extent, strict=True)
    )
    mirrored = np.where(numbers[-1] < 0, -1, 1)  # the stored half of the conjugate modes
    index = tuple(
        np.mod(mirrored * number, size) for number, size in zip(numbers, grid.shape, strict=True)
    )
    linear = residual.linear.broadcast_to(residual.known.shape[1], *transforms.modes)
    rates = linear.abs().amax(dim=0).cpu().numpy()[index]
    horizon = residual.times[-1] - residual.times[len(residual.known) - 1]
    # a latent frame is 1 / (2 (latent + 1)) of the period
    frequency = np.pi * latent / (latent + 1) / horizon * np.arange(modes[-1])
    size = np.sqrt(frequency**2 + rates[..., None] ** 2 + (np.pi / horizon) ** 2)
    smallest = (2 * np.pi / max(grid.extent)) ** 2
    scale = np.sqrt(np.asarray(squares)[..., None] + max(estimator.alpha, smallest)) / size
    return torch.as_tensor((scale / scale.max()).ravel())


def _check_steps(times: Sequence[float], num_known: int) -> None:
    """Refuse frames that a model of equally many steps a span cannot mean."""
    steps = np.diff(np.asarray(times))
    for own, what in (
        (steps[: num_known - 1], "known frames"),
        (steps[num_known - 1 :], "frames from the last known one on"),
    ):
        if len(own) and np.ptp(own) > 1e-3 * own.max():
            raise InputError(
                f"the {what} are {own.min():.6g} to {own.max():.6g} apart in time; the model gives "
                "frames in equal steps. Give equally spaced times"
            )


def refine_prediction(
    model: SpaceTimeFNO,
    problem: EvolutionProblem,
    grid: StructuredGrid,
    times: Sequence[float],
    history: Tensor | np.ndarray,
    *,
    settings: RefinementSettings | None = None,
    modes: Sequence[int] | None = None,
    order: int | None = None,
    static: Tensor | np.ndarray | None = None,
    mean: float = 0.0,
    deviation: float = 1.0,
) -> Refinement:
    """Predict the frames that follow a history, and refine them by the equations.

    Parameters
    ----------
    model
        Trained.
    problem
        Periodic, with a form for the backend ``spectral``.
    grid
        Where the frames sit.
    times
        Of all frames: those of the history, with the step of training, then those to be
        predicted, any number in equal steps over the span that the model was trained for (which
        it does not know).
    history
        ``(frames_in, channel, *shape)``.
    settings
        Of the minimisation.
    modes, static, mean, deviation
        See :class:`HeadCorrection`.
    order
        Of the differences in time, see :class:`~neural.refinement.SpaceTimeResidual`.

    Returns
    -------
    Refinement
        The first estimate is that of the prediction.

    Raises
    ------
    InputError
        If shapes do not fit, times are not equally far apart, or the prediction is not finite.

    Examples
    --------
    >>> refined = refine_prediction(model, problem, grid, times, history)  # doctest: +SKIP
    >>> refined.reduction  # doctest: +SKIP
    0.03
    """
    chosen = settings or RefinementSettings()
    residual = SpaceTimeResidual(problem, grid, times, history, order=order)
    estimator = ResidualEstimator(residual)
    correction = HeadCorrection(
        model,
        estimator,
        modes=modes,
        scaled=chosen.method != "adam",
        change_weight=chosen.method == "adam",
        static=static,
        mean=mean,
        deviation=deviation,
    )
    return refine(correction, estimator, chosen)
