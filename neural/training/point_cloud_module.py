"""Training on samples that have different numbers of points."""

from __future__ import annotations

from torch import Tensor

from neural.training.module import SurrogateModule


class PointCloudModule(SurrogateModule):
    """A :class:`SurrogateModule` for files whose samples are filled up to one number of points.

    The last input channel says which points count. Predictions at the others are 0, as the
    targets there are, so that neither the loss nor the errors see them. The statistics of
    the normalisers are those of the arrays as they are, filling included, in which the
    filling of inputs repeats the sample's first point. On files without a mask it is a
    plain :class:`SurrogateModule`. On the command line: ``task: points``.

    Examples
    --------
    >>> module = PointCloudModule(
    ...     {"name": "on-mesh", "model": {"name": "transolver", "projection": "linear"},
    ...      "moving": True, "masked": True}, inputs=["x", "y", "mask"], outputs=["stress"])
    >>> module.model.masked
    True
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs ``(batch, channel, num_points)``, 0 where a point only fills up the array."""
        predictions = super().forward(inputs)
        if not getattr(self.model, "masked", False):
            return predictions
        return predictions * (inputs[:, -1:] > 0.5)
