"""Reading data sets, with h5py and NumPy alone."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import DataFileError
from pdesolve.data.header import open_file, verify_layout
from pdesolve.data.schema import FIELDS, GROUP, PER_SAMPLE, STATISTICS, USABLE, DatasetInfo

IntArray = npt.NDArray[np.int64]


def read_column(file: Any, path: Path, name: str) -> npt.NDArray[Any]:
    """A small array, whole, its checksums verified."""
    try:
        values: npt.NDArray[Any] = file[name][:]
    except (OSError, RuntimeError) as error:
        raise DataFileError(f"'{path}' is damaged: '{name}' cannot be read ({error})") from error
    return values


def info_of(file: Any, path: Path) -> DatasetInfo:
    """What an open file says about itself, after checking that it can be believed."""
    settings = verify_layout(file, path)
    group = file[GROUP]
    status = read_column(file, path, f"{GROUP}/status")
    statistics = {}
    for name in (*settings["inputs"], *settings["outputs"]):
        numbers = read_column(file, path, f"{GROUP}/statistics/{name}")
        statistics[name] = dict(zip(STATISTICS, map(float, numbers), strict=True))
    return DatasetInfo(
        path=path,
        family=settings["family"]["name"],
        inputs=tuple(settings["inputs"]),
        outputs=tuple(settings["outputs"]),
        shape=tuple(settings["shape"]),
        lower=tuple(settings["lower"]),
        upper=tuple(settings["upper"]),
        location=settings["location"],
        periodic=tuple(settings["periodic"]),
        seed=settings["seed"],
        split=settings["split"],
        units=settings["units"],
        num_samples=settings["num_samples"],
        num_failed=int(np.count_nonzero(~np.isin(status, USABLE))),
        dtype=settings["dtype"],
        scalars=tuple(settings["scalars"]),
        sha256=group.attrs["sha256"].tobytes().hex(),
        fingerprint=str(group.attrs["fingerprint"]),
        settings=settings,
        versions=settings["versions"],
        statistics=statistics,
        schema_version=int(group.attrs["schema_version"]),
        times=tuple(settings.get("times", (0.0,))),
    )


def read_info(path: str | Path) -> DatasetInfo:
    """What a data-set file says about itself.

    Raises
    ------
    DataFileError
        If the file is damaged, unfinished, or of another format.
    InputError
        If there is no such file.
    """
    with open_file(path) as file:
        return info_of(file, Path(path))


class DatasetReader:
    """Samples of one file.

    The file is opened anew in every process that reads, so a reader may be handed to
    worker processes, forked or not.

    Parameters
    ----------
    path
        The file.
    output_time
        Number of the time whose state :meth:`read` gives as outputs; the last by default.

    Attributes
    ----------
    info
        What the file holds.
    valid_indices
        Numbers of the samples that were solved, in order, shape ``(n,)``.

    Raises
    ------
    DataFileError
        If the file is damaged, unfinished, or of another format.
    InputError
        If there is no such file.

    Warns
    -----
    UserWarning
        If the file holds failed samples; they are left out.

    Examples
    --------
    >>> from pdesolve.data import generate, open_dataset
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = generate("darcy2d", 4, shape=8, out=f"{folder}/darcy.h5")
    ...     with open_dataset(info.path) as data:
    ...         inputs, outputs = data.read([0, 2])
    >>> inputs.shape, outputs.shape
    ((2, 1, 8, 8), (2, 1, 8, 8))
    """

    def __init__(self, path: str | Path, *, output_time: int = -1) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._owner = -1
        try:
            self.info = info_of(self._handle(), self.path)
            self._status: npt.NDArray[np.int8] = self._column(GROUP, "status")
            self.output_time = self._checked_time(output_time)
        finally:
            # a file that stays open would be what the next reader of that path gets to see
            self.close()
        usable = np.isin(self._status, USABLE)
        self.valid_indices: IntArray = np.flatnonzero(usable).astype(np.int64)
        if not usable.all():
            failed = np.flatnonzero(~usable)
            listed = ", ".join(map(str, failed[:10])) + (", ..." if len(failed) > 10 else "")
            warnings.warn(
                f"'{self.path}': {len(failed)} of {len(usable)} samples were not solved and are "
                f"left out: {listed}",
                stacklevel=3,
            )

    def __len__(self) -> int:
        """Number of samples that can be read."""
        return len(self.valid_indices)

    @property
    def grid(self) -> StructuredGrid:
        """Where the values sit."""
        info = self.info
        return StructuredGrid(
            info.shape,
            info.lower,
            info.upper,
            info.periodic,
            info.location,  # type: ignore[arg-type]
        )

    def read(
        self, indices: Sequence[int] | IntArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Inputs and outputs of samples.

        Parameters
        ----------
        indices
            Numbers of samples, in any order, repetition allowed; all of
            `valid_indices` when left out.

        Returns
        -------
        inputs, outputs
            Shape ``(n, channel, *shape)``, in the units of ``info.units``.

        Raises
        ------
        InputError
            If a number is out of range or of a failed sample.
        DataFileError
            If a checksum does not fit, or a value is not finite.
        """
        wanted = self._checked(indices)
        inputs = self._fields(self.info.inputs, wanted)
        return inputs, self._fields(self.info.outputs, wanted)

    def read_trajectories(
        self, indices: Sequence[int] | IntArray | None = None, times: range | None = None
    ) -> FloatArray:
        """Outputs of samples at all times (``info.times``), or some of them.

        Parameters
        ----------
        indices
            As for :meth:`read`.
        times
            Numbers of times, increasing; nothing else is read from the file.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, time, channel, *shape)``.

        Raises
        ------
        InputError, DataFileError
            As :meth:`read`.
        """
        wanted = self._checked(indices)
        numbers = range(self.info.num_times) if times is None else times
        steps = [
            self._fields(self.info.outputs, wanted, self._checked_time(time)) for time in numbers
        ]
        return np.stack(steps, axis=1)

    def _checked_time(self, number: int) -> int:
        count = self.info.num_times
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise InputError(
                f"output_time={number!r} must be an integer, a position in info.times; -1 "
                "is the last"
            )
        if not -count <= number < count:
            raise InputError(
                f"output_time={number}, but '{self.path}' has {count} times, 0 to {count - 1}; "
                "take one of these, or -1 for the last"
            )
        return int(number) % count

    def read_parameters(
        self, indices: Sequence[int] | IntArray | None = None
    ) -> dict[str, FloatArray]:
        """Scalar parameters by name, each of shape ``(n,)``."""
        wanted = self._checked(indices)
        return {name: self._column("scalars", name)[wanted] for name in self.info.scalars}

    def read_records(
        self, indices: Sequence[int] | IntArray | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Status, iterations, residual, tolerance and error estimate, each ``(n,)``.

        Failed samples are not left out when `indices` is; their status says so.
        """
        wanted = np.arange(self.info.num_samples) if indices is None else np.asarray(indices)
        return {name: self._column(GROUP, name)[wanted] for name in PER_SAMPLE}

    def _checked(self, indices: Sequence[int] | IntArray | None) -> IntArray:
        if indices is None:
            return self.valid_indices
        wanted = np.asarray(indices)
        if wanted.size == 0:
            return np.zeros(0, dtype=np.int64)
        if wanted.ndim != 1 or not np.issubdtype(wanted.dtype, np.integer):
            raise InputError(
                f"indices must be a list of integers, not {indices!r}; give numbers such "
                "as [0, 2], or leave them out for all samples"
            )
        count = self.info.num_samples
        outside = wanted[(wanted < 0) | (wanted >= count)]
        if len(outside):
            raise InputError(
                f"sample {outside[0]} is not in '{self.path}', which has samples 0 to {count - 1}; "
                "take indices from valid_indices"
            )
        failed = wanted[~np.isin(self._status[wanted], USABLE)]
        if len(failed):
            raise InputError(
                f"sample {failed[0]} of '{self.path}' was not solved; read valid_indices only"
            )
        return wanted.astype(np.int64)

    def _fields(
        self, names: tuple[str, ...], wanted: IntArray, time: int | None = None
    ) -> FloatArray:
        """Values ``(n, channel, *shape)``, of outputs at one time."""
        at = self.output_time if time is None else time
        values = np.empty((len(wanted), len(names), *self.info.shape))
        group = self._handle()[FIELDS]
        # one read for each run of consecutive samples
        starts = np.flatnonzero(np.diff(wanted, prepend=-2) != 1)
        stops = np.append(starts, len(wanted))[1:]
        for channel, name in enumerate(names):
            for start, stop in zip(starts, stops, strict=True):
                first, last = int(wanted[start]), int(wanted[stop - 1]) + 1
                try:
                    rows = group[name]
                    in_time = rows.ndim > values.ndim - 1
                    values[start:stop, channel] = (
                        rows[first:last, at] if in_time else rows[first:last]
                    )
                except (OSError, RuntimeError) as error:
                    raise DataFileError(
                        f"'{self.path}' is damaged: field '{name}' of samples {first} to "
                        f"{last - 1} cannot be read ({error}). Generate it again or restore a copy"
                    ) from error
            axes = tuple(range(1, values.ndim - 1))
            bad = ~np.isfinite(values[:, channel]).all(axis=axes)
            if bad.any():
                raise DataFileError(
                    f"'{self.path}': field '{name}' of sample {wanted[bad][0]} is not finite"
                )
        return values

    def _column(self, group: str, name: str) -> npt.NDArray[Any]:
        return read_column(self._handle(), self.path, f"{group}/{name}")

    def _handle(self) -> Any:
        """The file as opened by this process."""
        if self._file is None or self._owner != os.getpid():
            # a handle inherited through fork is dropped, not closed: it is the parent's
            self._file = open_file(self.path)
            self._owner = os.getpid()
        return self._file

    def close(self) -> None:
        """Close the file; reading opens it again."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None

    def __enter__(self) -> DatasetReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_owner": -1}


def open_dataset(path: str | Path, *, output_time: int = -1) -> DatasetReader:
    """Open a data set for reading; see :class:`DatasetReader`."""
    return DatasetReader(path, output_time=output_time)
