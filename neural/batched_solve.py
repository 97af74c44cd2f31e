"""Batched solves of linear systems as a layer with gradients, and on GPUs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.failures import LinearSolveFailure
from operators.stencil import IntArray
from pdesolve.batched import StackedStencils, solve_batched
from pdesolve.data.batches import BatchStrategy
from pdesolve.problems.base import Problem

_NULL_SPACE = 1e-12  # of the diagonal, the largest row sum where constants are in it
_NOTHING_LEFT = 1e-13  # of a gradient, what rounding leaves where it is constant


@dataclass(frozen=True, eq=False)
class _Settings:
    grid: StructuredGrid
    offsets: Any
    rtol: float
    adjoint_rtol: float
    max_iterations: int
    constant_null_space: bool | None


def solve_stencils(
    grid: StructuredGrid,
    offsets: IntArray | Sequence[Sequence[int]],
    coefficients: Tensor,
    right_hand_side: Tensor,
    *,
    rtol: float = 1e-8,
    adjoint_rtol: float | None = None,
    max_iterations: int = 200,
    constant_null_space: bool | None = None,
) -> Tensor:
    r"""Solve A u = b for a batch of symmetric positive definite stencils, with gradients.

    .. math:: A^T λ = ∂L/∂u, \quad ∂L/∂b = λ, \quad ∂L/∂A_s(i) = -λ(i)\, u(i + o_s)

    The gradient of a loss L costs one more solve with the same matrix, whatever the number of
    iterations, and no graph of the iteration is kept: only A and u. The coefficients are
    independent variables here; a change that keeps A symmetric alters two of them, and the
    derivative along it is the sum of both.

    Parameters
    ----------
    grid
        The grid of all samples.
    offsets
        Shape ``(S, dimension)``, neighbours of at most one step along each axis.
    coefficients
        A, shape ``(batch, S, *grid.shape)``, as in
        :class:`pdesolve.batched.StackedStencils`, float64 or float32 on any device.
    right_hand_side
        b, shape ``(batch, *grid.shape)``, float64 or float32 on the same device.
    rtol
        Relative residual ‖b − A u‖₂ / ‖b‖₂ of each sample, in float64.
    adjoint_rtol
        The same for λ; `rtol` when left out. The error of the gradient is of this size times
        the condition number of A.
    max_iterations
        Most iterations of a sample.
    constant_null_space
        Whether constants solve A u = 0; found from the row sums of each sample when left out.
        b must then sum to zero, and u and λ are those with mean zero.

    Returns
    -------
    Tensor
        u, shape ``(batch, *grid.shape)``, float64. Inputs in float32 are converted first, and
        get gradients in float32.

    Raises
    ------
    InputError
        If shapes, types or devices do not fit, or the stencils are not symmetric.
    LinearSolveFailure
        If samples miss the tolerance, forward or in the adjoint solve; names them.
    RuntimeError
        From torch, if a derivative of the gradient is asked for.

    References
    ----------
    Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic
    differentiation, doi:10.1007/978-3-540-68942-3_4.

    Examples
    --------
    >>> rows = torch.tensor([[[2.0, 2, 2], [0, -1, -1], [-1, -1, 0]]], dtype=torch.float64)
    >>> b = torch.ones(1, 3, dtype=torch.float64, requires_grad=True)
    >>> u = solve_stencils(StructuredGrid((3,)), [[0], [-1], [1]], rows, b, rtol=1e-13)
    >>> u[0, 1].backward()
    >>> u.detach().round(decimals=6)
    tensor([[1.5000, 2.0000, 1.5000]], dtype=torch.float64)
    >>> b.grad.round(decimals=6)
    tensor([[0.5000, 1.0000, 0.5000]], dtype=torch.float64)
    """
    for name, given in (("coefficients", coefficients), ("right_hand_side", right_hand_side)):
        if not isinstance(given, Tensor) or given.dtype not in (torch.float64, torch.float32):
            kind = given.dtype if isinstance(given, Tensor) else type(given).__name__
            raise InputError(f"{name} is {kind}; give a torch tensor of float64 or float32")
    if coefficients.device != right_hand_side.device:
        raise InputError(
            f"coefficients are on {coefficients.device}, right_hand_side is on "
            f"{right_hand_side.device}; move both to one device"
        )
    settings = _Settings(
        grid,
        offsets,
        rtol,
        rtol if adjoint_rtol is None else adjoint_rtol,
        max_iterations,
        constant_null_space,
    )
    answer: Tensor = _Solve.apply(  # type: ignore[no-untyped-call]
        coefficients.to(torch.float64), right_hand_side.to(torch.float64), settings
    )
    return answer


class _Solve(torch.autograd.Function):
    """u from A and b; the adjoint solve gives the gradients."""

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, right: Tensor, settings: _Settings) -> Tensor:
        stencils = StackedStencils(settings.grid, settings.offsets, coefficients)
        values = _solved(stencils, right, settings, settings.rtol)
        ctx.save_for_backward(coefficients, values)
        ctx.settings = settings
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        coefficients, values = ctx.saved_tensors
        settings: _Settings = ctx.settings
        stencils = StackedStencils(
            settings.grid, settings.offsets, coefficients, check=False, known_symmetric=True
        )
        gradient = _without_mean(stencils, gradient.contiguous(), settings.constant_null_space)
        try:
            adjoint = _solved(stencils, gradient, settings, settings.adjoint_rtol)
        except LinearSolveFailure as failure:
            raise LinearSolveFailure(
                f"the adjoint solve, for the gradient: {failure}", solution=failure.solution
            ) from failure
        return (
            _coefficient_gradient(stencils, adjoint, values) if ctx.needs_input_grad[0] else None,
            adjoint if ctx.needs_input_grad[1] else None,
            None,
        )


def _solved(stencils: StackedStencils, right: Tensor, settings: _Settings, rtol: float) -> Tensor:
    found = solve_batched(
        stencils,
        right,
        rtol=rtol,
        max_iterations=settings.max_iterations,
        constant_null_space=settings.constant_null_space,
        check=True,
    )
    values: Tensor = found.values
    return values


def _without_mean(stencils: StackedStencils, values: Tensor, given: bool | None) -> Tensor:
    """Without the mean in the samples whose null space holds the constants."""
    if given is False:
        return values
    axes = tuple(range(1, values.ndim))
    singular = stencils.row_sums().abs().amax(axes, keepdim=True) <= (
        _NULL_SPACE * stencils.diagonal.abs().amax(axes, keepdim=True)
    )
    if given:
        singular = torch.ones_like(singular)
    rest = values - values.mean(axes, keepdim=True)
    size = torch.linalg.vector_norm(values, dim=axes, keepdim=True)
    left = torch.linalg.vector_norm(rest, dim=axes, keepdim=True)
    rest = torch.where(left > _NOTHING_LEFT * size, rest, torch.zeros_like(rest))
    return torch.where(singular, rest, values)


def _coefficient_gradient(stencils: StackedStencils, adjoint: Tensor, values: Tensor) -> Tensor:
    """−λ(i) u(i + o), zero where that neighbour is outside the grid."""
    gradient = torch.empty_like(stencils.coefficients)
    axes = tuple(range(1, values.ndim))
    for number, offset in enumerate(stencils.offsets.tolist()):
        row = gradient[:, number]
        torch.mul(adjoint, torch.roll(values, [-step for step in offset], axes), out=row)
        row.neg_()
        for axis, step in enumerate(offset):
            if step and not stencils.grid.periodic[axis]:
                beyond = slice(-step, None) if step > 0 else slice(0, -step)
                row[(slice(None),) * (axis + 1) + (beyond,)] = 0.0
    return gradient


def torch_batches(
    device: str = "cpu", *, rtol: float = 1e-8, estimate_error: bool = True
) -> Callable[[StructuredGrid, Problem], BatchStrategy]:
    """The strategy ``batched`` of :func:`pdesolve.generate` on torch and its devices.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"`` and so on.
    rtol
        Relative residual to reach; an argument of the same name to `generate` does not get
        here.
    estimate_error
        Whether to estimate each sample's discretisation error (on the CPU).

    Returns
    -------
    callable
        For the argument `strategy` of :func:`pdesolve.generate`.

    Raises
    ------
    InputError
        If there is no such device.

    Examples
    --------
    >>> import tempfile
    >>> from pdesolve import generate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = generate(
    ...         "darcy2d", 4, shape=16, out=f"{folder}/d.h5", strategy=torch_batches("cpu"))
    >>> info.num_failed, info.settings["strategy"]["device"]
    (0, 'torch cpu')
    """
    place = checked_device(device)

    def make(grid: StructuredGrid, reference: Problem) -> BatchStrategy:
        estimator = None
        if estimate_error:
            from pdesolve._petsc_comm import own_communicator
            from pdesolve.data.error_estimate import CoarseGridEstimator

            estimator = CoarseGridEstimator(grid, own_communicator())
        return BatchStrategy(
            grid,
            reference,
            rtol,
            estimator=estimator,
            convert=lambda array: torch.as_tensor(array, device=place),
            device=f"torch {place.type}",
        )

    return make


def checked_device(device: str) -> torch.device:
    """A device of torch that computes in float64 and is there.

    Raises
    ------
    InputError
        For another one.

    Examples
    --------
    >>> checked_device("cpu")
    device(type='cpu')
    """
    try:
        place = torch.device(device)
    except RuntimeError:
        place = torch.device("meta")
    if place.type not in ("cpu", "cuda"):
        raise InputError(f"device={device!r} must be 'cpu', 'cuda' or such as 'cuda:1'")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device={device!r} is not there: this build of torch ({torch.__version__}) sees "
            f"{torch.cuda.device_count()} CUDA devices. Use device='cpu', or install a build of "
            "torch for CUDA on a machine with a GPU"
        )
    return place
