"""Correcting the trajectory that a model predicted, by the equations alone.

Examples
--------
>>> from neural.refinement import differentiation_matrix
>>> differentiation_matrix([0.0, 1.0, 2.0], order=2)[1].tolist()
[-0.5, 0.0, 0.5]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neural.refinement.classical import newton_krylov as newton_krylov
    from neural.refinement.classical import parareal as parareal
    from neural.refinement.correction import FourierCorrection as FourierCorrection
    from neural.refinement.estimator import ResidualEstimator as ResidualEstimator
    from neural.refinement.head_correction import HeadCorrection as HeadCorrection
    from neural.refinement.head_correction import refine_prediction as refine_prediction
    from neural.refinement.minimisation import Refinement as Refinement
    from neural.refinement.minimisation import RefinementSettings as RefinementSettings
    from neural.refinement.minimisation import refine as refine
    from neural.refinement.residuals import SpaceTimeResidual as SpaceTimeResidual
    from neural.refinement.time_derivative import differentiation_matrix as differentiation_matrix

_HOME = {
    "FourierCorrection": "neural.refinement.correction",
    "HeadCorrection": "neural.refinement.head_correction",
    "Refinement": "neural.refinement.minimisation",
    "RefinementSettings": "neural.refinement.minimisation",
    "ResidualEstimator": "neural.refinement.estimator",
    "SpaceTimeResidual": "neural.refinement.residuals",
    "differentiation_matrix": "neural.refinement.time_derivative",
    "newton_krylov": "neural.refinement.classical",
    "parareal": "neural.refinement.classical",
    "refine": "neural.refinement.minimisation",
    "refine_prediction": "neural.refinement.head_correction",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neural.refinement' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
