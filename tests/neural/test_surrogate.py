"""Loading checkpoints, checking problems, predicting, and initial guesses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import spsolve

from meshes import InputError, StructuredGrid
from neural.accelerate import initial_guess
from neural.models import FNO
from neural.surrogate import Surrogate
from neural.training import GaussianNormalizer
from neural.training.checkpoints import FORMAT_VERSION, KEY
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.torch


def content(statistics: str = "channel") -> dict[str, object]:
    """A checkpoint as training writes it, without training."""
    torch.manual_seed(0)
    model = FNO(1, 1, (3, 3), 6, projection_width=8)
    fields = 3.0 + 9.0 * (torch.rand(5, 1, 12, 12) > 0.5)
    normalizers = {}
    for name in ("input_normalizer", "output_normalizer"):
        normalizers[name] = GaussianNormalizer(1, statistics)  # type: ignore[arg-type]
        values = fields + torch.rand_like(fields) if statistics == "point" else fields
        normalizers[name].fit([values], {"sha256": ["a"]})
    weights = torch.nn.ModuleDict({"model": model, **normalizers}).state_dict()
    return {
        "state_dict": dict(weights),
        KEY: {
            "format_version": FORMAT_VERSION,
            "family": "darcy2d",
            "model": {"name": "fno", "options": model.options},
            "inputs": ["coefficient"],
            "outputs": ["pressure"],
            "lower": [0.0, 0.0],
            "upper": [1.0, 1.0],
            "location": "cell",
            "shape": [12, 12],
            "units": {},
            "parameter_ranges": {"coefficient": [3.0, 12.0]},
            "data": {"sha256": ["a"], "seed": 0, "split": "train", "num_train": 5},
            **{name: normalizer.state() for name, normalizer in normalizers.items()},
        },
    }


@pytest.fixture
def saved(tmp_path):
    """Write a checkpoint after changes to it."""

    def save(change=dict, statistics: str = "channel"):
        given = content(statistics)
        change(given)
        torch.save(given, tmp_path / "model.ckpt")
        return tmp_path / "model.ckpt"

    return save


def problem(**options):
    return DarcyProblem(lambda x: 3.0 + 9.0 * (x[0] > x[1]), name="darcy2d", **options)


def test_predicts_fields_at_any_resolution(saved) -> None:
    surrogate = Surrogate.load(saved())
    for shape in [(12, 12), (25, 24)]:
        field = surrogate.predict(problem(), StructuredGrid(shape))
        assert field.values.shape == (1, *shape)
        assert field.values.dtype == np.float64
        assert field.names == ("pressure",)


def test_predictions_do_not_depend_on_the_batch(saved) -> None:
    surrogate = Surrogate.load(saved())
    inputs = np.random.default_rng(0).uniform(3, 12, (4, 1, 12, 12))
    whole = surrogate.predict_batch(inputs)
    for index in range(4):
        np.testing.assert_allclose(
            surrogate.predict_batch(inputs[index : index + 1])[0], whole[index], atol=1e-5
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop(KEY), "was not written by `pdesolve train`"),
        (lambda c: c[KEY].update(format_version=99), "format 99; this release reads up to 1"),
        (lambda c: c[KEY].pop("parameter_ranges"), "is incomplete: parameter_ranges"),
        (lambda c: c.pop("state_dict"), "is incomplete: state_dict"),
        (lambda c: c["state_dict"].pop("model.lift.weight"), "missing: model.lift.weight"),
        (lambda c: c["state_dict"].update(more=torch.ones(1)), "unexpected: more"),
        (
            lambda c: c["state_dict"].update({"model.lift.bias": torch.ones(7)}),
            r"wrong shape: model.lift.bias \(7,\) instead of \(6,\)",
        ),
        (
            lambda c: c["state_dict"]["model.lift.bias"].fill_(torch.nan),
            "are not finite: model.lift.bias",
        ),
        (lambda c: c[KEY]["model"].update(name="unet"), "describes no model known here"),
        (lambda c: c[KEY]["model"]["options"].update(depth=3), "no option 'depth'"),
    ],
)
def test_refuses_checkpoints(saved, change, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        Surrogate.load(saved(change))


class Payload:
    ran = False

    def __reduce__(self):
        return (setattr, (Payload, "ran", True))


def test_refuses_pickles_and_damaged_files(saved, tmp_path) -> None:
    path = saved(lambda c: c.update(loss=Payload()))
    with pytest.raises(CheckpointError, match="loading pickled objects would run their code"):
        Surrogate.load(path)
    assert not Payload.ran
    whole = saved().read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        Surrogate.load(path)
    with pytest.raises(InputError, match="there is no checkpoint"):
        Surrogate.load(tmp_path / "absent.ckpt")
    with pytest.raises(InputError, match="device='gpu1' is unknown"):
        Surrogate.load(saved(), device="gpu1")


@pytest.mark.parametrize(
    ("given", "grid", "message"),
    [
        (get_family("darcy2d_lognormal"), StructuredGrid((12, 12)), "is of 'darcy2d_lognormal'"),
        (None, StructuredGrid((12,)), "works on 2D structured grids; this is 1D"),
        (None, StructuredGrid((12, 12), upper=(2.0, 1.0)), "box has upper corner"),
        (None, StructuredGrid((12, 12), location="vertex"), "predict on a cell grid"),
    ],
)
def test_refuses_problems_and_grids(saved, given, grid, message) -> None:
    if given is not None:
        given = given.problem(given.sample(np.random.default_rng(0)))
    with pytest.raises(CheckpointError, match=message):
        Surrogate.load(saved()).check(given or problem(), grid)


def test_refuses_other_channels_and_extents(saved) -> None:
    grid = StructuredGrid((12, 12))
    path = saved(lambda c: c[KEY].update(inputs=["permeability"]))
    with pytest.raises(CheckpointError, match=r"takes the channels \('permeability',\)"):
        Surrogate.load(path).check(problem(), grid)
    with pytest.raises(CheckpointError, match="the problem's box has upper corner"):
        Surrogate.load(saved()).check(problem(upper=(2.0, 2.0)), grid)
    fixed = Surrogate.load(saved(statistics="point"))
    with pytest.raises(CheckpointError, match=r"has one resolution, \(12, 12\)"):
        fixed.check(problem(), StructuredGrid((24, 24)))


def test_values_outside_the_training_range(saved) -> None:
    surrogate, grid = Surrogate.load(saved()), StructuredGrid((12, 12))
    outside = DarcyProblem(lambda x: 3.0 + 20.0 * (x[0] > x[1]), name="darcy2d")
    with pytest.warns(
        SurrogateWarning, match="ranges from 3 to 23, the training data from 3 to 12"
    ):
        surrogate.predict(outside, grid)
    with pytest.raises(InputError, match="which strict=True refuses"):
        surrogate.predict(outside, grid, strict=True)
    with pytest.raises(InputError, match="more than a grid of"):
        surrogate.predict(problem(), StructuredGrid((4, 4)))


def test_a_prediction_that_is_not_finite_is_refused(saved) -> None:
    with pytest.raises(InputError, match="the prediction is not finite"):
        Surrogate.load(saved()).predict_batch(np.full((1, 1, 12, 12), np.nan))


def test_initial_guess(saved) -> None:
    grid = StructuredGrid((16, 16))
    guess = initial_guess(saved(), problem(), grid)
    np.testing.assert_array_equal(
        guess.values, initial_guess(Surrogate.load(saved()), problem(), grid).values
    )
    with pytest.raises(InputError, match="must be a Surrogate or the path"):
        initial_guess(3, problem(), grid)  # type: ignore[arg-type]
    path = saved(lambda c: c[KEY].update(outputs=["head"]))
    with pytest.raises(InputError, match="the problem's unknown is 'pressure'"):
        initial_guess(path, problem(), grid)


def test_a_scaled_guess_is_nearer_than_zero(saved) -> None:
    given, grid = problem(), StructuredGrid((16, 16))
    system = given.discretize(grid)
    exact = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel())

    def energy(values: np.ndarray) -> float:
        error = values.reshape(grid.shape) - exact.reshape(grid.shape)
        return float(np.sum(error * system.stencil.apply(error)))

    bad = initial_guess(saved(), given, grid, scale=False).values
    scaled = initial_guess(saved(), given, grid).values
    assert energy(scaled) < energy(np.zeros_like(exact)) < energy(bad)
    for factor in (0.9, 1.1):
        assert energy(factor * scaled) > energy(scaled)


@pytest.mark.petsc
def test_a_guess_changes_iterations_not_the_answer(saved) -> None:
    from pdesolve import solve

    given = problem()
    plain = solve(given, mesh=(24, 24))
    helped = solve(given, mesh=(24, 24), accelerate=saved())
    assert helped.result.converged
    assert helped.result.relative_residual <= 2 * plain.result.rtol
    np.testing.assert_allclose(helped.field.values, plain.field.values, rtol=1e-6)
    with pytest.raises(CheckpointError, match="trained on the family 'darcy2d'"):
        solve(DarcyProblem(2.0), mesh=(24, 24), accelerate=saved())
