"""The linear systems with which Krylov recycling for data generation was published.

Wang, Hao, Wang, Geng, Wang, Li, Wu (ICLR 2024, arXiv:2401.09516) measure on "Darcy flow" and
"Helmholtz" systems. The matrices in the code they released are not discretisations of those
equations; the published counts belong to them all the same, and are compared with counts on
the same matrices. Use :func:`conservative_darcy` (or ``pdesolve``) for Darcy flow.

With K at the nodes of a grid of side + 2 nodes an axis, i = (row, column) an inner node and
p = side · row + column its number, the released matrix has

- 4 K_i on the diagonal;
- -K_j for the neighbour j to the left, to the right and below. That is the five-point
  Laplacian times the diagonal matrix of K, so that the equation is -Δ(K u) = f: no average
  over the two nodes of a face, and A is not symmetric, where Darcy's -∇·(K ∇u) is. (Every
  solution is 1/K times the solution for K = 1.);
- for the neighbour above, -K of the node above number p - 2: a slip of two places in a
  flattened array. It breaks the balance of the columns as well.

What follows (:func:`properties` measures it): -∇·(K ∇u) is positive definite, and so is the
spectrum of the matrix without the slip, condition number about 1.5e3 at n = 2304. The slip
pushes the smallest few eigenvalues (one to four of 2304) over to the negative side, and the
condition number, set by the one that happens to end nearest to zero, is anywhere between
1.4e3 and 3e4. Restarted GMRES stagnates on an indefinite matrix; with the few small
eigenvectors deflated it does not. Recycling is compared with this stagnation.

The "Helmholtz" matrix is the same matrix minus h² k² on the diagonal with one number
k ~ U(0, 1) a sample. As h² k² < 1e-3 beside 4 K_i ~ 4, it is the Darcy matrix for all purposes
(Helmholtz problems are hard from k h ~ 1 on).

A size that the publication calls n has (√n - 2)² unknowns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, eigs, norm, splu, svds

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FivePointPattern:
    """Places of the five-point stencil in a CSR matrix; explicit zeros are kept.

    Parameters
    ----------
    indptr, indices
        As in SciPy.
    places
        For the coefficients of centre, left, right, above and below, each of shape
        ``(side, side)`` and all flattened together, the entries that exist, in CSR order.
    """

    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    places: npt.NDArray[np.int64]

    def matrix(self, coefficients: FloatArray) -> csr_array:
        """The matrix for coefficients of shape ``(5, side, side)``."""
        size = len(self.indptr) - 1
        values = np.ascontiguousarray(coefficients, dtype=float).ravel()[self.places]
        return csr_array((values, self.indices, self.indptr), shape=(size, size))


@lru_cache(maxsize=8)
def five_point_pattern(side: int) -> FivePointPattern:
    """The pattern on ``side`` × ``side`` nodes, the same for every sample."""
    row, column = np.divmod(np.arange(side * side), side)
    numbers = row * side + column
    steps = (0, -1, 1, -side, side)
    exists = (row >= 0, column > 0, column < side - 1, row > 0, row < side - 1)
    columns = np.stack([numbers + step for step in steps])
    number, slot = np.nonzero(np.stack(exists, axis=1))
    order = np.lexsort((columns[slot, number], number))
    places = (slot * side * side + number)[order]
    indices = columns.ravel()[places].astype(np.int32)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(number)))).astype(np.int32)
    return FivePointPattern(indptr, indices, places)


def draws(label: int, seed: int = 0) -> Iterator[FloatArray]:
    """K = exp(G) at all nodes, shape ``(√label, √label)``, one draw after another.

    G is the periodic Gaussian random field of the Fourier neural operator's data with α = 2.5
    and τ = 7: the real part of Σ_m √2 · τ^(α - 1) · (4π²|m|² + τ²)^(-α/2) · ξ_m · exp(2πi m·x)
    over m ≠ 0 with |m_j| ≤ √label / 2 and ξ_m complex normal with E|ξ_m|² = 1.

    Parameters
    ----------
    label
        The size as published, the square of an even number.
    seed
        Of the noise.
    """
    side = round(label**0.5)
    if side * side != label or side % 2:
        raise ValueError(f"label={label} must be the square of an even number")
    alpha, tau = 2.5, 7.0
    modes = np.fft.fftfreq(side, 1.0 / side)
    squared = modes[:, None] ** 2 + modes**2
    amplitude = (4 * np.pi**2 * squared + tau**2) ** (-alpha / 2)
    amplitude *= side**2 * 2**0.5 * tau ** (alpha - 1)
    amplitude[0, 0] = 0.0
    random = np.random.default_rng(seed)
    while True:
        real, imaginary = random.standard_normal((2, side, side)) / 2**0.5
        yield np.exp(np.fft.ifft2(amplitude * (real + 1j * imaginary)).real)


def coefficients(number: int, label: int, seed: int = 0) -> FloatArray:
    """The first draws, shape ``(number, √label, √label)``."""
    return np.stack(list(islice(draws(label, seed), number)))


def spacing(K: FloatArray) -> float:
    """The spacing that the released code uses, 1 / (inner nodes an axis - 1)."""
    return 1.0 / (K.shape[0] - 3)


def right_hand_side(K: FloatArray) -> FloatArray:
    """h² f with f = 1."""
    return np.full((K.shape[0] - 2) ** 2, spacing(K) ** 2)


def released_darcy(K: FloatArray, *, shifted: bool = True) -> csr_array:
    """The released matrix for K of shape ``(side + 2, side + 2)``.

    ``shifted=False`` reads K of the neighbour above where it is, and gives L · diag(K).
    """
    side = K.shape[0] - 2
    above = K[:-2, 1:-1].copy()
    if shifted:
        above.ravel()[2:] = K[:-2, 1:-1].ravel()[:-2]
    rows = [4.0 * K[1:-1, 1:-1], -K[1:-1, :-2], -K[1:-1, 2:], -above, -K[2:, 1:-1]]
    return five_point_pattern(side).matrix(np.stack(rows))


def released_helmholtz(K: FloatArray, wavenumber: float) -> csr_array:
    """The released matrix minus h² k² on the diagonal."""
    matrix = released_darcy(K)
    matrix.setdiag(matrix.diagonal() - (spacing(K) * wavenumber) ** 2)
    return matrix


def wavenumbers(number: int, seed: int = 0) -> FloatArray:
    """One k ~ U(0, 1) a sample."""
    return np.random.default_rng((seed, 1)).uniform(size=number)


def conservative_darcy(K: FloatArray) -> csr_array:
    """-h² ∇·(K ∇u) with u = 0 on the outermost nodes, and K on a face the mean of its nodes.

    Symmetric positive definite, second order.
    """
    side = K.shape[0] - 2
    centre = K[1:-1, 1:-1]
    neighbours = (K[1:-1, :-2], K[1:-1, 2:], K[:-2, 1:-1], K[2:, 1:-1])
    faces = [(centre + neighbour) / 2 for neighbour in neighbours]
    rows = [np.sum(faces, axis=0), *[-face for face in faces]]
    return five_point_pattern(side).matrix(np.stack(rows))


@dataclass(frozen=True)
class Properties:
    """What a Krylov method feels of a matrix."""

    asymmetry: float
    condition: float
    least_real_part: float
    num_negative: int


def properties(matrix: csr_array, *, near: int = 30) -> Properties:
    """‖A - Aᵀ‖/‖A‖ (Frobenius), cond₂ A and the least real part of the eigenvalues near zero.

    `near` eigenvalues of least modulus are looked at; at n = 2304 these are all below 0.17 in
    modulus, and a dense computation finds no other one with negative real part.
    """
    sparse = matrix.tocsc()
    factors = splu(sparse)
    inverse = LinearOperator(
        matrix.shape,
        matvec=factors.solve,
        rmatvec=lambda vector: factors.solve(vector, trans="T"),
        dtype=np.float64,
    )
    largest, smallest = (
        float(svds(operator, k=1, return_singular_vectors=False, random_state=0)[0])
        for operator in (sparse, inverse)
    )
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    eigenvalues = eigs(sparse, k=near, sigma=0.0, v0=start, return_eigenvectors=False)
    return Properties(
        float(norm(matrix - matrix.T) / norm(matrix)),
        largest * smallest,
        float(eigenvalues.real.min()),
        int((eigenvalues.real < 0).sum()),
    )
