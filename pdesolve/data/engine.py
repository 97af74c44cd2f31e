"""The engine that fills a data set: shards, processes, interruptions."""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from meshes.errors import InputError, PDESolveError
from operators.failures import DataFileError
from pdesolve.data.card import file_sha256, write_card
from pdesolve.data.counters import Counter
from pdesolve.data.ranks import Ranks, on_first, together
from pdesolve.data.reader import read_info
from pdesolve.data.samples import SampleRecord, SampleTask, Schedule, Strategy
from pdesolve.data.schema import DatasetInfo, Status
from pdesolve.data.settings import GenerationSettings
from pdesolve.data.shards import ShardFolder, stack_records, synchronize_folder
from pdesolve.data.writer import MergedFile

Progress = Callable[[int, int], None]
Observer = Callable[[SampleRecord], None]
SHARD_BYTES = 64 * 2**20
CHUNK_BYTES, SMALLEST_CHUNK = 4 * SHARD_BYTES, 16
"""Most bytes of a chunk that a strategy wants, unless it has fewer samples than the second."""

MOST_WAITING = 4
"""Writes that may wait for the disk, so that memory does not grow where it is slow."""


def default_shard_size(settings: GenerationSettings, least: int = 1) -> int:
    """About 32 shards, each at most 64 MiB and 256 samples; the same on any process count.

    Parameters
    ----------
    settings
        For the number of samples and their size.
    least
        Fewest samples that a strategy wants together; memory comes first.
    """
    by_memory = max(1, SHARD_BYTES // settings.bytes_per_sample)
    count = settings.num_samples
    return int(min(by_memory, 256, max(-(-count // 32), min(least, count))))


def chunk_size(settings: GenerationSettings, schedule: Schedule) -> int | None:
    """Samples of a strategy's chunk, fewer on large grids; None where it has no wish.

    Parameters
    ----------
    settings
        For the number of samples and their size.
    schedule
        The strategy's.
    """
    if schedule.chunk is None:
        return None
    by_memory = max(SMALLEST_CHUNK, CHUNK_BYTES // settings.bytes_per_sample)
    bounded = replace(schedule, chunk=min(schedule.chunk, by_memory))
    return bounded.chunk_for(settings.num_samples)


def run(
    tasks: Sequence[SampleTask],
    way: Strategy,
    folder: ShardFolder,
    ranks: Ranks,
    *,
    overwrite: bool,
    progress: Progress | None,
    observer: Observer | None = None,
) -> DatasetInfo:
    """Solve what is missing, merge, clean up (collective)."""
    if on_first(ranks, lambda: _is_finished(folder)):
        return on_first(ranks, lambda: read_info(folder.out))
    todo = on_first(ranks, lambda: _prepare(folder, overwrite=overwrite))
    merged = MergedFile(folder)
    counter = ranks.counter()
    try:
        shards = _Pile(folder, todo, counter)
        together(ranks, lambda: _work(tasks, way, shards, merged, ranks, progress, observer))
        info = on_first(ranks, lambda: _finish(folder, merged))
    finally:
        merged.abandon()
        counter.close()
    if info.num_failed and ranks.rank == 0:
        warnings.warn(
            f"{info.num_failed} of {info.num_samples} samples of '{info.path}' could not be "
            "solved; they are marked as failed and readers leave them out",
            stacklevel=4,
        )
    return info


def _is_finished(folder: ShardFolder) -> bool:
    """Whether this very run was killed when nothing but tidying was left; tidies."""
    if not folder.finished_path.exists():
        return False
    shutil.rmtree(folder.finished_path)
    return _holds_the_same(folder) and not folder.path.exists()


def _holds_the_same(folder: ShardFolder) -> bool:
    try:
        return read_info(folder.out).fingerprint == folder.settings.fingerprint
    except PDESolveError:
        return False


def _prepare(folder: ShardFolder, *, overwrite: bool) -> list[int]:
    """Shards that are not there yet, after all refusals."""
    out = folder.out
    if out.exists() and not overwrite and not folder.path.exists():
        same = " and holds this very data set" if _holds_the_same(folder) else ""
        raise InputError(
            f"'{out}' exists{same}; pass overwrite=True (--overwrite) or choose another name"
        )
    check_disk_space(folder)
    folder.prepare()
    todo = []
    for shard in range(folder.num_shards):
        if folder.file(shard).exists():
            try:
                folder.read(shard, verify=True)
                continue
            except DataFileError as error:
                warnings.warn(f"{error}; its samples are solved again", stacklevel=2)
        todo.append(shard)
    if out.exists() and todo and not overwrite:
        raise InputError(
            f"'{out}' exists and '{folder.path}' holds an unfinished run that would replace it; "
            "pass overwrite=True (--overwrite) to go on"
        )
    for shard in todo:  # what is damaged must not look finished
        if folder.file(shard).exists():
            folder.file(shard).unlink()
    return todo


def check_disk_space(folder: ShardFolder) -> None:
    """Refuse to start where the data do not fit.

    Raises
    ------
    InputError
        If less is free than shards and the merged file need.
    """
    where = folder.out.parent
    have = sum(file.stat().st_size for file in folder.path.glob("shard-*.bin"))
    data = folder.settings.bytes_per_sample * folder.settings.num_samples
    need = int(2.05 * data) + 2**20 - have
    free = shutil.disk_usage(where).free
    if free < need:
        raise InputError(
            f"the data set needs about {need / 2**20:.0f} MiB in '{where}' (twice its size of "
            f"{data / 2**20:.0f} MiB, for shards and the merged file), and {free / 2**20:.0f} MiB "
            "are free. Free some, or ask for fewer samples, a smaller shape, or dtype='float32'"
        )


@dataclass(frozen=True)
class _Pile:
    """Shards to be solved, from which processes take."""

    folder: ShardFolder
    shards: Sequence[int]
    counter: Counter

    @cached_property
    def starts(self) -> list[int]:
        """Samples before each shard, and of all."""
        return list(accumulate((len(self.folder.indices(s)) for s in self.shards), initial=0))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Shards of this process, and the samples of all shards that were taken before."""
        while (place := self.counter.take()) < len(self.shards):
            yield self.shards[place], self.starts[place]


def _work(
    tasks: Sequence[SampleTask],
    way: Strategy,
    shards: _Pile,
    merged: MergedFile,
    ranks: Ranks,
    progress: Progress | None,
    observer: Observer | None,
) -> None:
    """Solve and write shards of one process; the first one merges what there is meanwhile."""
    folder = shards.folder
    total = shards.starts[-1]
    # digests and the disk take as long as a solve or two a shard: they have their own thread
    with ThreadPoolExecutor(max_workers=1) as disk:
        waiting: list[Future[None]] = []
        for shard, done in shards:
            indices = folder.indices(shard)
            chunk = [tasks[index] for index in indices]
            records: list[SampleRecord] = []
            log: list[dict[str, Any]] = []
            last = time.perf_counter()
            for count, record in enumerate(way.solve(chunk), 1):
                records.append(record)
                now = time.perf_counter()
                log.append(_log_entry(record, now - last, ranks.rank))
                last = now
                if observer is not None and ranks.rank == 0:
                    observer(record)
                if progress is not None and ranks.rank == 0:
                    progress(done + count, total)
                if ranks.failure_announced():
                    return
            waiting.append(disk.submit(_keep, folder, shard, records, chunk, log))
            if ranks.rank == 0:
                waiting.append(disk.submit(_merge_meanwhile, merged))
            while waiting and (waiting[0].done() or len(waiting) > MOST_WAITING):
                waiting.pop(0).result()
        for future in waiting:
            future.result()


def _keep(
    folder: ShardFolder,
    shard: int,
    records: list[SampleRecord],
    tasks: list[SampleTask],
    log: list[dict[str, Any]],
) -> None:
    arrays = stack_records(folder.settings, records, tasks)
    folder.write(shard, arrays, log)


def _log_entry(record: SampleRecord, seconds: float, rank: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "sample": record.index,
        "status": Status(record.status).name.lower(),
        "iterations": record.iterations,
        "residual": record.residual,
        "seconds": round(seconds, 6),
        "phases": {name: round(value, 6) for name, value in record.seconds.items()},
        "process": rank,
    }
    entry.update(record.details)
    # these come together, or were solved earlier
    if {"batch", "right_hand_sides", "trial"} & record.details.keys():
        entry["seconds"] = round(sum(record.seconds.values()), 6)
    if record.message:
        entry["message"] = record.message
    return entry


def _space_to_merge(merged: MergedFile) -> tuple[int, int]:
    """Bytes that the whole file needs, and those that there are for it."""
    settings, path = merged.folder.settings, merged.path
    need = settings.bytes_per_sample * settings.num_samples + 2**20
    free = shutil.disk_usage(path.parent).free + (path.stat().st_size if path.exists() else 0)
    return need, free


def _merge_meanwhile(merged: MergedFile) -> None:
    """Take in finished shards while others are being solved, where there is space."""
    need, free = _space_to_merge(merged)
    if free >= need:
        merged.advance()


def _check_space_to_merge(merged: MergedFile) -> None:
    """Refuse before HDF5 runs out of space in the middle, which it does not survive."""
    need, free = _space_to_merge(merged)
    if free < need:
        folder = merged.folder
        raise InputError(
            f"all samples are solved, but the file needs {need / 2**20:.0f} MiB in "
            f"'{folder.out.parent}' and {free / 2**20:.0f} MiB are free. Free some and run the "
            "same command again: nothing is solved twice"
        )


def _chosen_here(folder: ShardFolder) -> bool:
    """Whether the choice beside the shards is that of this run."""
    try:
        chosen = json.loads(folder.choice_path.read_text())["chosen"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(chosen == folder.settings.strategy.get("name"))


def _finish(folder: ShardFolder, merged: MergedFile) -> DatasetInfo:
    """Merge, write card and log, remove the parts. May be repeated after a kill."""
    _check_space_to_merge(merged)
    whole = merged.finish()
    with ThreadPoolExecutor(max_workers=1) as other:
        sha256 = other.submit(file_sha256, whole)
        with whole.open("rb") as stream:
            os.fsync(stream.fileno())
    whole.replace(folder.out)
    synchronize_folder(folder.out.parent)
    info = read_info(folder.out)
    write_card(info, sha256.result())
    with folder.out.with_name(folder.out.name + ".log.jsonl").open("wb") as log:
        if _chosen_here(folder):
            log.write(folder.choice_path.read_bytes() + b"\n")
        for shard in range(folder.num_shards):
            log.write(folder.log_file(shard).read_bytes())
    folder.remove()
    return info
