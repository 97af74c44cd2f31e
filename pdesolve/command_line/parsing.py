"""The words of one verb: options, YAML files, and what follows ``--``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from meshes.errors import InputError, suggest
from pdesolve.command_line.petsc_flags import Flags, is_flag, petsc_flags

_EXPECTED = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
_ALWAYS = ("help", "config", "print_config")
_REASON = re.compile(
    r'Parser key "(?P<key>[^"]+)"(?: element \d+)?:.*?Got value: (?P<value>.*)', re.DOTALL
)


@dataclass(frozen=True)
class Words:
    """What a verb was given.

    Parameters
    ----------
    values
        By option name, defaults filled in.
    petsc
        PETSc options that stood after ``--``.
    """

    values: Mapping[str, Any]
    petsc: Flags

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class VerbParser:
    """The options of one verb.

    Parameters
    ----------
    verb, summary
        For ``--help``.
    examples
        Commands, for ``--help``.
    takes_petsc
        Whether PETSc options may follow ``--``.

    Examples
    --------
    >>> parser = VerbParser("solve", "Solve one problem.", ("solve darcy2d --seed 3",))
    >>> parser.positional("family", "problem family")
    >>> parser.option("seed", int, "seed of the random numbers", 0)
    >>> parser.parse(["darcy2d", "--seed", "3"])["seed"]
    3
    """

    def __init__(
        self, verb: str, summary: str, examples: Sequence[str], *, takes_petsc: bool = False
    ) -> None:
        import jsonargparse

        listed = "\n".join(f"  pdesolve {example}" for example in examples)
        tail = " [-- PETSC_OPTIONS ...]" if takes_petsc else ""
        self._parser = jsonargparse.ArgumentParser(
            prog=f"pdesolve {verb}",
            description=summary,
            epilog=f"examples:\n{listed}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            exit_on_error=False,
            allow_abbrev=False,
            usage=f"pdesolve {verb} %s[options]{tail}",
        )
        self._verb = verb
        self._takes_petsc = takes_petsc
        self._types: dict[str, Any] = {}
        self._positionals: list[str] = []
        self._repeated: list[str] = []
        self._mappings: list[str] = []
        self._parser.add_argument(
            "--config", action="config", help="YAML file of options, by name without the dashes"
        )

    def positional(self, name: str, text: str, *, many: bool = False) -> None:
        """Add a word that stands by its place; a YAML file may give it by name."""
        self._positionals.append(name)
        self._types[name] = str
        if many:
            self._repeated.append(name)
        self._parser.add_argument(name, nargs="*" if many else "?", type=str, help=text)

    def option(
        self, name: str, kind: Any, text: str, default: Any = None, *, many: bool = False
    ) -> None:
        """Add ``--name`` with a value of a type, or with several."""
        self._types[name] = kind
        keywords: dict[str, Any] = {"nargs": "+"} if many else {}
        if kind is not bool and get_origin(kind) is not Literal:
            keywords["metavar"] = name.upper()
        self._parser.add_argument(
            *_spellings(name), dest=name, type=kind, default=default, help=text, **keywords
        )

    def switch(self, name: str, text: str) -> None:
        """Add ``--name`` without a value."""
        self._types[name] = bool
        self._parser.add_argument(*_spellings(name), dest=name, action="store_true", help=text)

    def mapping(self, name: str, text: str) -> None:
        """Add ``--name key=value ...``, also ``--name.key value``."""
        self._types[name] = dict
        self._mappings.append(name)
        self._parser.add_argument(
            *_spellings(name),
            dest=name,
            type=dict[str, Any],
            default={},
            metavar="KEY=VALUE",
            help=text,
        )

    def parse(self, words: Sequence[str]) -> Words:
        """Read the words of the verb.

        Raises
        ------
        InputError
            For unknown options and keys, values of the wrong type, missing files, and
            PETSc options in the wrong place.
        """
        from jsonargparse import ArgumentError

        own, petsc = self._split(list(words))
        own = self._spread_mappings(own)
        self._check_names(own)
        self._check_files(own)
        self._parser.usage = self._parser.usage.replace("%s", self._usage())
        try:
            namespace = self._parser.parse_args(own)
        except ArgumentError as error:
            raise InputError(self._explain(str(error))) from error
        return Words(namespace.as_dict(), petsc)

    def _usage(self) -> str:
        return "".join(
            f"{name.upper()}{' ...' if name in self._repeated else ''} "
            for name in self._positionals
        )

    def _split(self, words: list[str]) -> tuple[list[str], Flags]:
        if "--" not in words:
            return words, {}
        end = words.index("--")
        if words[end + 1 :] and not self._takes_petsc:
            raise InputError(
                f"'{' '.join(words[end:])}': 'pdesolve {self._verb}' takes no PETSc options"
            )
        return words[:end], petsc_flags(words[end + 1 :])

    def _spread_mappings(self, words: list[str]) -> list[str]:
        """Write ``--set a=1 b=2`` as ``--set.a=1 --set.b=2``."""
        spread: list[str] = []
        current = ""
        for word in words:
            if word.startswith("--"):
                name = word[2:].replace("-", "_")
                current = name if name in self._mappings else ""
                if not current:
                    spread.append(word)
            elif current:
                key, equals, value = word.partition("=")
                if not (equals and key):
                    raise InputError(f"--{current} {word}: write key=value, such as kind=lognormal")
                spread.append(f"--{current}.{key}={value}")
            else:
                spread.append(word)
        return spread

    def _check_names(self, words: Sequence[str]) -> None:
        known = [*_ALWAYS, *(name for name in self._types if name not in self._positionals)]
        for word in words:
            if not is_flag(word) or word == "-h":
                continue
            if not word.startswith("--"):
                if self._takes_petsc:
                    raise InputError(
                        f"'{word}' looks like a PETSc option; PETSc options stand at the end, "
                        f"after '--': pdesolve {self._verb} ... -- {word} ..."
                    )
                raise InputError(f"'{word}': options start with two dashes. {_listed('', known)}")
            name = re.split(r"[=.]", word[2:], maxsplit=1)[0]
            if name.replace("-", "_") in known:
                continue
            if self._takes_petsc and name.startswith(("ksp_", "pc_", "mat_", "snes_", "log_")):
                raise InputError(
                    f"'{word}' looks like a PETSc option; those have one dash and stand at the "
                    f"end, after '--': pdesolve {self._verb} ... -- -{name} ..."
                )
            raise InputError(f"there is no option '--{name}'. {_listed(name, known)}")

    def _check_files(self, words: Sequence[str]) -> None:
        """Check the YAML files, and let them give what else stands by its place."""
        for index, word in enumerate(words):
            if word == "--config" and index + 1 < len(words):
                keys = read_config(words[index + 1])
            elif word.startswith("--config="):
                keys = read_config(word.partition("=")[2])
            else:
                continue
            for key in keys:
                if key.split(".")[0] not in self._types:
                    raise InputError(
                        f"the configuration file has an unknown key '{key}'. "
                        f"{suggest(key, self._types)}"
                    )
            for name in self._positionals:
                if name in keys:
                    self._parser.set_defaults({name: keys[name]})

    def _explain(self, text: str) -> str:
        """Put the parser's message into the project's words."""
        found = _REASON.search(text)
        if found is None:
            return f"{text}; see 'pdesolve {self._verb} --help'"
        name = found["key"].split(".")[0]
        value = found["value"].strip()
        kind = self._types.get(name)
        label = name if name in self._positionals else f"--{name.replace('_', '-')}"
        if get_origin(kind) is Literal:
            return f"{label}: '{value}' is not a choice. {suggest(value, get_args(kind))}"
        expected = _EXPECTED.get(kind, "another type") if isinstance(kind, type) else "another type"
        return f"{label}: '{value}' was given, and {expected} is expected"


def read_config(path: str) -> dict[str, Any]:
    """The top level of a YAML file.

    Raises
    ------
    InputError
        If there is no such file, or it is not YAML, or not a mapping.
    """
    import yaml

    file = existing_file(path, "--config")
    try:
        content = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(
            f"'{path}' holds a {type(content).__name__}; a configuration is lines of 'name: value'"
        )
    return {str(key): value for key, value in content.items()}


def existing_file(path: str, option: str) -> Path:
    """The path, if there is a file.

    Raises
    ------
    InputError
        If not; names a file with a similar name.
    """
    import difflib

    file = Path(path)
    if file.is_file():
        return file
    if file.is_dir():
        raise InputError(f"{option}: '{path}' is a folder; give a file")
    if not file.parent.is_dir():
        raise InputError(f"{option}: there is no folder '{file.parent}'")
    names = [other.name for other in file.parent.iterdir() if other.is_file()]
    near = difflib.get_close_matches(file.name, names, n=1)
    hint = f"; did you mean '{file.with_name(near[0])}'?" if near else ""
    raise InputError(f"{option}: there is no file '{path}'{hint}")


def output_file(path: str | None, option: str, suffix: str) -> Path | None:
    """The path of a file to be written, checked before any work is done.

    Raises
    ------
    InputError
        If its name does not end as it should, or it cannot be written there.
    """
    if path is None:
        return None
    file = Path(path)
    if file.suffix != suffix:
        raise InputError(f"{option}: '{path}' must end in {suffix}")
    if file.is_dir():
        raise InputError(f"{option}: '{path}' is a folder; give a file ending in {suffix}")
    parent = file.parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise InputError(f"{option}: '{parent}' is a file, not a folder")
    return file


def required(words: Words, name: str, example: str) -> Any:
    """A value that must be given.

    Raises
    ------
    InputError
        If it is not.
    """
    value = words[name]
    if value is None or value == []:
        raise InputError(f"{name} is missing; for example: pdesolve {example}")
    return value


def _spellings(name: str) -> list[str]:
    """``--num-samples``, and ``--num_samples`` as in a YAML file."""
    dashed = name.replace("_", "-")
    return [f"--{name}"] if dashed == name else [f"--{dashed}", f"--{name}"]


def _listed(name: str, known: Sequence[str]) -> str:
    shown = [f"--{option.replace('_', '-')}" for option in known if option != "print_config"]
    return suggest(f"--{name}", [*shown, "--print_config"])
