"""What is said of a sample whose data no solver takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshes.errors import InputError


@contextmanager
def posing(index: int) -> Iterator[None]:
    """Name the sample, by number, in what refuses its data, and say what to do."""
    try:
        yield
    except InputError as error:
        text = str(error).rstrip(".")
        raise InputError(
            f"sample {index} cannot be solved: {text}. All data of a sample must be finite and in "
            "the range of its problem: correct what the family draws, or take another seed. "
            "Finished shards are kept"
        ) from error
