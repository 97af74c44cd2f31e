"""Training data that do not follow their family's distribution."""

from __future__ import annotations

import warnings

import pytest
import pytorch_lightning as lightning

from meshes import InputError
from neural.evaluation import evaluate
from neural.surrogate import Surrogate
from neural.training.data import PDEDataModule
from neural.training.module import SurrogateModule
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.data import generate
from pdesolve.data.operator_action import OperatorActionSettings, OperatorActionStrategy
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator

pytestmark = [pytest.mark.petsc, pytest.mark.torch]

INPUTS = {"darcy1d": ["coefficient", "source"], "poisson1d": ["source"]}
OPTIONS = {"darcy1d": {}, "poisson1d": {"boundary_deviation": 0.0}}


def family_of(name):
    return get_family(name, num_modes=16, **OPTIONS[name])


def generated(folder, name, split, *, by_action):
    family = family_of(name)

    def strategy(grid, problem):
        settings = OperatorActionSettings(basis=4, weights=3)
        return OperatorActionStrategy(family, grid, problem, seed=0, split=split, settings=settings)

    out = folder / f"{split}.h5"
    way = strategy if by_action else None
    generate(family, 8, shape=16, out=out, split=split, strategy=way)
    return out


@pytest.fixture(scope="module")
def surrogate_of(tmp_path_factory):
    """Train for an epoch on data by operator action."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        train = generated(folder, name, "train", by_action=True)
        outputs = list(family_of(name).outputs)
        module = SurrogateModule(
            {"name": "fno", "modes": [4], "width": 4}, inputs=INPUTS[name], outputs=outputs
        )
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, datamodule=PDEDataModule(train=train, batch_size=4))
        trainer.save_checkpoint(folder / "model.ckpt")
        return Surrogate.load(folder / "model.ckpt"), folder

    return make


def problem_of(name):
    family = family_of(name)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


def test_another_channel_is_refused_with_the_reason(surrogate_of):
    surrogate, folder = surrogate_of("darcy1d")
    problem = problem_of("darcy1d")
    with pytest.raises(CheckpointError, match=r"made by operator action.*strategy='independent'"):
        surrogate.predict(problem, problem.grid(16))
    own = generated(folder, "darcy1d", "test", by_action=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SurrogateWarning)
        (report,) = evaluate(surrogate, own, num_timed_solves=2).datasets
    assert report.solver_seconds is None
    assert any("no problems of the family: made by operator action" in r for r in report.remarks)


def test_the_same_channels_warn(surrogate_of):
    surrogate, folder = surrogate_of("poisson1d")
    problem = problem_of("poisson1d")
    with pytest.warns(SurrogateWarning, match=r"made by operator action.*is an extrapolation"):
        surrogate.predict(problem, problem.grid(16))
    with pytest.raises(InputError, match=r"made by operator action.*strict=True refuses"):
        surrogate.predict(problem, problem.grid(16), strict=True)
    plain = generated(folder, "poisson1d", "test", by_action=False)
    with pytest.warns(
        SurrogateWarning, match="different distributions: drawn from the family; and"
    ):
        evaluate(surrogate, plain, num_timed_solves=0)


def test_one_split_is_of_one_distribution(tmp_path):
    files = [
        generated(tmp_path, "poisson1d", "one", by_action=True),
        generated(tmp_path, "poisson1d", "two", by_action=False),
    ]
    with pytest.raises(InputError, match="of the train split follow different distributions"):
        PDEDataModule(train=files).setup()
    apart = PDEDataModule(train=files[0], test=files[1])
    apart.setup()
    assert apart.has("test")
