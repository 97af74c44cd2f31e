import os
import pickle
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from meshes.errors import InputError
from operators.failures import DataFileError
from pdesolve.data import check_dataset, open_dataset, read_info
from pdesolve.data.field_statistics import FieldStatistics
from pdesolve.data.layout import seal_attributes, seal_texts
from pdesolve.data.schema import GROUP, fingerprint, to_json

RELEASED = Path(__file__).parent / "files" / "darcy2d_schema1.h5"


@pytest.fixture
def copy(tmp_path):
    target = tmp_path / "set.h5"
    shutil.copy(RELEASED, target)
    return target


def reseal(file):
    """Make all digests fit again, so that a later check has its say."""
    seal_texts(file)
    seal_attributes(file)


def replace(file, name, data, **options):
    attributes = dict(file[name].attrs)
    del file[name]
    options = {"fletcher32": True, "chunks": np.shape(data), **options}
    file.create_dataset(name, data=data, **options).attrs.update(attributes)


def test_file_of_the_first_schema_loads():
    report = check_dataset(RELEASED)
    assert report.passed, report.text()
    with open_dataset(RELEASED) as data:
        info = data.info
        inputs, outputs = data.read()
        parameters = data.read_parameters()
    assert (info.schema_version, info.family, info.num_samples) == (1, "darcy2d", 4)
    assert (info.inputs, info.outputs) == (("coefficient",), ("pressure",))
    assert (info.lower, info.upper, info.shape) == ((0.0, 0.0), (1.0, 1.0), (8, 8))
    assert info.units["pressure"] == "Pa"
    assert inputs.shape == outputs.shape == (4, 1, 8, 8)
    assert set(np.unique(inputs)) == {3.0, 12.0}
    assert info.statistics["pressure"]["maximum"] == outputs.max()
    assert parameters == {}


def test_reading_in_any_order():
    with open_dataset(RELEASED) as data:
        inputs, outputs = data.read()
        order = [3, 0, 1, 1]
        some = data.read(order)
        none = data.read([])
        assert len(data) == 4
        assert data.grid.shape == (8, 8)
    assert np.array_equal(some[0], inputs[order])
    assert np.array_equal(some[1], outputs[order])
    assert none[0].shape == (0, 1, 8, 8)


def test_a_reader_travels_to_other_processes():
    data = open_dataset(RELEASED)
    expected = data.read([2])[1]
    assert np.array_equal(pickle.loads(pickle.dumps(data)).read([2])[1], expected)  # noqa: S301
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if np.array_equal(data.read([2])[1], expected) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(data.read([2])[1], expected)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([4], "sample 4 is not in .* samples 0 to 3"),
        ([-1], "sample -1 is not in"),
        ([0.5], "must be a list of integers"),
        ([[0]], "must be a list of integers"),
    ],
)
def test_bad_indices(indices, message):
    with open_dataset(RELEASED) as data, pytest.raises(InputError, match=message):
        data.read(indices)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        open_dataset(tmp_path / "set.h5")
    (tmp_path / "set.h5.parts").mkdir()
    with pytest.raises(InputError, match="holds an unfinished run; repeat its command"):
        open_dataset(tmp_path / "set.h5")


def test_not_hdf5(tmp_path):
    (tmp_path / "set.h5").write_text("text")
    with pytest.raises(DataFileError, match="is not an HDF5 file"):
        open_dataset(tmp_path / "set.h5")
    assert "is not an HDF5 file" in check_dataset(tmp_path / "set.h5").text()


def test_truncated(copy):
    content = copy.read_bytes()
    copy.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataFileError, match="is truncated"):
        open_dataset(copy)
    assert not check_dataset(copy).passed


def test_any_flipped_byte_is_noticed_or_harmless(copy):
    content = copy.read_bytes()
    with open_dataset(RELEASED) as data:
        expected = data.read()
    chance = np.random.default_rng(0)
    noticed = 0
    for place in chance.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(chance.integers(8))
        copy.write_bytes(damaged)
        try:
            with open_dataset(copy) as data:
                values = data.read()
        except DataFileError:
            noticed += 1
            assert not check_dataset(copy).passed
            continue
        for mine, theirs in zip(values, expected, strict=True):
            assert np.array_equal(mine, theirs)
    assert noticed > 20


def test_a_flipped_byte_in_the_data(copy):
    with h5py.File(copy) as file:
        array = file["t0_fields/pressure"]
        place = array.id.get_chunk_info(0).byte_offset
    content = bytearray(copy.read_bytes())
    content[place + 5] ^= 0x10
    copy.write_bytes(content)
    with open_dataset(copy) as data, pytest.raises(DataFileError, match="'pressure' of samples 0"):
        data.read()
    assert "a block of data is damaged" in check_dataset(copy).text()


def test_without_the_mark_complete(copy):
    with h5py.File(copy, "r+") as file:
        del file[GROUP].attrs["complete"]
    with pytest.raises(DataFileError, match="lacks the mark 'complete': writing it was interr"):
        open_dataset(copy)
    assert "FAIL written to the end" in check_dataset(copy).text()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (3, "has schema version 3; this pdesolve reads up to 2. Update pdesolve"),
        (0, "unknown schema version"),
        ("one", "unknown schema version, which is no integer"),
    ],
)
def test_other_schema_versions(copy, version, message):
    with h5py.File(copy, "r+") as file:
        file[GROUP].attrs["schema_version"] = version
    with pytest.raises(DataFileError, match=message):
        open_dataset(copy)
    assert "FAIL schema version" in check_dataset(copy).text()


def test_a_foreign_file(tmp_path):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file.create_group("data")
    with pytest.raises(DataFileError, match=r"did not write it\. Its groups: data"):
        open_dataset(tmp_path / "set.h5")


def test_a_changed_attribute(copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["n_spatial_dims"] = 3
    with pytest.raises(DataFileError, match="attributes do not fit their digest"):
        open_dataset(copy)


def test_a_changed_text(copy):
    content = copy.read_bytes()
    copy.write_bytes(content.replace(b"Dirichlet(value=0.0)", b"Dirichlet(value=1.0)", 1))
    with pytest.raises(DataFileError, match="texts do not fit their digest"):
        open_dataset(copy)
    assert "FAIL texts" in check_dataset(copy).text()


def put_float32(file):
    replace(file, "t0_fields/pressure", file["t0_fields/pressure"][:].astype("float32"))


def put_objects(file):
    texts = np.array(["a"] * 4, dtype=h5py.string_dtype())
    replace(file, "t0_fields/pressure", texts, fletcher32=False)


def put_other_shape(file):
    replace(file, "t0_fields/pressure", file["t0_fields/pressure"][:, :, :4])


def put_external_link(file):
    del file["t0_fields/pressure"]
    file["t0_fields/pressure"] = h5py.ExternalLink("elsewhere.h5", "/t0_fields/pressure")


def put_external_data(file):
    attributes = dict(file["t0_fields/pressure"].attrs)
    del file["t0_fields/pressure"]
    array = file.create_dataset(
        "t0_fields/pressure", (4, 1, 8, 8), "f8", external=[("/etc/hostname", 0, 2048)]
    )
    array.attrs.update(attributes)


def leave_out(file):
    del file[GROUP]["iterations"]


def put_no_checksums(file):
    values = file["t0_fields/pressure"][:]
    replace(file, "t0_fields/pressure", values, fletcher32=False)


def put_duplicate(file):
    file[GROUP]["sample_index"][2] = 1


def put_gap(file):
    file[GROUP]["sample_index"][3] = 9


def put_missing(file):
    file[GROUP]["status"][1] = 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (put_float32, "has type float32, not float64"),
        (put_objects, "holds objects, which is refused"),
        (put_other_shape, r"has shape \(4, 1, 4, 8\); its settings say \(4, 1, 8, 8\)"),
        (put_external_link, "is a link, which is refused"),
        (put_external_data, "lies in another file, which is refused"),
        (leave_out, "lacks the array 'pdesolve/iterations'"),
        (put_no_checksums, "has no checksums"),
        (put_duplicate, "sample 1 is there more than once"),
        (put_gap, "are not numbered 0 to n - 1"),
        (put_missing, "sample 1 was never written"),
    ],
)
def test_wrong_arrays(copy, damage, message):
    with h5py.File(copy, "r+") as file:
        damage(file)
        reseal(file)
    with pytest.raises(DataFileError, match=message):
        open_dataset(copy)
    assert not check_dataset(copy).passed


def test_values_that_are_not_finite(copy):
    with h5py.File(copy, "r+") as file:
        file["t0_fields/pressure"][2, 0, 3, 3] = np.inf
    with open_dataset(copy) as data:
        with pytest.raises(DataFileError, match="field 'pressure' of sample 2 is not finite"):
            data.read()
        assert data.read([0, 1])[1].shape == (2, 1, 8, 8)
    assert "FAIL values are finite: 'pressure' of sample 2" in check_dataset(copy).text()


def test_changed_values_do_not_fit_digest_and_statistics(copy):
    with h5py.File(copy, "r+") as file:
        file["t0_fields/pressure"][1, 0, 3, 3] += 1e-3
    text = check_dataset(copy).text()
    assert "FAIL sample digests: 1" in text
    assert "FAIL statistics: those of 'pressure' do not fit" in text


def test_a_missed_tolerance(copy):
    with h5py.File(copy, "r+") as file:
        file[GROUP]["residual"][1] = 1e-3
    report = check_dataset(copy)
    assert "FAIL residuals meet the tolerance" in report.text()
    with pytest.raises(DataFileError, match="NOT GOOD"):
        report.require()


def test_reading_needs_neither_petsc_nor_mpi(tmp_path):
    import subprocess

    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('petsc4py', 'firedrake'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from pdesolve.data import check_dataset, open_dataset, read_card\n"
        f"assert open_dataset({str(RELEASED)!r}).read()[0].shape == (4, 1, 8, 8)\n"
        f"assert check_dataset({str(RELEASED)!r}).passed\n"
        f"assert read_card({str(RELEASED)!r}).startswith('# darcy2d')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_to_json_is_canonical():
    assert to_json({"b": np.float64(1.5), "a": (1, np.int64(2))}) == '{"a": [1, 2], "b": 1.5}'
    assert read_info(RELEASED).fingerprint == fingerprint(read_info(RELEASED).settings)


def test_statistics_do_not_depend_on_grouping():
    """Rows longer than any buffer of NumPy's, one at a time or all together."""
    values = np.random.default_rng(0).standard_normal((4, 3, 4352))
    together, one_by_one = FieldStatistics(), FieldStatistics()
    together.add(values)
    for row in values:
        one_by_one.add(row[None])
    assert np.array_equal(together.values(), one_by_one.values())
    expected = [values.min(), values.max(), values.mean(), values.std()]
    np.testing.assert_allclose(together.values(), expected, rtol=1e-12, atol=1e-15)
