"""Solutions of right-hand sides that are combinations of others already solved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

from meshes.errors import InputError
from meshes.structured import FloatArray
from pdesolve.sequences.sketches import SketchedSpan

MOST_DIRECTIONS = 128
"""Directions that are kept: with more, combining costs as much as triangular solves."""

COMPANY, SMALLEST = 1e-3, 1e-12
"""Part of the tolerance above which further directions are solved with those that must be, but
not below the second, where rounding begins."""

MOST_BYTES = 2**28
"""Memory for directions and their solutions."""

FEW_ROWS = 0.1
"""Part of the rows that are not zero, up to which directions cost nothing beside a solve."""


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
    solutions
        Where these are to be written, of the same shape and layout.
    """

    coefficients: FloatArray
    new: FloatArray
    solutions: FloatArray


class SolvedSpan:
    """The space of the right-hand sides that were solved with one operator A.

    With orthonormal q_i and A y_i = q_i, a right-hand side b = Σ c_i q_i + r has the
    solution Σ c_i y_i up to the residual r. Only what is left of b after all q_i is solved
    for, and nothing where ‖r‖ ≤ `tolerance` ‖b‖. Data with few degrees of freedom, such as
    smooth functions on a part of the boundary, soon need no solves any more. Right-hand
    sides with entries everywhere are first watched through random projections, which cost
    little, until they are seen to lie in a small space.

    Parameters
    ----------
    tolerance
        Largest relative residual that a combination may leave.
    num_unknowns
        Length of the vectors.
    most
        Directions that are kept; by their memory when left out.

    Raises
    ------
    InputError
        If the tolerance is not positive.

    Examples
    --------
    >>> matrix = np.diag(np.arange(1.0, 31.0))
    >>> span = SolvedSpan(1e-12, 30)
    >>> rights = np.zeros((30, 2))
    >>> rights[:2] = [[1.0, 1.0], [0.0, 1.0]]
    >>> found = span.express(rights)
    >>> found.solutions[...] = np.linalg.solve(matrix, found.new)
    >>> bool(np.allclose(span.combine(found), np.linalg.solve(matrix, rights)))
    True
    >>> span.express(rights @ [[3.0], [-1.0]]).new.shape  # nothing is left to solve
    (30, 0)
    """

    def __init__(self, tolerance: float, num_unknowns: int, most: int | None = None) -> None:
        if not tolerance > 0:
            raise InputError(f"tolerance={tolerance} must be positive")
        self.tolerance = tolerance
        self.num_unknowns = num_unknowns
        fitting = MOST_BYTES // (16 * max(num_unknowns, 1))
        self.most = min(MOST_DIRECTIONS, fitting) if most is None else most
        self.useless = self.most == 0
        """Whether the right-hand sides were found to have too many degrees of freedom."""
        self._sketch: SketchedSpan | None = SketchedSpan(num_unknowns, self.most)
        self._rows: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)
        self._directions: FloatArray = np.empty((0, 0))
        self._solutions: FloatArray = np.empty((num_unknowns, 0))

    def __len__(self) -> int:
        """Number of directions."""
        return int(self._directions.shape[1])

    def express(self, rights: FloatArray) -> Expression | None:
        """Right-hand sides ``(num_unknowns, count)`` in terms of directions.

        :meth:`combine` must follow before the next. None where they are better solved as
        they are.
        """
        if self.useless:
            return None
        rows = np.flatnonzero(rights.any(axis=1))
        if self._sketch is not None:
            if len(rows) > FEW_ROWS * self.num_unknowns and not self._sketch.covers(rights):
                self.useless = self._sketch.full
                return None
            self._sketch = None
            self._solutions = np.empty((self.num_unknowns, self.most), order="F")
        # data on the boundary give right-hand sides with few entries that are not zero
        self._cover(rows)
        return self._express(rights)

    def _express(self, rights: FloatArray) -> Expression:
        inside = rights[self._rows]
        rest, coefficients = inside, np.zeros((len(self), rights.shape[1]))
        for _ in range(2 if len(self) else 0):  # twice: rounding would undo the orthogonality
            part = self._directions.T @ rest
            coefficients += part
            rest = rest - self._directions @ part
        sizes = np.linalg.norm(inside, axis=0)
        left = np.flatnonzero(np.linalg.norm(rest, axis=0) > self.tolerance * sizes)
        new, overlap, added = self._orthonormal(rest[:, left], sizes[left])
        coefficients[:, left] += overlap
        first, count = len(self), new.shape[1]
        rows = np.zeros((count, rights.shape[1]))
        rows[:, left] = added
        rows[:, ~np.isfinite(sizes)] = np.nan
        whole = np.zeros((rights.shape[0], count), order="F")
        whole[self._rows] = new
        full = first + count > self.most
        self.useless = full and 2 * count > rights.shape[1]
        if full:
            own = np.zeros_like(whole)
        else:
            own = self._solutions[:, first : first + count]
            own[...] = 0.0
            self._directions = np.column_stack([self._directions, new])
        return Expression(np.concatenate([coefficients, rows]), whole, own)

    def _cover(self, rows: npt.NDArray[np.intp]) -> None:
        """Give the directions entries, zeros, in further rows."""
        union = np.union1d(self._rows, rows)
        if len(union) > len(self._rows):
            wider = np.zeros((len(union), len(self)))
            wider[np.searchsorted(union, self._rows)] = self._directions
            self._rows, self._directions = union, wider

    def _orthonormal(
        self, rest: FloatArray, sizes: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """New directions for the columns, and their coefficients in the kept and new ones."""
        if not rest.size:
            empty = np.empty((0, rest.shape[1]))
            return np.empty((rest.shape[0], 0)), np.zeros((len(self), rest.shape[1])), empty
        # With pivoting no column leaves more than the first diagonal entry that is left out.
        # Solves are cheap in company: directions that later samples will want come along.
        basis, factor, order = qr(
            rest / sizes, mode="economic", pivoting=True, overwrite_a=True, check_finite=False
        )
        least = max(COMPANY * self.tolerance, SMALLEST)
        count = int(np.count_nonzero(np.abs(np.diag(factor)) > least))
        # what is small was lost in rounding against the kept directions
        overlap = self._directions.T @ basis[:, :count]
        new, change = np.linalg.qr(basis[:, :count] - self._directions @ overlap)
        added = np.empty((count, rest.shape[1]))
        added[:, order] = factor[:count] * sizes[order]
        return new, overlap @ added, change @ added

    def combine(self, expression: Expression) -> FloatArray:
        """Solutions of the right-hand sides, shape ``(num_unknowns, count)``.

        Parameters
        ----------
        expression
            What :meth:`express` gave last, with the new directions' solutions filled in.
        """
        count, size = len(self), expression.coefficients.shape[1]
        found: FloatArray = np.empty((self.num_unknowns, size), order="F")
        # the transposed product, so that all columns stay contiguous
        coefficients = expression.coefficients[:count]
        np.matmul(coefficients.T, self._solutions[:, :count].T, out=found.T)
        if len(expression.coefficients) > count:
            found += expression.solutions @ expression.coefficients[count:]
        if self.useless:  # no more of this
            self._directions, self._solutions = np.empty((0, 0)), np.empty((0, 0))
        return found
