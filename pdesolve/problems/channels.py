"""Which quantities are input channels of a surrogate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import ParameterSpace, ScalarParameter


def varying_inputs(names: Sequence[str], parameters: ParameterSpace) -> tuple[str, ...]:
    """The channels that differ between problems of a family.

    A channel with the same value in every sample cannot be normalised and tells a
    surrogate nothing.

    Parameters
    ----------
    names
        Channels.
    parameters
        Of the family. Channels are left out where a scalar parameter of the same name has
        a single value; all of them stay where none would be left.

    Examples
    --------
    >>> fixed = ScalarParameter("viscosity", 0.1, 0.1)
    >>> varying_inputs(("initial_velocity", "viscosity"), ParameterSpace((fixed,)))
    ('initial_velocity',)
    """
    fixed = {
        parameter.name
        for parameter in parameters
        if isinstance(parameter, ScalarParameter) and parameter.lower == parameter.upper
    }
    return tuple(name for name in names if name not in fixed) or tuple(names)


def input_channels(
    grid: StructuredGrid,
    known: Mapping[str, Callable[[], FloatArray]],
    names: Sequence[str] = (),
) -> Field:
    """The input of a surrogate.

    Parameters
    ----------
    grid
        Where the values are.
    known
        Functions that give each channel's values, shape ``grid.shape``.
    names
        The channels, all that are known when empty.

    Raises
    ------
    InputError
        For a channel that is not known.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> known = {"source": lambda: np.ones(4), "rate": lambda: np.zeros(4)}
    >>> input_channels(grid, known, ("source",)).names
    ('source',)
    """
    for name in names:
        if name not in known:
            raise InputError(f"there is no input '{name}'. {suggest(name, known)}")
    chosen = tuple(names) or tuple(known)
    return Field(grid, np.stack([known[name]() for name in chosen]), chosen)
