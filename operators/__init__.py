"""What maps fields to fields: operators, stencils, random fields, results, failures.

Examples
--------
>>> from operators import Space
>>> Space((3,)).size
3
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.failures import CheckpointError as CheckpointError
    from operators.failures import DataFileError as DataFileError
    from operators.failures import InputError as InputError
    from operators.failures import LinearSolveFailure as LinearSolveFailure
    from operators.failures import PDESolveError as PDESolveError
    from operators.failures import SolveFailure as SolveFailure
    from operators.linear import LinearOperator as LinearOperator
    from operators.linear import Space as Space
    from operators.matrix import DiagonalOperator as DiagonalOperator
    from operators.matrix import MatrixOperator as MatrixOperator
    from operators.matrix import identity as identity
    from operators.parameters import FieldParameter as FieldParameter
    from operators.parameters import LogNormalField as LogNormalField
    from operators.parameters import ParameterSpace as ParameterSpace
    from operators.parameters import ScalarParameter as ScalarParameter
    from operators.parameters import ThresholdedField as ThresholdedField
    from operators.random_fields import GaussianRandomField as GaussianRandomField
    from operators.random_fields import RandomFieldSample as RandomFieldSample
    from operators.result import SolveResult as SolveResult
    from operators.stencil import Stencil as Stencil

_HOME = {
    "CheckpointError": "operators.failures",
    "DataFileError": "operators.failures",
    "DiagonalOperator": "operators.matrix",
    "GaussianRandomField": "operators.random_fields",
    "InputError": "operators.failures",
    "LinearOperator": "operators.linear",
    "LinearSolveFailure": "operators.failures",
    "MatrixOperator": "operators.matrix",
    "PDESolveError": "operators.failures",
    "RandomFieldSample": "operators.random_fields",
    "FieldParameter": "operators.parameters",
    "LogNormalField": "operators.parameters",
    "ParameterSpace": "operators.parameters",
    "ScalarParameter": "operators.parameters",
    "ThresholdedField": "operators.parameters",
    "SolveFailure": "operators.failures",
    "SolveResult": "operators.result",
    "Space": "operators.linear",
    "Stencil": "operators.stencil",
    "StencilMatrix": "operators._petsc_stencil",
    "identity": "operators.matrix",
    "stencil_matrix": "operators._petsc_stencil",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        if _HOME[name].rpartition(".")[2].startswith("_petsc"):
            from meshes.errors import require

            require("petsc4py.PETSc", extra="petsc")
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'operators' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
