"""Keep Firedrake's compiled kernels apart for each kind of processor.

Firedrake compiles the C code of every form for the very processor it runs on
(``-march=native``) and keeps the libraries on disk under a key that holds the text of the
compiler's flags, not the processor that they were resolved to. When the folder moves to
another machine, or lies on a file system that several kinds of machines share, a library
with instructions that the processor lacks would be loaded and end the program. Here the
processor's instruction set becomes part of the folder's name.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import MutableMapping
from pathlib import Path

CACHE_VARIABLE = "PYOP2_CACHE_DIR"

_CPU_FILE = Path("/proc/cpuinfo")
# What identifies a processor in that file: on x86, and the last five on Arm.
_CPU_FIELDS = frozenset({
    "vendor_id", "cpu family", "model", "flags",
    "Features", "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
})  # fmt: skip


def instruction_set_digest(cpu_file: Path = _CPU_FILE) -> str:
    """Ten hexadecimal digits that differ between processors of different abilities.

    Parameters
    ----------
    cpu_file
        Linux's description of the processors. Where it is absent the name that the
        operating system gives takes its place.

    Returns
    -------
    str
        The same on every core of a machine, whatever the number of cores.

    Examples
    --------
    >>> len(instruction_set_digest())
    10
    """
    lines = {platform.machine()}
    try:
        text = cpu_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        lines.add(platform.processor())
    else:
        for line in text.splitlines():
            field, _, value = line.partition(":")
            if field.strip() in _CPU_FIELDS:
                words = sorted(set(value.split()))
                lines.add(f"{field.strip()}: {' '.join(words)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:10]


def use_cache_of_this_processor(
    environment: MutableMapping[str, str] | None = None, cpu_file: Path = _CPU_FILE
) -> Path:
    """Name a folder for compiled kernels that belongs to this kind of processor.

    Call it before ``import firedrake``: Firedrake reads the variable once, on import. A
    folder that the user chose through ``PYOP2_CACHE_DIR`` is left alone, and so is the
    cache of generated C code, which is the same for every processor.

    Parameters
    ----------
    environment
        The variables to read and to change; those of this process by default.
    cpu_file
        As for `instruction_set_digest`.

    Returns
    -------
    Path
        The folder that is in force.

    Examples
    --------
    >>> variables = {"FIREDRAKE_CACHE_DIR": "/scratch"}
    >>> use_cache_of_this_processor(variables).parent
    PosixPath('/scratch')
    """
    variables = os.environ if environment is None else environment
    if CACHE_VARIABLE not in variables:
        folder = _cache_root(variables) / f"pyop2-{instruction_set_digest(cpu_file)}"
        variables[CACHE_VARIABLE] = str(folder)
    return Path(variables[CACHE_VARIABLE])


def _cache_root(variables: MutableMapping[str, str]) -> Path:
    """The folder that Firedrake itself would choose."""
    if given := variables.get("FIREDRAKE_CACHE_DIR"):
        return Path(given)
    prefix = Path(sys.prefix)
    return (prefix if os.access(prefix, os.W_OK) else Path.home()) / ".cache"
