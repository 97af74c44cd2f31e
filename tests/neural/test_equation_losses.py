"""Losses that know the equations, matrices, or other losses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, diags_array, save_npz
from scipy.sparse.linalg import spsolve

from meshes import StructuredGrid
from meshes.errors import InputError
from neural.evaluation import metrics
from neural.stencils import StencilConvolution
from neural.training import RelativeH1, RelativeL2
from neural.training.losses import (
    BandL2,
    EnergyNorm,
    FamilyOperator,
    MeshNorm,
    PDEResidual,
    RelativeEnergy,
    RelativeSobolev,
    WeightedSum,
)
from neural.training.mesh_files import MeshFileReader, write_mesh_samples
from operators.stencil import Stencil
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator

pytestmark = pytest.mark.torch


def described(family="poisson2d", shape=(8, 8), options=None, **changes):
    """What a data set of the family says about itself."""
    made = get_family(family, **(options or {}))
    problem = made.problem(made.sample(sample_generator(0, "train", 0)))
    grid = problem.grid(shape)
    given = {
        "path": "train.h5",
        "family": family,
        "inputs": made.inputs,
        "outputs": made.outputs,
        "shape": grid.shape,
        "lower": grid.lower,
        "upper": grid.upper,
        "periodic": grid.periodic,
        "location": grid.location,
        "settings": {"family": {"given_options": options or {}}},
    }
    return SimpleNamespace(**{**given, **changes})


def problems(info, count):
    family = get_family(info.family, **info.settings["family"]["given_options"])
    return [
        family.problem(family.sample(sample_generator(3, "test", index))) for index in range(count)
    ]


def inputs_of(found, grid):
    return torch.as_tensor(np.stack([problem.input_fields(grid).values for problem in found]))


def random(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )  # fmt: skip


FAMILIES = {
    "darcy2d": {"above": 7.0, "source": 2.0},
    "darcy1d_lognormal": {},
    "poisson2d": {"boundary_deviation": 0.0},
}


@pytest.mark.parametrize("name", ["darcy2d", "darcy1d_lognormal", "poisson2d"])
def test_equations_of_inputs_are_the_solvers(name) -> None:
    info = described(name, (6, 6) if name.endswith("2d") else (7,), FAMILIES[name])
    operator = FamilyOperator(info)
    found = problems(info, 3)
    grid = operator.grid(info.shape)
    stencils, right = operator.systems(inputs_of(found, grid))
    for index, problem in enumerate(found):
        system = problem.discretize(grid)
        np.testing.assert_allclose(
            stencils.coefficients[index].numpy(), system.stencil.coefficients, rtol=1e-12
        )
        np.testing.assert_allclose(right[index].numpy(), system.right_hand_side, rtol=1e-12)
        values = random(1, *grid.shape)
        convolved = StencilConvolution(system.stencil)(values)
        applied = stencils.part(index, index + 1).apply(values)
        assert torch.allclose(applied, convolved, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("order", [0, -1])
def test_residual_of_the_solution_is_zero_and_of_zero_is_one(order) -> None:
    info = described("darcy2d", (9, 9))
    found = problems(info, 2)
    grid = found[0].grid((12, 11))  # another grid than prepared for
    solved = []
    for problem in found:
        system = problem.discretize(grid)
        solved.append(spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel()))
    targets = torch.as_tensor(np.stack(solved)).reshape(2, 1, 12, 11)
    loss = PDEResidual(order)
    loss.prepare(info)
    inputs = inputs_of(found, grid)
    assert float(loss.of_batch(targets, targets, inputs).max()) < 1e-10
    assert torch.allclose(loss.of_batch(0 * targets, targets, inputs), torch.ones(2).double())
    twice = loss.of_batch(1.5 * targets, targets, inputs)
    assert torch.allclose(twice, torch.full((2,), 0.5).double())


def test_residual_in_the_dual_norm_is_the_gradient_of_the_error_for_poisson() -> None:
    """With A = −Δ, ‖A e‖₋₁ = |e|₁ by one more Poisson solve; smooth e, to O(h²)."""
    info = described("poisson2d", (48, 48), FAMILIES["poisson2d"])
    loss = PDEResidual(-1)
    loss.prepare(info)
    problem = problems(info, 1)[0]
    grid = problem.grid((48, 48))
    system = problem.discretize(grid)
    inputs = inputs_of([problem], grid)
    exact = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel())
    u = torch.as_tensor(exact).reshape(1, 1, 48, 48)
    x = torch.as_tensor(grid.axes()[0])
    e = 0.01 * torch.sin(np.pi * x)[:, None] * torch.sin(2 * np.pi * x)
    residual = float(loss.of_batch(u + e, u, inputs)[0])
    slope = RelativeSobolev(1, 0.0, extension="odd", lengths=(1.0, 1.0))
    expected = float(slope.norm(e[None, None]) / slope.norm(u))
    assert residual == pytest.approx(expected, rel=5e-3)


def test_test_functions_follow_the_sides() -> None:
    assert FamilyOperator(described("darcy2d")).bases == ("odd", "odd")
    slopes = described("poisson2d", options={"sides": "neumann"})
    assert FamilyOperator(slopes).bases == ("even", "even")
    wraps = described("poisson2d", options={"sides": "periodic"})
    assert FamilyOperator(wraps).bases == ("periodic", "periodic")
    with pytest.raises(InputError, match="give a positive alpha for family 'poisson2d'"):
        PDEResidual().prepare(wraps)
    PDEResidual(alpha=1.0).prepare(wraps)


def test_relative_energy_is_that_of_the_evaluation() -> None:
    info = described("darcy2d")
    found = problems(info, 3)
    grid = found[0].grid((7, 6))
    loss = RelativeEnergy()
    loss.prepare(info)
    u, v = random(3, 1, 7, 6), random(3, 1, 7, 6, seed=1)
    expected = metrics.relative_energy(
        u.numpy(), v.numpy(), [problem.discretize(grid).stencil for problem in found]
    )
    np.testing.assert_allclose(loss.of_batch(u, v, inputs_of(found, grid)).numpy(), expected)


def test_matrix_norms_by_hand_and_of_stencils(tmp_path) -> None:
    dense = np.array([[2.0, -1.0], [-1.0, 2.0]])
    target = torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]]])
    prediction = torch.zeros_like(target)
    prediction[0, 0, 0] = 1.0  # error (0, 1): energy 2 of 2
    save_npz(tmp_path / "matrix.npz", csr_array(dense))
    for given in (
        dense,
        torch.as_tensor(dense),
        torch.as_tensor(dense).to_sparse(),
        csr_array(dense),
        str(tmp_path / "matrix.npz"),
    ):
        found = EnergyNorm(given).per_sample(prediction, target)
        assert torch.allclose(found, torch.tensor([1.0, 1.0]).double())
    stencil = Stencil(StructuredGrid((5,)), [[-1], [0], [1]], [-1.0, 2.0, -1.0])
    u, v = random(2, 1, 5), random(2, 1, 5, seed=1)
    expected = metrics.relative_energy(u.numpy(), v.numpy(), [stencil, stencil])
    np.testing.assert_allclose(EnergyNorm.of_stencil(stencil).per_sample(u, v).numpy(), expected)
    identity = EnergyNorm(np.eye(10))  # two channels of five points: over both together
    with pytest.raises(InputError, match="with 10 points, as the matrix has rows"):
        identity(u, v)
    pair = torch.cat([u, v], 1), torch.cat([v, v], 1)
    whole = RelativeL2().per_sample(*pair)
    assert torch.allclose(EnergyNorm(np.eye(5)).per_sample(*pair), whole)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_predictions_that_are_not_finite_have_no_finite_error(bad) -> None:
    target = random(2, 1, 4, 4)
    prediction = target.clone()
    prediction[1, 0, 2, 2] = bad
    energy = RelativeEnergy()
    energy.prepare(described("darcy2d", (4, 4)))
    residual = PDEResidual()
    residual.prepare(described("darcy2d", (4, 4)))
    losses = [EnergyNorm(np.eye(16)), energy, residual, RelativeL2(), RelativeH1()]
    losses.append(RelativeSobolev(-1, lengths=(1.0, 1.0)))
    losses.append(BandL2([1.0], lengths=(1.0, 1.0)))
    for loss in losses:
        found = loss.of_batch(prediction, target, torch.ones(2, 1, 4, 4))
        assert found.isfinite().tolist() == [True, False], type(loss).__name__


def test_a_negative_energy_may_be_that_of_a_constant() -> None:
    constant, ends = torch.full((1, 1, 2), 7.3).double(), torch.tensor([[[0.0, 1.0]]]).double()
    with pytest.raises(InputError, match="a target is a constant"):
        EnergyNorm(np.diag([1.0, -1e-9]))(constant, ends)


def test_the_matrix_is_not_in_checkpoints_but_moves_with_the_loss() -> None:
    loss = EnergyNorm(np.eye(3))
    assert loss.state_dict() == {}
    assert loss.to("meta").matrix.device.type == "meta"


def test_mesh_norms_take_the_mesh_of_the_training_file(tmp_path) -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    cells = [[0, 1, 2], [1, 3, 2]]
    rng = np.random.default_rng(0)
    fields = {"outputs": {"u": rng.random((3, 4))}, "inputs": {"f": rng.random((3, 4))}}
    infos = {}
    for name, given in {
        "train": {"cells": cells},
        "other": {"cells": [[0, 1, 3], [0, 3, 2]]},
        "cloud": {},
    }.items():
        path = write_mesh_samples(
            tmp_path / f"{name}.h5", family="plate", points=points, **fields, **given
        )
        infos[name] = MeshFileReader(path).info
    slopes = MeshNorm(mass=0.0, stiffness=1.0)
    slopes.prepare(infos["train"])
    slopes.check(infos["train"])
    u = torch.as_tensor(points @ [1.0, 2.0])[None, None]
    e = torch.as_tensor(points @ [0.3, 0.0])[None, None]
    assert float(slopes(u + e + 7.0, u)) == pytest.approx(0.3 / np.sqrt(5))
    whole = MeshNorm(1.0, 1.0)
    whole.prepare(infos["train"])
    # the mean of (x + 2y)² is (3/2)² + 5/12, and its gradient is 5 squared
    assert float(whole(u + 1.0, u)) == pytest.approx(np.sqrt(1 / (2.25 + 5 / 12 + 5)))
    values = random(2, 1, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: whole.per_sample(v, u.expand(2, 1, 4)), values)
    for action, message in (
        (lambda: MeshNorm(0.0, 0.0), "must be at least 0, one of them more"),
        (lambda: MeshNorm()(u, u), "does not know the mesh: call take_mesh"),
        (lambda: MeshNorm().prepare(described("darcy2d")), "'train.h5' holds no mesh"),
        (lambda: MeshNorm().prepare(infos["cloud"]), "does not hold one mesh with cells"),
        (lambda: whole.check(infos["other"]), "the mesh of .*other.h5' is not that"),
    ):
        with pytest.raises(InputError, match=message):
            action()


def test_weighted_sum_adds_names_and_prepares() -> None:
    inner = RelativeSobolev(-1)
    loss = WeightedSum(
        {"values": RelativeL2(), "keys": inner, "equation": PDEResidual()},
        {"keys": 0.5, "equation": 0.25},
    )
    info = described("darcy2d")
    loss.prepare(info)
    found = problems(info, 2)
    inputs = inputs_of(found, found[0].grid((8, 8)))
    u, v = random(2, 1, 8, 8), random(2, 1, 8, 8, seed=1)
    terms = loss.terms(u, v, inputs)
    assert list(terms) == ["values", "keys", "equation"]
    assert torch.allclose(terms["keys"], 0.5 * inner.per_sample(u, v))
    assert torch.allclose(loss.of_batch(u, v, inputs), sum(terms.values()))
    single = loss.of_batch(u.float(), v.float(), inputs.float())
    assert torch.allclose(single, sum(terms.values()), rtol=1e-5)
    with pytest.raises(InputError, match="PDEResidual needs the inputs too"):
        loss(u, v)


def test_gradients() -> None:
    info = described("darcy2d", (4, 5))
    found = problems(info, 2)
    grid = found[0].grid((4, 5))
    inputs, target = inputs_of(found, grid), random(2, 1, 4, 5, seed=1)
    matrix = diags_array([-np.ones(19), 2.5 * np.ones(20), -np.ones(19)], offsets=[-1, 0, 1])
    losses = [
        RelativeL2(),
        RelativeH1(),
        PDEResidual(),
        PDEResidual(0),
        RelativeEnergy(),
        EnergyNorm(matrix),
        WeightedSum({"one": RelativeSobolev(), "two": PDEResidual()}),
    ]
    for loss in losses:
        loss.prepare(info)
        assert torch.autograd.gradcheck(
            lambda u, loss=loss: loss.of_batch(u, target, inputs),
            random(2, 1, 4, 5).requires_grad_(),
        )
    for loss in (RelativeEnergy(), EnergyNorm(matrix)):
        loss.prepare(info)
        same = target.clone().requires_grad_()
        loss.of_batch(same, target, inputs).sum().backward()
        assert torch.equal(same.grad, torch.zeros_like(same))  # not nan where the error is zero


def test_equations_are_in_float64_under_autocast() -> None:
    info = described("darcy2d")
    found = problems(info, 1)
    inputs = inputs_of(found, found[0].grid((8, 8)))
    u, v = random(1, 1, 8, 8), random(1, 1, 8, 8, seed=1)
    for loss in (PDEResidual(), RelativeEnergy(), EnergyNorm(np.eye(64))):
        loss.prepare(info)
        exact = loss.of_batch(u, v, inputs)
        with torch.autocast("cpu", torch.bfloat16):
            found_there = loss.of_batch(u.float(), v.float(), inputs.float())
        assert torch.allclose(found_there, exact, rtol=1e-5)


def test_data_without_usable_equations_are_refused() -> None:
    for info, message in (
        (SimpleNamespace(path="x.pt", family="theirs"), "whose equations are not known here"),
        (described("darcy2d", location="points"), "are not on a uniform grid"),
        (described("poisson2d"), "boundary values are given on the sides"),
        (described("heat2d"), "no linear system of one unknown a cell"),
        (described("bratu2d"), "no linear system of one unknown a cell"),
        (described("lid_driven_cavity", (16, 16)), "no linear system of one unknown a cell"),
        (
            described("darcy2d", settings={"strategy": {"distribution": "solutions drawn"}}),
            "are no problems of 'darcy2d' \\(solutions drawn\\)",
        ),
        (described("convection_diffusion2d"), "do not follow from its input channels"),
    ):
        with pytest.raises(InputError, match=message):
            PDEResidual().prepare(info)
    with pytest.raises(InputError, match="are not on a uniform grid"):
        RelativeSobolev().prepare(described("darcy2d", location="points"))


def test_further_files_must_have_the_same_box_and_equations() -> None:
    first = described("darcy2d")
    same = described("darcy2d", (16, 16), path="finer.h5")
    longer = described("darcy2d", upper=(2.0, 1.0), path="longer.h5")
    other = described("darcy2d", options={"above": 9.0}, path="other.h5")
    foreign = described("poisson2d", options=FAMILIES["poisson2d"], path="poisson.h5")
    for loss in (
        PDEResidual(),
        RelativeEnergy(),
        WeightedSum({"data": RelativeL2(), "residual": PDEResidual()}),
    ):
        loss.prepare(first)
        loss.check(same)
        for info, message in (
            (longer, "'longer.h5' has upper"),
            (other, "'other.h5' holds 'darcy2d' with other options"),
            (foreign, "'poisson.h5' has family poisson2d, the first training file darcy2d"),
        ):
            with pytest.raises(InputError, match=message):
                loss.check(info)
    waves = RelativeSobolev()
    waves.prepare(first)
    for info in (same, other, foreign):
        waves.check(info)
    with pytest.raises(InputError, match=r"the box of 'longer\.h5' is not that"):
        waves.check(longer)
    RelativeSobolev(lengths=(1.0, 1.0)).check(longer)


def test_refusals(tmp_path) -> None:
    info = described("darcy2d")
    fields, wrong = random(2, 1, 8, 8), random(2, 2, 8, 8)
    residual, energy = PDEResidual(), RelativeEnergy()
    for loss in (residual, energy):
        with pytest.raises(InputError, match="does not know the equations: call prepare"):
            loss.of_batch(fields, fields, fields)
        with pytest.raises(InputError, match="needs the inputs too: call of_batch"):
            loss(fields, fields)
        loss.prepare(info)
    (tmp_path / "broken.npz").write_bytes(b"no matrix")
    for action, message in (
        (lambda: residual.of_batch(wrong, wrong, fields), "it must have shape \\(2, 1, 8, 8\\)"),
        (lambda: residual.of_batch(fields, fields, wrong), "channels coefficient"),
        (lambda: residual.of_batch(fields, fields, -fields.abs()), "must be positive and finite"),
        (lambda: energy.of_batch(fields, wrong, fields), "must be equal in shape"),
        (lambda: energy.of_batch(wrong, wrong, fields), "must have one channel on the grid"),
        (lambda: energy.of_batch(fields, 0 * fields, fields.abs()), "energy of the target is zero"),
        (lambda: EnergyNorm(np.ones((2, 3))), "is not square"),
        (lambda: EnergyNorm(np.array([[1.0, 2], [0, 1]])), "must be symmetric and not zero"),
        (lambda: EnergyNorm(np.zeros((2, 2))), "must be symmetric and not zero"),
        (lambda: EnergyNorm(np.full((1, 1), np.nan)), "not finite"),
        (lambda: EnergyNorm(np.eye(2, dtype=complex)), "must be a real matrix"),
        (lambda: EnergyNorm(tmp_path / "no.npz"), "there is no file"),
        (lambda: EnergyNorm(tmp_path / "broken.npz"), "no matrix that scipy.sparse.save_npz wrote"),
        (
            lambda: EnergyNorm(np.diag([1.0, -1.0]))(
                torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 0.0]]])
            ),
            "not positive semidefinite",
        ),
        (lambda: WeightedSum({}), "names no loss"),
        (lambda: WeightedSum({"a b": RelativeL2()}), "'a b' of a loss must be a word"),
        (lambda: WeightedSum({"a": torch.nn.ReLU()}), "is a ReLU, not a FieldLoss"),
        (lambda: WeightedSum({"data": RelativeL2()}, {"date": 1.0}), "Did you mean 'data'"),
        (lambda: WeightedSum({"data": RelativeL2()}, {"data": 0.0}), "must be positive and finite"),
    ):
        with pytest.raises(InputError, match=message):
            action()
