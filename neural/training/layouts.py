"""Which layout a file has, and the reader that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import h5py

from meshes.errors import InputError, suggest
from neural.training import matlab_files, pdebench, pdebench_arrays, the_well
from neural.training.field_contents import FieldContents
from neural.training.field_files import FieldFileReader
from neural.training.file_arrays import listed, open_hdf5
from neural.training.mesh_files import MeshFileReader, is_mesh_file
from neural.training.samples import SampleSource
from neural.training.scalar_channels import ScalarChannels
from neural.training.subsampling import Subsampled
from neural.training.tensor_files import SUFFIXES, TensorFileReader
from operators.failures import DataFileError

Layout = Literal["auto", "pdesolve", "mesh", "the-well", "pdebench", "fno-mat", "tensors"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
_GENERATED = "pdesolve"


def open_samples(
    path: str | Path,
    *,
    output_time: int = -1,
    layout: str = "auto",
    subsampling: int = 1,
    input_fields: Sequence[str] | None = None,
    output_fields: Sequence[str] | None = None,
    scalar_channels: Sequence[str] | None = None,
) -> SampleSource:
    """Open a file of samples.

    Parameters
    ----------
    path
        The file.
    output_time
        Which of the times of a data set of trajectories gives the outputs.
    layout
        ``"pdesolve"`` (written by ``pdesolve generate``), ``"mesh"`` (fields on points, written
        by ``write_mesh_samples``), ``"the-well"``, ``"pdebench"``, ``"fno-mat"``, ``"tensors"``
        (``torch.save``), or ``"auto"``: by what is in the file.
    subsampling
        Read every so-manyth vertex, or means over so many cells, along each axis.
    input_fields, output_fields
        Which fields to use, where the layout leaves a choice.
    scalar_channels
        Scalar parameters of the file that become inputs, constant over the grid.

    Raises
    ------
    InputError
        If an option is unknown or does not fit the file.
    DataFileError
        If the file is of another layout, or damaged.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout={layout!r} is unknown. {suggest(str(layout), LAYOUTS)}")
    file, fields = Path(path), (input_fields, output_fields)
    chosen = layout if layout != "auto" else _layout_of(file)
    source: SampleSource
    if chosen == "tensors":
        source = TensorFileReader(file, input_fields=input_fields, output_fields=output_fields)
    elif chosen in (_GENERATED, "mesh"):
        from pdesolve.data import open_dataset

        if any(names is not None for names in fields):
            raise InputError(
                f"'{file}' names its inputs and outputs itself; leave out input_fields and "
                "output_fields"
                + (", or read it with layout='the-well'" if chosen == _GENERATED else "")
            )
        source = (
            MeshFileReader(file)
            if chosen == "mesh"
            else open_dataset(file, output_time=output_time)
        )
    else:
        source = _open_fields(file, chosen, output_time, *fields)
    if subsampling != 1:
        source = Subsampled(source, subsampling)
    return ScalarChannels(source, scalar_channels) if scalar_channels else source


def _open_fields(
    path: Path,
    layout: str,
    output_time: int,
    input_fields: Sequence[str] | None,
    output_fields: Sequence[str] | None,
) -> FieldFileReader:
    opened = matlab_files.open_matlab if layout == "fno-mat" else open_hdf5
    handle = opened(path)
    try:
        contents: FieldContents
        if layout == "fno-mat":
            contents = matlab_files.read_contents(handle, path, input_fields, output_fields)
        else:
            module = {"the-well": the_well, "pdebench": pdebench}[layout]
            contents = module.read_contents(handle, path)
    except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        if isinstance(error, InputError | DataFileError):
            raise
        raise DataFileError(f"'{path}' is not in the layout '{layout}': {error}") from error
    finally:
        if isinstance(handle, h5py.File):
            handle.close()
    reader = partial(FieldFileReader, path, contents, opened, output_time=output_time)
    return reader(input_fields=input_fields, output_fields=output_fields)


def _layout_of(path: Path) -> str:
    """By suffix, or by what an HDF5 file holds."""
    if path.suffix in SUFFIXES:
        return "tensors"
    if path.suffix == ".mat":
        return "fno-mat"
    if is_mesh_file(path):
        return "mesh"
    if not path.is_file() or not h5py.is_hdf5(path):
        return _GENERATED  # whose reader says what is wrong with it
    with open_hdf5(path) as file:
        try:
            found = listed(list(file))
            if _GENERATED in file:
                return _GENERATED
            if the_well.is_the_well(file):
                return "the-well"
            if pdebench.is_pdebench(file):
                return "pdebench"
        except (TypeError, RuntimeError, OSError, KeyError, ValueError) as error:
            raise DataFileError(f"'{path}' is damaged: {error}") from error
    raise DataFileError(
        f"'{path}' is of no known layout: it holds {found}. Known are files of pdesolve generate "
        f"(with a group 'pdesolve'); {the_well.EXPECTED}; {pdebench_arrays.EXPECTED}; MATLAB "
        "files with the suffix .mat; and tensors with the suffix .pt"
    )
