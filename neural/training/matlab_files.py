"""MATLAB files, in which the sets of the first Fourier neural operators were published.

References
----------
Z. Li et al.: Fourier neural operator for parametric partial differential equations. ICLR
(2021). doi:10.48550/arXiv.2010.08895
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from meshes.errors import InputError
from neural.training.boxes import Box
from neural.training.field_contents import INITIAL, FieldContents
from neural.training.file_arrays import (
    array_at,
    listed,
)
from neural.training.stored_fields import SPACE, StoredField
from operators.failures import DataFileError

PAIRS = {("coeff", "sol"): False, ("a", "u"): True}
"""Known names of input and output, and whether these sets are periodic."""


def open_matlab(path: Path) -> Any:
    """The variables of a MATLAB file: an HDF5 file (version 7.3) or a dictionary (older).

    Raises
    ------
    InputError
        If there is no such file.
    DataFileError
        If it is not a MATLAB file.
    """
    if not path.is_file():
        raise InputError(f"there is no file '{path}'")
    try:
        if h5py.is_hdf5(path):
            return h5py.File(path, "r")
        numbers = [
            name
            for name, _, kind in scipy.io.whosmat(path)
            if kind
            not in ("cell", "struct", "object", "function", "opaque", "char", "sparse", "unknown")
        ]
        return scipy.io.loadmat(path, variable_names=numbers, struct_as_record=True)
    except Exception as error:  # SciPy fails in any way on a damaged file
        raise DataFileError(f"'{path}' cannot be read as a MATLAB file ({error})") from error


def read_contents(
    file: Any,
    path: Path,
    input_fields: Sequence[str] | None = None,
    output_fields: Sequence[str] | None = None,
) -> FieldContents:
    """What the variables of a MATLAB file are.

    Arrays are ``(sample, *space)`` in MATLAB, and ``(sample, *space, time)`` for an output
    with one axis more than the inputs. Files of version 7.3 hold them with all axes
    reversed, which is undone. The first axis of space is taken as x. Known pairs of input
    and output are ``coeff`` and ``sol`` (Darcy flow, values at vertices of the unit square)
    and ``a`` and ``u`` (Burgers and Navier-Stokes, periodic), where ``a`` is called
    ``initial_u`` if ``u`` has times; others have to be named. Times are those of a variable
    ``t``, or 1, 2, ...

    Parameters
    ----------
    file
        From :func:`open_matlab`.
    path
        For messages.
    input_fields, output_fields
        Names of the variables.

    Raises
    ------
    InputError
        If the variables have to be named.
    DataFileError
        If one is missing, or shapes do not fit.

    Examples
    --------
    >>> arrays = {"a": np.ones((5, 8)), "u": np.ones((5, 8))}
    >>> read_contents(arrays, Path("burgers.mat")).shape
    (8,)
    """
    reverse = isinstance(file, h5py.File)
    available = [
        name
        for name in file
        if not name.startswith(("__", "#"))
        and hasattr(file[name], "ndim")
        and file[name].dtype.kind in "fiub"
    ]
    shapes = {name: tuple(file[name].shape[:: -1 if reverse else 1]) for name in available}
    for pair in PAIRS:
        if input_fields is None and output_fields is None and set(pair) <= set(available):
            input_fields, output_fields = (pair[0],), (pair[1],)
    if not input_fields or not output_fields:
        found = listed([f"{name} {shape}" for name, shape in shapes.items()])
        raise InputError(
            f"'{path}' has no known pair of variables ({listed(list(PAIRS))}); name them with "
            f"input_fields and output_fields, from: {found}"
        )
    named = (*input_fields, *output_fields)
    for name in named:
        array_at(file, name, path)  # refuses what is missing or no number
    first = shapes[input_fields[0]]
    count, shape = first[0], first[1:]
    if not 1 <= len(shape) <= len(SPACE):
        raise DataFileError(
            f"'{path}': '{input_fields[0]}' has shape {first}; expected is (sample, *space)"
        )
    space = tuple(SPACE[: len(shape)])
    fixed, evolving, lengths = {}, {}, set()
    for name in named:
        in_time = shapes[name][:-1] == first
        if shapes[name] != first and not (in_time and name in output_fields):
            raise DataFileError(
                f"'{path}': '{name}' has shape {shapes[name]} and '{input_fields[0]}' {first}; "
                "they must be equal, but for a last axis of time of an output"
            )
        axes = ("sample", *space, *(["time"] if in_time else []))
        field = StoredField((name,), axes[::-1] if reverse else axes)
        if in_time:
            evolving[name] = field
            lengths.add(shapes[name][-1])
        else:
            fixed[name] = field
    if len(lengths) > 1:
        raise DataFileError(f"'{path}': its outputs have different numbers of times: {lengths}")
    pair = (input_fields[0], output_fields[0])
    if pair == ("a", "u") and "u" in evolving:  # the state before the first time
        fixed[INITIAL + "u"] = fixed.pop("a")
        input_fields = tuple(INITIAL + "u" if name == "a" else name for name in input_fields)
    sides = (PAIRS.get(pair, False),) * len(shape)
    return FieldContents(
        layout="fno-mat",
        family="fno-mat",
        num_samples=count,
        shape=shape,
        times=_times(file, path, lengths.pop() if lengths else 0),
        fixed=fixed,
        evolving=evolving,
        box=Box((0.0,) * len(shape), (1.0,) * len(shape), sides, "vertex"),
        roles=(tuple(input_fields), tuple(output_fields)),
    )


def _times(file: Any, path: Path, count: int) -> tuple[float, ...]:
    if count == 0:
        return (0.0,)
    if "t" in file:
        times = np.ravel(np.asarray(array_at(file, "t", path)[()], dtype=np.float64))
        if len(times) == count:
            return tuple(times.tolist())
    return tuple(float(number + 1) for number in range(count))
