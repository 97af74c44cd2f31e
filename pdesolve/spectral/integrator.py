"""An evolution of Fourier coefficients on one array library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from meshes.errors import InputError, suggest
from pdesolve.spectral.etdrk4 import SCHEMES
from pdesolve.spectral.evolution import Array, SpectralEvolution
from pdesolve.spectral.time_change import TimeChange
from pdesolve.spectral.transforms import Transforms
from pdesolve.step_sizes import steps_between

FEWEST_POINTS = 4
"""Points along an axis; with fewer the 2/3 rule leaves the mean value alone."""


class FourierIntegrator:
    """Transforms, scheme and parameters of an evolution, ready to step.

    Parameters
    ----------
    evolution
        The equations, single or a batch.
    xp, dtype, device, workers
        As for :class:`~pdesolve.spectral.transforms.Transforms`.
    method
        ``"etdrk4"`` or ``"etdrk2"``.
    parameters
        Replace parameters of the evolution by name, such as a tensor that needs gradients.

    Raises
    ------
    InputError
        For unknown methods and parameters, and grids that are too coarse.

    Examples
    --------
    >>> import numpy as np
    >>> from meshes import StructuredGrid
    >>> grid = StructuredGrid(16, upper=2 * np.pi, periodic=True)
    >>> heat = SpectralEvolution(
    ...     grid, ("u",), np.sin(grid.points()), lambda transforms, parameters: transforms.laplacian
    ... )
    >>> integrator = FourierIntegrator(heat)
    >>> after = integrator.step(integrator.initial(), 0.0, 1.0)
    >>> bool(np.allclose(integrator.report(after), np.exp(-1.0) * np.sin(grid.points())))
    True
    """

    def __init__(
        self,
        evolution: SpectralEvolution,
        *,
        xp: Any = None,
        dtype: str = "float64",
        device: Any = None,
        workers: int = 1,
        method: str | None = None,
        parameters: Mapping[str, Array] | None = None,
    ) -> None:
        chosen = method or "etdrk4"
        if chosen not in SCHEMES:
            raise InputError(
                f"the backend 'spectral' has no method '{chosen}'. {suggest(chosen, SCHEMES)}"
            )
        if min(evolution.grid.shape) < FEWEST_POINTS:
            raise InputError(
                f"the grid has {evolution.grid.shape} points; Fourier modes need {FEWEST_POINTS} "
                "or more along each axis, of which the 2/3 rule keeps one wave"
            )
        for name in parameters or {}:
            if name not in evolution.parameters:
                raise InputError(
                    f"there is no parameter '{name}'. {suggest(name, evolution.parameters)}"
                )
        self.evolution = evolution
        self.transforms = Transforms(evolution.grid, xp, dtype, device, workers=workers)
        values = {**evolution.parameters, **(parameters or {})}
        self.parameters = {name: self.transforms.asarray(value) for name, value in values.items()}
        self.scheme = SCHEMES[chosen](
            self._symbol(values),
            None if evolution.nonlinear is None else self._nonlinear,
            self.transforms.xp,
            self.transforms.complex_type,
            self._nonlinear_into if hasattr(evolution.nonlinear, "into") else None,
        )
        # waves that grow by themselves carry rounding errors along
        xp = self.transforms.xp
        self._grows = bool(xp.any(xp.real(self.scheme.linear) > 0))
        factor = evolution.time_factor
        self._clock = None if factor is None else TimeChange(factor)

    def _symbol(self, values: Mapping[str, Array]) -> Array:
        """L in double precision, whatever the precision of the state."""
        transforms = self.transforms
        if transforms.dtype != "float64":
            transforms = Transforms(transforms.grid, transforms.xp, "float64", transforms.device)
        linear = self.evolution.linear
        if callable(linear):
            inputs = {name: transforms.asarray(value) for name, value in values.items()}
            linear = linear(transforms, inputs)
        return transforms.asarray(linear)

    def _nonlinear(self, time: float, state: Array) -> Array:
        if self.evolution.nonlinear is None:
            return self.transforms.xp.zeros_like(state)
        return self.evolution.nonlinear(self.transforms, time, state, self.parameters)

    def _nonlinear_into(self, time: float, state: Array, out: Array) -> Array:
        write = getattr(self.evolution.nonlinear, "into")  # noqa: B009
        return write(self.transforms, time, state, self.parameters, out)

    def initial(self, values: Array | None = None) -> Array:
        """û of the initial state, or of the values given, ``(*batch, channel, *modes)``."""
        start = self.evolution.initial if values is None else values
        return self.transforms.forward(self.transforms.asarray(start))

    def step(self, state: Array, time: float, dt: float) -> Array:
        """û after one step."""
        after = self._stepped(state, time, dt)
        return self.transforms.real_part(after) if self._grows else after

    def _stepped(self, state: Array, time: float, dt: float) -> Array:
        if self._clock is None:
            return self.scheme.step(state, time, dt)
        clock, end = self._clock, time + dt
        times = (time, clock.middle(time, end), end)
        elapsed = float(f"{clock.elapsed(time, end):.14g}")  # equal steps share coefficients
        first, second, third = (1.0 / clock.at(instant) for instant in times)
        return self.scheme.step_between(state, elapsed, times, (first, second, third))

    def report(self, state: Array) -> Array:
        """The values that are reported, ``(*batch, channel, *shape)``."""
        if self.evolution.output is not None:
            state = self.evolution.output(self.transforms, state, self.parameters)
        return self.transforms.inverse(state)

    def quantities(self, state: Array) -> dict[str, Array]:
        """The evolution's diagnostics, each of shape ``batch``."""
        return {
            name: diagnostic(self.transforms, state, self.parameters)
            for name, diagnostic in self.evolution.diagnostics.items()
        }

    def plan(self, start: float, stop: float, dt: float | None) -> tuple[int, float]:
        """Number and size of the steps from one time to another.

        A given dt must divide the interval; left out, the largest that does and does not
        exceed the evolution's step size. Sizes are rounded to fourteen digits, so that equal
        intervals share coefficients.

        Raises
        ------
        InputError
            If dt does not divide the interval.
        """
        if dt is not None:
            return steps_between(start, stop, dt), dt
        limit, span = self.evolution.step_size, stop - start
        count = 1
        if self.evolution.nonlinear is not None or self._clock is not None:
            if not limit > 0:
                raise InputError("the problem gives no step size; give dt")
            count = max(1, math.ceil(span / limit - 1e-9))
        return count, float(f"{span / count:.14g}")


def all_finite(value: Array, xp: Any) -> bool:
    """Whether every entry is finite, by one sum (NaN and infinity survive it)."""
    total = xp.sum(value)
    return math.isfinite(float(xp.real(total))) and math.isfinite(float(xp.imag(total)))


def batch_shape(state: Array, dimension: int) -> Sequence[int]:
    """The axes before channel and space."""
    return tuple(state.shape[: -1 - dimension])
