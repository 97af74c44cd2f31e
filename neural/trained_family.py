"""The families that a model was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from meshes.errors import InputError
from neural.training.samples import plain
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.problems.base import ProblemFamily


@dataclass(frozen=True)
class TrainedFamily:
    """What a model was told of one of its families.

    Parameters
    ----------
    name
        Of the family.
    lower, upper
        Corners of its box.
    units
        By field.
    options
        Of the family in training, plain values.
    labels
        Constant channels that tell families apart, after the family's own inputs.

    Examples
    --------
    >>> made = TrainedFamily("darcy2d", (0.0, 0.0), (1.0, 1.0), options={"source": 1.0})
    >>> made.differing({"source": 5.0})
    'the family has source=5.0, the training data source=1.0'
    """

    name: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)

    def differing(self, options: Mapping[str, Any], ignored: tuple[str, ...] = ()) -> str:
        """What to say about options that are not those trained with, if any."""
        here = plain(dict(options))
        names = [
            name
            for name, value in self.options.items()
            if name in here and name not in ignored and here[name] != value
        ]
        return ", ".join(
            f"the family has {name}={here[name]!r}, the training data {name}={self.options[name]!r}"
            for name in names
        )


def describe_families(sources: Any) -> dict[str, Any]:
    """Entries of a checkpoint's ``data`` for training files of several families, else none.

    Parameters
    ----------
    sources
        Open files.
    """
    found: dict[str, Any] = {}
    for source in sources:
        info = source.info
        found.setdefault(
            info.family,
            {
                "lower": info.lower,
                "upper": info.upper,
                "units": dict(info.units),
                "options": info.settings.get("family", {}).get("options", {}),
                "labels": dict(getattr(source, "constants", {})),
            },
        )
    return {"families": list(found), "members": found} if len(found) > 1 else {}


def trained_families(metadata: Mapping[str, Any]) -> dict[str, TrainedFamily]:
    """The families that a checkpoint's description names, by name.

    Those of several families whose boxes an earlier release did not keep are left out.

    Examples
    --------
    >>> described = {"family": "a", "lower": [0.0], "upper": [1.0], "data": {}}
    >>> list(trained_families(described))
    ['a']
    """
    members = metadata["data"].get("members")
    if not members:
        first = str(metadata["family"])
        options = metadata["data"].get("family", {}).get("options", {})
        corners = (tuple(metadata["lower"]), tuple(metadata["upper"]))
        return {first: TrainedFamily(first, *corners, metadata.get("units", {}), options)}
    return {
        name: TrainedFamily(
            name,
            tuple(member["lower"]),
            tuple(member["upper"]),
            member["units"],
            member["options"],
            member["labels"],
        )
        for name, member in members.items()
    }


def trained_family(metadata: Mapping[str, Any], name: str, what: str) -> TrainedFamily:
    """One of them.

    Parameters
    ----------
    metadata
        Of the checkpoint.
    name
        Of the family.
    what
        Whose family it is, for the message.

    Raises
    ------
    CheckpointError
        If the model was not trained on it.
    """
    found = trained_families(metadata)
    if name in found:
        return found[name]
    listed = [str(one) for one in metadata["data"].get("families", [])]
    if name in listed:
        raise CheckpointError(
            f"the surrogate was trained on the families {', '.join(listed)} by a release that did "
            f"not keep what belongs to '{name}'; train it again"
        )
    trained = (
        f"the family '{next(iter(found))}'"
        if len(found) == 1
        else f"the families {', '.join(repr(one) for one in found)}"
    )
    raise CheckpointError(
        f"the surrogate was trained on {trained}, {what} '{name}'; train one on that family"
    )


def check_options(
    metadata: Mapping[str, Any],
    family: ProblemFamily,
    *,
    strict: bool = False,
    ignored: tuple[str, ...] = (),
) -> None:
    """Check the numbers of a family that are no input of a model, such as a source.

    Parameters
    ----------
    metadata
        Of the checkpoint.
    family
        The family that problems are drawn from.
    strict
        Refuse other numbers than those trained with, instead of warning.
    ignored
        Options that may differ.

    Raises
    ------
    CheckpointError
        If it is another family.
    InputError
        If `strict` holds and a number differs.

    Warns
    -----
    SurrogateWarning
        If a number differs.
    """
    options: dict[str, Any] = (
        {item.name: getattr(family, item.name) for item in fields(family)}
        if is_dataclass(family)
        else {}
    )
    differing = trained_family(metadata, family.name, "this is").differing(options, ignored)
    if not differing:
        return
    message = f"{differing}: the prediction is an extrapolation"
    if strict:
        raise InputError(f"{message}, which strict=True refuses")
    warnings.warn(message, SurrogateWarning, stacklevel=3)
