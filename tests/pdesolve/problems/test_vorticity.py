"""Two-dimensional flow in vorticity form: the benchmark, turbulence, exact decay."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.random_vorticity import TurbulentVorticity, benchmark_vorticity
from pdesolve.problems.vorticity import VorticityProblem
from pdesolve.spectral.batch import evolve_batch, rollout
from pdesolve.spectral.transforms import Transforms
from pdesolve.spectral.vorticity import Advection, velocity_of

NAMES = ("navier_stokes2d", "decaying_turbulence2d", "taylor_green2d")


def problem_of(name: str, index: int = 0, **options) -> VorticityProblem:
    family = get_family(name, **options)
    return family.problem(family.sample(sample_generator(0, "test", index)))


def crank_nicolson(initial: np.ndarray, viscosity: float, stop: float, steps: int) -> np.ndarray:
    """The benchmark's scheme written on its own: complex transforms, u·∇ω, unit torus.

    Everything, the initial state included, is cut at |k| ≤ n/3, as the benchmark cuts its
    convection term.
    """
    n, dt = len(initial), stop / steps
    k = 2 * np.pi * np.fft.fftfreq(n, 1 / n)
    k_x, k_y = np.meshgrid(k, k, indexing="ij")
    squares = k_x**2 + k_y**2
    kept = (np.abs(k_x) < 2 * np.pi * n / 3) & (np.abs(k_y) < 2 * np.pi * n / 3)
    inverse = np.where(squares > 0, 1 / np.where(squares > 0, squares, 1), 0)
    x = np.arange(n) / n
    phase = 2 * np.pi * (x[:, None] + x[None, :])
    forcing = np.fft.fft2(0.1 * (np.sin(phase) + np.cos(phase)))
    w = np.fft.fft2(initial) * kept

    def real(symbol: np.ndarray) -> np.ndarray:
        return np.fft.ifft2(symbol * w).real

    for _ in range(steps):
        advection = real(1j * k_y * inverse) * real(1j * k_x)
        advection += real(-1j * k_x * inverse) * real(1j * k_y)
        explicit = forcing - kept * np.fft.fft2(advection)
        half = 0.5 * dt * viscosity * squares
        w = ((1 - half) * w + dt * explicit) / (1 + half)
    return np.fft.ifft2(w).real


@pytest.mark.parametrize(("viscosity", "start"), [(1e-3, 0.0), (1e-4, 8.0)])
def test_the_benchmark_equals_an_independent_solver(viscosity, start):
    problem = problem_of("navier_stokes2d", viscosity=viscosity, variance="script", num_modes=41)
    size, stop = 64, 0.5
    begin = evolve(problem, mesh=size, times=(0.0, start)).gather() if start else problem.initial
    later = replace(problem, initial=begin, times=(0.0, stop))
    ours = evolve(later, mesh=size, dt=0.0125).gather().values[0]
    initial = later.initial_on(later.grid(size))
    coarse = crank_nicolson(initial, viscosity, stop, 500)
    fine = crank_nicolson(initial, viscosity, stop, 1000)
    size_of = np.linalg.norm(ours)
    assert np.linalg.norm(fine - ours) < 1e-4 * size_of
    extrapolated = 2 * fine - coarse  # the scheme is of first order
    assert np.linalg.norm(extrapolated - ours) < 1e-7 * size_of, (
        np.linalg.norm(extrapolated - ours) / size_of
    )


def test_studies():
    from benchmarks.families.vorticity import orders

    for study in orders():
        study.check()


def test_benchmark_numbers():
    family = get_family("navier_stokes2d")
    assert [get_family("navier_stokes2d", viscosity=nu).times[-1] for nu in (1e-3, 1e-4, 1e-5)] == [
        50.0,
        30.0,
        20.0,
    ]
    np.testing.assert_allclose(np.diff(family.times), 1.0)
    problem = problem_of("navier_stokes2d")
    grid = problem.grid(64)
    np.testing.assert_allclose(grid.axes()[0], np.arange(64) / 64)
    assert problem.viscosity == 1e-3
    x, y = grid.points()
    expected = 0.1 * (np.sin(2 * np.pi * (x + y)) + np.cos(2 * np.pi * (x + y)))
    np.testing.assert_allclose(problem.forcing_on(grid), expected, atol=1e-15)


@pytest.mark.parametrize(("variance", "scale"), [("paper", 7**1.5), ("script", 7.0**3)])
def test_initial_vorticity_has_the_stated_covariance(variance, scale):
    """Mean squares of Fourier coefficients against s (4π²|k|² + 49)^(−2.5)."""
    field = benchmark_vorticity(variance, 63)
    grid = StructuredGrid((64, 64), periodic=(True, True), location="vertex")
    rng = np.random.default_rng(0)
    squares = np.zeros((64, 64))
    count = 400
    for _ in range(count):
        squares += np.abs(np.fft.fft2(field.sample(rng).on(grid)) / 64**2) ** 2 / count
    k = np.fft.fftfreq(64, 1 / 64)
    total = k[:, None] ** 2 + k[None, :] ** 2
    expected = scale * (4 * np.pi**2 * total + 49) ** -2.5
    assert squares[0, 0] < 1e-20
    for ring in (1, 2, 5, 25):
        found = squares[total == ring].mean()
        assert found == pytest.approx(expected[total == ring][0], rel=0.15), ring


@pytest.mark.parametrize("name", NAMES)
def test_one_function_on_every_grid(name):
    problem = problem_of(name)
    coarse, fine = (problem.initial_on(problem.grid(size)) for size in (16, 48))
    np.testing.assert_allclose(coarse, fine[::3, ::3], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_and_channels(name):
    family = get_family(name)
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    problem = problem_of(name)
    assert problem.input_fields(problem.grid(8)).names == family.inputs
    assert problem.unknowns == family.outputs
    for channel in (*family.inputs, *family.outputs, *family.parameters.names):
        assert family.units[channel]


def test_taylor_green_decays_as_the_exact_solution():
    family = get_family("taylor_green2d", wavenumber=3)
    draw = family.sample(sample_generator(0, "test", 0))
    trajectory = evolve(family.problem(draw), mesh=16)
    for index, time in enumerate(trajectory.times):
        state = trajectory.gather(index)
        exact = family.vorticity(draw, time)(state.mesh.points())
        np.testing.assert_allclose(state.values[0], exact, atol=1e-12)
    times = np.array(trajectory.times)
    energy = draw["amplitude"] ** 2 / 4 * np.exp(-4 * draw["viscosity"] * 9 * times)
    np.testing.assert_allclose(trajectory.history["energy"], energy)


@pytest.mark.parametrize(("peak", "energy_of_flow", "steepness"), [(6.0, 0.5, 1), (4.0, 0.25, 2)])
def test_turbulence_has_its_spectrum_and_energy(peak, energy_of_flow, steepness):
    """McWilliams' one, and a smoother one."""
    flow = TurbulentVorticity(peak, energy_of_flow, 30, steepness=steepness)
    grid = StructuredGrid((64, 64), upper=2 * np.pi, periodic=(True, True), location="vertex")
    rng = np.random.default_rng(0)
    k = np.fft.fftfreq(64, 1 / 64)
    total = np.hypot(k[:, None], k[None, :])
    energy = np.zeros((64, 64))
    for _ in range(100):
        w = np.fft.fft2(flow.sample(rng).on(grid)) / 64**2
        energy += 0.5 * np.abs(w) ** 2 / np.where(total > 0, total, 1) ** 2 / 100
    assert energy.sum() == pytest.approx(energy_of_flow, rel=1e-12)
    shape = 1 / (1 + (total / peak) ** 4) ** steepness
    expected = np.where((total > 0) & (total <= 30), shape, 0.0)
    expected *= energy_of_flow / expected.sum()  # E(k) over the 2πk modes of a ring
    for ring in range(4, 30):
        inside = np.round(total) == ring
        assert energy[inside].sum() == pytest.approx(expected[inside].sum(), rel=0.15), ring


def test_a_spectrum_that_vanishes_is_refused():
    with pytest.raises(InputError, match="leave no flow"):
        TurbulentVorticity(1e-30, steepness=3).sample(np.random.default_rng(0))


def test_energy_is_nearly_kept_and_enstrophy_falls():
    problem = problem_of("decaying_turbulence2d", final_time=6.0, num_times=7)
    history = evolve(problem, mesh=96).history
    energy, enstrophy = history["energy"], history["enstrophy"]
    assert (np.diff(energy) < 0).all()
    assert (np.diff(enstrophy) < 0).all()
    assert energy[-1] > 0.94 * energy[2]  # after the shortest waves have gone
    assert enstrophy[-1] < 0.5 * enstrophy[2]


def test_energy_falls_at_the_rate_of_enstrophy():
    """dE/dt = −2 ν Z under Newton's viscosity, by Simpson's rule over short times."""
    options = {"viscosity": 2e-3, "viscosity_order": 1, "largest_wavenumber": 12}
    problem = problem_of("decaying_turbulence2d", **options)
    history = evolve(problem, mesh=64, times=(0.0, 0.05, 0.1), dt=0.0025).history
    first, middle, last = history["enstrophy"]
    lost = history["energy"][0] - history["energy"][-1]
    assert lost == pytest.approx(2 * 2e-3 * 0.1 / 6 * (first + 4 * middle + last), rel=1e-6)


def test_energy_and_enstrophy_are_kept_without_viscosity():
    problem = problem_of("decaying_turbulence2d", viscosity=0.0, largest_wavenumber=10)
    history = evolve(problem, mesh=48, times=(0.0, 1.0), dt=0.005).history
    for name in ("energy", "enstrophy"):
        assert history[name][1] == pytest.approx(history[name][0], rel=1e-8), name


@pytest.mark.parametrize("size", [16, 15])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_pruned_transforms_change_nothing(size, dtype):
    grid = StructuredGrid((size, size + 2), periodic=(True, True), location="vertex")
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    rng = np.random.default_rng(0)
    one, two = Transforms(grid, dtype=dtype), Transforms(grid, dtype=dtype, workers=2)
    w_hat = one.forward(one.asarray(rng.standard_normal((3, 1, *grid.shape))))
    found, expected = (Advection()(item, 0.0, w_hat, {}) for item in (one, two))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


def test_the_convection_term_is_u_grad_w():
    grid = StructuredGrid((24, 24), upper=2 * np.pi, periodic=(True, True), location="vertex")
    x, y = grid.points()
    w = np.sin(x + 2 * y) + 0.5 * np.cos(3 * x - y)
    u, v = velocity_of(Field(grid, w, ("vorticity",))).values
    slope_x = np.cos(x + 2 * y) - 1.5 * np.sin(3 * x - y)
    slope_y = 2 * np.cos(x + 2 * y) + 0.5 * np.sin(3 * x - y)
    transforms = Transforms(grid)
    found = transforms.inverse(Advection()(transforms, 0.0, transforms.forward(w[None]), {}))
    np.testing.assert_allclose(found[0], -(u * slope_x + v * slope_y), atol=1e-12)


def test_batches_of_different_viscosities_equal_single_solves():
    family = get_family("taylor_green2d", velocity=True)
    problems = [family.problem(family.sample(sample_generator(0, "test", i))) for i in range(3)]
    batch = evolve_batch(problems, 16, dt=0.05)
    assert batch.names == ("vorticity", "velocity_x", "velocity_y")
    for index, problem in enumerate(problems):
        single = evolve(problem, mesh=16, dt=0.05)
        np.testing.assert_allclose(batch.values[index, -1], single.gather().values, atol=1e-12)
        velocity = velocity_of(single.gather().select(["vorticity"])).values
        np.testing.assert_allclose(single.gather().values[1:], velocity, atol=1e-12)


@pytest.mark.torch
def test_torch_gives_the_same_with_gradients():
    import torch

    torch.set_num_threads(1)
    problem = problem_of("navier_stokes2d", variance="script", num_modes=15)
    evolution = problem.spectral_evolution(problem.grid(16))
    times, dt = (0.0, 0.2), 0.05

    def loss(initial, viscosity):
        final = rollout(
            evolution, times, dt=dt, initial=initial, parameters={"viscosity": viscosity}, xp=torch
        )
        return torch.sum(final[-1] ** 2), final

    initial = torch.tensor(evolution.initial, requires_grad=True)
    viscosity = torch.tensor(2e-3, dtype=torch.float64, requires_grad=True)
    value, states = loss(initial, viscosity)
    value.backward()
    numpy_states = rollout(evolution, times, dt=dt, parameters={"viscosity": 2e-3})
    np.testing.assert_allclose(states.detach().numpy(), numpy_states, atol=1e-13)
    direction = torch.tensor(np.random.default_rng(0).standard_normal(initial.shape))
    with torch.no_grad():
        step = 1e-5
        ahead, behind = (loss(initial + s * step * direction, viscosity)[0] for s in (1, -1))
        slope = float((initial.grad * direction).sum())
        assert slope == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-6)
        step = 1e-6
        ahead, behind = (loss(initial, viscosity + s * step)[0] for s in (1, -1))
        assert float(viscosity.grad) == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: get_family("navier_stokes2d", viscosity=-1.0), "viscosity=-1.0 must be finite"),
        (lambda: get_family("navier_stokes2d", variance="papr"), "Did you mean 'paper'?"),
        (lambda: get_family("navier_stokes2d", final_time=-1.0), "final_time=-1.0 must be"),
        (lambda: get_family("decaying_turbulence2d", peak=0.0), "peak=0.0 must be positive"),
        (lambda: get_family("decaying_turbulence2d", viscosity_order=0), "viscosity_order=0 must"),
        (lambda: get_family("decaying_turbulence2d", steepness=0), "steepness=0 must be a"),
        (lambda: get_family("decaying_turbulence2d", energy=-0.5), "energy=-0.5 must be positive"),
        (lambda: get_family("taylor_green2d", wavenumber=0), "wavenumber=0 must be a positive"),
        (lambda: VorticityProblem(0.0, drag=-1.0), "drag=-1.0 must be finite and not negative"),
        (lambda: VorticityProblem(0.0, input_names=("w",)), "there is no input 'w'"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_vorticity_with_a_mean_is_refused():
    problem = VorticityProblem(lambda x: 1.0 + np.sin(2 * np.pi * x[0]))
    with pytest.raises(InputError, match="initial vorticity must have mean zero"):
        evolve(problem, mesh=8)
    coarse = problem_of("decaying_turbulence2d").spectral_evolution(
        problem_of("decaying_turbulence2d").grid(32)
    )  # its waves of |k| = 32 have a mean on this grid, and none in truth
    assert abs(coarse.initial.mean()) < 1e-12
    with pytest.raises(InputError, match="make the grid with"):
        problem.spectral_evolution(StructuredGrid((8, 8), upper=2.0, periodic=(True, True)))
