"""A sample whose data are not finite ends the run with its number; what was made is kept."""

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve import sample_generator
from pdesolve.data import generate
from pdesolve.data.strategies import STRATEGIES
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.petsc


class Hole:
    """A drawn field with one value that is not finite."""

    def __init__(self, field, value):
        self._field, self._value = field, value

    def __getattr__(self, name):
        return getattr(self._field, name)

    def _spoiled(self, values):
        values = np.array(values, dtype=float)
        values.flat[values.size // 2] = self._value
        return values

    def on(self, grid):
        return self._spoiled(self._field.on(grid))

    def on_axes(self, axes):
        return self._spoiled(self._field.on_axes(axes))

    def evaluate(self, points):
        return self._spoiled(self._field.evaluate(points))


class Spoiled:
    """A family of which one sample has such a field."""

    def __init__(self, name, index, value):
        self._family, self._value = get_family(name), value
        self._state = repr(sample_generator(0, "train", index).bit_generator.state)

    def __getattr__(self, name):
        return getattr(self._family, name)

    def sample(self, rng):
        hit = repr(rng.bit_generator.state) == self._state
        found = dict(self._family.sample(rng))
        if hit:
            fields = [name for name, value in found.items() if hasattr(value, "on_axes")]
            found[fields[0]] = Hole(found[fields[0]], self._value)
        return found


NOT_FOR_DARCY = ("algebraic-multigrid", "downstream")
CASES = [
    *(("darcy2d", name, {}) for name in STRATEGIES if name not in NOT_FOR_DARCY),
    ("convection_diffusion2d", "algebraic-multigrid", {}),
    ("convection_diffusion2d", "downstream", {}),
    ("poisson2d", "independent", {}),
    ("poisson2d", "multi-rhs", {}),
    ("helmholtz2d_random", "independent", {"shape": 64}),
    ("heat2d", "independent", {}),
    ("burgers1d", "independent", {"shape": 32}),
    ("burgers1d", "independent", {"shape": 32, "discretization": {"dt": 0.01}}),
]
SORTED = ("skr", "recycled-cg", "lag", "neighbors")


@pytest.mark.filterwarnings("ignore:.*points per wavelength")
@pytest.mark.parametrize(("family", "strategy", "options"), CASES)
def test_the_sample_is_named_and_finished_shards_are_kept(family, strategy, options, tmp_path):
    value = np.inf if strategy in ("batched", "lag") else np.nan
    options = {"shape": 8, "shard_size": 2, "estimate_error": False, **options}
    if strategy in SORTED:
        options["order"] = "index"
    given = {"out": tmp_path / "s.h5", "strategy": strategy, **options}
    with pytest.raises(
        InputError, match=rf"sample 5 cannot be .*finite.*({value}|at).*: correct .*are kept"
    ):
        generate(Spoiled(family, 5, value), 8, **given)
    parts = tmp_path / "s.h5.parts"
    finished = sorted(file.name for file in parts.glob("shard-*.bin"))
    assert len(finished) == 2  # samples 0 to 3
    solved = []
    corrected = Spoiled(family, 100, value)
    info = generate(corrected, 8, observer=lambda found: solved.append(found.index), **given)
    assert info.num_failed == 0
    assert sorted(solved) == [4, 5, 6, 7]


@pytest.mark.parametrize("family", ["darcy2d", "convection_diffusion2d"])
@pytest.mark.parametrize("index", [0, 2, 6, 21])
def test_a_choice_among_strategies_names_the_sample_too(family, index, tmp_path):
    with pytest.raises(InputError, match=rf"sample {index} cannot be .*finite"):
        generate(
            Spoiled(family, index, np.nan), 24, shape=8, out=tmp_path / "s.h5", strategy="auto"
        )
