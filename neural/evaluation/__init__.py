"""How good a surrogate is, and when it pays.

Examples
--------
>>> from neural.evaluation import metrics
>>> metrics.relative_l2([[[1.0]]], [[[2.0]]]).tolist()
[0.5]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.evaluation.measurement import evaluate as evaluate
    from neural.evaluation.report import DatasetErrors as DatasetErrors
    from neural.evaluation.report import EvaluationReport as EvaluationReport

_HOME = {
    "DatasetErrors": "neural.evaluation.report",
    "EvaluationReport": "neural.evaluation.report",
    "evaluate": "neural.evaluation.measurement",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neural.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
