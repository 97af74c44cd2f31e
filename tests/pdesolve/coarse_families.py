"""Every registered family at a small size."""

from __future__ import annotations

import pytest

from pdesolve import ProblemFamily, get_family
from pdesolve.problems.registry import FAMILIES

SMALL = {1: (24,), 2: (12, 10), 3: (6, 5, 4)}
# coarse meshes of families that bring their own
MESH_OPTIONS = {
    "cylinder_flow": {"mesh_size": 0.1},
    "cylinder_flow_steady": {"cell_size": 0.1},
    "navier_stokes_channel": {"cell_size": 0.25},
    "slit_plate": {"mesh_size": 0.1, "graded": False},
    "stokes_channel": {"cell_size": 0.25},
}
# waves that few cells resolve
LONG_WAVES = {"helmholtz3d_random": {"median": 3.5}}
# grids with points in the obstacle, which is an input channel
OWN_SHAPES = {
    "cylinder_flow_steady": (44, 9),
    "navier_stokes_channel": (24, 8),
    "stokes_channel": (24, 8),
}
MARKS = {
    "grid": [pytest.mark.petsc],
    "fem": [pytest.mark.petsc, pytest.mark.firedrake],
    "spectral": [],
}


def coarse_family(name: str, **options: object) -> ProblemFamily:
    """The family, with a coarse mesh if it brings its own, and long waves in three dimensions."""
    given = {**MESH_OPTIONS.get(name, {}), **LONG_WAVES.get(name, {}), **options}
    return get_family(name, **given)


def shape_of(family: ProblemFamily) -> tuple[int, ...]:
    """A small grid that resolves the waves, where there are such."""
    if "helmholtz" in family.name:
        return {1: (80,), 2: (80, 80), 3: (10, 10, 10)}[family.dimension]
    return OWN_SHAPES.get(family.name, SMALL[family.dimension])


def every_backend() -> list[object]:
    """Parameters (name, backend) of all families on all of their backends."""
    return [
        pytest.param(name, backend, marks=MARKS[backend], id=f"{name}-{backend}")
        for name in FAMILIES
        for backend in get_family(name).backends
    ]


def default_backend() -> list[object]:
    """Parameters (name,) of all families, with what their first backend needs."""
    return [
        pytest.param(name, marks=MARKS[get_family(name).backends[0]], id=name) for name in FAMILIES
    ]
