"""From a list of samples to a sequence of related systems, and what one solve leaves the next."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.sequences._firedrake_source import FormSource as FormSource
    from pdesolve.sequences._petsc_sequence_solver import SequenceSolver as SequenceSolver
    from pdesolve.sequences._petsc_sources import BlockSource as BlockSource
    from pdesolve.sequences._petsc_sources import StencilSource as StencilSource
    from pdesolve.sequences.cosines import truncated_cosine as truncated_cosine
    from pdesolve.sequences.features import feature_matrix as feature_matrix
    from pdesolve.sequences.features import features_of as features_of
    from pdesolve.sequences.guess_options import guess_parameters as guess_parameters
    from pdesolve.sequences.guesses import NeighborProjection as NeighborProjection
    from pdesolve.sequences.guesses import ProjectedGuess as ProjectedGuess
    from pdesolve.sequences.lagging import LagRule as LagRule
    from pdesolve.sequences.lagging import LagSettings as LagSettings
    from pdesolve.sequences.nearest_neighbor import nearest_neighbor_order as nearest_neighbor_order
    from pdesolve.sequences.orders import ORDERS as ORDERS
    from pdesolve.sequences.orders import order_samples as order_samples
    from pdesolve.sequences.paths import path_length as path_length
    from pdesolve.sequences.space_filling import space_filling_order as space_filling_order
    from pdesolve.sequences.standardization import standardize as standardize
    from pdesolve.sequences.two_opt import two_opt_order as two_opt_order

_HOME = {
    "BlockSource": "_petsc_sources",
    "FormSource": "_firedrake_source",
    "SequenceSolver": "_petsc_sequence_solver",
    "StencilSource": "_petsc_sources",
    "LagRule": "lagging",
    "LagSettings": "lagging",
    "NeighborProjection": "guesses",
    "ProjectedGuess": "guesses",
    "guess_parameters": "guess_options",
    "ORDERS": "orders",
    "feature_matrix": "features",
    "features_of": "features",
    "nearest_neighbor_order": "nearest_neighbor",
    "order_samples": "orders",
    "path_length": "paths",
    "space_filling_order": "space_filling",
    "standardize": "standardization",
    "truncated_cosine": "cosines",
    "two_opt_order": "two_opt",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"pdesolve.sequences.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pdesolve.sequences' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
