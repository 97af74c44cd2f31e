"""Korteweg–de Vries: orders, solitons and invariants."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import korteweg_de_vries
from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.korteweg_de_vries import KortewegDeVriesProblem, soliton, two_solitons


@pytest.mark.parametrize(
    "study", korteweg_de_vries.orders(), ids=lambda s: f"{s.kind}-{s.quantity[-20:]}"
)
def test_orders(study) -> None:
    study.check()


def crest(values: np.ndarray, grid) -> float:
    """Place of the crest: the zero of the slope's trigonometric interpolant nearest to it."""
    k = 2 * np.pi * np.fft.rfftfreq(grid.shape[0], grid.spacing[0])
    coefficients = np.fft.rfft(values) / grid.shape[0]
    place = grid.axes()[0][values.argmax()]
    for _ in range(6):
        waves = 2 * coefficients * np.exp(1j * k * (place - grid.axes()[0][0]))
        place -= (1j * k * waves).real.sum() / (-(k**2) * waves).real.sum()
    return float(place)


@pytest.mark.parametrize("wavenumber", [0.5, 0.8])
def test_speed_and_height_of_a_soliton(wavenumber: float) -> None:
    problem = KortewegDeVriesProblem(soliton(wavenumber, 16.0), times=(0.0, 5.0))
    trajectory = evolve(problem, mesh=256)
    grid = trajectory.states[0].grid
    places = [crest(state.values[0], grid) for state in trajectory.states]
    assert places[0] == pytest.approx(16.0, abs=1e-5)
    assert (places[1] - places[0]) / 5.0 == pytest.approx(4 * wavenumber**2, rel=1e-5)
    last = trajectory.states[-1].sample(grid.with_shape(4096)).values
    assert last.max() == pytest.approx(2 * wavenumber**2, rel=1e-4)


def test_three_invariants() -> None:
    """Mass to rounding; momentum and Hamiltonian at least to the order of the method in time."""
    family = get_family("korteweg_de_vries")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    drifts = []
    for dt in (1 / 16, 1 / 64):
        history = evolve(problem, mesh=192, dt=dt, times=(0.0, 2.0, 4.0)).history
        assert np.ptp(history["mass"]) < 1e-12
        drifts.append([np.ptp(history[name]) for name in ("momentum", "hamiltonian")])
        scale = [abs(history[name][0]) for name in ("momentum", "hamiltonian")]
    assert np.all(np.divide(drifts[1], scale) < 1e-6)
    assert np.all(np.divide(drifts[0], drifts[1]) > 4**4)


def test_momentum_and_hamiltonian_of_a_soliton() -> None:
    """∫ 2k² sech² = 4k, ½ ∫ u² = 8k³/3, ∫ (½ u_x² − u³) = −32 k⁵/5."""
    problem = KortewegDeVriesProblem(soliton(0.6, 32.0), times=(0.0, 0.01))
    history = evolve(problem, mesh=256).history
    assert history["mass"][0] == pytest.approx(4 * 0.6, rel=1e-9)
    assert history["momentum"][0] == pytest.approx(8 * 0.6**3 / 3, rel=1e-9)
    assert history["hamiltonian"][0] == pytest.approx(-32 * 0.6**5 / 5, rel=1e-6)


def test_exact_solutions_solve_the_equation() -> None:
    x, t, h = np.linspace(-6.0, 6.0, 61)[None], 0.1, 1e-2
    for solution in (soliton(0.7, 0.5), two_solitons((0.9, 0.4), (-2.0, 1.0))):

        def u(shift: float, time: float, solution=solution) -> np.ndarray:
            return solution(x + shift, time)

        rate = (u(0, t + h / 10) - u(0, t - h / 10)) / (h / 5)
        slope = (u(h, t) - u(-h, t)) / (2 * h)
        third = (u(2 * h, t) - 2 * u(h, t) + 2 * u(-h, t) - u(-2 * h, t)) / (2 * h**3)
        residual = rate + 6 * u(0, t) * slope + third
        assert np.abs(residual).max() < 5e-3 * np.abs(rate).max()


def test_solitons_pass_through_each_other() -> None:
    """After the collision the faster one is ahead, by more than its speed alone explains."""
    positions, times = (12.0, 20.0), (0.0, 12.0)
    pair = two_solitons((0.8, 0.4), positions)
    problem = KortewegDeVriesProblem(pair, times=times, upper=(96.0,))
    trajectory = evolve(problem, mesh=256)
    grid = trajectory.states[0].grid
    exact = pair(grid.points(), 12.0)
    assert np.abs(trajectory.states[-1].values[0] - exact).max() < 2e-3
    # phase shift of the faster one: ln((k1 + k2)/(k1 − k2)) / k1
    before, after = (crest(state.values[0], grid) for state in trajectory.states)
    assert after - before > 4 * 0.8**2 * 12.0 + 0.5 * np.log(3.0) / 0.8


def test_other_coefficients_are_a_change_of_scale() -> None:
    """With b → −b, a → −a and x → −x the equation reads the same."""
    wave = soliton(0.5, 20.0)
    mirrored = KortewegDeVriesProblem(
        lambda x: wave(64.0 - x), nonlinearity=-6.0, dispersion=-1.0, times=(0.0, 2.0)
    )
    plain = KortewegDeVriesProblem(wave, times=(0.0, 2.0))
    one = evolve(plain, mesh=128).field().values
    other = evolve(mirrored, mesh=128).field().values
    np.testing.assert_allclose(other[:, ::-1], one, atol=1e-12)


def test_family() -> None:
    family = get_family("korteweg_de_vries", length=32.0)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert problem.input_fields(problem.grid(8)).names == family.inputs == ("initial_u",)
    assert family.describe()["nonlinearity"] == 6.0
    assert family.describe()["domain"]["upper"] == [32.0]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: KortewegDeVriesProblem(dispersion=0.0), "dispersion=0.0 must be finite and not"),
        (lambda: get_family("korteweg_de_vries", nonlinearity="a"), "nonlinearity='a' must be"),
        (lambda: get_family("korteweg_de_vries", length=0.0), "length=0.0 must be positive"),
        (lambda: soliton(-1.0, 0.0), "wavenumber=-1.0 must be positive"),
        (lambda: two_solitons((1.0, 1.0), (0.0, 1.0)), "must differ"),
    ],
)
def test_rejections(build, text: str) -> None:
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)
