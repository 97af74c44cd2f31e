"""Training on samples that have different numbers of points."""

from __future__ import annotations

from torch import Tensor

from meshes.errors import InputError
from neural.training.data import PDEDataModule
from neural.training.module import SurrogateModule


class PointCloudModule(SurrogateModule):
    """A :class:`SurrogateModule` for files whose samples are filled up to one number of points.

    The last input channel says which points count. Predictions at the others are 0, as the
    targets there are, so that neither the loss nor the errors see them. The statistics of
    the normalisers are those of the arrays as they are, filling included, in which the
    filling of inputs repeats the sample's first point. On files without a mask it is a
    plain :class:`SurrogateModule`; files of fields on grids are refused. On the command line:
    ``task: points``.

    Examples
    --------
    >>> module = PointCloudModule(
    ...     {"name": "on-mesh", "model": {"name": "transolver", "projection": "linear"},
    ...      "moving": True, "masked": True}, inputs=["x", "y", "mask"], outputs=["stress"])
    >>> module.model.masked
    True
    """

    def setup(self, stage: str) -> None:
        """Refuse fields on grids; else as :class:`SurrogateModule`."""
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, PDEDataModule):
            info = data.info
            if info.location in ("cell", "vertex"):
                raise InputError(
                    f"'{info.path}' holds fields on a uniform grid, and task: points is for files "
                    "of write_mesh_samples. Write task: steady (SurrogateModule): models of "
                    "points, such as transolver, take the grid's points there too"
                )
        super().setup(stage)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs ``(batch, channel, num_points)``, 0 where a point only fills up the array."""
        predictions = super().forward(inputs)
        if not getattr(self.model, "masked", False):
            return predictions
        return predictions * (inputs[:, -1:] > 0.5)
