"""Relative errors in the norm of a given matrix."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import FieldLoss, Reduction, check_shapes, relative, root
from operators.stencil import Stencil

_SYMMETRY = 1e-8  # of the largest entry
_INDEFINITE = 1e-6  # of the target's energy


class EnergyNorm(FieldLoss):
    r"""Relative error in the norm of a symmetric positive semidefinite matrix.

    .. math:: \sqrt{\frac{(u - \hat u)^T M (u - \hat u)}{u^T M u}}

    summed over channels. With the mass matrix of a finite-element space this is the L2
    norm on any mesh, with the stiffness matrix the norm of the gradient.

    Parameters
    ----------
    matrix
        M for values in the order of the flattened space axes: a SciPy sparse matrix (such
        as one that Firedrake assembled), a dense array or tensor, a sparse tensor, or the
        name of a file that ``scipy.sparse.save_npz`` wrote.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If the matrix is not square, finite and symmetric, or the file is not there; when
        applied, if shapes do not fit, the energy of a target is zero, or M is found to be
        indefinite.

    Notes
    -----
    M is not part of a checkpoint.

    Examples
    --------
    >>> loss = EnergyNorm(np.diag([1.0, 4.0]))
    >>> float(loss(torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[0.0, 2.0]]])))
    0.5
    """

    matrix: Tensor

    def __init__(self, matrix: Any, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("matrix", _checked(_as_csr(matrix)), persistent=False)

    @classmethod
    def of_stencil(cls, stencil: Stencil, reduction: Reduction = "mean") -> EnergyNorm:
        """The energy norm of a discrete operator on a grid.

        Examples
        --------
        >>> from meshes import StructuredGrid
        >>> stencil = Stencil(StructuredGrid((3,)), [[-1], [0], [1]], [-1.0, 2.0, -1.0])
        >>> float(EnergyNorm.of_stencil(stencil)(torch.zeros(1, 1, 3), torch.ones(1, 1, 3)))
        1.0
        """
        return cls(stencil.to_csr(), reduction)

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One relative error a sample, shape ``(batch,)``, in float64."""
        check_shapes(prediction, target)
        size = self.matrix.shape[0]
        if target.ndim < 3 or math.prod(target.shape[2:]) != size:
            raise InputError(
                f"fields of shape {tuple(target.shape)} must have shape (batch, channel, *space) "
                f"with {size} points, as the matrix has rows"
            )
        return relative_energy(self._energies(prediction - target), self._energies(target))

    def _energies(self, values: Tensor) -> Tensor:
        """uᵀ M u of each sample."""
        columns = values.double().flatten(0, 1).flatten(1).T
        energies = (columns * (self.matrix @ columns)).sum(0)
        return energies.reshape(values.shape[:2]).sum(1)


def relative_energy(errors: Tensor, energies: Tensor) -> Tensor:
    """Roots of the errors' energies over those of the targets, shape ``(batch,)``.

    Raises
    ------
    InputError
        If an energy is negative, or that of a target zero.
    """
    if bool((energies < 0).any()) or bool((errors < -_INDEFINITE * energies).any()):
        raise InputError(
            "the matrix is not positive semidefinite, as it gives a negative energy; or, for a "
            "matrix with a null space (a stiffness matrix, say), a target is a constant: its "
            "energy is zero to rounding, and no relative error is defined. Leave such samples out"
        )
    return relative(root(errors), root(energies), "energy of the target")


def _as_csr(given: Any) -> Any:
    """A SciPy matrix in float64."""
    from scipy.sparse import csr_array, issparse, load_npz

    if isinstance(given, str | Path):
        if not Path(given).is_file():
            raise InputError(f"there is no file '{given}'; write one with scipy.sparse.save_npz")
        try:
            given = load_npz(given)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"'{given}' is no matrix that scipy.sparse.save_npz wrote: {error}"
            ) from error
    if isinstance(given, Tensor):
        dense = given.to_dense() if given.layout != torch.strided else given
        given = dense.detach().cpu().numpy()
    if not issparse(given):
        given = np.asarray(given)
        if given.ndim != 2 or given.dtype.kind not in "fiu":
            raise InputError(
                f"matrix of shape {given.shape} and type {given.dtype} must be a real matrix"
            )
    return csr_array(given).astype(np.float64)


def _checked(matrix: Any) -> Tensor:
    if matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"a matrix of shape {matrix.shape} is not square")
    if not np.isfinite(matrix.data).all():
        raise InputError("the matrix has entries that are not finite")
    largest = float(np.abs(matrix.data).max(initial=0.0))
    difference = abs(matrix - matrix.T)
    if largest == 0.0 or difference.max() > _SYMMETRY * largest:
        raise InputError(
            "the matrix must be symmetric and not zero: the largest entry of |M - M^T| is "
            f"{difference.max():.3g}, of |M| {largest:.3g}"
        )
    entries = matrix.tocoo()
    places = torch.as_tensor(np.stack([entries.row, entries.col]).astype(np.int64))
    values = torch.as_tensor(entries.data)
    made = torch.sparse_coo_tensor(places, values, matrix.shape, check_invariants=True)
    return made.coalesce()
