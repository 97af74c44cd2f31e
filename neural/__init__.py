"""Neural surrogates: models, training, evaluation, and their use inside solvers.

Examples
--------
>>> import neural
>>> "fno" in neural.MODELS
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from meshes.errors import require

if TYPE_CHECKING:
    from neural.accelerate import initial_guess as initial_guess
    from neural.batched_solve import solve_stencils as solve_stencils
    from neural.batched_solve import torch_batches as torch_batches
    from neural.diffusion_stencils import DiffusionSolve as DiffusionSolve
    from neural.diffusion_stencils import diffusion_coefficients as diffusion_coefficients
    from neural.evaluation.measurement import evaluate as evaluate
    from neural.evaluation.report import EvaluationReport as EvaluationReport
    from neural.models.fno import FNO as FNO
    from neural.models.registry import MODELS as MODELS
    from neural.models.registry import get_model as get_model
    from neural.restoring import load_surrogate as load_surrogate
    from neural.stencils import StencilConvolution as StencilConvolution
    from neural.surrogate import Surrogate as Surrogate
    from neural.training.data import PDEDataModule as PDEDataModule
    from neural.training.losses import RelativeH1 as RelativeH1
    from neural.training.losses import RelativeL2 as RelativeL2
    from neural.training.module import SurrogateModule as SurrogateModule
    from neural.training.trajectory_data import TrajectoryDataModule as TrajectoryDataModule
    from neural.training.trajectory_module import TrajectoryModule as TrajectoryModule
    from neural.trajectory_prediction import predict_trajectory as predict_trajectory
    from neural.trajectory_surrogate import TrajectorySurrogate as TrajectorySurrogate

_HOME = {
    "DiffusionSolve": "neural.diffusion_stencils",
    "EvaluationReport": "neural.evaluation.report",
    "FNO": "neural.models.fno",
    "MODELS": "neural.models.registry",
    "PDEDataModule": "neural.training.data",
    "RelativeH1": "neural.training.losses",
    "RelativeL2": "neural.training.losses",
    "StencilConvolution": "neural.stencils",
    "Surrogate": "neural.surrogate",
    "SurrogateModule": "neural.training.module",
    "TrajectoryDataModule": "neural.training.trajectory_data",
    "TrajectoryModule": "neural.training.trajectory_module",
    "TrajectorySurrogate": "neural.trajectory_surrogate",
    "diffusion_coefficients": "neural.diffusion_stencils",
    "evaluate": "neural.evaluation.measurement",
    "get_model": "neural.models.registry",
    "initial_guess": "neural.accelerate",
    "load_surrogate": "neural.restoring",
    "predict_trajectory": "neural.trajectory_prediction",
    "solve_stencils": "neural.batched_solve",
    "torch_batches": "neural.batched_solve",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'neural' has no attribute {name!r}")
    try:
        module = import_module(_HOME[name])
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("torch", "pytorch_lightning"):
            require(missing, extra="neural")
        raise
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
