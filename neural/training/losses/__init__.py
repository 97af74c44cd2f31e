"""Training losses of fields.

Examples
--------
>>> from neural.training.losses import RelativeSobolev
>>> RelativeSobolev(order=-1).order
-1.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.training.losses.bands import BandL2 as BandL2
    from neural.training.losses.base import FieldLoss as FieldLoss
    from neural.training.losses.base import relative_l2 as relative_l2
    from neural.training.losses.base import total_of as total_of
    from neural.training.losses.energy import RelativeEnergy as RelativeEnergy
    from neural.training.losses.family_operator import FamilyOperator as FamilyOperator
    from neural.training.losses.matrix_norm import EnergyNorm as EnergyNorm
    from neural.training.losses.mesh_norm import MeshNorm as MeshNorm
    from neural.training.losses.relative import RelativeH1 as RelativeH1
    from neural.training.losses.relative import RelativeL2 as RelativeL2
    from neural.training.losses.residual import PDEResidual as PDEResidual
    from neural.training.losses.sobolev import RelativeSobolev as RelativeSobolev
    from neural.training.losses.spectrum import BoxSpectrum as BoxSpectrum
    from neural.training.losses.weighted_sum import WeightedSum as WeightedSum

_HOME = {
    "BandL2": "bands",
    "BoxSpectrum": "spectrum",
    "EnergyNorm": "matrix_norm",
    "FamilyOperator": "family_operator",
    "FieldLoss": "base",
    "MeshNorm": "mesh_norm",
    "PDEResidual": "residual",
    "RelativeEnergy": "energy",
    "RelativeH1": "relative",
    "RelativeL2": "relative",
    "RelativeSobolev": "sobolev",
    "WeightedSum": "weighted_sum",
    "relative_l2": "base",
    "total_of": "base",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"neural.training.losses.{_HOME[name]}"), name)
    raise AttributeError(f"module 'neural.training.losses' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
