"""Relative errors of fields on meshes in norms of linear finite elements."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh
from neural.training.losses.base import FieldLoss, Reduction
from neural.training.losses.matrix_norm import EnergyNorm
from operators.linear_elements import mass_and_stiffness


class MeshNorm(FieldLoss):
    r"""Relative error of values at the vertices of a mesh, as integrals.

    .. math:: \sqrt{\frac{\int m\,e^2 + k\,|\nabla e|^2}{\int m\,u^2 + k\,|\nabla u|^2}},
              \qquad e = u - \hat u

    for the functions that are linear (or bilinear) on the cells. Unlike the plain sum over
    points it does not count refined regions more than their area.

    Parameters
    ----------
    mass, stiffness
        m and k, not negative; (1, 0) is the L2 norm, (0, 1) the norm of the gradient, (1, 1)
        the H1 norm.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If the weights are out of range; by ``prepare``, if the training file is not one of
        fields on one mesh with cells; when applied, if no mesh is known or shapes do not
        fit.

    Examples
    --------
    >>> import torch
    >>> mesh = UnstructuredMesh([[0.0], [0.9], [1.0]], [[0, 1], [1, 2]], "interval")
    >>> loss = MeshNorm()
    >>> loss.take_mesh(mesh)
    >>> ones = torch.ones(1, 1, 3)
    >>> float(loss(0.5 * ones, ones))
    0.5
    """

    def __init__(
        self, mass: float = 1.0, stiffness: float = 0.0, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(reduction)
        given = (mass, stiffness)
        if not all(0 <= value < math.inf for value in given) or not any(given):
            raise InputError(
                f"mass={mass!r} and stiffness={stiffness!r} must be at least 0, one of them more"
            )
        self.mass, self.stiffness = float(mass), float(stiffness)
        self._norm: EnergyNorm | None = None
        self._mesh_key: object = None

    def prepare(self, info: Any) -> None:
        """Take the mesh of the training file."""
        from neural.training.mesh_files import MeshFileReader, is_mesh_file

        if not is_mesh_file(info.path):
            raise InputError(
                f"'{info.path}' holds no mesh; MeshNorm is for files of write_mesh_samples. On "
                "grids take RelativeL2 or RelativeSobolev"
            )
        reader = MeshFileReader(info.path)
        if reader.points.ndim != 2 or reader.cells is None or reader.cell_type is None:
            raise InputError(
                f"'{info.path}' does not hold one mesh with cells for all samples, which MeshNorm "
                "needs; take RelativeL2"
            )
        self.take_mesh(UnstructuredMesh(reader.points, reader.cells, reader.cell_type))  # type: ignore[arg-type]
        self._mesh_key = info.settings.get("family", {}).get("mesh")

    def check(self, info: Any) -> None:
        """Refuse a file on another mesh."""
        if info.settings.get("family", {}).get("mesh") != self._mesh_key:
            raise InputError(
                f"the mesh of '{info.path}' is not that of the first training file; MeshNorm is "
                "for one mesh"
            )

    def take_mesh(self, mesh: UnstructuredMesh) -> None:
        """Use this mesh."""
        mass, stiffness = mass_and_stiffness(mesh)
        self._norm = EnergyNorm(self.mass * mass + self.stiffness * stiffness)

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One relative error a sample, shape ``(batch,)``, in float64."""
        if self._norm is None:
            raise InputError(
                "the loss does not know the mesh: call take_mesh(mesh), or prepare(info) with the "
                "info of a mesh file, as the trainer does"
            )
        return self._norm.per_sample(prediction, target)
