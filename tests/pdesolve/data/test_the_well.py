import numpy as np
import pytest

pytest.importorskip("the_well", reason="needs the-well")

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
