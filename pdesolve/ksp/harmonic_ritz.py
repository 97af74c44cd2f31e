"""Which directions of a Krylov space are worth keeping: small dense eigenproblems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack

from meshes.structured import FloatArray

# relative size below which a singular value of the small matrix counts as zero
_RANK_TOLERANCE = 1e-13


@dataclass(frozen=True, eq=False)
class HarmonicRitzSpace:
    """Coefficients of an approximately invariant subspace, and its harmonic Ritz values.

    Parameters
    ----------
    source
        Shape ``(s, k)``: U = V̂ · source.
    image
        Shape ``(s + 1, k)``, orthonormal columns: C = Ŵ · image, with A U = C.
    values
        The k harmonic Ritz values, complex; conjugate pairs are whole.
    """

    source: FloatArray
    image: FloatArray
    values: np.ndarray[Any, np.dtype[np.complex128]]


def harmonic_ritz_space(
    projected: FloatArray, inner: FloatArray, num_vectors: int
) -> HarmonicRitzSpace:
    r"""The space of the harmonic Ritz vectors of least magnitude.

    From A V̂ = Ŵ G with orthonormal Ŵ, the harmonic Ritz pairs (θ, V̂ z) satisfy

        GᵀG z = θ Gᵀ (Ŵᵀ V̂) z.

    With G = Q R and t = R z this is the ordinary problem Qᵀ(Ŵᵀ V̂)R⁻¹ t = θ⁻¹ t, whose
    condition is not squared. An ordered real Schur form of that matrix gives an
    orthonormal basis T of the wanted space in real arithmetic, and with it both factors:
    image = Q T and source = R⁻¹ T.

    Parameters
    ----------
    projected
        G, shape ``(s + 1, s)``.
    inner
        Ŵᵀ V̂, shape ``(s + 1, s)``.
    num_vectors
        How many vectors, at most s are given. A complex conjugate pair that would be cut
        is left out; only where it would be the whole space (``num_vectors = 1``) both of
        its vectors are given, if s is above 1.

    Returns
    -------
    HarmonicRitzSpace
        Fewer vectors than asked for where G has less rank.

    References
    ----------
    Morgan (1995), Computing interior eigenvalues of large matrices, Linear Algebra Appl.
    154-156; Parks, de Sturler, Mackey, Johnson, Maiti (2006), Recycling Krylov subspaces
    for sequences of linear systems, SIAM J. Sci. Comput. 28:1651,
    doi:10.1137/040607277.

    Examples
    --------
    >>> projected = np.vstack([np.diag([3.0, 0.5, 2.0]), np.zeros(3)])
    >>> space = harmonic_ritz_space(projected, np.eye(4, 3), 2)
    >>> sorted(space.values.real.tolist())
    [0.5, 2.0]
    """
    left, solve_right = _factors(projected)
    size = left.shape[1]
    if size == 0 or num_vectors < 1:
        return HarmonicRitzSpace(
            np.zeros((projected.shape[1], 0)),
            np.zeros((projected.shape[0], 0)),
            np.zeros(0, dtype=np.complex128),
        )
    matrix = (left.T @ inner) @ solve_right
    triangle, _, real, imaginary, basis, *_ = lapack.dgees(_never, matrix)
    chosen = _leading(real, imaginary, min(num_vectors, size))
    select = np.zeros(size, dtype=np.int32)
    select[chosen] = 1
    _, basis, real, imaginary, *_ = lapack.dtrsen(select, triangle, basis, job=b"N")
    basis = basis[:, : len(chosen)]
    inverse = real[: len(chosen)] + 1j * imaginary[: len(chosen)]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(inverse == 0, np.inf, 1 / inverse)
    return HarmonicRitzSpace(solve_right @ basis, left @ basis, values)


def _never(real: float, imaginary: float = 0.0) -> bool:  # noqa: ARG001
    return False


def _factors(projected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Q and R⁻¹ of G = Q R; where G lacks rank, its leading singular vectors."""
    left, right = np.linalg.qr(projected)
    diagonal = np.abs(np.diagonal(right))
    if diagonal.size and diagonal.min() > _RANK_TOLERANCE * diagonal.max():
        inverse, failed = lapack.dtrtri(right)
        if not failed and np.isfinite(inverse).all():
            return left, inverse
    left, sizes, right = np.linalg.svd(projected, full_matrices=False)
    rank = int(np.count_nonzero(sizes > _RANK_TOLERANCE * sizes.max(initial=0.0)))
    return left[:, :rank], right[:rank].T / sizes[:rank]


def _leading(real: FloatArray, imaginary: FloatArray, number: int) -> list[int]:
    """The indices of the eigenvalues largest in magnitude; conjugate pairs stay together."""
    groups, index = [], 0
    while index < len(real):
        width = 2 if imaginary[index] != 0 and index + 1 < len(real) else 1
        groups.append((-float(np.hypot(real[index], imaginary[index])), index, width))
        index += width
    chosen: list[int] = []
    for _, index, width in sorted(groups):
        if len(chosen) + width > number and chosen:
            break  # a pair that does not fit: one vector less
        chosen += range(index, index + width)
        if len(chosen) >= number:
            break
    return chosen
