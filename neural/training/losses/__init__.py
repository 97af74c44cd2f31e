"""Training losses of fields.

Examples
--------
>>> from neural.training.losses import RelativeL2
>>> RelativeL2().reduction
'mean'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.training.losses.base import FieldLoss as FieldLoss
    from neural.training.losses.base import relative_l2 as relative_l2
    from neural.training.losses.relative import RelativeH1 as RelativeH1
    from neural.training.losses.relative import RelativeL2 as RelativeL2

_HOME = {
    "FieldLoss": "base",
    "RelativeH1": "relative",
    "RelativeL2": "relative",
    "relative_l2": "base",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"neural.training.losses.{_HOME[name]}"), name)
    raise AttributeError(f"module 'neural.training.losses' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
