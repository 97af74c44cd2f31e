"""Files in the layouts of PDEBench.

References
----------
M. Takamoto et al.: PDEBench: an extensive benchmark for scientific machine learning.
NeurIPS Datasets and Benchmarks (2022). doi:10.48550/arXiv.2210.07182
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from neural.training.boxes import box_of
from neural.training.field_contents import FieldContents
from neural.training.file_arrays import (
    array_at,
    listed,
)
from neural.training.pdebench_arrays import (
    EXPECTED,
    coordinates_of,
    grouped,
    incompressible,
    times_of,
)
from neural.training.stored_fields import SPACE, StoredField
from operators.failures import DataFileError

SEPARATE = ("density", "pressure", "Vx", "Vy", "Vz")


def is_pdebench(file: Any) -> bool:
    """Whether an open HDF5 file looks like one of PDEBench.

    Examples
    --------
    >>> is_pdebench({"tensor": 0}), is_pdebench({"dimensions": 0})
    (True, False)
    """
    return (
        "tensor" in file
        or all(name in file for name in SEPARATE[:3])
        or all(name in file for name in ("velocity", "particles"))
        or any(re.fullmatch(r"\d{4,}", name) for name in file)
    )


def read_contents(file: Any, path: Path) -> FieldContents:
    """What an open file of PDEBench holds, in any of its four layouts.

    - ``tensor`` (sample, time, *space), in Darcy flow with the coefficient ``nu``
      (sample, *space) as input;
    - ``density``, ``pressure``, ``Vx``, ...: each (sample, time, *space);
    - one group a sample, ``0000/data`` (time, *space, component), with ``0000/grid/x``;
    - ``velocity``, ``particles`` (sample, time, x, y, component) and ``force`` without time.

    Lists of times that are one longer than the data, as in the published one-dimensional
    sets, lose their last entry. Nothing in the files says whether axes are periodic: they
    are taken not to be. Attributes of the file, such as ``beta``, become scalar parameters.

    Raises
    ------
    DataFileError
        If it has none of these layouts, or an array does not fit.
    """
    if "tensor" in file:
        names = ["tensor"]
    elif "velocity" in file and "particles" in file:
        return incompressible(file, path)
    elif all(name in file for name in SEPARATE[:3]):
        names = [name for name in SEPARATE if name in file]
    elif any(re.fullmatch(r"\d{4,}", name) for name in file):
        return grouped(file, path)
    else:
        raise DataFileError(f"'{path}' holds {listed(list(file))}; {EXPECTED}")
    coordinates = coordinates_of(file, path, "{}-coordinate")
    space = tuple(SPACE[: len(coordinates)])
    shape = tuple(len(points) for points in coordinates.values())
    stored = array_at(file, names[0], path)
    if stored.ndim != len(shape) + 2 or stored.shape[2:] != shape:
        raise DataFileError(
            f"'{path}': '{names[0]}' has shape {stored.shape}; its coordinates call for "
            f"(sample, time, {', '.join(map(str, shape))})"
        )
    for name in names:
        if array_at(file, name, path).shape != stored.shape:
            raise DataFileError(
                f"'{path}': '{name}' has shape {file[name].shape}, '{names[0]}' has {stored.shape}"
            )
    count, num_times = stored.shape[:2]
    fixed = {}
    if "nu" in file:
        if array_at(file, "nu", path).shape != (count, *shape):
            raise DataFileError(
                f"'{path}': 'nu' has shape {file['nu'].shape}, not {(count, *shape)}"
            )
        fixed["nu"] = StoredField(("nu",), ("sample", *space))
    parameters = {
        name: float(value)
        for name, value in file.attrs.items()
        if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "fiu"
    }
    return FieldContents(
        layout="pdebench",
        family="pdebench",
        num_samples=count,
        shape=shape,
        times=times_of(file, "t-coordinate", num_times, path),
        fixed=fixed,
        evolving={name: StoredField((name,), ("sample", "time", *space)) for name in names},
        box=box_of(coordinates, [False] * len(shape)),
        scalars={name: np.full(count, value) for name, value in parameters.items()},
        options=parameters,
        roles=(("nu",), ("tensor",)) if fixed and num_times == 1 else None,
    )
