"""What the equations say of a prediction's error, without a solve.

Examples
--------
>>> from neural.certificates import Certificate
>>> Certificate.nothing("grid", "the equation is not known").kind
'none'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.certificates.certificate import Certificate as Certificate
    from neural.certificates.finite_elements import certify_on_mesh as certify_on_mesh
    from neural.certificates.grids import certify as certify
    from neural.certificates.grids import certify_field as certify_field
    from neural.certificates.trajectories import certify_rollout as certify_rollout
    from neural.certificates.trajectories import certify_trajectory as certify_trajectory

_HOME = {
    "Certificate": "neural.certificates.certificate",
    "certify": "neural.certificates.grids",
    "certify_field": "neural.certificates.grids",
    "certify_on_mesh": "neural.certificates.finite_elements",
    "certify_rollout": "neural.certificates.trajectories",
    "certify_trajectory": "neural.certificates.trajectories",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neural.certificates' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
