"""Heat conduction and waves in time with finite elements: orders, decay, other backends."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.heat import HeatProblem
from pdesolve.problems.wave import WaveProblem

pytestmark = pytest.mark.firedrake
pytest.importorskip("pdesolve.fem._firedrake", reason="needs Firedrake")

from benchmarks.families.heat_fem import TIME_ORDERS, orders  # noqa: E402

STUDIES = orders()


@pytest.mark.parametrize(
    "study", STUDIES, ids=[f"{study.family} {study.backend}" for study in STUDIES]
)
def test_orders(study):
    if "Gmsh" in study.family:
        pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
    study.check()


def test_every_method_in_time_is_measured():
    from pdesolve.fem._firedrake_methods import METHODS

    assert {name: METHODS[name].order for name in TIME_ORDERS} == TIME_ORDERS
    left_out = set(METHODS) - set(TIME_ORDERS)
    more_stages = {"gauss-legendre-3", "gauss-legendre-4", "radau-iia-4", "lobatto-iiic-4"}
    assert left_out == {*more_stages, "radau-iia-1", "bdf2-linear"}


def test_heat_is_kept_and_its_energy_falls():
    problem = HeatProblem(
        lambda x: 0.1 + x[0] * x[1],
        lambda t: 1 + t,
        initial=lambda x: np.cos(np.pi * x[0]) + (x[1] > 0.5),
        boundary_conditions={"all": Neumann(0.0)},
        times=(0.0, 0.1, 0.2, 0.5),
    )
    history = evolve(problem, mesh=8, backend="fem", dt=0.05).history
    np.testing.assert_allclose(history["mass"], history["mass"][0], rtol=1e-11)
    assert (np.diff(history["energy"]) < 0).all()
    # what is left is the mean
    assert history["energy"][-1] >= 0.5 * history["mass"][0] ** 2 * (1 - 1e-12)


def test_sources_and_fluxes_balance():
    """The heat grows by source and fluxes, whatever the state."""
    problem = HeatProblem(
        0.3,
        source=lambda x: 6 * x[0] * x[1],
        boundary_conditions={
            "x_lower": Neumann(0.25),
            "x_upper": Neumann(-0.5),
            "y_lower": Neumann(0.0),
            "y_upper": Neumann(0.0),
        },
    )
    heat = evolve(problem, mesh=6, backend="fem", degree=2, dt=0.25).history["mass"]
    assert heat[-1] - heat[0] == pytest.approx(1.5 - 0.25, rel=1e-10)


def test_robin_sides_lead_to_the_outer_temperature():
    problem = HeatProblem(
        1.0,
        boundary_conditions={"all": Robin(10.0, 10.0 * 3.0)},
        dimension=1,
        times=(0.0, 20.0),
    )
    trajectory = evolve(problem, mesh=4, backend="fem", dt=0.5)
    np.testing.assert_allclose(trajectory.gather().values, 3.0, rtol=1e-8)


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
def test_backends_agree(boundary):
    """On a draw of the family, finite volumes and finite elements, each finer than the last."""
    family = get_family("heat2d", boundary=boundary, final_time=0.2, num_times=2)
    problem = family.problem(family.sample(sample_generator(1, "test", 0)))
    grid = problem.grid(8)
    size = 32
    fem = evolve(problem, mesh=size, backend="fem", degree=2, dt=0.02).on(grid)[-1]
    other = "spectral" if boundary == "periodic" else "grid"
    found = evolve(problem, mesh=64, backend=other).on(grid)[-1]
    error = np.linalg.norm(fem - found) / np.linalg.norm(found)
    assert error < 5e-3, error


def test_waves_keep_their_energy():
    problem = WaveProblem(
        2.0,
        lambda x: np.exp(-20 * (x[0] - 0.4) ** 2) * np.sin(np.pi * x[1]),
        boundary_conditions={
            "x_lower": Neumann(0.0),
            "x_upper": Neumann(0.0),
            "y_lower": Dirichlet(0.0),
            "y_upper": Dirichlet(0.0),
        },
        times=(0.0, 0.5, 1.0),
    )
    for method in ("gauss-legendre-1", "gauss-legendre-2"):
        energy = evolve(problem, mesh=8, backend="fem", dt=0.05, method=method).history["energy"]
        np.testing.assert_allclose(energy, energy[0], rtol=1e-8, err_msg=method)
    lossy = evolve(problem, mesh=8, backend="fem", dt=0.05, method="backward-euler")
    assert lossy.history["energy"][-1] < 0.5 * lossy.history["energy"][0]


@pytest.mark.parametrize(
    ("problem", "options", "text"),
    [
        (HeatProblem(1.0), {"element": "RT"}, "has no mixed form"),
        (WaveProblem(1.0), {"element": "RT"}, "has no form for 'RT'"),
        (WaveProblem(lambda x: 1 + x[0]), {}, "the speed of waves must be a number"),
        (HeatProblem(lambda x: x[0] - 0.5), {}, "the conductivity must be positive"),
        (HeatProblem(1.0, time_factor=lambda t: -1.0 - t), {}, "it must be positive and finite"),
        (HeatProblem(1.0, initial=lambda x: x[0] / 0), {}, "initial temperature is not finite"),
        (HeatProblem(1.0), {"mesh": "absent.msh"}, "there is no file 'absent.msh'"),
    ],
)
def test_rejections(problem, options, text):
    with pytest.raises(InputError) as caught, np.errstate(all="ignore"):
        evolve(problem, backend="fem", **{"mesh": 4, "dt": 0.5, **options})
    assert text in str(caught.value)
