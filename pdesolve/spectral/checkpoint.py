"""Fourier coefficients and the place in time, in HDF5 files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.failures import CheckpointError
from pdesolve.output.paraview import replace_file

FORMAT = 1
_ATTRIBUTE = "pdesolve_spectral_evolution"


def write_checkpoint(
    path: Path, coefficients: npt.NDArray[np.complex128], head: Mapping[str, Any]
) -> None:
    """Write coefficients and plain values; the file appears under its name when it is whole."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)

    def write(part: Path) -> None:
        with h5py.File(part, "w") as file:
            pairs = np.stack([coefficients.real, coefficients.imag])
            file.create_dataset("coefficients", data=pairs, fletcher32=True, chunks=pairs.shape)
            file.attrs[_ATTRIBUTE] = json.dumps({"format": FORMAT, **head})

    replace_file(path, write)


def read_checkpoint(path: Path) -> tuple[npt.NDArray[np.complex128], dict[str, Any]]:
    """Coefficients and plain values.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged, or of another format.
    """
    import h5py

    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint '{path}'")
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get(_ATTRIBUTE)
            if text is None:
                raise CheckpointError(
                    f"'{path}' is not a checkpoint of the backend 'spectral'; it was written by "
                    "another backend or program"
                )
            head = json.loads(str(text))
            if head.get("format") != FORMAT:
                raise CheckpointError(
                    f"'{path}' has format {head.get('format')}; this release reads {FORMAT}"
                )
            pairs = np.asarray(file["coefficients"][...], dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"'{path}' is damaged: {error}") from error
    return pairs[0] + 1j * pairs[1], head


def check_matches(
    path: Path, head: Mapping[str, Any], expected: Mapping[str, Any], symbol_norm: float
) -> None:
    """Refuse the checkpoint of another problem.

    Raises
    ------
    CheckpointError
        If an entry differs, with both values.
    """
    for key, value in expected.items():
        if head.get(key) != value:
            raise CheckpointError(f"'{path}' has {key} {head.get(key)!r}; this solve has {value!r}")
    kept = float(head.get("symbol_norm", float("nan")))
    if not np.isclose(kept, symbol_norm, rtol=1e-10, atol=0.0):
        raise CheckpointError(
            f"'{path}' belongs to a problem with other coefficients (norm of the linear symbol "
            f"{kept:.12g}, here {symbol_norm:.12g})"
        )
