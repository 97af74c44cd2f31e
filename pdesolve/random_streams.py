"""One stream of random numbers for each sample of a data set."""

from __future__ import annotations

import hashlib
import numbers

import numpy as np

from meshes.errors import InputError

LARGEST = 2**64 - 1


def _words(name: str, value: object) -> list[int]:
    """An integer as two 32-bit words, so that (1, 23) and (12, 3) never meet."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputError(f"{name}={value!r} must be an integer from 0 to 2^64 - 1")
    number = int(value)
    if not 0 <= number <= LARGEST:
        raise InputError(f"{name}={value!r} must lie between 0 and 2^64 - 1")
    return [number & 0xFFFFFFFF, number >> 32]


def sample_generator(seed: int, split: str, index: int) -> np.random.Generator:
    """Random numbers of one sample, which depend on these three arguments alone.

    A Philox counter-based generator (Salmon et al. 2011) is keyed by a
    :class:`numpy.random.SeedSequence` over the seed, the first 128 bits of the SHA-256 of
    the split's name, and the index. So sample i is the same whatever the number of
    samples, of processes, or the order of work, and splits do not share samples.

    Parameters
    ----------
    seed
        Integer from 0 to 2⁶⁴ − 1.
    split
        Name of the split, such as ``"train"`` or ``"test"``.
    index
        Number of the sample, from 0.

    Returns
    -------
    numpy.random.Generator
        A fresh generator at the start of its stream.

    Raises
    ------
    InputError
        If seed or index is negative, too large or not an integer, or split is not a
        text with at least one character.

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy
    as 1, 2, 3. SC11 (2011). doi:10.1145/2063384.2063405

    Examples
    --------
    >>> first = sample_generator(0, "train", 7).standard_normal(3)
    >>> again = sample_generator(0, "train", 7).standard_normal(3)
    >>> bool((first == again).all())
    True
    """
    if not isinstance(split, str) or not split:
        raise InputError(f"split={split!r} must be a name such as 'train' or 'test'")
    digest = hashlib.sha256(split.encode()).digest()
    name = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    entropy = _words("seed", seed) + name + _words("index", index)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
