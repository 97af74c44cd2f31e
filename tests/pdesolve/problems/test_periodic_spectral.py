"""Heat, advection and Burgers with Fourier modes: orders and laws."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import advection_spectral, burgers_spectral, heat_spectral
from pdesolve import evolve, get_family, sample_generator

STUDIES = [*heat_spectral.orders(), *advection_spectral.orders(), *burgers_spectral.orders()]


@pytest.mark.parametrize("study", STUDIES, ids=lambda s: f"{s.family}-{s.backend[9:40]}-{s.kind}")
def test_orders(study) -> None:
    study.check()


def trajectory_of(name: str, cells: int = 64, **options):
    family = get_family(name, **options)
    problem = family.problem(family.sample(sample_generator(1, "test", 0)))
    return evolve(problem, mesh=cells, backend="spectral")


@pytest.mark.parametrize("name", ["heat1d", "heat2d", "heat3d"])
def test_heat_keeps_mass_and_loses_energy(name: str) -> None:
    history = trajectory_of(name, 16).history
    np.testing.assert_allclose(history["mass"], history["mass"][0], atol=1e-13)
    assert np.all(np.diff(history["energy"]) < 0)


@pytest.mark.parametrize("name", ["advection1d", "advection2d"])
def test_advection_keeps_mass_and_energy(name: str) -> None:
    history = trajectory_of(name).history
    for key in ("mass", "energy"):
        np.testing.assert_allclose(history[key], history[key][0], rtol=1e-12, atol=1e-14)


def test_burgers_keeps_mass_and_loses_energy() -> None:
    history = trajectory_of("burgers1d").history
    assert np.all(np.diff(history["energy"]) < 0)
    np.testing.assert_allclose(history["mass"], history["mass"][0], rtol=1e-12)


def test_components_of_burgers_keep_to_their_extremes() -> None:
    """Each component is carried and diffused, so its largest value cannot grow."""
    states = trajectory_of("burgers2d", viscosity_range=(0.02, 0.02)).states
    fine = states[0].grid.with_shape(192)  # the extremes lie between the grid's points
    values = np.stack([state.sample(fine).values for state in states])
    assert np.all(np.diff(values.max(axis=(2, 3)), axis=0) < 2e-4)
    assert np.all(np.diff(values.min(axis=(2, 3)), axis=0) > -2e-4)


@pytest.mark.petsc
@pytest.mark.parametrize("name", ["heat1d", "burgers1d", "advection1d"])
def test_grid_and_spectral_agree(name: str) -> None:
    """The finite volumes come nearer with order 2; limited fluxes are a little slower."""
    family = get_family(name, num_times=2, final_time=0.1, alpha=6.0)
    problem = family.problem(family.sample(sample_generator(1, "test", 0)))
    reference = evolve(problem, mesh=128, backend="spectral").states[-1]
    differences = []
    for cells in (64, 128):
        state = evolve(problem, mesh=cells, backend="grid", rtol=1e-8).states[-1].gather()
        exact = reference.sample(state.mesh).values
        differences.append(np.linalg.norm(state.values - exact) / np.linalg.norm(exact))
    assert differences[1] < 5e-3, differences
    assert differences[0] / differences[1] > 2.0**1.5, differences
