"""What is said of a sample whose data no solver takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshes.errors import InputError
from pdesolve.data.samples import SampleTask, naming


@contextmanager
def posing(task: SampleTask) -> Iterator[None]:
    """Name the sample in what refuses its data, and say what to do."""
    try:
        with naming(task):
            yield
    except InputError as error:
        text = str(error).rstrip(".")
        raise InputError(
            f"{text}. All data of a sample must be finite and in the range of its problem: "
            "correct what the family draws, or take another seed. Finished shards are kept"
        ) from error
