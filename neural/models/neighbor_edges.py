"""Edges to nearest points, found once for each cloud."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import torch
from torch import Tensor
from torch.nn import functional

from neural.models.mesh_graph import PADDING, nearest_neighbor_edges
from neural.models.spectral_convolution import positive_integer


class NeighborEdges:
    """Nearest-neighbour edges of the clouds of a batch, kept for the next time they come.

    A cloud is known again by a hash of its coordinates, so the edges are always those of
    the points given, and points that move have edges of their own. The clouds that were not
    asked for the longest time are dropped first.

    Parameters
    ----------
    num_neighbors
        Senders a receiver.
    capacity
        Edges to keep, of all clouds together; one edge takes 16 bytes.

    Raises
    ------
    InputError
        If a size is not a positive integer; when applied, as
        :func:`neural.models.mesh_graph.nearest_neighbor_edges`.

    Examples
    --------
    >>> edges = NeighborEdges(1)
    >>> cloud = torch.tensor([[0.0], [1.0], [3.0]])
    >>> edges(cloud)
    tensor([[1, 0, 1],
            [0, 1, 2]])
    >>> edges(torch.stack([cloud, 3 - cloud])).shape
    torch.Size([2, 2, 3])
    """

    def __init__(self, num_neighbors: int, capacity: int = 2**23) -> None:
        self.num_neighbors = positive_integer("num_neighbors", num_neighbors)
        self.capacity = positive_integer("capacity", capacity)
        self._known: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()

    def __call__(self, points: Tensor) -> Tensor:
        """Edges on the device of the points.

        Parameters
        ----------
        points
            Shape ``(num_points, d)``, or ``(batch, num_points, d)``.

        Returns
        -------
        Tensor
            Shape ``(2, num_edges)``, or ``(batch, 2, num_edges)``; see
            :func:`neural.models.mesh_graph.mesh_edges`.
        """
        clouds = points.detach().cpu()
        if clouds.ndim == 2:
            return self._of(clouds).to(points.device)
        found = [self._of(cloud) for cloud in clouds]
        longest = max(edges.shape[1] for edges in found)
        filled = [
            functional.pad(edges, (0, longest - edges.shape[1]), value=PADDING) for edges in found
        ]
        return torch.stack(filled).to(points.device)

    def _of(self, cloud: Tensor) -> Tensor:
        values = cloud.double().numpy()
        key = (values.shape, hashlib.blake2b(values.tobytes()).digest())
        if key not in self._known:
            self._known[key] = nearest_neighbor_edges(values, self.num_neighbors)
            held = sum(edges.shape[1] for edges in self._known.values())
            while held > self.capacity and len(self._known) > 1:
                held -= self._known.popitem(last=False)[1].shape[1]
        self._known.move_to_end(key)
        return self._known[key]
