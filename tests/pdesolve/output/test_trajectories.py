"""Pictures, animations and time series of solutions in time."""

from pathlib import Path

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve import evolve, get_family, sample_generator


@pytest.fixture(scope="module", params=["burgers1d", "burgers2d"])
def trajectory(request):
    family = get_family(request.param, num_times=6, final_time=0.1)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    return evolve(problem, mesh=16)


def test_series_holds_every_time_and_channel(trajectory, tmp_path):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    path = trajectory.save(tmp_path / "deep" / "u.pvd")
    text = path.read_text()
    assert text.count("timestep=") == 6
    assert f'timestep="{trajectory.times[3]!r}"' in text
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(tmp_path / "deep" / "u" / "u_0003.vti"))
    reader.Update()
    data = reader.GetOutput().GetCellData()
    expected = trajectory.gather(3)
    for name in expected.names:
        values = vtk_to_numpy(data.GetArray(name))
        assert np.array_equal(values, expected[name].ravel(order="F"))


def test_picture_is_drawn(trajectory, tmp_path):
    from matplotlib.image import imread

    shown = imread(trajectory.plot(tmp_path / "u.png"))
    assert shown.std() > 0.05  # more than a blank page
    with pytest.raises(InputError, match=r"must end in \.png, \.pdf or \.svg"):
        trajectory.plot(tmp_path / "u.txt")


def test_gif_has_a_frame_for_each_time(trajectory, tmp_path):
    from PIL import Image

    path = trajectory.animate(tmp_path / "u.gif", frames_per_second=5)
    with Image.open(path) as image:
        assert image.n_frames == 6
        frames = []
        for number in (0, 5):
            image.seek(number)
            frames.append(np.asarray(image.convert("L"), dtype=float))
    assert np.abs(frames[0] - frames[1]).max() > 50
    assert [file.name for file in tmp_path.iterdir()] == ["u.gif"]


def test_mp4_can_be_read_back(trajectory, tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = trajectory.animate(tmp_path / "u.mp4", frames_per_second=5)
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count == 6
    assert seconds == pytest.approx(6 / 5, abs=0.05)


def test_bad_animations_are_refused(trajectory, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.mp4 or \.gif"):
        trajectory.animate(tmp_path / "u.avi")
    with pytest.raises(InputError, match="frames_per_second=0 must be 1 or more"):
        trajectory.animate(tmp_path / "u.gif", frames_per_second=0)
    assert not list(Path(tmp_path).iterdir())


def test_values_at_the_points_of_another_grid(trajectory):
    grid = trajectory.gather(0).mesh
    values = trajectory.on(grid.with_shape(8))
    assert values.shape == (6, len(trajectory.gather(0).names), *(8,) * grid.dimension)
    assert np.isfinite(values).all()
