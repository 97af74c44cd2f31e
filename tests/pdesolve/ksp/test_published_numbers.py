"""Iterations of recycling against those published for it, on the published matrices.

Wang et al. (ICLR 2024, arXiv:2401.09516), 2304 unknowns, 1e-5, no preconditioner:
GMRES(40) 3983 iterations a system and GCRO-DR(40, 20) 183.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data import released_matrices as matrices

pytestmark = pytest.mark.petsc
LABEL = 2500  # 48² unknowns


def sorted_coefficients(number: int) -> np.ndarray:
    from benchmarks.data.krylov_sequences import greedy_order

    K = matrices.coefficients(number, LABEL)
    return K[greedy_order(K)]


def test_iterations_on_the_released_matrices():
    from benchmarks.data.krylov_sequences import GMRES, SKR, solve_sequence

    K = sorted_coefficients(12)
    right = matrices.right_hand_side(K[0])
    systems = [(matrices.released_darcy(k), right) for k in K]
    skr = solve_sequence(systems, SKR)
    assert skr.capped == skr.failed == 0
    assert max(skr.residuals) <= 1e-5
    later = skr.mean(after=1)
    assert abs(later - 184) <= 0.08 * 184, skr.iterations
    assert skr.iterations[0] > later
    assert skr.recycle_matvecs == (0, *[20] * 11)
    # GMRES(40) needs from 660 to 10000 iterations on these twelve, so that fewer say little
    gmres = solve_sequence(systems, GMRES)
    assert gmres.mean() > 15 * later, gmres.iterations


def test_iterations_on_darcy_flow():
    from benchmarks.data.krylov_sequences import CG, GMRES, SKR, solve_sequence

    K = sorted_coefficients(6)
    right = matrices.right_hand_side(K[0])
    systems = [(matrices.conservative_darcy(k), right) for k in K]
    skr, gmres, cg = (solve_sequence(systems, method) for method in (SKR, GMRES, CG))
    assert 3.0 < gmres.mean() / skr.mean(after=1) < 4.5
    assert skr.mean(after=1) < cg.mean() < gmres.mean()
    assert max(*skr.residuals, *gmres.residuals) <= 1e-5


def test_the_released_matrix_is_indefinite_and_darcys_is_not():
    K = matrices.coefficients(1, 900)[0]
    side = K.shape[0] - 2
    released = matrices.released_darcy(K)
    laplacian = matrices.released_darcy(np.ones_like(K))
    inner = K[1:-1, 1:-1].ravel()
    # all but the neighbour above: the Laplacian times the diagonal matrix of K
    difference = (released - laplacian * inner).tocoo()
    wrong = np.abs(difference.data) > 1e-14
    assert set(difference.row[wrong] - difference.col[wrong]) == {side}
    straight = matrices.released_darcy(K, shifted=False)
    assert np.abs((straight - laplacian * inner).toarray()).max() < 1e-14
    assert matrices.properties(released).num_negative > 0
    conservative = matrices.properties(matrices.conservative_darcy(K))
    assert conservative.num_negative == 0
    assert conservative.asymmetry < 1e-15
