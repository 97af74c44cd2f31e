"""The data card: what a person needs to know before using a data set."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pdesolve.data.coarse_storage import BY_POINTS
from pdesolve.data.header import open_file
from pdesolve.data.schema import GROUP, USABLE, DatasetInfo, Status, to_json
from pdesolve.data.shards import write_safely
from pdesolve.data.strategies import STRATEGIES
from pdesolve.problems.registry import FAMILIES

NO_LICENCE = "not stated"


def card_path(path: str | Path) -> Path:
    """Where the card of a data set lies.

    Examples
    --------
    >>> card_path("darcy.h5").name
    'darcy.h5.md'
    """
    file = Path(path)
    return file.with_name(file.name + ".md")


def read_card(path: str | Path) -> str:
    """The card beside a data set; made from the file if it is not there.

    Raises
    ------
    InputError
        If there is no such data set.
    DataFileError
        If the file is damaged.
    """
    card = card_path(path)
    if card.exists() and Path(path).exists():
        return card.read_text()
    from pdesolve.data.reader import read_info

    return card_text(read_info(path))


def write_card(info: DatasetInfo, sha256: str | None = None) -> Path:
    """Write the card beside the file; it is the same for equal files of one name."""
    text = card_text(info, sha256)
    card = card_path(info.path)
    write_safely(card, lambda stream: stream.write(text.encode()))
    return card


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def card_text(info: DatasetInfo, sha256: str | None = None) -> str:
    """The card of a data set, in Markdown; `sha256` of the file if it is known already."""
    settings = info.settings
    family: Mapping[str, Any] = settings["family"]
    strategy: Mapping[str, Any] = settings["strategy"]
    with open_file(info.path) as file:
        own = file[GROUP]
        usable = np.isin(own["status"][:], USABLE)
        repeated = int((own["status"][:] == Status.SOLVED_DIRECTLY).sum())
        numbers = {
            name: own[name][:][usable] for name in ("iterations", "residual", "error_estimate")
        }
    box = " × ".join(
        f"[{low:g}, {high:g}]" for low, high in zip(info.lower, info.upper, strict=True)
    )
    shape = " × ".join(map(str, info.shape))
    size = info.path.stat().st_size
    lines = [
        f"# {info.family}: {info.num_samples} samples, split '{info.split}'",
        "",
        *_distribution(strategy),
        "## Problem",
        "",
        f"- Equation: {family.get('equation', 'not stated')}",
        f"- Domain: {box} {info.units.get('length', '')}".rstrip(),
        "- Boundary conditions: "
        + "; ".join(f"{side}: {text}" for side, text in settings["boundary_conditions"].items()),
        "",
        "| parameter | unit | distribution or range |",
        "|---|---|---|",
        *_parameter_rows(family.get("parameters", {})),
        "",
        *_options(family),
        "## Content",
        "",
        f"- Grid: {shape} {info.location} values ({info.dtype})",
        *_times(info),
        f"- Samples: {info.num_samples}, of which {info.num_failed} failed (their outputs are NaN)"
        + (f" and {repeated} were repeated with a direct solver" if repeated else ""),
        f"- Seed {info.seed}, split '{info.split}': sample i depends on these and i alone",
        "",
        "| field | role | unit | minimum | maximum | mean | standard deviation |",
        "|---|---|---|---|---|---|---|",
        *_field_rows(info),
        "",
        "## Accuracy",
        "",
        f"- Solver: {strategy.get('name')}, backend {strategy.get('backend', 'none')}, "
        f"discretisation {to_json(strategy.get('discretization'))}",
        *_storage(strategy),
        f"- Options: {to_json(strategy.get('solver_parameters'))}",
        *_accuracy(info, strategy, numbers),
        f"- Relative discretisation error in L2, estimated: {_range(numbers['error_estimate'])}"
        f" ({to_json(strategy.get('error_estimate'))})",
        "",
        "## File",
        "",
        f"- `{info.path.name}`, {size} bytes, HDF5 in the layout of The Well, schema version "
        f"{info.schema_version}",
        f"- SHA-256 of the file: `{sha256 or file_sha256(info.path)}`",
        f"- SHA-256 of the samples: `{info.sha256}`",
        f"- Fingerprint of the settings: `{info.fingerprint}`",
        "- Software: " + ", ".join(f"{name} {text}" for name, text in info.versions.items()),
        f"- Licence: {settings['licence']}",
        f"- Please cite: {family.get('citation') or 'nothing stated'}",
        "",
        "## Making it again",
        "",
        *_unrecorded(strategy),
        "```",
        reproduction_command(info),
        "```",
        "",
    ]
    return "\n".join(lines)


def reproduction_command(info: DatasetInfo) -> str:
    """The command that makes the file again, if its strategy is one of those by name."""
    strategy = info.settings["strategy"]
    options = info.settings["family"].get("given_options", {})
    # a family of the user's own is known by its file only, which is not recorded
    family = info.family if info.family in FAMILIES else "path/to/file.py:ClassName"
    solved = strategy.get("solved_on", [])
    words = [
        f"pdesolve generate {family}"
        + "".join(f" --set {name}={value}" for name, value in options.items()),
        f"--num-samples {info.num_samples}",
        "--shape " + " ".join(map(str, info.shape)),
        *(["--solve-shape " + " ".join(map(str, solved))] if solved else []),
        *(["--storage points"] if strategy.get("stored_as") == BY_POINTS else []),
        f"--seed {info.seed} --split {info.split}",
        f"--backend {strategy.get('backend', 'grid')}",
    ]
    name = strategy.get("name")
    sequence = strategy.get("sequence", {})
    if name in STRATEGIES and name != "independent":
        words.append(f"--strategy {name}")
        if sequence.get("order") is not None:
            words.append(f"--order {sequence['order']}")
    if sequence.get("chunk") is not None:
        words.append(f"--shard_size {sequence['chunk']}")
    device = str(strategy.get("device", "")).removeprefix("torch ")
    if device not in ("", "cpu"):
        words.append(f"--device {device}")
    if strategy.get("tolerance") is not None:
        words.append(f"--rtol {strategy['tolerance']}")
    words += [
        f"--{name} {value}"
        for name, value in _elements(strategy, in_time=info.num_times > 1).items()
    ]
    if info.dtype != "float64":
        words.append(f"--dtype {info.dtype}")
    if "error_estimate" in strategy and strategy["error_estimate"] is None:
        words.append("--estimate-error false")
    if info.settings["licence"] != NO_LICENCE:
        words.append(f"--licence {shlex.quote(info.settings['licence'])}")
    words.append(f"--out {info.path.name}")
    given = dict(strategy.get("given_parameters") or {})
    given.pop("ksp_rtol", None)  # said by --rtol
    if given:
        flags = [
            f"-{name}" + ("" if value is None else f" {value}") for name, value in given.items()
        ]
        words.append("-- " + " ".join(flags))
    return " ".join(words)


def _unrecorded(strategy: Mapping[str, Any]) -> list[str]:
    """What the command cannot say, or nothing."""
    name, device = strategy.get("name"), strategy.get("device")
    if name in (*STRATEGIES, "batch") and device != "torch cpu":
        return []
    own = f"'{name}' on torch" if device == "torch cpu" else f"'{name}'"
    return [
        f"The samples were solved by {own}, which was given in Python and is not recorded; the "
        "command draws the same samples, and solves them in another way.",
        "",
    ]


def _distribution(strategy: Mapping[str, Any]) -> list[str]:
    """A warning where samples are not drawn from the family's distribution."""
    text = strategy.get("distribution")
    return [f"**Not the family's distribution: {text}.**", ""] if text else []


def _storage(strategy: Mapping[str, Any]) -> list[str]:
    if "solved_on" not in strategy:
        return []
    solved = " × ".join(map(str, strategy["solved_on"]))
    return [f"- Solved on {solved}, stored as {strategy['stored_as']}, inputs too"]


def _elements(strategy: Mapping[str, Any], *, in_time: bool) -> Mapping[str, Any]:
    found: Mapping[str, Any] = strategy.get("discretization") or {}
    names = ("element", "degree", "dt", "method") if in_time else ("element", "degree")
    return {name: value for name, value in found.items() if name in names}


def _times(info: DatasetInfo) -> list[str]:
    if info.num_times == 1:
        return []
    unit = info.units.get("time", "")
    text = f"- Times: {info.num_times}, from {info.times[0]:g} to {info.times[-1]:g} {unit}"
    return [text.rstrip()]


def _accuracy(
    info: DatasetInfo, strategy: Mapping[str, Any], numbers: Mapping[str, Any]
) -> list[str]:
    if info.num_times > 1:
        return [
            f"- Tolerance on the error of a step: {strategy.get('tolerance') or 'fixed steps'}",
            f"- Steps: {_range(numbers['iterations'])}",
        ]
    return [
        f"- Tolerance on the relative residual: {strategy.get('tolerance')}; reached: "
        f"{_range(numbers['residual'])}",
        f"- Iterations: {_range(numbers['iterations'])}",
    ]


def _parameter_rows(parameters: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, found in parameters.items():
        details = {key: value for key, value in found.items() if key not in ("unit", "description")}
        label = f"{name} ({found['description']})" if found.get("description") else name
        rows.append(f"| {label} | {found.get('unit', '')} | {_words(details)} |")
    return rows


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_words(item) for item in value) + "]"
    return str(value)


def _options(family: Mapping[str, Any]) -> list[str]:
    options = family.get("options")
    return [f"Options of the family: {_words(options)}", ""] if options else []


def _field_rows(info: DatasetInfo) -> list[str]:
    rows = []
    for name in info.fields:
        role = "input" if name in info.inputs else "output"
        numbers = " | ".join(f"{value:.6g}" for value in info.statistics[name].values())
        rows.append(f"| {name} | {role} | {info.units.get(name, '')} | {numbers} |")
    return rows


def _range(values: Any) -> str:
    good = values[np.isfinite(values)]
    if len(good) == 0:
        return "none"
    return f"{good.min():.3g} to {good.max():.3g}, mean {good.mean():.3g}"
