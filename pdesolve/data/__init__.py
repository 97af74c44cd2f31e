"""Data sets of solved problems: generating, reading, checking."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.data.card import read_card as read_card
    from pdesolve.data.check import CheckReport as CheckReport
    from pdesolve.data.check import check_dataset as check_dataset
    from pdesolve.data.generation import generate as generate
    from pdesolve.data.reader import DatasetReader as DatasetReader
    from pdesolve.data.reader import open_dataset as open_dataset
    from pdesolve.data.reader import read_info as read_info
    from pdesolve.data.schema import DatasetInfo as DatasetInfo
    from pdesolve.data.schema import Status as Status

_HOME = {
    "CheckReport": "pdesolve.data.check",
    "DatasetInfo": "pdesolve.data.schema",
    "DatasetReader": "pdesolve.data.reader",
    "Status": "pdesolve.data.schema",
    "check_dataset": "pdesolve.data.check",
    "generate": "pdesolve.data.generation",
    "open_dataset": "pdesolve.data.reader",
    "read_card": "pdesolve.data.card",
    "read_info": "pdesolve.data.reader",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'pdesolve.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
