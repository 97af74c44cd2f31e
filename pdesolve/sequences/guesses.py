"""First guesses for the next system out of the solutions of the systems before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray

# Singular values relative to the largest (solutions scaled to length one) below which they
# depend on each other; Gram matrices show them down to 1e-7
RANK_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class ProjectedGuess:
    """A guess and what it leaves.

    Parameters
    ----------
    values
        The process's part, shape ``(size,)``.
    num_vectors
        Dimension of the space that it was taken from; so many products with A were made.
    relative_residual
        ‖b − A u₀‖₂ / ‖b‖₂.
    norm
        In which norm it is the best one of the space.
    """

    values: FloatArray
    num_vectors: int
    relative_residual: float
    norm: Literal["energy", "residual"]


class NeighborProjection:
    """The best combination of earlier solutions as a first guess.

    u₀ = U c for solutions U = (u₁, …, u_k) of other systems, with c from

    - ``energy``: Uᵀ A U c = Uᵀ b, which makes ‖u − u₀‖_A least, for symmetric positive
      definite A;
    - ``residual``: c minimises ‖b − A U c‖₂, for any A.

    It costs k products with A (given as a block), and 6 n k² operations in matrix products.
    Nothing is assumed about how the operators are related: each is projected itself. In its
    norm the guess is never worse than zero, up to rounding; in the other it may be. U is
    orthonormalised through the eigenvectors of its Gram matrix, and directions below
    `rank_tolerance` are dropped.

    It pays where solutions depend smoothly on a few parameters. Where the coefficient is a
    random field with many, ten neighbours take away much of the energy error but leave,
    or raise, the residual, and a Krylov method started there needs as many iterations as
    from zero.

    Parameters
    ----------
    size
        Unknowns of this process.
    count
        Solutions that a guess is made from.
    norm
        ``energy`` or ``residual``. Where the projected matrix is not positive definite,
        ``energy`` turns to ``residual`` for that system.
    capacity
        Solutions that are kept, `count` when left out. With more, those nearest in features
        are taken.
    rank_tolerance
        Relative singular value of U (columns scaled to length one) to drop.
    total
        Sums arrays over the processes; collective. Left out where there is one.

    References
    ----------
    Fischer (1998), doi:10.1016/S0045-7825(98)00012-7, for one operator; here A changes and
    the products are made anew.

    Examples
    --------
    >>> matrix = np.diag([1.0, 2.0, 3.0, 4.0])
    >>> guesses = NeighborProjection(4, count=2)
    >>> guesses.add(np.array([1.0, 1.0, 0.0, 0.0]))
    >>> guesses.add(np.array([0.0, 1.0, 1.0, 0.0]))
    >>> found = guesses.guess(lambda block: matrix @ block, matrix @ np.array([2.0, 5, 3, 0]))
    >>> found.values.round(12), found.num_vectors, bool(found.relative_residual < 1e-14)
    (array([2., 5., 3., 0.]), 2, True)
    """

    def __init__(
        self,
        size: int,
        count: int,
        *,
        norm: Literal["energy", "residual"] = "energy",
        capacity: int | None = None,
        rank_tolerance: float = RANK_TOLERANCE,
        total: Callable[[FloatArray], FloatArray] | None = None,
    ) -> None:
        kept = count if capacity is None else capacity
        if not 1 <= count <= kept:
            raise InputError(
                f"count={count!r} must be positive and at most capacity={kept!r}; lower count "
                "or raise capacity"
            )
        if norm not in ("energy", "residual"):
            raise InputError(
                f"norm={norm!r} must be 'energy' or 'residual'; 'energy' is for symmetric positive "
                "definite systems"
            )
        if not 0 < rank_tolerance < 1:
            raise InputError(
                f"rank_tolerance={rank_tolerance!r} must lie between 0 and 1, such as 1e-10"
            )
        self.size, self.count, self.norm, self.capacity = size, count, norm, kept
        self._rank_tolerance = rank_tolerance
        self._total = (lambda values: values) if total is None else total
        self._solutions: list[FloatArray] = []
        self._features: list[FloatArray | None] = []

    @property
    def num_solutions(self) -> int:
        """How many solutions are kept."""
        return len(self._solutions)

    def clear(self) -> None:
        """Forget all solutions."""
        self._solutions, self._features = [], []

    def add(self, solution: FloatArray, features: FloatArray | None = None) -> None:
        """Keep a solution; the oldest is dropped when there are too many.

        Parameters
        ----------
        solution
            The process's part, shape ``(size,)``.
        features
            Of its system, by which the nearest are found.

        Raises
        ------
        InputError
            If the shape does not fit or a value is not finite.
        """
        values = np.array(solution, dtype=np.float64).ravel()
        if values.shape != (self.size,):
            raise InputError(
                f"a solution of shape {values.shape} must have shape ({self.size},); flatten it, "
                "or make guesses of its size"
            )
        if not np.isfinite(values).all():
            raise InputError("a solution that is not finite cannot be guessed from; leave it out")
        self._solutions.append(values)
        self._features.append(None if features is None else np.array(features, dtype=np.float64))
        if len(self._solutions) > self.capacity:
            del self._solutions[0], self._features[0]

    def chosen(self, features: FloatArray | None = None) -> list[int]:
        """The positions (the oldest is 0) of the solutions that a guess is made from.

        Parameters
        ----------
        features
            Of the next system; the most recent are taken where these or those of a
            kept solution were not given.
        """
        recent = list(range(self.num_solutions))[::-1]
        known = [own for own in self._features[::-1] if own is not None]
        if features is None or len(known) < len(recent):
            return recent[: self.count]
        distances = [float(np.linalg.norm(own - features)) for own in known]
        return [recent[i] for i in np.argsort(distances, kind="stable")[: self.count]]

    def guess(
        self,
        apply: Callable[[FloatArray], FloatArray],
        right_hand_side: FloatArray,
        features: FloatArray | None = None,
    ) -> ProjectedGuess | None:
        """The guess for A u = b, or None where there is nothing to make it from (collective).

        Parameters
        ----------
        apply
            Gives A X for the process's part of X, shape ``(size, k)``.
        right_hand_side
            The process's part of b, shape ``(size,)``.
        features
            See :meth:`chosen`.

        Returns
        -------
        ProjectedGuess or None
            None also where b is zero, or the products are not finite.
        """
        right = np.asarray(right_hand_side, dtype=np.float64).ravel()
        if right.shape != (self.size,):
            raise InputError(
                f"b of shape {right.shape} must have shape ({self.size},); flatten it, or make "
                "guesses of its size"
            )
        length = float(np.sqrt(self._total(np.array([right @ right]))[0]))
        if not self._solutions or not np.isfinite(length) or length == 0.0:
            return None
        basis = self._orthonormal(np.stack([self._solutions[i] for i in self.chosen(features)]))
        if not len(basis):
            return None
        images = np.asarray(apply(basis.T))
        projected = self._total(np.column_stack([basis @ images, basis @ right]))
        if not np.isfinite(projected).all():
            return None
        norm, weights = self.norm, None
        if norm == "energy":
            weights = _positive_solve(projected[:, :-1], projected[:, -1])
        if weights is None:
            norm, weights = "residual", self._least_squares(images, right)
        left = right - images @ weights
        residual = float(np.sqrt(self._total(np.array([left @ left]))[0])) / length
        return ProjectedGuess(weights @ basis, len(basis), residual, norm)

    def _orthonormal(self, rows: FloatArray) -> FloatArray:
        """Rows that span what the given rows span, orthonormal to about 1e-4."""
        gram = self._total(rows @ rows.T)
        lengths = np.sqrt(np.diag(gram))
        rows, gram, lengths = (
            rows[lengths > 0],
            gram[np.ix_(lengths > 0, lengths > 0)],
            lengths[lengths > 0],
        )
        if not len(rows):
            return rows
        squares, vectors = np.linalg.eigh(gram / np.outer(lengths, lengths))
        kept = squares > self._rank_tolerance**2 * squares[-1]
        weights = (vectors[:, kept] / np.sqrt(squares[kept])).T / lengths
        found: FloatArray = weights @ rows
        return found

    def _least_squares(self, images: FloatArray, right: FloatArray) -> FloatArray:
        """Minimises ‖b − (A U) c‖₂ by normal equations, refined once."""
        squares, vectors = np.linalg.eigh(self._total(images.T @ images))
        kept = squares > self._rank_tolerance**2 * squares[-1]
        squares, vectors = squares[kept], vectors[:, kept]
        weights = np.zeros(images.shape[1])
        for _ in range(2):
            left = self._total(images.T @ (right - images @ weights))
            weights += vectors @ ((vectors.T @ left) / squares)
        return weights


def _positive_solve(matrix: FloatArray, right: FloatArray) -> FloatArray | None:
    """The solution of a small symmetric system, or None if it is not positive definite."""
    try:
        factor = np.linalg.cholesky((matrix + matrix.T) / 2)
    except np.linalg.LinAlgError:
        return None
    found: FloatArray = np.linalg.solve(factor.T, np.linalg.solve(factor, right))
    return found
