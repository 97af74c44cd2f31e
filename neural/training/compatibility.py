"""Checks that data files can be used together."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from meshes.errors import InputError


def _same(sources: Sequence[Any], attributes: Mapping[str, str], advice: str) -> None:
    for source in sources[1:]:
        first, other = sources[0], source
        for attribute, name in attributes.items():
            one, two = getattr(first.info, attribute), getattr(other.info, attribute)
            if one != two:
                raise InputError(
                    f"'{first.path}' and '{other.path}' differ in {name}: {_shown(one)} and "
                    f"{_shown(two)}. {advice}"
                )


def _shown(value: Any) -> str:
    return str(dict(value)) if isinstance(value, Mapping) else repr(value)


def check_same_family(sources: Sequence[Any]) -> None:
    """All files: one family with one set of options, fields, units and box.

    Raises
    ------
    InputError
        If two files differ.
    """
    _same(
        sources,
        {
            "family": "family",
            "inputs": "input fields",
            "outputs": "output fields",
            "units": "units",
            "lower": "the lower corner of the box",
            "upper": "the upper corner of the box",
            "periodic": "periodic axes",
            "location": "where values sit",
            "times": "the times of the outputs",
        },
        "One model is trained and tested on one family, with the same units and box",
    )
    for source in sources[1:]:
        one = sources[0].info.settings.get("family")
        two = source.info.settings.get("family")
        if one != two:
            keys = [key for key in one if one.get(key) != (two or {}).get(key)] if one else []
            raise InputError(
                f"'{sources[0].path}' and '{source.path}' are of the family "
                f"'{source.info.family}' with different options ({', '.join(keys)}); generate "
                "them with the same ones"
            )


def check_same_grid(split: str, sources: Sequence[Any]) -> None:
    """The files of one split: one number of points.

    Raises
    ------
    InputError
        If two files differ.
    """
    _same(
        sources,
        {"shape": "the number of points"},
        f"The files of the {split} split must be on one grid, unless mixing is set to "
        "'proportional' or 'alternating'",
    )


def check_same_channels(sources: Sequence[Any]) -> None:
    """Files of several families: one set of channels and one dimension.

    Raises
    ------
    InputError
        If two files differ.
    """
    _same(
        sources,
        {
            "inputs": "input fields",
            "outputs": "output fields",
            "location": "where values sit",
        },
        "One model needs the same channels for all families",
    )
    for source in sources[1:]:
        one, two = len(sources[0].info.shape), len(source.info.shape)
        if one != two:
            raise InputError(
                f"'{sources[0].path}' has {one} axes of space and '{source.path}' has {two}; one "
                "model works in one dimension"
            )


def check_resolutions(sources: Sequence[Any], model: Any, statistics: str) -> None:
    """Several grids need a model, and statistics, that are not tied to one.

    Raises
    ------
    InputError
        If there are several grids and the model or the statistics have one resolution.
    """
    shapes = list(dict.fromkeys(tuple(source.info.shape) for source in sources))
    if len(shapes) < 2:
        return
    listed = ", ".join(map(str, shapes))
    if not getattr(model, "resolution_invariant", True):
        raise InputError(
            f"the files are on the grids {listed}, and a {type(model).__name__} has one "
            "resolution; give files of one grid, or take a model that works on all, such as 'fno'"
        )
    if statistics == "point":
        raise InputError(
            f"the files are on the grids {listed}, and statistics='point' belong to one grid; use "
            "statistics='channel'"
        )


def distribution_of(info: Any) -> str:
    """How samples were made, where they do not follow their family's distribution; or nothing."""
    return str(info.settings.get("strategy", {}).get("distribution", ""))


def check_same_distribution(split: str, sources: Sequence[Any]) -> None:
    """The files of one split: all from the family's distribution, or all from one other.

    Raises
    ------
    InputError
        If two files differ.
    """
    for source in sources[1:]:
        one, two = distribution_of(sources[0].info), distribution_of(source.info)
        if one != two:
            raise InputError(
                f"'{sources[0].path}' and '{source.path}' of the {split} split follow different "
                f"distributions: {one or 'that of the family'}; and {two or 'that of the family'}. "
                "Give files of one distribution"
            )


def check_disjoint(sources: Mapping[str, Sequence[Any]]) -> None:
    """No sample twice, within a split or in two of them.

    Samples of generated files are the same when family, seed, split name and number are;
    other files are compared by content. One split may hold the same samples on several
    grids.

    Raises
    ------
    InputError
        If two files overlap.
    """
    named = [(split, source) for split in sources for source in sources[split]]
    for (one_split, one), (two_split, two) in itertools.combinations(named, 2):
        if one.info.family != two.info.family:
            continue
        if one_split == two_split and tuple(one.info.shape) != tuple(two.info.shape):
            continue
        where = f"{one_split} file '{one.path}' and {two_split} file '{two.path}'"
        if one.info.sha256 == two.info.sha256:
            raise InputError(f"{where} hold the same samples")
        if one.info.seed is not None and two.info.seed is not None:
            if (one.info.seed, one.info.split) == (two.info.seed, two.info.split):
                raise InputError(
                    f"{where} overlap: both were generated with seed {one.info.seed} and split "
                    f"'{one.info.split}'. Generate one of them with another --split or --seed"
                )
            continue
        if one.info.shape == two.info.shape:
            shared = len(_digests(one) & _digests(two))
            if shared:
                raise InputError(f"{where} overlap: {shared} inputs are in both")


def _digests(source: Any) -> set[bytes]:
    found = set()
    numbers = source.valid_indices
    for start in range(0, len(numbers), 64):
        inputs, _ = source.read(numbers[start : start + 64])
        found |= {hashlib.sha256(values.tobytes()).digest() for values in inputs}
    return found
