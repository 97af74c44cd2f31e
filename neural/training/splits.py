"""How files and samples are divided into training, validation and test data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from neural.training.scalar_channels import ScalarChannels

Paths = str | Path | Sequence[str | Path] | None
SPLITS = ("train", "validation", "test")


def labelled(sources: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """With an input for each family, 1 in samples of that family and 0 in others."""
    known = list(dict.fromkeys(one.info.family for given in sources.values() for one in given))
    return {
        name: [
            ScalarChannels(one, (), {f"family_{k}": float(k == one.info.family) for k in known})
            for one in given
        ]
        for name, given in sources.items()
    }


def as_names(option: str, given: Sequence[str] | None) -> list[str] | None:
    """A list of names, or none.

    Raises
    ------
    InputError
        If it is a text.
    """
    if isinstance(given, str):
        raise InputError(f"{option}={given!r} must be a list of names, such as [{given}]")
    return None if given is None else list(given)


def as_list(given: Paths) -> list[Path]:
    """One path, several or none, as a list."""
    if given is None:
        return []
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]


def checked_fractions(given: Sequence[float] | None) -> tuple[float, ...]:
    """Parts of the training files, three numbers that sum to 1; nothing when left out.

    Raises
    ------
    InputError
        If they are something else.
    """
    if given is None:
        return ()
    try:
        values = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        raise InputError(f"fractions={given!r} must be three numbers that sum to 1") from None
    if len(values) != 3 or min(values) < 0 or not abs(sum(values) - 1) <= 1e-9:
        raise InputError(
            f"fractions={list(values)} must be three numbers of at least 0 (training, validation, "
            f"test) that sum to 1; they sum to {sum(values):g}"
        )
    if values[0] == 0:
        raise InputError("fractions leave the train split empty")
    return values


def first(files: list[Any], count: int) -> list[Any]:
    """The first so many samples of all files, an array a file."""
    kept = []
    for numbers in files:
        kept.append(numbers[:count])
        count -= len(kept[-1])
    return kept


def divide(
    files: Sequence[Any],
    fractions: Sequence[float],
    seed: int,
    streams: Sequence[Any] | None = None,
) -> dict[str, list[npt.NDArray[np.int64]]]:
    """Divide each file's samples at random by fractions.

    Parameters
    ----------
    files
        Numbers of the samples of each file.
    fractions
        Parts that become training, validation and test data.
    seed
        Of the order.
    streams
        What the samples of each file were drawn from. In files of one stream samples of one
        number are the same function, on several grids, and stay in one part. All files are
        different when left out.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[Any]] = {name: [] for name in SPLITS}
    keys = list(range(len(files)) if streams is None else streams)
    divided: dict[Any, list[npt.NDArray[np.int64]]] = {}
    for key in dict.fromkeys(keys):
        own = [numbers for numbers, other in zip(files, keys, strict=True) if other == key]
        order = rng.permutation(own[0] if len(own) == 1 else np.unique(np.concatenate(own)))
        ends = np.rint(np.cumsum(fractions) * len(order)).astype(int)[:-1]
        divided[key] = np.split(order, ends)
    for numbers, key in zip(files, keys, strict=True):
        for name, part in zip(SPLITS, divided[key], strict=True):
            parts[name].append(np.sort(part[np.isin(part, numbers)]))
    return {
        name: parts[name] if fraction > 0 else []
        for name, fraction in zip(SPLITS, fractions, strict=True)
    }


def streams_of(sources: Sequence[Any]) -> list[Any]:
    """What the samples of each file were drawn from, as far as files say it."""
    return [
        number if info.seed is None else (info.family, info.seed, info.split)
        for number, info in enumerate(source.info for source in sources)
    ]
