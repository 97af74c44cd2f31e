"""Checkpoints of solves in time on grids."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.failures import CheckpointError

_FORMAT = "pdesolve grid evolution 1"
_CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
class GridCheckpoint:
    """What a checkpoint holds.

    Parameters
    ----------
    state
        Shape ``(component, *grid.shape)``.
    position
        Numbers that change from step to step: time, steps, next step size, counts.
    identity
        Plain values that must be the same where the checkpoint is used: problem, grid,
        method, names of the components.
    fingerprint
        Norms of the initial state and its rate, which tell draws of a family apart.
    """

    state: FloatArray
    position: Mapping[str, float]
    identity: Mapping[str, Any]
    fingerprint: FloatArray

    def write(self, path: Path) -> None:
        """Write beside the file and put it in place, so that a kill leaves a whole one."""
        import h5py

        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with h5py.File(beside, "w") as file:
                file.attrs["format"] = _FORMAT
                file.attrs["identity"] = json.dumps(self.identity)
                for name, value in self.position.items():
                    file.attrs[name] = value
                file["fingerprint"] = self.fingerprint
                file["state"] = self.state
                file.flush()
            with beside.open("rb") as written:
                os.fsync(written.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> GridCheckpoint:
        """Read and check the file.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        import h5py

        if not path.is_file():
            raise CheckpointError(f"there is no checkpoint '{path}'")
        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != _FORMAT:
                    raise CheckpointError(
                        f"'{path}' is no checkpoint of the backend 'grid' (format "
                        f"{file.attrs.get('format')!r})"
                    )
                identity = json.loads(file.attrs["identity"])
                position = {
                    name: float(value)
                    for name, value in file.attrs.items()
                    if name not in ("format", "identity")
                }
                found = cls(
                    np.asarray(file["state"]), position, identity, np.asarray(file["fingerprint"])
                )
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint '{path}' is damaged: {error}") from error
        if not np.isfinite(found.state).all():
            raise CheckpointError(f"the checkpoint '{path}' holds values that are not finite")
        return found

    def check(self, path: Path, identity: Mapping[str, Any], fingerprint: FloatArray) -> None:
        """Refuse a checkpoint of something else.

        Raises
        ------
        CheckpointError
            It says what differs.
        """
        for name, value in identity.items():
            there = self.identity.get(name)
            if there != value:
                raise CheckpointError(
                    f"the checkpoint '{path}' is of another {name}: {there!r}, and this solve has "
                    f"{value!r}"
                )
        expected = (len(identity["unknowns"]), *identity["shape"])
        if self.state.shape != expected:
            raise CheckpointError(
                f"the checkpoint '{path}' holds a state of shape {self.state.shape}, not {expected}"
            )
        scale = np.maximum(np.abs(fingerprint), 1e-300)
        if (
            self.fingerprint.shape != fingerprint.shape
            or (np.abs(self.fingerprint - fingerprint) > _CLOSE * scale).any()
        ):
            raise CheckpointError(
                f"the checkpoint '{path}' is of a problem with another initial state or other "
                "coefficients"
            )


def check_suffix(path: Path) -> None:
    """Refuse other endings than ``.h5``."""
    if path.suffix != ".h5":
        raise InputError(f"checkpoint='{path}' must end in .h5")
