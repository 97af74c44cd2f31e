"""The backend spectral for problems in time: stepping, failing, checkpoints, states."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from operators.failures import CheckpointError, TimeStepFailure
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.allen_cahn import AllenCahnProblem
from pdesolve.problems.burgers import BurgersProblem
from pdesolve.problems.heat import HeatProblem
from pdesolve.problems.korteweg_de_vries import KortewegDeVriesProblem
from pdesolve.problems.kuramoto_sivashinsky import KuramotoSivashinskyProblem
from pdesolve.spectral.state import FourierState, periodic_interpolation
from tests.mpi import run_parallel

TIMES = (0.0, 0.5, 1.0, 2.0)


def chaos(name: str = "kuramoto_sivashinsky") -> KuramotoSivashinskyProblem:
    return KuramotoSivashinskyProblem(lambda x: np.cos(x[0] / 16), times=TIMES, name=name)


def heat_with_source() -> HeatProblem:
    """A linear part with a factor in time: the place in time matters in every step."""
    return HeatProblem(
        0.01,
        lambda t: 1 + 0.5 * np.sin(7 * t),
        source=lambda x: np.cos(2 * np.pi * x[0]),
        initial=lambda x: np.sin(2 * np.pi * x[0]),
        dimension=1,
        times=TIMES,
    )


def test_trajectory() -> None:
    seen: list[tuple[float, int]] = []
    trajectory = evolve(
        chaos(), mesh=64, dt=0.1, on_step=lambda info: seen.append((info.time, info.step))
    )
    assert trajectory.times == TIMES
    assert [round(time, 12) for time, _ in seen] == [round(0.1 * n, 12) for n in range(1, 21)]
    assert seen[-1] == (2.0, 20)
    assert trajectory.result.converged
    assert trajectory.result.reason == "CONVERGED_TIME"
    assert (trajectory.result.num_steps, trajectory.result.method) == (20, "etdrk4")
    assert trajectory.history["mass"].shape == (4,)
    assert trajectory.on(trajectory.states[0].grid).shape == (4, 1, 64)
    np.testing.assert_allclose(
        trajectory.states[0].values, chaos().initial_on(chaos().grid(64))[None], atol=1e-14
    )


def test_default_step_divides_the_outputs() -> None:
    trajectory = evolve(chaos(), mesh=64, times=(0.0, 0.33, 1.0))
    assert trajectory.times == (0.0, 0.33, 1.0)
    assert trajectory.result.num_steps == 7 + 14  # of at most 0.05


def test_lower_order_method() -> None:
    errors = []
    reference = evolve(chaos(), mesh=64, dt=1 / 128).field().values
    for dt in (1 / 4, 1 / 8, 1 / 16):
        found = evolve(chaos(), mesh=64, dt=dt, method="etdrk2").field().values
        errors.append(np.abs(found - reference).max())
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(rates - 2) < 0.2), rates


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("problem", [chaos(), heat_with_source()], ids=["chaos", "heat"])
def test_restart_at_an_output_is_identical(tmp_path: Path, problem) -> None:
    whole = evolve(problem, mesh=32, backend="spectral")
    path = tmp_path / "half.h5"
    half = evolve(problem, mesh=32, backend="spectral", times=TIMES[:3], checkpoint=path)
    rest = evolve(problem, mesh=32, backend="spectral", restart=path)
    np.testing.assert_array_equal(rest.states[-1].values, whole.states[-1].values)
    assert rest.times == (1.0, 2.0)
    assert half.result.num_steps < rest.result.num_steps == whole.result.num_steps


@pytest.mark.parametrize("problem", [chaos(), heat_with_source()], ids=["chaos", "heat"])
def test_restart_between_outputs_is_identical(tmp_path: Path, problem) -> None:
    whole = evolve(problem, mesh=32, backend="spectral")
    path = tmp_path / "half.h5"

    def kill(info) -> None:
        if info.step == 17:
            raise _KilledError

    with pytest.raises(_KilledError):
        evolve(
            problem,
            mesh=32,
            backend="spectral",
            checkpoint=path,
            checkpoint_every=7,
            on_step=kill,
        )
    with h5py.File(path) as file:
        assert '"num_steps": 14' in str(file.attrs["pdesolve_spectral_evolution"])
    rest = evolve(problem, mesh=32, backend="spectral", restart=path)
    np.testing.assert_array_equal(rest.states[-1].values, whole.states[-1].values)
    assert rest.result.num_steps == whole.result.num_steps


def test_restart_with_another_step_size(tmp_path: Path) -> None:
    path = tmp_path / "half.h5"
    whole = evolve(chaos(), mesh=32)
    evolve(chaos(), mesh=32, times=(0.0, 0.5), checkpoint=path)
    finer = evolve(chaos(), mesh=32, restart=path, dt=1 / 100)
    assert finer.result.num_steps == 10 + 150
    np.testing.assert_allclose(finer.states[-1].values, whole.states[-1].values, atol=1e-6)


def test_checkpoints_of_other_problems_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    times = (0.0, 0.5)
    evolve(chaos(), mesh=32, times=times, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"shape \[32\]; this solve has \[64\]"):
        evolve(chaos(), mesh=64, restart=path)
    with pytest.raises(CheckpointError, match="problem 'kuramoto_sivashinsky'; this solve has 'x'"):
        evolve(chaos("x"), mesh=32, restart=path)
    with pytest.raises(CheckpointError, match="method 'etdrk4'; this solve has 'etdrk2'"):
        evolve(chaos(), mesh=32, restart=path, method="etdrk2")
    with pytest.raises(InputError, match=r"checkpoint is at t = 0\.5 already"):
        evolve(chaos(), mesh=32, times=times, restart=path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        evolve(chaos(), mesh=32, restart=tmp_path / "b.h5")
    one, other = (BurgersProblem(nu, lambda x: np.sin(2 * np.pi * x[0])) for nu in (0.01, 0.02))
    evolve(one, mesh=32, times=times, checkpoint=path)
    with pytest.raises(CheckpointError, match="other coefficients"):
        evolve(other, mesh=32, restart=path)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    evolve(chaos(), mesh=256, times=(0.0, 0.1), checkpoint=path)
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        place = file["coefficients"].id.get_chunk_info(0).byte_offset
    content[place + 100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        evolve(chaos(), mesh=256, restart=path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        evolve(chaos(), mesh=256, restart=path)
    with h5py.File(path, "w") as file:
        file["other"] = 1.0
    with pytest.raises(CheckpointError, match="not a checkpoint of the backend 'spectral'"):
        evolve(chaos(), mesh=256, restart=path)


def test_blow_up_stops_with_place_and_checkpoint(tmp_path: Path) -> None:
    problem = KortewegDeVriesProblem(
        lambda x: 20 * np.cos(2 * np.pi * x[0] / 64), times=(0.0, 1, 90)
    )
    path = tmp_path / "a.h5"
    with (
        pytest.warns(UserWarning, match="times the step that resolves"),
        pytest.raises(
            TimeStepFailure,
            match=r"step \d+, to t = .*'u' is not finite .*first at index.*largest at",
        ) as caught,
        np.errstate(all="ignore"),
    ):
        evolve(problem, mesh=128, dt=0.1, checkpoint=path, checkpoint_every=1)
    failure = caught.value
    assert failure.result.reason == "DIVERGED_NOT_FINITE"
    assert not failure.result.converged
    assert len(failure.solution.states) >= 1
    assert np.isfinite(failure.solution.states[-1].values).all()
    assert f"(step {failure.result.num_steps})" in str(failure)


def test_unresolved_solutions_are_noted() -> None:
    problem = BurgersProblem(1e-4, lambda x: np.sin(2 * np.pi * x[0]), times=(0.0, 0.3))
    coarse = evolve(problem, mesh=32, backend="spectral")
    assert "a finer grid would change it" in coarse.result.notes[0]
    smooth = BurgersProblem(0.1, lambda x: np.sin(2 * np.pi * x[0]), times=(0.0, 0.3))
    assert evolve(smooth, mesh=64, backend="spectral").result.notes == ()


def test_rounding_does_not_grow_where_waves_do() -> None:
    """At rest for 100 e-folds of the unstable linear part: modes of no real function stay 0."""
    problem = AllenCahnProblem(
        0.1, lambda x: np.cos(2 * np.pi * x[0]) * np.sin(2 * np.pi * x[1]), times=(0.0, 100.0)
    )
    trajectory = evolve(problem, mesh=16, dt=0.25)
    assert trajectory.result.converged
    assert np.abs(trajectory.states[-1].values).max() < 1.05


def test_rejections() -> None:
    with pytest.raises(InputError, match=r"dt=0\.3 does not divide"):
        evolve(chaos(), mesh=32, dt=0.3)
    with pytest.raises(InputError, match=r"has no method 'rk4'\. .*etdrk4"):
        evolve(chaos(), mesh=32, method="rk4")
    with pytest.raises(InputError, match="no rtol; give dt"):
        evolve(chaos(), mesh=32, rtol=1e-6)
    with pytest.raises(InputError, match="no PETSc options; unused: ts_type"):
        evolve(chaos(), mesh=32, solver_parameters={"ts_type": "rk"}, unused_options="error")
    with pytest.warns(UserWarning, match="no PETSc options"):
        evolve(chaos(), mesh=32, times=(0, 0.1), solver_parameters={"ts_type": "rk"})
    with pytest.raises(InputError, match=r"grid has \(2,\) points; Fourier modes need 4 or more"):
        evolve(chaos(), mesh=2)
    with pytest.raises(InputError, match="not the problem's"):
        evolve(chaos(), mesh=StructuredGrid(32, periodic=True))
    with pytest.raises(InputError, match="wraps on every axis"):
        evolve(chaos(), mesh=StructuredGrid(32, upper=32 * np.pi))
    problem = HeatProblem(lambda x: 1 + x[0], dimension=1)
    with pytest.raises(InputError, match="one number as conductivity"):
        problem.spectral_evolution(problem.grid(8))


@pytest.mark.parametrize("shape", [(16,), (15,), (12, 9), (8, 6, 10)])
def test_sampling_is_exact_for_kept_modes(shape: tuple[int, ...]) -> None:
    d = len(shape)
    grid = StructuredGrid(shape, lower=(-1.0,) * d, upper=(1.0, 2.0, 0.5)[:d], periodic=(True,) * d)

    def wave(at: StructuredGrid) -> np.ndarray:
        angles = [
            2 * np.pi * (x - low) / length
            for x, low, length in zip(at.points(), at.lower, at.extent, strict=True)
        ]
        return np.stack([np.cos(sum(angles)), 1.0 + np.sin(2 * angles[0])])

    state = FourierState(grid, wave(grid), ("u", "v"))
    targets = (
        grid.with_shape(tuple(2 * n + 1 for n in shape)),
        grid.with_shape((5,) * d),
        StructuredGrid((7,) * d, grid.lower, grid.upper, location="vertex"),  # both ends
    )
    for target in targets:
        sampled = state.sample(target)
        assert sampled.names == ("u", "v")
        np.testing.assert_allclose(sampled.values, wave(target), atol=1e-13)
    assert state.sample(grid).values is not None
    assert list(state.local_fields()) == ["u", "v"]
    np.testing.assert_array_equal(state.gather().values, state.native)


def test_sampling_rejections() -> None:
    grid = StructuredGrid(8, periodic=True)
    state = FourierState(grid, np.ones((1, 8)), ("u",))
    with pytest.raises(InputError, match="1D grid, not a 2D one"):
        state.sample(StructuredGrid((8, 8)))
    with pytest.raises(InputError, match="reach out of the state's box, 0 to 1"):
        state.sample(StructuredGrid(8, upper=2.0))
    np.testing.assert_allclose(
        periodic_interpolation(grid, 0, grid.axes()[0]), np.eye(8), atol=1e-15
    )


def test_paraview_series(tmp_path: Path) -> None:
    pytest.importorskip("vtkmodules")
    family = get_family("gray_scott2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    trajectory = evolve(problem, mesh=16, times=(0.0, 1.0))
    trajectory.states[-1].write_paraview(tmp_path / "a.pvd", 1.0)
    assert (tmp_path / "a.pvd").is_file()
    assert trajectory.gather().names == ("concentration_u", "concentration_v")


SCRIPT = """
import numpy as np
from pathlib import Path
from mpi4py import MPI
from pdesolve import evolve
from pdesolve.problems.kuramoto_sivashinsky import KuramotoSivashinskyProblem
problem = KuramotoSivashinskyProblem(lambda x: np.cos(x[0] / 16), times=(0.0, 0.5, 1.0))
trajectory = evolve(problem, mesh=64, checkpoint="{folder}/a.h5")
again = evolve(problem, mesh=64, times=(0.0, 0.5, 1.0, 1.5), restart="{folder}/a.h5")
values = MPI.COMM_WORLD.allgather(again.gather().values)
assert all(np.array_equal(values[0], other) for other in values)
if MPI.COMM_WORLD.rank == 0:
    np.save("{folder}/values.npy", values[0])
"""


@pytest.mark.petsc
@pytest.mark.parallel
def test_every_process_computes_the_whole(tmp_path: Path) -> None:
    answers = []
    for ranks in (1, 3):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        run_parallel(SCRIPT.format(folder=folder), ranks)
        answers.append(np.load(folder / "values.npy"))
    np.testing.assert_array_equal(*answers)
    trajectory = evolve(
        KuramotoSivashinskyProblem(lambda x: np.cos(x[0] / 16), times=(0.0, 0.5, 1.0, 1.5)),
        mesh=64,
    )
    np.testing.assert_array_equal(trajectory.gather().values, answers[0])
