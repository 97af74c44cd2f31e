"""Fields on points in files for ParaView."""

from __future__ import annotations

import meshio
import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.output.points import write_points

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("points", "cells", "kind", "stored"),
    [
        (SQUARE, [[0, 1, 2], [0, 2, 3]], "triangle", "triangle"),
        (SQUARE, [[0, 1, 2, 3]], "quadrilateral", "quad"),
        (SQUARE[:2, :1], [[0, 1]], "interval", "line"),
        (SQUARE, None, None, "vertex"),
    ],
)
def test_what_is_written_is_read_again(tmp_path, points, cells, kind, stored) -> None:
    values = {"u": np.arange(len(points)) + 0.5, "a": -np.ones(len(points))}
    path = write_points(tmp_path / "u.pvd", points, values, cells, kind)
    assert 'file="u/u_0000.vtu"' in path.read_text()
    found = meshio.read(tmp_path / "u" / "u_0000.vtu")
    np.testing.assert_array_equal(found.points[:, : points.shape[1]], points)
    assert found.cells[0].type == stored
    if cells is not None:
        np.testing.assert_array_equal(found.cells[0].data, cells)
    for name, given in values.items():
        np.testing.assert_array_equal(found.point_data[name], given)


def test_what_does_not_fit_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"must end in \.pvd"):
        write_points(tmp_path / "u.vtu", SQUARE, {"u": np.ones(4)})
    with pytest.raises(InputError, match="another number of values than the 4 points"):
        write_points(tmp_path / "u.pvd", SQUARE, {"u": np.ones(3)})
    with pytest.raises(InputError, match="there is no field to write"):
        write_points(tmp_path / "u.pvd", SQUARE, {})
    (tmp_path / "u").write_text("")
    with pytest.raises(InputError, match="is a file; the data of"):
        write_points(tmp_path / "u.pvd", SQUARE, {"u": np.ones(4)})
