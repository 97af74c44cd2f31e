"""What a problem says of itself to the backend ``spectral`` when it evolves in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid

Array = Any
"""An array of NumPy, or of another library that follows the array API, such as torch."""

Nonlinearity = Callable[[Any, float, Array, Mapping[str, Array]], Array]
Diagnostic = Callable[[Any, Array, Mapping[str, Array]], Array]


@dataclass(frozen=True, eq=False)
class SpectralEvolution:
    """û' = L û + N(t, û) for the Fourier coefficients of a periodic problem.

    Arrays have the layout ``(*batch, channel, *modes)``, with the modes of ``rfftn`` over
    the last `dimension` axes. A batch holds problems that differ in initial state and
    parameters.

    Parameters
    ----------
    grid
        Grid that wraps on every axis.
    names
        Names of the channels, the main one first.
    initial
        u at the first time, real, ``(*batch, channel, *shape)``.
    linear
        The symbol L, real or complex, broadcastable to ``(*batch, channel, *modes)``.
        Systems whose linear parts are coupled choose variables that decouple them.
    nonlinear
        N: called with the helper :class:`pdesolve.spectral.transforms.Transforms` of the
        grid and array library, the time, û and `parameters`; gives an array like û. It
        uses only operations of the array API, so that it runs on NumPy and torch, with
        gradients.
    parameters
        Arrays that N needs, each with the batch axes in front.
    output
        Maps û to the coefficients of what is reported, where that is something else
        (such as layers instead of modes), in the same form as N without the time.
    output_names
        Names of the channels of that; `names` when left out.
    diagnostics
        Conserved or decaying quantities by name: take the helper, û and `parameters`, and
        give ``(*batch,)``.
    step_size
        A step size that resolves the solution (accuracy), the default where none is given.
    """

    grid: StructuredGrid
    names: tuple[str, ...]
    initial: Array
    linear: Array
    nonlinear: Nonlinearity | None = None
    parameters: Mapping[str, Array] = field(default_factory=dict)
    output: Diagnostic | None = None
    output_names: tuple[str, ...] = ()
    diagnostics: Mapping[str, Diagnostic] = field(default_factory=dict)
    step_size: float = float("nan")

    def __post_init__(self) -> None:
        if not all(self.grid.periodic):
            raise InputError(
                f"the backend 'spectral' needs a box that wraps on every axis; periodic="
                f"{self.grid.periodic}"
            )
        found = tuple(self.initial.shape)[-1 - self.grid.dimension :]
        expected = (len(self.names), *self.grid.shape)
        if found != expected:
            raise InputError(
                f"the initial state has shape {tuple(self.initial.shape)}; it must end in "
                f"{expected}, channels and grid"
            )

    @property
    def reported_names(self) -> tuple[str, ...]:
        """Names of the channels that are reported."""
        return self.output_names or self.names


def stack(evolutions: Sequence[SpectralEvolution]) -> SpectralEvolution:
    """One batch of several problems of one kind, on one grid (NumPy arrays).

    Raises
    ------
    InputError
        If they differ in grid, channels or names of parameters.
    """
    first = evolutions[0]
    for other in evolutions[1:]:
        if other.grid != first.grid or other.names != first.names:
            raise InputError("only problems on one grid with the same channels make a batch")
        if set(other.parameters) != set(first.parameters):
            raise InputError("only problems with the same parameters make a batch")
    modes = (len(first.names), *first.grid.shape[:-1], first.grid.shape[-1] // 2 + 1)
    return replace(
        first,
        initial=np.stack([np.asarray(item.initial) for item in evolutions]),
        linear=np.stack([np.broadcast_to(item.linear, modes) for item in evolutions]),
        parameters={
            name: np.stack([np.asarray(item.parameters[name]) for item in evolutions])
            for name in first.parameters
        },
        step_size=min(item.step_size for item in evolutions),
    )
