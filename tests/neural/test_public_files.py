"""Files of The Well, PDEBench and MATLAB, written as their specifications say, and read back."""

from __future__ import annotations

import pickle
import shutil

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from meshes.errors import InputError
from neural.training.boxes import box_of
from neural.training.layouts import open_samples
from operators.failures import DataFileError

pytestmark = pytest.mark.torch
RNG = np.random.default_rng(0)
B, T, X, Y = 3, 4, 5, 6  # all different, so that no two axes can be exchanged unnoticed


def the_well(path, **changes):
    """A file with every kind of field of the specification; the values of its arrays."""
    shapes = {
        "t0_fields/density": ((B, T, X, Y), True, True, (True, True)),
        "t0_fields/depth": ((B, X, Y), True, False, (True, True)),
        "t0_fields/profile": ((T, X, 1), False, True, (True, False)),
        "t0_fields/short": ((B, T, Y), True, True, (False, True)),
        "t0_fields/constant": ((X, Y), False, False, (True, True)),
        "t1_fields/velocity": ((B, T, X, Y, 2), True, True, (True, True)),
        "t2_fields/stress": ((B, T, X, Y, 2, 2), True, True, (True, True)),
        "t2_fields/flat": ((B, T, X, Y, 4), True, True, (True, True)),
    }
    arrays = {}
    with h5py.File(path, "w") as file:
        file.attrs["dataset_name"] = "example"
        file.attrs["grid_type"] = "cartesian"
        file.attrs["n_spatial_dims"] = 2
        file.attrs["n_trajectories"] = changes.get("n_trajectories", B)
        file.attrs["simulation_parameters"] = ["viscosity"]
        file.attrs["viscosity"] = 0.5
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        dimensions["time"] = np.linspace(0, 3, T, dtype="f4")
        dimensions["x"] = np.arange(X, dtype="f4") / X
        dimensions["y"] = changes.get("y", np.linspace(0, 2, Y, dtype="f4"))
        side = file.create_group("boundary_conditions/x_periodic")
        side.attrs["associated_dims"] = ["x"]
        side.attrs["bc_type"] = "PERIODIC"
        scalars = file.create_group("scalars")
        scalars.attrs["field_names"] = ["viscosity", "force", "moving"]
        for name, shape, varies in (("viscosity", (), 0), ("force", (B,), 0), ("moving", (T,), 1)):
            scalars[name] = RNG.random(shape).astype("f4")
            scalars[name].attrs["time_varying"] = bool(varies)
            scalars[name].attrs["sample_varying"] = name == "force"
        for place, (shape, sample, time, space) in shapes.items():
            group, _, name = place.partition("/")
            fields = file.require_group(group)
            fields.attrs["field_names"] = [*fields.attrs.get("field_names", []), name]
            fields[name] = arrays[name] = RNG.random(shape).astype("f4")
            fields[name].attrs["sample_varying"] = sample
            fields[name].attrs["time_varying"] = time
            fields[name].attrs["dim_varying"] = space
        arrays["force"] = scalars["force"][:]
    return arrays


def test_the_well(tmp_path) -> None:
    arrays = the_well(tmp_path / "well.hdf5")
    source = open_samples(tmp_path / "well.hdf5", output_time=2)
    info = source.info
    assert (info.layout, info.family, info.shape, info.times) == (
        "the-well", "example", (X, Y), (0.0, 1.0, 2.0, 3.0),
    )  # fmt: skip
    assert (info.lower, info.upper, info.periodic) == ((0.0, 0.0), (1.0, 2.0), (True, False))
    assert (info.location, info.units) == ("vertex", {})
    names = [
        "density", "profile", "short", "velocity_x", "velocity_y",
        *(f"{name}_{ij}" for name in ("stress", "flat") for ij in ("xx", "xy", "yx", "yy")),
    ]  # fmt: skip
    assert list(info.outputs) == names
    assert list(info.inputs) == [*(f"initial_{name}" for name in names), "depth", "constant"]
    space = (X, Y)
    expected = {
        "density": arrays["density"],
        "profile": np.broadcast_to(arrays["profile"][None], (B, T, *space)),
        "short": np.broadcast_to(arrays["short"][:, :, None], (B, T, *space)),
        "velocity_x": arrays["velocity"][..., 0],
        "velocity_y": arrays["velocity"][..., 1],
    }
    for i, a in enumerate("xy"):
        for j, b in enumerate("xy"):
            expected[f"stress_{a}{b}"] = arrays["stress"][..., i, j]
            expected[f"flat_{a}{b}"] = arrays["flat"][..., 2 * i + j]
    wanted = [2, 0]
    trajectories = source.read_trajectories(wanted)
    inputs, outputs = source.read(wanted)
    for channel, name in enumerate(names):
        np.testing.assert_array_equal(trajectories[:, :, channel], expected[name][wanted])
        np.testing.assert_array_equal(outputs[:, channel], expected[name][wanted, 2])
        np.testing.assert_array_equal(inputs[:, channel], expected[name][wanted, 0])
    np.testing.assert_array_equal(inputs[:, -2], arrays["depth"][wanted])
    np.testing.assert_array_equal(inputs[0, -1], arrays["constant"])
    assert source.info.scalars == ("viscosity", "force")
    np.testing.assert_array_equal(source.read_parameters([1])["force"], arrays["force"][1:2])


def test_fields_are_chosen_and_scalars_become_channels(tmp_path) -> None:
    arrays = the_well(tmp_path / "well.hdf5")
    source = open_samples(
        tmp_path / "well.hdf5",
        input_fields=["depth", "density"],
        output_fields=["velocity_y"],
        scalar_channels=["force"],
    )
    assert source.info.inputs == ("depth", "initial_density", "force")
    inputs, outputs = source.read()
    np.testing.assert_array_equal(inputs[:, 0], arrays["depth"])
    np.testing.assert_array_equal(inputs[:, 1], arrays["density"][:, 0])
    assert np.ptp(inputs[:, 2], axis=(1, 2)).max() == 0
    np.testing.assert_array_equal(inputs[:, 2, 0, 0], arrays["force"])
    np.testing.assert_array_equal(outputs[:, 0], arrays["velocity"][:, -1, ..., 1])
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301  (as for a worker process)
    np.testing.assert_array_equal(copy.read([1])[0], inputs[1:2])
    with pytest.raises(InputError, match=r"no field 'densty'\. Did you mean 'density'"):
        open_samples(tmp_path / "well.hdf5", input_fields=["densty"])
    with pytest.raises(InputError, match="no scalar parameter 'forc'"):
        open_samples(tmp_path / "well.hdf5", scalar_channels=["forc"])
    with pytest.raises(InputError, match="output_time=4, but"):
        open_samples(tmp_path / "well.hdf5", output_time=4)


def test_the_well_is_refused_where_it_contradicts_itself(tmp_path) -> None:
    path = tmp_path / "well.hdf5"
    the_well(path, n_trajectories=7)
    with pytest.raises(DataFileError, match=r"3 along the axis 'sample', where the file says 7"):
        open_samples(path)
    the_well(path, y=np.linspace(0, 1, Y + 1))
    with pytest.raises(DataFileError, match="along the axis 'y'"):
        open_samples(path)
    the_well(path, y=np.linspace(0, 1, Y) ** 2)
    with pytest.warns(UserWarning, match="points along y are not equally spaced"):
        open_samples(path)
    for attribute in ("sample_varying", "dim_varying"):
        the_well(path)
        with h5py.File(path, "a") as file:
            del file["t0_fields/density"].attrs[attribute]
        with pytest.raises(DataFileError, match=f"has no attribute '{attribute}'"):
            open_samples(path)
    the_well(path)
    with h5py.File(path, "a") as file:
        del file["t0_fields/density"]
    with pytest.raises(DataFileError, match="lacks 't0_fields/density'"):
        open_samples(path)
    with pytest.raises(DataFileError, match="PDEBench has files with"):
        open_samples(path, layout="pdebench")


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data", "objects"])
def test_arrays_outside_the_file_and_objects_are_refused(tmp_path, kind) -> None:
    arrays = the_well(tmp_path / "other.hdf5")
    path = tmp_path / "well.hdf5"
    the_well(path)
    with h5py.File(path, "a") as file:
        place = "t0_fields/density"
        attributes = dict(file[place].attrs)
        del file[place]
        if kind == "external link":
            file[place] = h5py.ExternalLink("other.hdf5", place)
        elif kind == "soft link":
            file[place] = h5py.SoftLink("/t0_fields/constant")
        elif kind == "external data":
            raw = tmp_path / "raw"
            raw.write_bytes(arrays["density"].tobytes())
            size = 4 * B * T * X * Y
            file.create_dataset(place, (B, T, X, Y), "f4", external=[(str(raw), 0, size)])
        else:
            file.create_dataset(place, (B, T, X, Y), h5py.string_dtype())
        if kind in ("external data", "objects"):
            file[place].attrs.update(attributes)
    with pytest.raises(DataFileError, match=r"link, which is refused|another file|of type object"):
        open_samples(path)


def pdebench_file(path, shape, **arrays):
    with h5py.File(path, "w") as file:
        for axis, size in zip("xyz", shape, strict=False):
            file[f"{axis}-coordinate"] = (np.arange(size, dtype="f4") + 0.5) / size
        for name, values in arrays.items():
            file[name.replace("_", "-") if name == "t_coordinate" else name] = values
        file.attrs["beta"] = 0.1


def test_pdebench_darcy(tmp_path) -> None:
    tensor, nu = RNG.random((B, 1, X, Y)), RNG.random((B, X, Y))
    pdebench_file(tmp_path / "darcy.hdf5", (X, Y), tensor=tensor, nu=nu)
    source = open_samples(tmp_path / "darcy.hdf5")
    assert (source.info.inputs, source.info.outputs) == (("nu",), ("tensor",))
    assert (source.info.location, source.info.upper) == ("cell", (1.0, 1.0))
    inputs, outputs = source.read([1, 2])
    np.testing.assert_array_equal(inputs[:, 0], nu[1:])
    np.testing.assert_array_equal(outputs, tensor[1:])
    with pytest.raises(DataFileError, match="and holds nu, tensor, x-coordinate"):
        open_samples(tmp_path / "darcy.hdf5", layout="the-well").read()


def test_pdebench_in_one_dimension_with_one_time_too_many(tmp_path) -> None:
    tensor, times = RNG.random((B, T, X)), np.linspace(0, 2, T + 1)
    pdebench_file(tmp_path / "burgers.hdf5", (X,), tensor=tensor, t_coordinate=times)
    source = open_samples(tmp_path / "burgers.hdf5", scalar_channels=["beta"])
    assert source.info.times == tuple(times[:T])
    assert source.info.inputs == ("initial_tensor", "beta")
    np.testing.assert_array_equal(source.read_trajectories()[:, :, 0], tensor)
    np.testing.assert_array_equal(source.read()[0][:, 1], np.full((B, X), 0.1))


def test_pdebench_separate_fields_in_three_dimensions(tmp_path) -> None:
    fields = {
        name: RNG.random((2, T, X, Y, 7)) for name in ("density", "pressure", "Vx", "Vy", "Vz")
    }
    pdebench_file(tmp_path / "flow.hdf5", (X, Y, 7), t_coordinate=np.arange(T + 1.0), **fields)
    source = open_samples(tmp_path / "flow.hdf5")
    assert source.info.outputs == tuple(fields)
    for channel, values in enumerate(fields.values()):
        np.testing.assert_array_equal(source.read([1])[1][0, channel], values[1, -1])
    fields["Vy"] = RNG.random((2, T, Y, X, 7))
    pdebench_file(tmp_path / "other.hdf5", (X, Y, 7), t_coordinate=np.arange(T + 1.0), **fields)
    with pytest.raises(DataFileError, match="'Vy' has shape"):
        open_samples(tmp_path / "other.hdf5")


@pytest.mark.parametrize("exchanged", [False, True])
def test_pdebench_groups(tmp_path, exchanged) -> None:
    values = RNG.random((B, T, X, Y, 2))
    with h5py.File(tmp_path / "groups.h5", "w") as file:
        for number in range(B):
            sample = values[number]
            file[f"{number:04d}/data"] = sample.swapaxes(1, 2) if exchanged else sample
            file[f"{number:04d}/grid/x"] = np.linspace(-1, 1, X)
            file[f"{number:04d}/grid/y"] = np.linspace(-1, 1, Y)
            file[f"{number:04d}/grid/t"] = np.linspace(0, 1, T)
    source = open_samples(tmp_path / "groups.h5")
    assert source.info.outputs == ("data0", "data1")
    np.testing.assert_array_equal(source.read_trajectories([2, 1])[:, :, 1], values[[2, 1], ..., 1])
    other = shutil.copy(tmp_path / "groups.h5", tmp_path / "other.h5")
    with h5py.File(other, "a") as file:
        file[f"{B:04d}/data"] = values[0][:, :-1]
    with pytest.raises(DataFileError, match=r"0003/data' has shape"):
        open_samples(other)


def test_pdebench_incompressible_flow(tmp_path) -> None:
    velocity, force = RNG.random((B, T, X, Y, 2)), RNG.random((B, X, Y, 2))
    with h5py.File(tmp_path / "flow.h5", "w") as file:
        file["velocity"], file["force"] = velocity, force
        file["particles"] = RNG.random((B, T, X, Y, 1))
        file["t"] = np.tile(np.linspace(0, 1, T), (B, 1))
    source = open_samples(tmp_path / "flow.h5")
    assert source.info.outputs == ("velocity_x", "velocity_y", "particles")
    np.testing.assert_array_equal(source.read()[1][:, 1], velocity[:, -1, ..., 1])
    np.testing.assert_array_equal(source.read()[0][:, -1], force[..., 1])


def matlab(path, version, **arrays):
    if version == "5":
        scipy.io.savemat(path, arrays)
        return
    with h5py.File(path, "w", userblock_size=512) as file:  # as MATLAB does: axes reversed
        for name, values in arrays.items():
            file[name] = values.transpose()
        file.create_group("#refs#")


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_darcy(tmp_path, version) -> None:
    arrays = {"coeff": RNG.random((B, X, Y)), "sol": RNG.random((B, X, Y))}
    matlab(tmp_path / "darcy.mat", version, Kcoeff=arrays["sol"] + 1, **arrays)
    source = open_samples(tmp_path / "darcy.mat")
    assert (source.info.inputs, source.info.outputs) == (("coeff",), ("sol",))
    assert (source.info.location, source.info.periodic) == ("vertex", (False, False))
    inputs, outputs = source.read([2, 0])
    np.testing.assert_array_equal(inputs[:, 0], arrays["coeff"][[2, 0]])
    np.testing.assert_array_equal(outputs[:, 0], arrays["sol"][[2, 0]])
    other = open_samples(tmp_path / "darcy.mat", input_fields=["coeff"], output_fields=["Kcoeff"])
    np.testing.assert_array_equal(other.read([1])[1][0, 0], arrays["sol"][1] + 1)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_with_time_last(tmp_path, version) -> None:
    start, later = RNG.random((B, X, Y)), RNG.random((B, X, Y, T))
    matlab(tmp_path / "ns.mat", version, a=start, u=later, t=np.arange(1.0, T + 1)[None])
    source = open_samples(tmp_path / "ns.mat", output_time=1)
    assert source.info.inputs == ("initial_u",)
    assert source.info.times == (1.0, 2.0, 3.0, 4.0)
    assert source.info.periodic == (True, True)
    inputs, outputs = source.read()
    np.testing.assert_array_equal(inputs[:, 0], start)
    np.testing.assert_array_equal(outputs[:, 0], later[..., 1])
    np.testing.assert_array_equal(source.read_trajectories()[:, :, 0], np.moveaxis(later, -1, 1))
    burgers = {"a": RNG.random((B, X)), "u": RNG.random((B, X))}
    matlab(tmp_path / "burgers.mat", version, **burgers)
    line = open_samples(tmp_path / "burgers.mat")
    assert line.info.inputs == ("a",)
    np.testing.assert_array_equal(line.read()[1][:, 0], burgers["u"])


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_files_that_are_refused(tmp_path, version) -> None:
    path = tmp_path / "bad.mat"
    matlab(path, version, p=RNG.random((B, X, Y)), q=RNG.random((B, Y, X)))
    with pytest.raises(InputError, match=r"name them.*from: p \(3, 5, 6\), q \(3, 6, 5\)"):
        open_samples(path)
    with pytest.raises(DataFileError, match="they must be equal"):
        open_samples(path, input_fields=["p"], output_fields=["q"])
    with pytest.raises((InputError, DataFileError), match="lacks 'r'"):
        open_samples(path, input_fields=["p"], output_fields=["r"])
    path.write_bytes(b"no file of this kind" * 20)
    with pytest.raises(DataFileError, match="cannot be read as a MATLAB file"):
        open_samples(path)


def test_values_that_are_not_finite_are_refused(tmp_path) -> None:
    values = RNG.random((B, X))
    values[1, 2] = np.nan
    matlab(tmp_path / "a.mat", "5", a=RNG.random((B, X)), u=values)
    source = open_samples(tmp_path / "a.mat")
    assert np.isfinite(source.read([0, 2])[1]).all()
    with pytest.raises(DataFileError, match="field 'u' of sample 1 is not finite"):
        source.read()


def test_files_of_no_known_layout(tmp_path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["pictures"] = np.ones(3)
    with pytest.raises(DataFileError, match=r"no known layout: it holds pictures. Known are"):
        open_samples(tmp_path / "other.h5")
    with pytest.raises(InputError, match="there is no file"):
        open_samples(tmp_path / "none.mat")
    with pytest.raises(InputError, match=r"layout='the well' is unknown. Did you mean 'the-well'"):
        open_samples(tmp_path / "other.h5", layout="the well")
    torch.save([torch.rand(B, X, Y), torch.rand(B, X, Y)], tmp_path / "list.pt")
    assert open_samples(tmp_path / "list.pt").info.inputs == ("x",)
    torch.save({"a": torch.rand(B, X, Y), "b": torch.rand(B, X, Y)}, tmp_path / "named.pt")
    with pytest.raises(DataFileError, match=r"'x' and 'y': .*Other names are given by"):
        open_samples(tmp_path / "named.pt")
    named = open_samples(tmp_path / "named.pt", input_fields=["a"], output_fields=["b"])
    assert named.info.outputs == ("b",)


def test_subsampling_keeps_the_box(tmp_path) -> None:
    function = np.linspace(0, 1, 13)[:, None] + 10 * np.linspace(0, 1, 9)[None]
    values = np.broadcast_to(function, (B, 13, 9)).copy()
    matlab(tmp_path / "d.mat", "5", coeff=values, sol=2 * values)
    source = open_samples(tmp_path / "d.mat", subsampling=4)
    assert source.info.shape == (4, 3)
    coarse = np.linspace(0, 1, 4)[:, None] + 10 * np.linspace(0, 1, 3)[None]
    np.testing.assert_allclose(source.read([0])[0][0, 0], coarse)
    with pytest.raises(InputError, match=r"does not divide the 12 cells .*; 2, 3, 4, 6, 12 would"):
        open_samples(tmp_path / "d.mat", subsampling=5)
    centres = [(np.arange(n) + 0.5) / n for n in (6, 4)]
    plane = centres[0][:, None] - 3 * centres[1][None]
    field = np.broadcast_to(plane, (B, 6, 4)).copy()
    pdebench_file(tmp_path / "c.hdf5", (6, 4), tensor=field[:, None], nu=field)
    cells = open_samples(tmp_path / "c.hdf5", subsampling=2)
    centres = [(np.arange(n) + 0.5) / n for n in (3, 2)]
    np.testing.assert_allclose(cells.read([0])[0][0, 0], centres[0][:, None] - 3 * centres[1][None])
    assert cells.info.upper == (1.0, 1.0)


@pytest.mark.parametrize(
    ("points", "periodic", "lower", "upper", "location"),
    [
        (-1 + (np.arange(101) + 0.5) * 2 / 101, False, -1.0, 1.0, "cell"),
        (np.linspace(-1, 1, 101), False, -1.0, 1.0, "vertex"),
        (np.arange(64, dtype="f4") * 2 * np.pi / 64, True, 0.0, 2 * np.pi, "vertex"),
        ((np.arange(64, dtype="f4") + 0.5) / 64, True, 0.0, 1.0, "cell"),
        (-2.5 + (np.arange(128) + 0.5) * 5 / 128, False, -2.5, 2.5, "cell"),
    ],
)
def test_boxes(points, periodic, lower, upper, location) -> None:
    box = box_of({"x": np.asarray(points, dtype=float)}, [periodic])
    assert (box.location, box.uneven) == (location, ())
    np.testing.assert_allclose([box.lower[0], box.upper[0]], [lower, upper], atol=1e-5)


def test_a_generated_file_reads_the_same_as_one_of_the_well(tmp_path) -> None:
    from pdesolve import generate
    from pdesolve.data import open_dataset

    path = tmp_path / "burgers.h5"
    generate("burgers1d", 3, shape=32, out=path)
    own, well = open_dataset(path), open_samples(path, layout="the-well")
    info = well.info
    assert (info.shape, info.lower, info.upper) == (own.info.shape, own.info.lower, own.info.upper)
    assert (info.periodic, info.location) == (own.info.periodic, own.info.location)
    np.testing.assert_allclose(info.times, own.info.times)
    np.testing.assert_array_equal(well.read_trajectories(), own.read_trajectories())
    assert open_samples(path).info.family == "burgers1d"


def test_windows_over_the_trajectories_of_public_files(tmp_path) -> None:
    from neural.training.trajectory_data import TrajectoryDataModule

    start, later = RNG.random((B, X, X)), RNG.random((B, X, X, T))
    matlab(tmp_path / "ns.mat", "7.3", a=start, u=later)
    data = TrajectoryDataModule(
        train=tmp_path / "ns.mat", frames_in=2, frames_out=2, subsampling=1, layout="fno-mat"
    )
    history, static, future, numbers = next(iter(data.train_dataloader()))
    assert static.shape == (B, 0, X, X)  # the state before the first time is none
    frames = torch.tensor(np.moveaxis(later, -1, 1)[numbers][:, :, None], dtype=torch.float32)
    torch.testing.assert_close(history, frames[:, :2])
    torch.testing.assert_close(future, frames[:, 2:])
