"""Diffusion on periodic boxes, by Parseval's identity."""

from __future__ import annotations

import numpy as np

from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from operators.fourier import derivative_symbols
from pdesolve.problems.base import Problem
from pdesolve.spectral.diffusion import SpectralDiffusion


def certify_periodic(problem: Problem, grid: StructuredGrid, values: FloatArray) -> Certificate:
    """Two-sided bounds for −∇·(a ∇u) = f in Fourier modes.

    With A = −Σ D_k a D_k and L = −Σ D_k D_k, a_min L ≤ A ≤ a_max L, so that the error e and
    the residual r satisfy rᵀL⁻¹r / a_max ≤ eᵀA e ≤ rᵀL⁻¹r / a_min, and rᵀL⁻¹r is a sum over
    modes.

    Parameters
    ----------
    problem
        With a form for the backend ``spectral``.
    grid
        Grid that wraps on every axis.
    values
        The prediction, shape ``grid.shape``; its mean does not matter.

    Returns
    -------
    Certificate
        Without a bound if the operator is another one.

    Examples
    --------
    >>> from pdesolve.problems.boundary import Periodic
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> wave = lambda x: np.sin(2 * np.pi * x[0])
    >>> problem = DarcyProblem(1.0, wave, {"all": Periodic()})
    >>> grid = StructuredGrid((16, 16), periodic=True)
    >>> exact = wave(grid.points()) / (4 * np.pi**2)
    >>> round(certify_periodic(problem, grid, 2 * exact).upper, 6)
    0.5
    """
    system = problem.spectral_system(grid)
    operator = system.operator
    image = operator.apply(values)
    residual = system.right_hand_side - image
    size = float(np.linalg.norm(system.right_hand_side))
    relative = float(np.linalg.norm(residual)) / (size if size > 0 else 1.0)
    energy = float(np.vdot(values, image))
    if not isinstance(operator, SpectralDiffusion) or not energy > 0:
        reason = "no bound is known for this operator, or the prediction is constant"
        return Certificate.nothing("spectral", reason, residual=relative)
    squares = np.zeros((*grid.shape[:-1], grid.shape[-1] // 2 + 1))
    for symbol in derivative_symbols(grid):
        squares = squares + np.abs(symbol) ** 2
    inverse = np.zeros_like(squares)
    np.divide(1.0, squares, out=inverse, where=squares > 0)
    axes = range(grid.dimension)
    riesz = np.fft.irfftn(inverse * np.fft.rfftn(residual), s=grid.shape, axes=axes)
    dual = float(np.vdot(residual, riesz))
    smallest, largest = float(operator.coefficient.min()), float(operator.coefficient.max())
    return Certificate(
        "guaranteed",
        "spectral",
        "energy",
        float(np.sqrt(dual / smallest / energy)),
        float(np.sqrt(dual / largest / energy)),
        relative,
        "guaranteed for the exact solution of the pseudo-spectral equations on these points; "
        "their discretisation error comes on top",
    )
