"""Attention among learned slices of a domain: the layer of Transolver."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError, suggest

Projection = Literal["convolution", "linear"]
PROJECTIONS = ("convolution", "linear")
_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class PhysicsAttention(nn.Module):
    r"""Attention whose tokens are weighted means over slices of the points.

    With keys and values of each point, :math:`k_n = P_k x_n` and :math:`v_n = P_v x_n`, in
    each head

    .. math::
        w_{n} = \operatorname{softmax}_g\!\left(\frac{S k_n + s}{\tau}\right), \qquad
        t_g = \frac{\sum_n w_{ng} v_n}{\sum_n w_{ng}}, \qquad
        t' = \operatorname{attention}(Q t, K t, V t), \qquad
        y_n = \sum_g w_{ng} t'_g

    and a last affine map joins the heads. The cost is O(N G) for N points and G slices,
    and the order of the points does not matter if the maps P are pointwise.

    Parameters
    ----------
    width
        Channels of input and output.
    num_heads
        Heads; divides `width`.
    num_slices
        G, slices a head.
    projection
        Maps P: ``"linear"``, pointwise, or ``"convolution"`` with 3 values along each axis
        of a grid.
    dimension
        Number of axes that a convolution runs over.
    local_temperature
        Whether τ is the head's learned number plus a learned function of the point.

    Attributes
    ----------
    temperature : Parameter, shape (num_heads,)
        τ, one a head, 0.5 at the start; values below 0.01 are used as 0.01.

    Raises
    ------
    InputError
        If heads do not divide the width, or the projection is unknown.

    References
    ----------
    H. Wu, H. Luo, H. Wang, J. Wang, M. Long (2024), Transolver: a fast transformer solver
    for PDEs on general geometries, ICML, doi:10.48550/arXiv.2402.02366.

    H. Luo, H. Wu, H. Zhou, L. Xing, Y. Di, J. Wang, M. Long (2025), Transolver++: an
    accurate neural solver for PDEs on million-scale geometries, ICML,
    doi:10.48550/arXiv.2502.02414 (the local temperature).

    Examples
    --------
    >>> layer = PhysicsAttention(16, num_heads=4, num_slices=8)
    >>> layer(torch.ones(2, 100, 16)).shape
    torch.Size([2, 100, 16])
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        num_slices: int,
        projection: Projection = "linear",
        dimension: int = 2,
        local_temperature: bool = False,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise InputError(
                f"width={width} must be a multiple of num_heads={num_heads}, such as "
                f"{num_heads * max(1, round(width / num_heads))}"
            )
        if projection not in PROJECTIONS:
            raise InputError(
                f"projection={projection!r} is unknown. {suggest(str(projection), PROJECTIONS)}"
            )
        self.num_heads = num_heads
        per_head = width // num_heads
        # keys and values in one map
        self.project: nn.Module = (
            nn.Linear(width, 2 * width)
            if projection == "linear"
            else _CONVOLUTIONS[dimension](width, 2 * width, 3, padding=1)
        )
        self.slice = nn.Linear(per_head, num_slices)
        nn.init.orthogonal_(self.slice.weight)
        self.temperature = nn.Parameter(torch.full((num_heads,), 0.5))
        self.local = nn.Linear(per_head, 1) if local_temperature else None
        if self.local is not None:
            nn.init.zeros_(self.local.weight)
            nn.init.zeros_(self.local.bias)
        self.query = nn.Linear(per_head, per_head, bias=False)
        self.key = nn.Linear(per_head, per_head, bias=False)
        self.value = nn.Linear(per_head, per_head, bias=False)
        self.join = nn.Linear(width, width)

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply the layer.

        Parameters
        ----------
        values
            Shape ``(batch, *space, width)``, or ``(batch, num_points, width)``.
        mask
            1 where a point counts and 0 where it only fills up the batch, shape ``(batch,
            num_points)``; all count when left out.

        Returns
        -------
        Tensor
            Of the shape of `values`.
        """
        if isinstance(self.project, nn.Linear):
            projected = self.project(values)
        else:
            projected = self.project(values.movedim(-1, 1)).movedim(1, -1)
        heads = projected.reshape(len(values), -1, 2, self.num_heads, self.slice.in_features)
        # with a last channel of ones, the products below give biases and masses too, which
        # saves passes over all weights
        heads = functional.pad(heads.permute(2, 0, 3, 1, 4), (0, 1), value=1.0)
        keys, content = heads.unbind(0)  # (batch, head, point, channel)
        sorting = torch.cat([self.slice.weight, self.slice.bias[:, None]], 1).T
        temperature = self.temperature[:, None, None]
        common = temperature.clamp_min(0.01)
        if self.local is not None:
            keys = keys * (common / (temperature + self.local(keys[..., :-1])).clamp_min(0.01))
        weights = torch.matmul(keys, sorting / common).softmax(-1)  # (batch, head, point, slice)
        if mask is not None:
            content = content * mask[:, None, :, None].to(content.dtype)
        summed = torch.matmul(weights.to(content.dtype).transpose(2, 3), content)
        tokens = summed[..., :-1] / (summed[..., -1:] + 1e-5)
        mixed = functional.scaled_dot_product_attention(
            self.query(tokens), self.key(tokens), self.value(tokens)
        )
        written = torch.matmul(weights.to(mixed.dtype), mixed).transpose(1, 2)
        joined: Tensor = self.join(written.reshape(values.shape))
        return joined
