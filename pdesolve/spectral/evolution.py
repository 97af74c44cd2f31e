"""What a problem says of itself to the backend ``spectral`` when it evolves in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid

Array = Any
"""An array of NumPy, or of another library that follows the array API, such as torch."""

Nonlinearity = Callable[[Any, float, Array, Mapping[str, Array]], Array]
Diagnostic = Callable[[Any, Array, Mapping[str, Array]], Array]
Symbol = Callable[[Any, Mapping[str, Array]], Array]


@dataclass(frozen=True, eq=False)
class SpectralEvolution:
    """û' = g(t) L û + N(t, û) for the Fourier coefficients of a periodic problem.

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
        The symbol L, real or complex, broadcastable to ``(*batch, channel, *modes)``; or a
        function of the helper and `parameters` that gives it, which lets gradients with
        respect to parameters pass and batches differ in them. Systems whose linear parts
        are coupled choose variables that decouple them.
    nonlinear
        N: called with the helper :class:`pdesolve.spectral.transforms.Transforms` of the
        grid and array library, the time, û and `parameters`; gives an array like û. It
        uses only operations of the array API, so that it runs on NumPy and torch, with
        gradients. To make batches, give one function for all problems of a kind, with
        what differs in `parameters`.
    parameters
        Numbers and arrays that L and N need, each with the batch axes in front, or
        without them where one value serves all problems. The
        helper's ``per_problem`` shapes numbers to broadcast over û.
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
    time_factor
        g > 0, a function of time; 1 when left out.
    """

    grid: StructuredGrid
    names: tuple[str, ...]
    initial: Array
    linear: Array | Symbol
    nonlinear: Nonlinearity | None = None
    parameters: Mapping[str, Array] = field(default_factory=dict)
    output: Diagnostic | None = None
    output_names: tuple[str, ...] = ()
    diagnostics: Mapping[str, Diagnostic] = field(default_factory=dict)
    step_size: float = float("nan")
    time_factor: Callable[[float], float] | None = None

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


def check_periodic_box(problem: Any, grid: StructuredGrid) -> None:
    """Refuse a grid of another dimension or box than the problem's, or one that does not wrap.

    Raises
    ------
    InputError
        With the grid's box and the problem's.
    """
    if grid.dimension != problem.dimension:
        raise InputError(f"the problem is {problem.dimension}D, the grid {grid.dimension}D")
    if not np.allclose((grid.lower, grid.upper), (problem.lower, problem.upper), rtol=1e-12):
        raise InputError(
            f"the grid's box {grid.lower} to {grid.upper} is not the problem's, {problem.lower} "
            f"to {problem.upper}; make the grid with problem.grid(shape)"
        )
    if not all(grid.periodic):
        raise InputError(
            "the backend 'spectral' needs a grid that wraps on every axis; make it with "
            "problem.grid(shape), and give every side Periodic()"
        )


class DifferentFunctionsError(InputError):
    """Problems whose L, N or g are different functions, which make no batch."""


def one_function(one: object, other: object) -> bool:
    """Whether two functions are the same: equal, or made by one ``def`` from equal numbers.

    A function inside a method is made anew by each call; it is the same function if its
    code is, and what it refers to outside of itself is one object or equal numbers.

    Examples
    --------
    >>> def decay(rate):
    ...     return lambda transforms, parameters: -rate
    >>> one_function(decay(1.0), decay(1.0)), one_function(decay(1.0), decay(2.0))
    (True, False)
    """
    if one == other:
        return True
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return False
    if one.__code__ is not other.__code__ or one.__globals__ is not other.__globals__:
        return False

    def seen(function: FunctionType) -> list[object]:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]

    return all(
        a is b or (type(a) is type(b) and isinstance(a, int | float | str) and a == b)
        for a, b in zip(seen(one), seen(other), strict=True)
    )


def stack(evolutions: Sequence[SpectralEvolution]) -> SpectralEvolution:
    """One batch of several problems of one kind, on one grid (NumPy arrays).

    Parameters
    ----------
    evolutions
        Single problems that differ in initial state, parameters, and L where it is an
        array. N, and L where it is a function, must be the same function for all.

    Raises
    ------
    InputError
        If they differ in grid, channels or names of parameters.
    DifferentFunctionsError
        If they differ in functions.

    Examples
    --------
    >>> grid = StructuredGrid(8, periodic=True)
    >>> decay = [SpectralEvolution(grid, ("u",), np.ones((1, 8)), np.full(1, -k)) for k in (1, 2)]
    >>> stack(decay).initial.shape, stack(decay).linear.shape
    ((2, 1, 8), (2, 1, 5))
    """
    if not evolutions:
        raise InputError("a batch needs at least one problem")
    first = evolutions[0]
    for other in evolutions[1:]:
        if other.grid != first.grid or other.names != first.names:
            raise InputError("only problems on one grid with the same channels make a batch")
        if set(other.parameters) != set(first.parameters):
            raise InputError("only problems with the same parameters make a batch")
        same = one_function(other.nonlinear, first.nonlinear)
        same = same and one_function(other.time_factor, first.time_factor)
        if callable(first.linear) or callable(other.linear):
            same = same and one_function(other.linear, first.linear)
        if not same:
            raise DifferentFunctionsError(
                "only problems with the same functions for L, N and g make a batch; put what "
                "differs into parameters"
            )
    return replace(
        first,
        initial=np.stack([np.asarray(item.initial) for item in evolutions]),
        linear=_stacked_symbols(evolutions),
        parameters={name: _stacked_values(name, evolutions) for name in first.parameters},
        step_size=min(item.step_size for item in evolutions),
    )


def _stacked_values(name: str, evolutions: Sequence[SpectralEvolution]) -> Array:
    """A parameter with batch axis; as it is where it is one for all."""
    values = [np.asarray(item.parameters[name]) for item in evolutions]
    if all(np.array_equal(values[0], other) for other in values[1:]):
        return values[0]
    return np.stack(values)


def _stacked_symbols(evolutions: Sequence[SpectralEvolution]) -> Array:
    """L with batch axis; as it is where it is one for all."""
    first = evolutions[0]
    if callable(first.linear):
        return first.linear
    symbols = [np.asarray(item.linear) for item in evolutions]
    if all(np.array_equal(symbols[0], other) for other in symbols[1:]):
        return symbols[0]
    modes = (len(first.names), *first.grid.shape[:-1], first.grid.shape[-1] // 2 + 1)
    return np.stack([np.broadcast_to(symbol, modes) for symbol in symbols])
