"""PETSc options in the spelling of PETSc's own command line; needs no PETSc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshes.errors import InputError

# Read once, when PETSc starts, and belonging to no solver.
_AT_START = (
    "cuda_",
    "device_",
    "fp_trap",
    "help",
    "info",
    "log_",
    "malloc",
    "memory_view",
    "objects_dump",
    "on_error_",
    "options_",
    "start_in_debugger",
    "use_gpu_aware_mpi",
    "version",
)

Flags = dict[str, str | None]


def petsc_flags(words: Sequence[str]) -> Flags:
    """Parse ``-ksp_type cg -ksp_monitor`` as PETSc does.

    Parameters
    ----------
    words
        What stands after ``--``.

    Returns
    -------
    dict
        Value by option name, without the dash; None for an option without a value.

    Raises
    ------
    InputError
        If a value stands where an option's name should.

    Examples
    --------
    >>> petsc_flags(["-ksp_type", "cg", "-ksp_monitor", "-shift", "-1.5"])
    {'ksp_type': 'cg', 'ksp_monitor': None, 'shift': '-1.5'}
    """
    options: Flags = {}
    index = 0
    while index < len(words):
        word = words[index]
        if not is_flag(word):
            raise InputError(
                f"'{word}' after '--' is no PETSc option; options start with a dash, such as "
                "-ksp_type cg, and pdesolve's own options stand before '--'"
            )
        name = word.lstrip("-")
        following = words[index + 1] if index + 1 < len(words) else None
        if following is not None and not is_flag(following):
            options[name] = following
            index += 2
        else:
            options[name] = None
            index += 1
    return options


def is_flag(word: str) -> bool:
    """Whether PETSc takes a word as an option's name (a negative number is a value).

    Examples
    --------
    >>> is_flag("-ksp_type"), is_flag("-1.5"), is_flag("cg")
    (True, False, False)
    """
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".")


def split_at_start(options: Mapping[str, str | None]) -> tuple[Flags, Flags]:
    """Tell options that PETSc reads when it starts from those of solvers.

    Examples
    --------
    >>> split_at_start({"ksp_type": "cg", "log_view": None})
    ({'log_view': None}, {'ksp_type': 'cg'})
    """
    at_start: Flags = {}
    solver: Flags = {}
    for name, value in options.items():
        (at_start if name.startswith(_AT_START) else solver)[name] = value
    return at_start, solver
