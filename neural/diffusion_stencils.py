"""Diffusion stencils from a coefficient tensor, with gradients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest
from meshes.structured import AXIS_NAMES, StructuredGrid
from neural.batched_solve import solve_stencils
from pdesolve.grid.finite_volume import diffusion_offsets

CONDITIONS = ("dirichlet", "neumann")
Boundary = str | Mapping[str, str]


def diffusion_coefficients(
    grid: StructuredGrid, a: Tensor, boundary: Boundary = "dirichlet"
) -> Tensor:
    r"""Stencils of −∇·(a ∇u) by finite volumes, differentiable in a.

    .. math:: A_{i,i \pm e} = -\frac{2}{h^2} \frac{a_i a_{i \pm e}}{a_i + a_{i \pm e}}

    with the negative sum of these on the diagonal, and 2 a_i / h² more at a side with u = 0,
    which is half a cell away. The numbers are those of
    :func:`pdesolve.grid.finite_volume.diffusion_system`.

    Parameters
    ----------
    grid
        Cell-centred grid; periodic axes wrap.
    a
        Positive cell values, shape ``(batch, *grid.shape)``, float64, or float32 that is
        converted first.
    boundary
        ``"dirichlet"`` (u = 0) or ``"neumann"`` (no flux) on all sides that do not wrap, or
        one of them by side name. Other values and fluxes add to the right-hand side, which is
        the caller's.

    Returns
    -------
    Tensor
        Shape ``(batch, 1 + 2 d, *grid.shape)``, float64, in the order of
        :func:`pdesolve.grid.finite_volume.diffusion_offsets`.

    Raises
    ------
    InputError
        For a vertex grid, a wrong shape or type, an unknown condition, or values that are not
        positive and finite.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> diffusion_coefficients(grid, torch.ones(1, 4))[0, 0]
    tensor([48., 32., 32., 48.], dtype=torch.float64)
    """
    conditions = _conditions(grid, boundary)
    if grid.location != "cell":
        raise InputError("finite volumes need a grid with location='cell'")
    if not isinstance(a, Tensor) or a.dtype not in (torch.float64, torch.float32):
        kind = a.dtype if isinstance(a, Tensor) else type(a).__name__
        raise InputError(f"a is {kind}; give a torch tensor of float64 or float32")
    if tuple(a.shape[1:]) != grid.shape or a.ndim != grid.dimension + 1:
        numbers = ", ".join(map(str, grid.shape))
        raise InputError(f"a of shape {tuple(a.shape)} must have shape (batch, {numbers})")
    if not bool(((a > 0) & torch.isfinite(a)).all()):
        raise InputError(
            "a must be positive and finite; let it be the exponential of what is free, say"
        )
    a = a.to(torch.float64)
    diagonal = torch.zeros_like(a)
    rows: list[Tensor] = []
    for axis, (size, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        along, scale = axis + 1, 2.0 / h**2
        inner = scale * _half_harmonic(a.narrow(along, 0, size - 1), a.narrow(along, 1, size - 1))
        first, last = a.narrow(along, 0, 1), a.narrow(along, size - 1, 1)
        wrapped = scale * _half_harmonic(first, last)
        around = wrapped if grid.periodic[axis] else torch.zeros_like(wrapped)
        lower, upper = torch.cat([around, inner], along), torch.cat([inner, around], along)
        diagonal = diagonal + lower + upper
        for end, cells in (("lower", first), ("upper", last)):
            if conditions.get(f"{AXIS_NAMES[axis]}_{end}") == "dirichlet":
                diagonal = diagonal + _only_at(end, scale * cells, along, size)
        rows += [-lower, -upper]
    return torch.stack([diagonal, *rows], dim=1)


class DiffusionSolve(nn.Module):
    """Solutions of −∇·(a ∇u) = f on a grid, with gradients with respect to a and f.

    Parameters
    ----------
    grid
        Cell-centred grid.
    boundary
        As for :func:`diffusion_coefficients`.
    rtol, adjoint_rtol
        As for :func:`neural.batched_solve.solve_stencils`.

    Raises
    ------
    InputError, LinearSolveFailure
        When applied, as these functions do.

    Examples
    --------
    >>> solve = DiffusionSolve(StructuredGrid((16, 16)))
    >>> a = torch.ones(1, 16, 16, dtype=torch.float64, requires_grad=True)
    >>> solve(a, torch.ones(1, 16, 16)).mean().backward()
    >>> bool((a.grad < 0).all())
    True
    """

    def __init__(
        self,
        grid: StructuredGrid,
        boundary: Boundary = "dirichlet",
        *,
        rtol: float = 1e-8,
        adjoint_rtol: float | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.conditions = _conditions(grid, boundary)
        self.rtol, self.adjoint_rtol = rtol, adjoint_rtol

    def forward(self, a: Tensor, source: Tensor) -> Tensor:
        """u, ``(batch, *grid.shape)`` in float64, of a and f of that shape."""
        return solve_stencils(
            self.grid,
            diffusion_offsets(self.grid.dimension),
            diffusion_coefficients(self.grid, a, self.conditions),
            source,
            rtol=self.rtol,
            adjoint_rtol=self.adjoint_rtol,
            constant_null_space="dirichlet" not in self.conditions.values(),
        )

    def extra_repr(self) -> str:
        """Grid and conditions, for ``print(module)``."""
        return f"shape={self.grid.shape}, conditions={self.conditions}, rtol={self.rtol}"


def _conditions(grid: StructuredGrid, boundary: Boundary) -> dict[str, str]:
    given = dict.fromkeys(grid.side_names, boundary) if isinstance(boundary, str) else boundary
    for side, condition in given.items():
        if side not in grid.side_names:
            raise InputError(f"the grid has no side '{side}'. {suggest(side, grid.side_names)}")
        if condition not in CONDITIONS:
            raise InputError(
                f"the condition of side '{side}' is {condition!r}. "
                f"{suggest(str(condition), CONDITIONS)}"
            )
    missing = [side for side in grid.side_names if side not in given]
    if missing:
        raise InputError(
            f"no boundary condition for: {', '.join(missing)}. Give each side 'dirichlet' or "
            "'neumann'"
        )
    return {side: str(given[side]) for side in grid.side_names}


def _half_harmonic(one: Tensor, other: Tensor) -> Tensor:
    return one * other / (one + other)


def _only_at(end: str, layer: Tensor, along: int, size: int) -> Tensor:
    """A field that is zero but for its first or last layer."""
    rest = list(layer.shape)
    rest[along] = size - 1
    zeros = layer.new_zeros(rest)
    return torch.cat([layer, zeros] if end == "lower" else [zeros, layer], along)
