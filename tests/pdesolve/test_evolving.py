"""What evolve does on every backend: checks, outputs, checkpoints, failures."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from operators.failures import TimeStepFailure
from pdesolve import EvolutionProblem, Periodic, evolve, get_family, sample_generator, solve
from pdesolve.spectral.evolution import SpectralEvolution
from pdesolve.step_sizes import checked_times, steps_between
from tests.mpi import run_parallel


@dataclass(frozen=True, eq=False)
class Explosion(EvolutionProblem):
    """u' = u² from u = 1, which is infinite at t = 1."""

    name: str = "explosion"
    dimension: int = 1
    lower: tuple = (0.0,)
    upper: tuple = (1.0,)
    times: tuple = (0.0, 0.5, 0.9, 2.0)
    boundary_conditions: dict = field(default_factory=lambda: {"all": Periodic()})

    def input_fields(self, grid):
        return Field(grid, np.ones(grid.shape), ("initial_u",))

    def spectral_evolution(self, grid):
        def square(transforms, time, u_hat, parameters):
            return transforms.forward(transforms.inverse(u_hat) ** 2)

        def mass(transforms, u_hat, parameters):
            return transforms.inverse(u_hat).mean()

        def nothing(transforms, parameters):
            return 0.0 * transforms.laplacian

        start = np.ones((1, *grid.shape))
        quantities = {"mass": mass}
        return SpectralEvolution(
            grid, ("u",), start, nothing, square, diagnostics=quantities, step_size=0.01
        )


def problem(**options):
    family = get_family("burgers1d", **options)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


def test_blow_up_names_step_time_channel_and_checkpoint(tmp_path):
    path = tmp_path / "run.h5"
    with pytest.raises(TimeStepFailure) as caught:
        evolve(Explosion(), mesh=8, dt=0.02, checkpoint=path, checkpoint_every=5)
    message = str(caught.value)
    assert "'u'" in message
    assert "step" in message
    assert "t = " in message
    assert f"The last good checkpoint is '{path}' at t = " in message
    partial = caught.value.solution
    assert partial.times == (0.0, 0.5, 0.9)
    assert partial.history["mass"][1] == pytest.approx(2.0, rel=1e-6)
    assert caught.value.result is not None
    assert not caught.value.result.converged
    # the checkpoint is good: the run goes on from it until shortly before the explosion
    before = evolve(Explosion(), mesh=8, dt=0.02, times=(0.0, 0.5), checkpoint=path)
    later = evolve(Explosion(), mesh=8, dt=0.02, times=(0.0, 0.8), restart=path)
    assert before.times == (0.0, 0.5)
    assert later.history["mass"][-1] == pytest.approx(5.0, rel=1e-4)


@pytest.mark.parametrize(
    ("backend", "method"),
    [
        ("spectral", None),
        pytest.param("grid", "cn", marks=pytest.mark.petsc),
        pytest.param("fem", "crank-nicolson", marks=pytest.mark.firedrake),
    ],
)
def test_times_before_zero(backend, method, tmp_path):
    family = get_family("heat1d", modulation=0.0)
    draw = family.problem(family.sample(sample_generator(0, "test", 0)))
    options = {"mesh": 16, "backend": backend, "method": method, "dt": 0.125}
    later = evolve(draw, times=(0.0, 0.5, 1.0), **options)
    earlier = evolve(draw, times=(-1.0, -0.5, 0.0), checkpoint=tmp_path / "a.h5", **options)
    assert earlier.times == (-1.0, -0.5, 0.0)
    assert earlier.result.num_steps == 8
    np.testing.assert_allclose(earlier.gather().values, later.gather().values, atol=1e-12)
    with pytest.raises(InputError, match="checkpoint is at t = 0 already"):
        evolve(draw, times=(-1.0, 0.0), restart=tmp_path / "a.h5", **options)


def test_observers_see_every_step_and_output():
    steps, outputs = [], []
    trajectory = evolve(
        problem(num_times=3, final_time=0.2),
        mesh=32,
        dt=0.02,
        on_step=steps.append,
        on_output=lambda time, state: outputs.append((time, state.gather().values.sum())),
    )
    assert [info.step for info in steps] == list(range(1, 11))
    assert steps[-1].time == steps[-1].final_time == 0.2
    assert steps[4].time == 0.1
    assert all(info.step_size == pytest.approx(0.02) for info in steps)
    assert [time for time, _ in outputs] == [0.0, 0.1, 0.2]
    assert outputs[2][1] == trajectory.gather(2).values.sum()
    assert trajectory.times == (0.0, 0.1, 0.2)
    assert trajectory.result.num_steps == 10


@pytest.mark.parametrize("backend", ["spectral", pytest.param("grid", marks=pytest.mark.petsc)])
def test_half_a_restart_and_half_are_the_whole(tmp_path, backend):
    start = problem(num_times=2, final_time=0.2)
    options = {"mesh": 32, "dt": 0.005, "backend": backend}
    if backend == "grid":
        options["method"] = "ssp"
        options["dt"] = 0.00125
    whole = evolve(start, **options)
    path = tmp_path / "half.h5"
    evolve(start, times=(0.0, 0.1), checkpoint=path, **options)
    rest = evolve(start, restart=path, **options)
    assert rest.times == (0.1, 0.2)
    assert rest.result.num_steps == whole.result.num_steps
    assert np.array_equal(rest.gather().values, whole.gather().values)


def test_a_checkpoint_past_the_end_is_refused(tmp_path):
    start = problem(num_times=2, final_time=0.1)
    evolve(start, mesh=32, dt=0.01, checkpoint=tmp_path / "run.h5")
    with pytest.raises(InputError, match=r"the checkpoint is at t = 0\.1 already"):
        evolve(start, mesh=32, dt=0.01, restart=tmp_path / "run.h5")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mesh": None}, "mesh is missing"),
        ({"times": [0.0]}, "must hold the initial time and one more"),
        ({"times": [0.0, np.nan]}, "must be finite numbers"),
        ({"times": [0.0, 1.0, 1.0]}, "times must grow; 1 follows 1"),
        ({"times": 3.0}, "must be a sequence"),
        ({"dt": 0.0}, "must be positive and finite"),
        ({"dt": np.inf}, "must be positive and finite"),
        ({"dt": "fast"}, "must be a positive number"),
        ({"dt": 0.3}, "does not divide the time between the outputs"),
        ({"backend": "fem"}, "has no form for the backend 'fem'"),
        ({"backend": "spectrum"}, "there is no backend 'spectrum'"),
        ({"mesh": "domain.msh"}, "is solved on boxes"),
        ({"checkpoint": "run.txt"}, r"must end in \.h5"),
        ({"checkpoint": "run.h5", "checkpoint_every": 0}, "must be a positive number of steps"),
        ({"checkpoint_every": 3}, "checkpoint_every needs checkpoint"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        evolve(problem(), **{"mesh": 16, **options})


@pytest.mark.petsc
def test_steady_and_unsteady_problems_are_told_apart():
    family = get_family("darcy1d")
    steady = family.problem(family.sample(sample_generator(0, "test", 0)))
    with pytest.raises(InputError, match="a steady problem; use solve"):
        evolve(steady, mesh=8)
    with pytest.raises(InputError, match=r"evolves in time; use pdesolve\.evolve"):
        solve(problem(), mesh=8)


def test_times_and_steps():
    assert checked_times(np.linspace(0, 1, 3)) == (0.0, 0.5, 1.0)
    assert steps_between(0.1, 0.3, 0.1) == 2
    with pytest.raises(InputError, match=r"dt=0\.15 does not divide .* dt=0\.2 does"):
        steps_between(0.0, 0.2, 0.15)


@pytest.mark.parallel
@pytest.mark.parametrize(
    ("backend", "which"),
    [
        pytest.param("grid", "on_step", marks=pytest.mark.petsc),
        pytest.param("grid", "on_output", marks=pytest.mark.petsc),
        pytest.param("fem", "on_step", marks=pytest.mark.firedrake),
    ],
)
def test_an_observer_that_fails_on_one_process_ends_all(backend, which):
    out = run_parallel(Path(__file__).with_name("check_observers.py"), 3, backend, which)
    assert out.count("ValueError: the disk is full") == 3
    assert out.count("PDESolveError: process 1 stopped the run. ValueError") == 2
