"""The small least-squares problem of GMRES, updated column by column."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_triangular

from meshes.structured import FloatArray


class HessenbergLeastSquares:
    r"""min over y of ‖β e₁ − H̲ y‖₂ for a Hessenberg matrix that grows.

    Givens rotations keep H̲ = Q R, so that the least residual's norm is known after each
    column without solving (Saad, Schultz 1986, SIAM J. Sci. Stat. Comput. 7:856,
    doi:10.1137/0907058).

    Parameters
    ----------
    norm
        β.
    most_columns
        How many columns there may be.

    Attributes
    ----------
    num_columns
        Columns taken in so far.
    norm
        Norm of the least residual.

    Examples
    --------
    >>> problem = HessenbergLeastSquares(2.0, 3)
    >>> problem.add([3.0, 4.0])
    True
    >>> problem.norm, problem.solution().tolist()
    (1.6, [0.24])
    """

    def __init__(self, norm: float, most_columns: int) -> None:
        self.norm = abs(norm)
        self.num_columns = 0
        self._rows: FloatArray = np.zeros((most_columns, most_columns))
        self._rotations: list[tuple[float, float]] = []
        self._target = [norm]

    def add(self, column: list[float]) -> bool:
        """Take in a column of ``num_columns + 2`` entries (the list is changed).

        Returns
        -------
        bool
            False, with nothing taken in, where the column depends on those before it.
        """
        j = self.num_columns
        above = column[0]
        for i, (cosine, sine) in enumerate(self._rotations):
            below = column[i + 1]
            column[i] = cosine * above + sine * below
            above = cosine * below - sine * above
        radius = math.hypot(above, column[j + 1])
        if radius == 0.0:
            return False
        cosine, sine = above / radius, column[j + 1] / radius
        column[j] = radius
        self._rotations.append((cosine, sine))
        self._rows[j, : j + 1] = column[: j + 1]
        last = self._target[j]
        self._target[j] = cosine * last
        self._target.append(-sine * last)
        self.norm = abs(self._target[j + 1])
        self.num_columns = j + 1
        return True

    def solution(self) -> FloatArray:
        """The minimiser y, shape ``(num_columns,)``."""
        count = self.num_columns
        target = np.array(self._target[:count])
        # R is kept by its columns, in rows
        solution: FloatArray = solve_triangular(
            self._rows[:count, :count], target, trans="T", lower=True, check_finite=False
        )
        return solution
