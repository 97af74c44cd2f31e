"""Solves with gradients against finite differences, PETSc and the project's stencils."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

import neural.batched_solve
from meshes import StructuredGrid
from meshes.errors import InputError
from neural import DiffusionSolve, diffusion_coefficients, solve_stencils, torch_batches
from operators.failures import LinearSolveFailure
from pdesolve.grid.finite_volume import diffusion_offsets, diffusion_system
from pdesolve.problems.boundary import Dirichlet, Neumann

pytestmark = pytest.mark.torch

DOUBLE = torch.float64
SHAPES = [(6,), (4, 5), (3, 4, 3)]
CONDITIONS = {"dirichlet": Dirichlet(0.0), "neumann": Neumann(0.0)}


def positive(shape: tuple[int, ...], batch: int = 2, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.as_tensor(np.exp(rng.normal(size=(batch, *shape))))


def balanced(shape: tuple[int, ...], batch: int = 2, seed: int = 1) -> torch.Tensor:
    """Random fields that sum to zero."""
    values = torch.as_tensor(np.random.default_rng(seed).normal(size=(batch, *shape)))
    return without_mean(values)


def without_mean(values: torch.Tensor) -> torch.Tensor:
    return values - values.mean(tuple(range(1, values.ndim)), keepdim=True)


@pytest.fixture
def solves(monkeypatch) -> list[float]:
    """Tolerances of the batched solves that were made."""
    made: list[float] = []
    solve = neural.batched_solve.solve_batched

    def counted(*arguments, **options):
        made.append(options["rtol"])
        return solve(*arguments, **options)

    monkeypatch.setattr(neural.batched_solve, "solve_batched", counted)
    return made


# --- the stencils -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "periodic"),
    [(s, p) for s in SHAPES for p in itertools.product([False, True], repeat=len(s))],
)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "mixed"])
def test_coefficients_are_those_of_the_finite_volumes(shape, periodic, boundary) -> None:
    grid = StructuredGrid(shape, upper=(0.7, 1.1, 1.3)[: len(shape)], periodic=periodic)
    names = {
        side: ("dirichlet", "neumann")[number % 2] if boundary == "mixed" else boundary
        for number, side in enumerate(grid.side_names)
    }
    a = positive(shape)
    found = diffusion_coefficients(grid, a, names if boundary == "mixed" else boundary)
    conditions = {side: CONDITIONS[name] for side, name in names.items()}
    for number in range(2):
        system = diffusion_system(grid, a[number].numpy(), np.zeros(shape), conditions)
        values = system.stencil.coefficients
        np.testing.assert_array_equal(system.stencil.offsets, diffusion_offsets(len(shape)))
        scale = np.abs(values).max()
        np.testing.assert_allclose(found[number].numpy(), values, rtol=0, atol=1e-13 * scale)


def test_coefficients_of_a_family() -> None:
    from pdesolve import get_family, sample_generator

    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(16)
    a = torch.as_tensor(problem.input_fields(grid).values.copy())
    values = problem.discretize(grid).stencil.coefficients
    found = diffusion_coefficients(grid, a)[0].numpy()
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-13 * np.abs(values).max())


# --- gradients --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_gradients_pass_gradcheck(shape, boundary) -> None:
    grid = StructuredGrid(shape)
    solve = DiffusionSolve(grid, boundary, rtol=1e-12)
    a, b = positive(shape).requires_grad_(), balanced(shape).requires_grad_()

    def answer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return solve(a, without_mean(b) if boundary == "neumann" else b)

    fast = len(shape) > 1  # one random direction in the place of all entries
    assert torch.autograd.gradcheck(answer, (a, b), eps=1e-6, atol=1e-6, rtol=1e-5, fast_mode=fast)


@pytest.mark.parametrize("periodic", [(True, True), (True, False)])
def test_gradient_against_central_differences_on_wrapping_axes(periodic) -> None:
    shape = (6, 5)
    grid = StructuredGrid(shape, periodic=periodic)
    solve = DiffusionSolve(grid, "neumann", rtol=1e-13)
    a, b, weights = positive(shape), balanced(shape), balanced(shape, seed=5)
    direction = torch.as_tensor(np.random.default_rng(2).normal(size=(2, *shape)))

    def loss(a: torch.Tensor) -> torch.Tensor:
        u = solve(a, b)
        return (weights * u).sum() + (u**3).sum()

    given = a.clone().requires_grad_()
    loss(given).backward()
    step = 1e-5
    difference = float(loss(a + step * direction) - loss(a - step * direction)) / (2 * step)
    assert float((given.grad * direction).sum()) == pytest.approx(difference, rel=1e-7)


def test_each_coefficient_has_its_own_derivative() -> None:
    """−λ(i) u(i + o) against solves of the changed, no longer symmetric, system."""
    shape = (4, 3)
    grid = StructuredGrid(shape, periodic=(False, True))
    offsets = diffusion_offsets(2)
    coefficients = diffusion_coefficients(grid, positive(shape, 1)).requires_grad_()
    b, weights = balanced(shape, 1), balanced(shape, 1, seed=4)
    (solve_stencils(grid, offsets, coefficients, b, rtol=1e-13) * weights).sum().backward()

    def loss(values: np.ndarray) -> float:
        from operators.stencil import Stencil

        matrix = Stencil(grid, offsets, values).to_csr().tocsc()
        u = scipy.sparse.linalg.spsolve(matrix, b.numpy().ravel())
        return float(u @ weights.numpy().ravel())

    values = coefficients.detach().numpy()[0]
    inside = np.abs(values) > 0
    assert not inside.all()
    expected = np.zeros_like(values)
    for place in zip(*np.nonzero(inside), strict=True):
        high, low = values.copy(), values.copy()
        high[place] += 1e-4
        low[place] -= 1e-4
        expected[place] = (loss(high) - loss(low)) / 2e-4
    found = coefficients.grad.numpy()[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


def test_constant_gradients_in_the_null_space_are_zero(solves) -> None:
    grid = StructuredGrid((4, 4))
    a = positive((4, 4)).requires_grad_()
    DiffusionSolve(grid, "neumann")(a, balanced((4, 4))).mean().backward()
    assert len(solves) == 2
    np.testing.assert_array_equal(a.grad.numpy(), 0.0)


def test_one_batch_with_and_without_null_space() -> None:
    grid, offsets = StructuredGrid((4, 4)), diffusion_offsets(2)
    a, b = positive((4, 4)), balanced((4, 4))
    both = [diffusion_coefficients(grid, a[:1], name) for name in ("neumann", "dirichlet")]
    weights = torch.as_tensor(np.random.default_rng(7).normal(size=(4, 4)))
    right = torch.cat([b[:1], b[:1]]).requires_grad_()
    u = solve_stencils(grid, offsets, torch.cat(both), right, rtol=1e-12)
    (u * weights).sum().backward()
    for number, coefficients in enumerate(both):
        alone = b[:1].clone().requires_grad_()
        u = solve_stencils(grid, offsets, coefficients, alone, rtol=1e-12)
        (u * weights).sum().backward()
        np.testing.assert_allclose(right.grad[number], alone.grad[0], atol=1e-10)
    assert abs(float(right.grad[0].sum())) < 1e-12
    assert abs(float(right.grad[1].sum())) > 1e-3


# --- cost -------------------------------------------------------------------------------


def test_a_gradient_is_one_more_solve(solves) -> None:
    grid = StructuredGrid((8, 8))
    a, b = positive((8, 8)).requires_grad_(), balanced((8, 8)).requires_grad_()
    u = DiffusionSolve(grid, rtol=1e-10, adjoint_rtol=1e-4)(a, b)
    assert solves == [1e-10]
    (u**2).sum().backward()
    assert solves == [1e-10, 1e-4]


def test_no_graph_of_the_iteration_is_kept() -> None:
    grid, offsets = StructuredGrid((8, 8)), diffusion_offsets(2)
    coefficients = diffusion_coefficients(grid, positive((8, 8))).requires_grad_()
    right = balanced((8, 8)).requires_grad_()
    kept: list[torch.Size] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.shape)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        u = solve_stencils(grid, offsets, coefficients, right)
    assert sorted(kept, key=len) == [u.shape, coefficients.shape]
    parents = [node.name() for node, _ in u.grad_fn.next_functions if node is not None]
    assert parents == ["torch::autograd::AccumulateGrad"] * 2


def test_nothing_is_recorded_without_gradients(solves) -> None:
    u = DiffusionSolve(StructuredGrid((8, 8)))(positive((8, 8)), balanced((8, 8)))
    assert u.grad_fn is None
    assert len(solves) == 1


def test_second_derivatives_are_refused() -> None:
    a = positive((4, 4)).requires_grad_()
    u = DiffusionSolve(StructuredGrid((4, 4)))(a, balanced((4, 4)))
    (gradient,) = torch.autograd.grad((u**2).sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


# --- agreement and use ------------------------------------------------------------------


@pytest.mark.petsc
def test_agrees_with_petsc() -> None:
    from pdesolve import get_family, sample_generator, solve

    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 3)))
    grid = problem.grid(24)
    expected = solve(problem, mesh=grid, rtol=1e-12).field.values[0]
    a = torch.as_tensor(problem.input_fields(grid).values.copy())
    found = DiffusionSolve(grid, rtol=1e-12)(a, torch.ones_like(a))[0].numpy()
    assert np.linalg.norm(found - expected) <= 1e-9 * np.linalg.norm(expected)


def test_single_precision_inputs_get_gradients_in_their_type() -> None:
    grid, shape = StructuredGrid((8, 8)), (8, 8)
    double = positive(shape).requires_grad_(), balanced(shape).requires_grad_()
    single = [given.detach().float().requires_grad_() for given in double]
    for given in (double, single):
        u = DiffusionSolve(grid)(*given)
        assert u.dtype == DOUBLE
        u.square().sum().backward()
    for one, two in zip(double, single, strict=True):
        assert two.grad.dtype == torch.float32
        scale = float(one.grad.abs().max())
        np.testing.assert_allclose(two.grad, one.grad, atol=1e-5 * scale)


def test_two_parameters_are_found_from_a_solution() -> None:
    grid = StructuredGrid((16, 16))
    x, y = (torch.as_tensor(axis) for axis in np.meshgrid(*grid.axes(), indexing="ij"))
    modes = torch.stack([torch.sin(torch.pi * x), torch.cos(2 * torch.pi * y)])
    solve, source = DiffusionSolve(grid, rtol=1e-10), torch.ones(1, 16, 16, dtype=DOUBLE)
    true = torch.tensor([0.8, -0.5], dtype=DOUBLE)

    def answer(parameters: torch.Tensor) -> torch.Tensor:
        return solve(torch.exp(torch.tensordot(parameters, modes, 1))[None], source)

    observed = answer(true)
    guess = torch.zeros(2, dtype=DOUBLE, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [guess], max_iter=12, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0
    )

    def misfit() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (answer(guess) - observed).square().sum() / observed.square().sum()
        loss.backward()
        return loss

    optimizer.step(misfit)
    np.testing.assert_allclose(guess.detach(), true, atol=1e-5)


# --- failures and bad input -------------------------------------------------------------


def test_names_samples_that_fail() -> None:
    grid, offsets = StructuredGrid((8, 8)), diffusion_offsets(2)
    coefficients, right = diffusion_coefficients(grid, positive((8, 8), 3)), balanced((8, 8), 3)
    coefficients[1] = -coefficients[1]
    with pytest.raises(LinearSolveFailure, match="1 of 3 samples failed: sample 1"):
        solve_stencils(grid, offsets, coefficients, right)


def test_names_samples_whose_adjoint_fails() -> None:
    a = positive((8, 8), 3).requires_grad_()
    u = DiffusionSolve(StructuredGrid((8, 8)))(a, balanced((8, 8), 3))
    weights = torch.ones_like(u)
    weights[2, 0, 0] = float("nan")
    with pytest.raises(LinearSolveFailure, match=r"the adjoint solve, for the gradient.*sample 2"):
        (u * weights).sum().backward()


def test_refuses_a_right_hand_side_outside_the_range() -> None:
    solve = DiffusionSolve(StructuredGrid((8, 8)), "neumann")
    with pytest.raises(LinearSolveFailure, match="does not sum to zero"):
        solve(positive((8, 8)), torch.ones(2, 8, 8))


def test_refuses_stencils_that_are_not_symmetric() -> None:
    grid, offsets = StructuredGrid((8, 8)), diffusion_offsets(2)
    coefficients = diffusion_coefficients(grid, positive((8, 8)))
    coefficients[0, 2, 3, 3] *= 2
    with pytest.raises(InputError, match="the stencils are not symmetric"):
        solve_stencils(grid, offsets, coefficients, balanced((8, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, b: (c, b[:1]), "right_hand_side of shape"),
        (lambda c, b: (c[:, :3], b), "coefficients of shape"),
        (lambda c, b: (c.half(), b), "coefficients is torch.float16"),
        (lambda c, b: (c, b.numpy()), "right_hand_side is ndarray"),
        (lambda c, b: (c, b.to("meta")), "move both to one device"),
    ],
)
def test_refuses_tensors_that_do_not_fit(change, message) -> None:
    grid = StructuredGrid((8, 8))
    given = change(diffusion_coefficients(grid, positive((8, 8))), balanced((8, 8)))
    with pytest.raises(InputError, match=message):
        solve_stencils(grid, diffusion_offsets(2), *given)


@pytest.mark.parametrize(
    ("grid", "a", "boundary", "message"),
    [
        ({}, torch.ones(4, 4), "dirichlet", "a of shape"),
        ({}, torch.ones(1, 4, 4).int(), "dirichlet", "a is torch.int32"),
        ({}, -torch.ones(1, 4, 4), "dirichlet", "must be positive"),
        ({}, torch.ones(1, 4, 4), "robin", "is 'robin'. Known: dirichlet, neumann"),
        ({}, torch.ones(1, 4, 4), {"x_lower": "neumann"}, "no boundary condition for: x_upper"),
        ({}, torch.ones(1, 4, 4), {"z_lower": "neumann"}, "has no side 'z_lower'"),
        ({"location": "vertex"}, torch.ones(1, 4, 4), "dirichlet", "location='cell'"),
    ],
)
def test_refuses_coefficients_that_do_not_fit(grid, a, boundary, message) -> None:
    with pytest.raises(InputError, match=message):
        diffusion_coefficients(StructuredGrid((4, 4), **grid), a, boundary)


# --- data sets --------------------------------------------------------------------------


@pytest.mark.petsc
def test_files_made_by_torch_agree_with_those_made_by_numpy(tmp_path) -> None:
    from pdesolve import generate, open_dataset

    files = {"numpy": "batched", "torch": torch_batches("cpu", rtol=1e-9)}
    read = {}
    for name, strategy in files.items():
        path = tmp_path / f"{name}.h5"
        info = generate("darcy2d", 6, shape=16, out=path, strategy=strategy, rtol=1e-9)
        assert info.num_failed == 0
        read[name] = open_dataset(path)
    assert read["torch"].info.settings["strategy"]["device"] == "torch cpu"
    inputs, outputs = zip(*(data.read() for data in read.values()), strict=True)
    np.testing.assert_array_equal(*inputs)
    apart = np.linalg.norm((outputs[0] - outputs[1]).reshape(6, -1), axis=1)
    assert (apart <= 1e-7 * np.linalg.norm(outputs[0].reshape(6, -1), axis=1)).all()
    records = [data.read_records() for data in read.values()]
    np.testing.assert_allclose(
        records[0]["error_estimate"], records[1]["error_estimate"], rtol=1e-5
    )


@pytest.mark.parametrize("device", ["tpu", "mps", "meta"])
def test_refuses_devices_that_it_does_not_know(device) -> None:
    with pytest.raises(InputError, match="must be 'cpu', 'cuda' or such as"):
        torch_batches(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_says_that_there_is_no_gpu() -> None:
    with pytest.raises(InputError, match=r"sees 0 CUDA devices\. Use device='cpu'"):
        torch_batches("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_gradients_on_a_gpu_are_those_on_the_host() -> None:
    solve = DiffusionSolve(StructuredGrid((32, 32)), rtol=1e-10)
    gradients = []
    for device in ("cpu", "cuda"):
        a = positive((32, 32), 4).to(device).requires_grad_()
        u = solve(a, balanced((32, 32), 4).to(device))
        assert u.device.type == device
        u.square().sum().backward()
        gradients.append(a.grad.cpu().numpy())
    scale = np.abs(gradients[0]).max()
    np.testing.assert_allclose(gradients[1], gradients[0], atol=1e-7 * scale)
