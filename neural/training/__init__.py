"""Training of surrogates: data, normalisation, losses, the Lightning module, checkpoints.

Examples
--------
>>> from neural.training import RelativeL2
>>> RelativeL2().reduction
'mean'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.training.data import PDEDataModule as PDEDataModule
    from neural.training.losses import FieldLoss as FieldLoss
    from neural.training.losses import RelativeH1 as RelativeH1
    from neural.training.losses import RelativeL2 as RelativeL2
    from neural.training.module import SurrogateModule as SurrogateModule
    from neural.training.normalizers import GaussianNormalizer as GaussianNormalizer
    from neural.training.optimization import Optimization as Optimization
    from neural.training.tensor_files import TensorFileReader as TensorFileReader
    from neural.training.trajectory_data import TrajectoryDataModule as TrajectoryDataModule
    from neural.training.trajectory_module import TrajectoryModule as TrajectoryModule
    from neural.training.weight_average import WeightAverage as WeightAverage

_HOME = {
    "FieldLoss": "neural.training.losses",
    "GaussianNormalizer": "neural.training.normalizers",
    "Optimization": "neural.training.optimization",
    "PDEDataModule": "neural.training.data",
    "RelativeH1": "neural.training.losses",
    "RelativeL2": "neural.training.losses",
    "SurrogateModule": "neural.training.module",
    "TensorFileReader": "neural.training.tensor_files",
    "TrajectoryDataModule": "neural.training.trajectory_data",
    "TrajectoryModule": "neural.training.trajectory_module",
    "WeightAverage": "neural.training.weight_average",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neural.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
