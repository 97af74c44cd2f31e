"""Stacked stencils and multigrid against matrices."""

from __future__ import annotations

import numpy as np
import pytest

from pdesolve.batched import StackedStencils
from pdesolve.batched.coarsest import neighbours
from pdesolve.batched.coefficients import opposite
from pdesolve.batched.refinement import ChunkSolver, RefinementSettings
from tests.pdesolve.batched.systems import batch, diffusion

CASES = [
    ((13,), {}),
    ((9,), {"periodic": True}),
    ((8, 8), {}),
    ((9, 6), {"sides": "mixed", "contrast": 1e3}),
    ((9, 8), {"periodic": True}),
    ((6, 9), {"periodic": (False, True), "coefficient": "lognormal"}),
    ((12, 3), {"periodic": (False, True)}),
    ((7, 6), {"sides": "neumann"}),
    ((9, 3), {"periodic": True}),
    ((8, 9), {"upper": (1.0, 8.0)}),
    ((8, 9), {"upper": (6.0, 1.0), "periodic": True}),
    ((5, 4, 6), {"upper": (1.0, 3.0, 1.0)}),
    ((5, 4, 6), {}),
    ((5, 4, 6), {"periodic": (True, False, True)}),
]


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_stacked_stencils_act_as_each_stencil(shape, options) -> None:
    systems = diffusion(shape, **options)
    stencils = StackedStencils.of(systems)
    u = np.random.default_rng(1).normal(size=(3, *shape))
    expected = np.stack([item.stencil.apply(v) for item, v in zip(systems, u, strict=True)])
    size = np.abs(expected).max()
    np.testing.assert_allclose(stencils.apply(u), expected, rtol=0, atol=1e-13 * size)
    assert stencils.symmetric()


def prepared(shape, options) -> tuple[ChunkSolver, np.ndarray, np.ndarray]:
    """A solver in float64 with set-up done, the matrix of sample 1 scaled, and who is singular."""
    systems = diffusion(shape, num=2, **options)
    stencils, _ = batch(systems)
    solver = ChunkSolver(stencils, RefinementSettings(inner_dtype="float64", dense=4))
    singular = np.array([float(item.constant_null_space) for item in systems])
    scale = solver._set_up(stencils, singular)
    return solver, systems[1].stencil.to_csr().toarray() * scale[1], singular


def matrix_of(action, columns: int, rows: int) -> np.ndarray:
    return np.stack([action(e).reshape(rows) for e in np.eye(columns)], axis=1)


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_coarse_operators_are_galerkin_products(shape, options) -> None:
    solver, matrix, _ = prepared(shape, options)
    level, layout = solver.multigrid.finest, solver.multigrid.finest.layout
    coarse_shape = layout.coarse_shape
    count = int(np.prod(coarse_shape))

    def prolong(e: np.ndarray) -> np.ndarray:
        single = np.zeros(layout.single_size)
        layout.coarse(single)[..., 1] = e.reshape(coarse_shape)
        for axis, place, _, source in layout.copies(0):
            layout.at(layout.single(single), axis, place)[...] = layout.at(
                layout.single(single), axis, source
            )
        field, values = np.zeros(layout.size), np.zeros((*shape, 2))
        for number in range(len(layout.classes)):
            pairs = level.interpolation.prolongation(number, single)
            target = layout.part(field, number)
            target += layout.single(single) if pairs is None else sum(a * b for a, b in pairs)
        layout.gather(field, values)
        return values[..., 1]

    interpolation = matrix_of(prolong, count, matrix.shape[0])
    expected = interpolation.T @ matrix @ interpolation
    found = np.zeros((count, count))
    index = np.arange(count).reshape(coarse_shape)
    level.galerkin.set_up()
    for step, values in level.galerkin.coefficients():
        entries = -values[..., 1].ravel()
        for sign in (step, opposite(step)) if any(step) else (step,):
            rows, columns = neighbours(index, sign, layout.periodic)
            if sign == step:
                found[rows, columns] += entries[rows]
            else:
                found[rows, columns] += entries[columns]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.linalg.matrix_rank(interpolation) == count


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_the_preconditioner_is_symmetric_and_positive(shape, options) -> None:
    solver, matrix, singular = prepared(shape, options)
    layout, iteration = solver.iteration.layout, solver.iteration
    free = bool(singular[1])

    def cycle(e: np.ndarray) -> np.ndarray:
        right = np.zeros((*shape, 2))
        right[..., 1] = (e - e.mean() if free else e).reshape(shape)
        layout.scatter(right, iteration.residual)
        iteration.precondition(singular)
        values = np.zeros((*shape, 2))
        layout.gather(iteration.preconditioned, values)
        return values[..., 1]

    cycles = matrix_of(cycle, matrix.shape[0], matrix.shape[0])
    assert np.abs(cycles - cycles.T).max() <= 1e-14 * np.abs(cycles).max()
    values = np.sort(np.linalg.eigvals(cycles @ matrix).real)
    if free:
        assert abs(values[0]) <= 1e-12
        values = values[1:]
    # with a Galerkin coarse operator and a convergent smoother the spectrum ends at 1
    assert values[-1] <= 1.0 + 1e-10
    assert values[0] >= 0.1


def test_interpolation_follows_a_jump() -> None:
    """Between a good and a bad conductor a point takes the value of the good one's side."""
    solver, _, _ = prepared((9, 9), {"contrast": 1e6})
    interpolation = solver.multigrid.finest.interpolation
    layout = interpolation.layout
    total = sum(
        layout.single(interpolation.weights[1, corner]) for corner in interpolation.corners(1)
    )
    inside = layout.inside(total, 1)
    assert inside.max() <= 1.0 + 1e-9
    assert inside.min() > 0.2
    one = layout.inside(layout.single(interpolation.weights[2, (0, -1)]), 2)
    assert one.max() > 0.99999
    assert one.min() < 1e-5
