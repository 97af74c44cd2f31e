"""Samples of one's own making, each kept on disk until all are there."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from pdesolve.data.arguments import checked_count
from pdesolve.data.schema import to_json
from pdesolve.data.shards import write_safely

Array = npt.NDArray[Any]
SETTINGS = "settings.json"


class KeptSamples:
    """Makes samples one after another; after an interruption goes on with those that are missing.

    For scripts that make data which no problem family covers. Each sample is a file in
    ``<out>.samples``, brought to disk before the next one is begun; the caller stacks them, writes
    its file and then calls :meth:`remove`.

    Parameters
    ----------
    out
        The file that the samples are for.
    settings
        Plain values that the samples depend on, their number left out. Samples that were made
        with others are not taken.

    Raises
    ------
    InputError
        If the folder holds samples of other settings, or cannot be made or read, `out` is a
        folder, or the settings are no plain values.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = KeptSamples(Path(folder) / "squares.h5", {"seed": 0})
    ...     found = kept.stacked(3, lambda number: {"square": np.array([number**2])})
    ...     kept.remove()
    >>> found["square"].ravel()
    array([0, 1, 4])
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        self.folder = out.with_name(out.name + ".samples")
        if not out.parent.is_dir():
            raise InputError(f"the folder '{out.parent}' of '{out}' does not exist; make it first")
        if out.is_dir():
            raise InputError(f"'{out}' is a folder; give a file")
        try:
            asked = json.loads(to_json(dict(settings)))
        except TypeError as error:
            raise InputError(
                f"settings must be numbers, texts, lists and mappings: {error}"
            ) from None
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"the folder '{self.folder}' cannot be made ({error})") from error
        place = self.folder / SETTINGS
        try:
            found = json.loads(place.read_text())
        except FileNotFoundError:
            found = asked
            write_safely(place, lambda stream: stream.write(to_json(asked).encode()))
        except ValueError:
            found = {}
        if found != asked:
            raise InputError(
                f"'{self.folder}' holds samples made with {found}, not with {asked}; remove the "
                "folder, or write to another file"
            )

    def stacked(
        self,
        count: int,
        make: Callable[[int], Mapping[str, npt.ArrayLike]],
        done: Callable[[int, int], Any] | None = None,
    ) -> dict[str, Array]:
        """All samples, arrays of one name stacked along a first axis.

        Parameters
        ----------
        count
            Number of samples, at least 1.
        make
            Makes the arrays of a sample from its number, every sample of the same names and
            shapes.
        done
            Called after each sample with the number of those on disk, and of all.

        Raises
        ------
        InputError
            If there is no sample, or its arrays are of Python objects or differ from the first
            one's in names or shapes.
        """
        checked_count(count)
        rows: list[dict[str, Array]] = []
        for number in range(count):
            row = self._read(number)
            if row is None:
                row = {name: np.asarray(array) for name, array in make(number).items()}
                if any(array.dtype.hasobject for array in row.values()):
                    raise InputError(f"sample {number} has arrays of Python objects; give numbers")
                self._write(number, row)
            shapes = {name: array.shape for name, array in row.items()}
            first = {name: array.shape for name, array in (rows or [row])[0].items()}
            if shapes != first:
                raise InputError(f"sample {number} has the arrays {shapes}, sample 0 has {first}")
            rows.append(row)
            if done is not None:
                done(number + 1, count)
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def remove(self) -> None:
        """Delete the samples, when the file is written."""
        shutil.rmtree(self.folder)

    def _write(self, number: int, row: Mapping[str, Any]) -> None:
        # NumPy 2.0 takes every keyword for an array, allow_pickle too
        write_safely(self._place(number), lambda stream: np.savez(stream, **row))

    def _read(self, number: int) -> dict[str, Array] | None:
        try:
            with np.load(self._place(number), allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except FileNotFoundError:
            return None
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"'{self._place(number)}' cannot be read ({error}); remove it, and it is made again"
            ) from error

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"
