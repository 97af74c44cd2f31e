"""Input channels: only what differs between the problems of a family."""

from __future__ import annotations

import pytest

from meshes import InputError, StructuredGrid
from pdesolve import get_family, sample_generator
from pdesolve.problems.burgers import BurgersProblem
from pdesolve.problems.wave import WaveProblem


@pytest.mark.parametrize(
    ("name", "options", "gone"),
    [
        ("advection2d", {"velocity_range": (0.5, 0.5)}, {"velocity_x", "velocity_y"}),
        ("allen_cahn1d", {"interface_width_range": (0.05, 0.05)}, {"interface_width"}),
        ("burgers2d", {"viscosity_range": (0.01, 0.01)}, {"viscosity"}),
        (
            "convection_diffusion2d",
            {"least_diffusivity": 0.1, "largest_diffusivity": 0.1},
            {"diffusivity"},
        ),
        (
            "convection_diffusion3d",
            {"least_diffusivity": 0.1, "largest_diffusivity": 0.1},
            {"diffusivity"},
        ),
        ("cylinder_flow", {"reynolds_range": (100.0, 100.0)}, {"reynolds_number"}),
        ("gray_scott2d", {"feed_rate_range": (0.03, 0.03)}, {"feed_rate"}),
        ("heat1d", {"conductivity_range": (0.01, 0.01)}, {"conductivity"}),
        ("helmholtz1d", {"smallest": 20.0, "largest": 20.0}, {"wavenumber"}),
        ("navier_stokes_channel", {"viscosity": 0.01}, {"viscosity"}),
        ("one_sided_reaction2d", {"smallest": 20.0, "largest": 20.0}, {"rate"}),
        ("taylor_green2d", {"viscosity_range": (0.01, 0.01)}, {"viscosity"}),
        ("wave2d", {"speed_range": (1.0, 1.0)}, {"speed"}),
    ],
)
def test_fixed_parameters_are_no_channels(name, options, gone):
    usual, fixed = get_family(name), get_family(name, **options)
    assert set(usual.inputs) - set(fixed.inputs) == gone
    problem = fixed.problem(fixed.sample(sample_generator(0, "train", 0)))
    field = problem.input_fields(StructuredGrid((4,) * fixed.dimension, upper=problem.upper))
    assert field.names == fixed.inputs
    assert fixed.describe()["inputs"] == list(fixed.inputs)


def test_the_last_channel_stays():
    """A family without anything random still has an input."""
    assert get_family("bratu2d", smallest=1.0, largest=1.0).inputs == ("strength",)
    assert get_family("lid_driven_cavity", reynolds=100.0).inputs == ("viscosity",)


def test_burgers_benchmark_has_one_channel():
    """ν = 0.1 in all problems, and waves that start at rest."""
    assert get_family("burgers1d").inputs == ("initial_velocity",)
    assert get_family("wave1d").inputs == ("initial_displacement", "speed")


def test_problems_on_their_own_have_all_channels():
    grid = StructuredGrid((8,), periodic=(True,))
    assert BurgersProblem(0.1).input_fields(grid).names == ("initial_velocity", "viscosity")
    assert BurgersProblem(0.0).input_fields(grid).names == ("initial_velocity",)
    both = BurgersProblem(0.0, input_names=("viscosity", "initial_velocity")).input_fields(grid)
    assert both.names == ("viscosity", "initial_velocity")
    names = WaveProblem(dimension=1).input_fields(grid).names
    assert names == ("initial_displacement", "initial_velocity", "speed")


def test_unknown_channels_are_refused():
    problem = WaveProblem(dimension=1, input_names=("sped",))
    with pytest.raises(InputError, match=r"no input 'sped'\. Did you mean 'speed'"):
        problem.input_fields(StructuredGrid((8,)))
