"""Solutions of right-hand sides that are combinations of others already solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from meshes.errors import InputError
from meshes.structured import FloatArray

MOST_DIRECTIONS = 128
"""Directions that are kept: with more, combining costs as much as triangular solves."""

MOST_BYTES = 2**28
"""Memory for their solutions."""


@dataclass(frozen=True, eq=False)
class Expression:
    """Right-hand sides in terms of orthonormal directions.

    Parameters
    ----------
    coefficients
        Of the kept directions and then of the new ones, shape ``(directions, count)``.
    new
        Directions whose solutions are wanted, shape ``(num_unknowns, new)``, columns
        contiguous.
    kept
        Whether the new directions will be kept.
    """

    coefficients: FloatArray
    new: FloatArray
    kept: bool


class SolvedSpan:
    """The space of the right-hand sides that were solved with one operator A.

    With orthonormal q_i and A y_i = q_i, a right-hand side b = Σ c_i q_i + r has the
    solution Σ c_i y_i up to the residual r. Only what is left of b after all q_i is solved
    for, and nothing where ‖r‖ ≤ `tolerance` ‖b‖. Data with few degrees of freedom, such as
    smooth functions on a part of the boundary, soon need no solves any more.

    Parameters
    ----------
    tolerance
        Largest relative residual that a combination may leave.
    num_unknowns
        Length of the vectors.
    most
        Directions that are kept; by the memory of their solutions when left out.

    Raises
    ------
    InputError
        If the tolerance is not positive.

    Examples
    --------
    >>> matrix = np.diag([1.0, 2.0, 4.0])
    >>> span = SolvedSpan(1e-12, 3)
    >>> rights = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]).T
    >>> found = span.express(rights)
    >>> bool(np.allclose(span.combine(found, np.linalg.solve(matrix, found.new)),
    ...                  np.linalg.solve(matrix, rights)))
    True
    >>> span.express(np.array([[3.0, -1.0, 0.0]]).T).new.shape  # nothing is left to solve
    (3, 0)
    """

    def __init__(self, tolerance: float, num_unknowns: int, most: int | None = None) -> None:
        if not tolerance > 0:
            raise InputError(f"tolerance={tolerance} must be positive")
        self.tolerance = tolerance
        self.num_unknowns = num_unknowns
        fitting = MOST_BYTES // (8 * max(num_unknowns, 1))
        self.most = min(MOST_DIRECTIONS, fitting) if most is None else most
        self.useless = False
        """Whether no combination was found when all directions that may be kept were there."""
        self._rows: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)
        self._directions: FloatArray = np.empty((0, 0))
        self._solutions: list[FloatArray] = []

    def __len__(self) -> int:
        """Number of directions."""
        return int(self._directions.shape[1])

    def express(self, rights: FloatArray) -> Expression:
        """Right-hand sides ``(num_unknowns, count)`` in terms of directions.

        :meth:`combine` must follow before the next.
        """
        # data on the boundary give right-hand sides with few entries that are not zero
        self._cover(np.flatnonzero(rights.any(axis=1)))
        inside = rights[self._rows]
        rest, coefficients = inside, np.zeros((len(self), rights.shape[1]))
        for _ in range(2 if len(self) else 0):  # twice: rounding would undo the orthogonality
            part = self._directions.T @ rest
            coefficients += part
            rest = rest - self._directions @ part
        sizes = np.linalg.norm(inside, axis=0)
        left = np.flatnonzero(np.linalg.norm(rest, axis=0) > self.tolerance * sizes)
        full = len(self) + len(left) > self.most
        if full and len(left) == rights.shape[1]:
            self.useless = True
        new, added = self._orthonormal(rest[:, left], sizes[left])
        rows = np.zeros((new.shape[1], rights.shape[1]))
        rows[:, left] = added
        whole = np.zeros((rights.shape[0], new.shape[1]), order="F")
        whole[self._rows] = new
        if new.shape[1] and not full:
            self._directions = np.column_stack([self._directions, new])
        return Expression(np.concatenate([coefficients, rows]), whole, not full)

    def _cover(self, rows: npt.NDArray[np.intp]) -> None:
        """Give the directions entries, zeros, in further rows."""
        union = np.union1d(self._rows, rows)
        if len(union) > len(self._rows):
            wider = np.zeros((len(union), len(self)))
            wider[np.searchsorted(union, self._rows)] = self._directions
            self._rows, self._directions = union, wider

    def _orthonormal(self, rest: FloatArray, sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """An orthonormal basis of the columns, up to the tolerance, and their coefficients."""
        if not rest.size:
            return np.empty((rest.shape[0], 0)), np.empty((0, rest.shape[1]))
        # with pivoting no column leaves more than the first diagonal entry that is left out
        basis, factor, order = qr(
            rest / sizes, mode="economic", pivoting=True, overwrite_a=True, check_finite=False
        )
        count = int(np.count_nonzero(np.abs(np.diag(factor)) > self.tolerance))
        added = np.empty((count, rest.shape[1]))
        added[:, order] = factor[:count] * sizes[order]
        return basis[:, :count], added

    def combine(self, expression: Expression, solutions: FloatArray | None = None) -> FloatArray:
        """Solutions of the right-hand sides, shape ``(num_unknowns, count)``.

        Parameters
        ----------
        expression
            What :meth:`express` gave last.
        solutions
            Of its new directions, kept and not copied; left out where there are none.
        """
        blocks = list(self._solutions)
        if solutions is not None and solutions.shape[1]:
            blocks.append(solutions)
            if expression.kept:
                self._solutions.append(solutions)
        found = np.zeros((self.num_unknowns, expression.coefficients.shape[1]), order="F")
        first = 0
        for block in blocks:
            last = first + block.shape[1]
            found += block @ expression.coefficients[first:last]
            first = last
        return found
