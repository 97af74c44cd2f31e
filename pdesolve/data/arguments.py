"""Arguments of data generation, checked."""

from __future__ import annotations

import numbers
import re
from collections.abc import Sequence

from meshes.errors import InputError
from pdesolve.data.schema import DTYPES
from pdesolve.random_streams import sample_generator


def checked_count(num_samples: object, name: str = "num_samples") -> int:
    """A positive integer, or an error."""
    if isinstance(num_samples, bool) or not isinstance(num_samples, numbers.Integral):
        raise InputError(f"{name}={num_samples!r} must be a positive integer, such as 1000")
    if int(num_samples) < 1:
        raise InputError(f"{name}={num_samples} must be at least 1; ask for as many as you need")
    return int(num_samples)


def checked_stream(seed: object, split: object) -> tuple[int, str]:
    """A seed and the name of a split, or an error."""
    if not isinstance(split, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", split):
        raise InputError(
            f"split={split!r} must be a name of letters, digits, '_', '.' or '-', such as 'train'"
        )
    sample_generator(seed, split, 0)  # type: ignore[arg-type]  # rejects a bad seed
    return int(seed), split  # type: ignore[call-overload]


def checked_dtype(dtype: object) -> str:
    """A storage type, or an error."""
    if dtype not in DTYPES:
        raise InputError(
            f"dtype={dtype!r} must be one of {', '.join(DTYPES)}; leave it out for the first"
        )
    return str(dtype)


def unique_names(inputs: Sequence[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """Names of all fields, refusing a name used twice."""
    names = (*inputs, *outputs)
    if len(set(names)) != len(names):
        raise InputError(
            f"field names repeat: inputs {inputs}, outputs {outputs}; each name must "
            "be there once; rename one in the family"
        )
    return names
