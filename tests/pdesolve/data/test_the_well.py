import numpy as np
import pytest

pytest.importorskip("the_well", reason="needs the-well")

from pdesolve import get_family
from pdesolve.data import open_dataset


@pytest.mark.petsc
@pytest.mark.parametrize(
    ("family", "shape"), [("darcy2d", (8, 10)), ("darcy3d_lognormal", (4, 5, 6))]
)
def test_its_dataset_opens_ours(tmp_path, family, shape):
    from the_well.data import WellDataset

    from pdesolve.data import generate

    info = generate(family, 3, shape=shape, out=tmp_path / "set.h5")
    well = WellDataset(path=str(tmp_path), n_steps_input=1, n_steps_output=0)
    assert len(well) == 3
    assert well.metadata.dataset_name == family
    assert well.metadata.spatial_resolution == shape
    assert well.metadata.field_names[0] == ["coefficient", "pressure"]
    assert well.metadata.boundary_condition_types == ["WALL"]
    with open_dataset(info.path) as data:
        inputs, outputs = data.read()
        points = data.grid.points()
    for index in range(3):
        item = well[index]
        fields = item["input_fields"].numpy()
        assert fields.shape == (1, *shape, 2)
        assert np.array_equal(fields[0, ..., 0], inputs[index, 0])
        assert np.array_equal(fields[0, ..., 1], outputs[index, 0])
        assert np.array_equal(np.moveaxis(item["space_grid"].numpy(), -1, 0), points)
        assert (item["boundary_conditions"] == 0).all()


def test_its_dataset_opens_our_trajectories(tmp_path):
    from the_well.data import WellDataset

    from pdesolve.data import generate

    family = get_family("burgers2d", num_times=4, final_time=0.1)
    info = generate(family, 2, shape=8, out=tmp_path / "set.h5", estimate_error=False)
    well = WellDataset(path=str(tmp_path), n_steps_input=2, n_steps_output=1)
    assert len(well) == 2 * 2  # two windows of three times in each trajectory
    assert well.metadata.boundary_condition_types == ["PERIODIC"]
    with open_dataset(info.path) as data:
        inputs, _ = data.read()
        trajectories = data.read_trajectories()
    item = well[3]  # the second window of the second sample
    assert np.allclose(np.moveaxis(item["input_fields"].numpy(), -1, 1), trajectories[1, 1:3])
    assert np.allclose(np.moveaxis(item["output_fields"].numpy(), -1, 1), trajectories[1, 3:])
    constant = np.moveaxis(item["constant_fields"].numpy(), -1, 0)
    assert np.allclose(constant, inputs[1])
