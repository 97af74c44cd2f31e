"""Finished parts of a data set that is still being generated."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from operators.failures import DataFileError
from pdesolve.data.samples import (
    MOMENTS,
    SampleRecord,
    SampleTask,
    sample_digest,
    sample_moments,
)
from pdesolve.data.schema import DIGEST, PER_SAMPLE, field_shape, to_json
from pdesolve.data.settings import GenerationSettings, differences

CHOICE = "choice.json"
"""File in the folder of shards that says which strategy was chosen."""

Arrays = dict[str, np.ndarray[Any, Any]]


def write_safely(path: Path, write: Any) -> None:
    """Write a file under a temporary name, bring it to disk, then rename it.

    Parameters
    ----------
    path
        The file. Whoever opens it sees all of it or none.
    write
        Called with the open binary file.
    """
    temporary = path.with_name(path.name + ".temporary")
    with temporary.open("wb") as stream:
        write(stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def synchronize_folder(folder: Path) -> None:
    """Bring the renames in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stack_records(
    settings: GenerationSettings,
    records: Sequence[SampleRecord],
    tasks: Sequence[SampleTask],
) -> Arrays:
    """Arrays of one shard: every field, scalar and per-sample number, in the tasks' order.

    Fields have shape ``(m, *shape)``, outputs in time ``(m, num_times, *shape)``, digests
    ``(m, 32)``, all others ``(m,)``.
    """
    count = len(tasks)
    plain = {
        "shape": settings.grid.shape,
        "times": settings.times,
        "outputs": settings.outputs,
    }
    arrays: Arrays = {
        f"field {name}": np.full((count, *field_shape(name, plain)), np.nan, dtype=settings.dtype)
        for name in (*settings.inputs, *settings.outputs)
    }
    for name in settings.scalars:
        arrays[f"scalar {name}"] = np.array([task.scalars[name] for task in tasks])
    for name, (dtype, fill) in PER_SAMPLE.items():
        arrays[name] = np.full(count, fill, dtype=dtype)
    rows = {task.index: row for row, task in enumerate(tasks)}
    for record in records:
        row = rows[record.index]
        for names, values in (
            (settings.inputs, record.inputs),
            (settings.outputs, record.outputs),
        ):
            for name, channel in zip(names, values, strict=True):
                arrays[f"field {name}"][row] = channel
        for name, value in (
            ("sample_index", record.index),
            ("status", int(record.status)),
            ("iterations", record.iterations),
            ("residual", record.residual),
            ("tolerance", record.tolerance),
            ("error_estimate", record.error_estimate),
        ):
            arrays[name][row] = value
    missing = np.flatnonzero(arrays["sample_index"] < 0)
    if len(missing) or len(records) != count:
        raise RuntimeError(
            f"the strategy returned {len(records)} records for {count} samples from "
            f"{tasks[0].index if tasks else 0}"
        )
    for name in (*settings.inputs, *settings.outputs):
        arrays[MOMENTS + name] = sample_moments(arrays[f"field {name}"])
    digests = [sample_digest(arrays, row) for row in range(count)]
    arrays[DIGEST] = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(count, 32)
    return arrays


@dataclass(frozen=True)
class ShardFolder:
    """The folder ``<out>.parts``: settings, one file a shard, one log a shard.

    Parameters
    ----------
    out
        The data-set file to be made.
    settings
        What it shall hold.
    shard_size
        Samples in each shard but the last.
    order
        Number of the sample at each place, where samples are not taken by number.
    """

    out: Path
    settings: GenerationSettings
    shard_size: int
    order: tuple[int, ...] | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self.out.with_name(self.out.name + ".parts")

    @property
    def finished_path(self) -> Path:
        """Its name once the data set is whole and the parts may go."""
        return self.out.with_name(self.out.name + ".parts.finished")

    @property
    def choice_path(self) -> Path:
        """Where the choice of a strategy is kept, if there was one."""
        return self.path / CHOICE

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-self.settings.num_samples // self.shard_size)

    def indices(self, shard: int) -> Sequence[int]:
        """Samples of a shard."""
        first = shard * self.shard_size
        last = min(first + self.shard_size, self.settings.num_samples)
        return range(first, last) if self.order is None else self.order[first:last]

    def file(self, shard: int) -> Path:
        """The file of a shard."""
        return self.path / f"shard-{shard:06d}.bin"

    def log_file(self, shard: int) -> Path:
        """The log of a shard, one JSON object a line."""
        return self.path / f"shard-{shard:06d}.jsonl"

    def prepare(self) -> None:
        """Make the folder, or check that the one there was begun with equal settings.

        Raises
        ------
        InputError
            If it was begun with others, which the message lists.
        """
        shutil.rmtree(self.finished_path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)
        note = self.path / "settings.json"
        wanted = {"settings": self.settings.to_dict(), "shard_size": self.shard_size}
        if self.order is not None:
            wanted["order"] = hashlib.sha256(to_json(self.order).encode()).hexdigest()
        if not any(self.path.glob("shard-*.bin")):
            write_safely(note, lambda stream: stream.write(to_json(wanted).encode()))
            synchronize_folder(self.path)
            return
        try:
            begun = json.loads(note.read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                f"'{self.path}' holds shards, but its settings.json cannot be read ({error}); "
                "remove the folder"
            ) from error
        if begun != wanted:
            lines = "\n  ".join(differences(begun, wanted))
            raise InputError(
                f"'{self.path}' holds the parts of an interrupted run with other settings:\n  "
                f"{lines}\nRepeat that run's settings to go on with it, remove the folder to start "
                "again, or write to another file"
            )

    def write(self, shard: int, arrays: Arrays, log: Sequence[Mapping[str, Any]]) -> None:
        """Write a shard, bring it to disk, then give it its name, which makes it count.

        The file is one line of JSON, then the arrays' bytes one after another.
        """
        lines = "".join(to_json(entry) + "\n" for entry in log)
        self.log_file(shard).write_text(lines)
        header = {
            "fingerprint": self.settings.fingerprint,
            "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()],
        }
        temporary = self.file(shard).with_suffix(".temporary")
        with temporary.open("wb") as stream:
            stream.write(to_json(header).encode() + b"\n")
            for array in arrays.values():
                stream.write(np.ascontiguousarray(array).data.cast("B"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.file(shard))

    def read(self, shard: int, *, verify: bool = False) -> Arrays:
        """A finished shard.

        Parameters
        ----------
        shard
            Its number.
        verify
            Whether to compare every sample with its digest.

        Raises
        ------
        DataFileError
            If it is damaged or of other settings.
        """
        path = self.file(shard)
        arrays: Arrays = {}
        try:
            raw = np.memmap(path, dtype=np.uint8, mode="r")
            end = raw[: min(len(raw), 2**16)].tobytes().index(b"\n") + 1
            header = json.loads(raw[: end - 1].tobytes())
            for name, dtype, shape in header["arrays"]:
                size = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
                arrays[name] = raw[end : end + size].view(dtype).reshape(shape)
                end += size
            owner, index = header["fingerprint"], arrays["sample_index"].tolist()
            good = end == len(raw)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise  # too many open files: nothing is wrong with this one
            raise DataFileError(f"shard '{path}' is damaged: {error}") from error
        if owner != self.settings.fingerprint or index != list(self.indices(shard)):
            raise DataFileError(f"shard '{path}' belongs to another run")
        if good and verify:
            digests = arrays.pop(DIGEST)
            rows = range(len(digests))
            good = all(sample_digest(arrays, row) == digests[row].tobytes() for row in rows)
            arrays[DIGEST] = digests
        if not good:
            raise DataFileError(f"shard '{path}' is damaged")
        return arrays

    def remove(self) -> None:
        """Drop the parts of a finished data set; an interrupted removal is taken up again."""
        shutil.rmtree(self.finished_path, ignore_errors=True)
        self.path.rename(self.finished_path)
        shutil.rmtree(self.finished_path)
