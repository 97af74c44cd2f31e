"""Models as plain modules, without training code.

Examples
--------
>>> from neural.models import FNO
>>> FNO(1, 1, modes=[8], width=16).dimension
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.models.deeponet import DeepONet as DeepONet
    from neural.models.factorized_fno import FactorizedFNO as FactorizedFNO
    from neural.models.fno import FNO as FNO
    from neural.models.lsm import LatentSpectralModel as LatentSpectralModel
    from neural.models.message_passing import MessagePassingNetwork as MessagePassingNetwork
    from neural.models.on_mesh import OnMesh as OnMesh
    from neural.models.point_lsm import PointLatentSpectralModel as PointLatentSpectralModel
    from neural.models.registry import MODELS as MODELS
    from neural.models.registry import build_model as build_model
    from neural.models.registry import get_model as get_model
    from neural.models.space_time_fno import SpaceTimeFNO as SpaceTimeFNO
    from neural.models.spectral_convolution import SpectralConvolution as SpectralConvolution
    from neural.models.spectral_head import SpectralHead as SpectralHead
    from neural.models.transolver import Transolver as Transolver
    from neural.models.unet import UNet as UNet

_HOME = {
    "DeepONet": "neural.models.deeponet",
    "FNO": "neural.models.fno",
    "FactorizedFNO": "neural.models.factorized_fno",
    "LatentSpectralModel": "neural.models.lsm",
    "MODELS": "neural.models.registry",
    "MessagePassingNetwork": "neural.models.message_passing",
    "OnMesh": "neural.models.on_mesh",
    "PointLatentSpectralModel": "neural.models.point_lsm",
    "SpaceTimeFNO": "neural.models.space_time_fno",
    "SpectralConvolution": "neural.models.spectral_convolution",
    "SpectralHead": "neural.models.spectral_head",
    "Transolver": "neural.models.transolver",
    "UNet": "neural.models.unet",
    "build_model": "neural.models.registry",
    "get_model": "neural.models.registry",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neural.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
