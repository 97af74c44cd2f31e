"""The cell with a void, as data on points."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from meshes.unstructured import UnstructuredMesh

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "elasticity_data.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def strip() -> UnstructuredMesh:
    """A strip of width 1 and height 3."""
    x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 3, 25), indexing="ij")
    numbers = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (
        part.ravel() for part in (numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:],
                                  numbers[:-1, 1:])
    )  # fmt: skip
    rows = {"bottom": numbers[:, 0], "top": numbers[:, -1]}
    return UnstructuredMesh(
        np.stack([x.ravel(), y.ravel()], 1),
        np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
        facet_tags={name: np.stack([row[:-1], row[1:]], 1) for name, row in rows.items()},
    )


def test_void_stays_inside_its_bounds(script: dict[str, Any]) -> None:
    pytest.importorskip("gmsh")
    void = script["radius"](np.random.default_rng(0))
    rounds = void(np.linspace(0, 2 * np.pi, 200))
    assert 0.2 < rounds.min() < rounds.max() < 0.4
    assert rounds[0] == pytest.approx(rounds[-1])
    mesh = script["cell_mesh"](void, 0.08)
    around = np.trapezoid(0.5 * rounds**2, np.linspace(0, 2 * np.pi, 200))
    assert float(mesh.cell_volumes().sum()) == pytest.approx(1.0 - around, rel=0.01)
    points = script["points_inside"](mesh, 500, np.random.default_rng(1)) - 0.5
    angles = np.arctan2(points[:, 1], points[:, 0])
    assert (np.hypot(*points.T) > 0.97 * void(angles)).all()


@pytest.mark.firedrake
@pytest.mark.petsc
def test_stress_far_from_the_clamp(script: dict[str, Any]) -> None:
    """σ_yy = t, σ_xx = 0 and, in plane strain without compression, σ_zz = t/2."""
    where = np.stack([np.linspace(0.2, 0.8, 7), np.full(7, 2.6)], 1)
    found = script["stress"](strip(), where, 100.0, script["C1"], script["C2"])
    assert np.allclose(found, np.sqrt(3) / 2 * 100.0, rtol=0.01)
    # so small a load strains the cell by less than a thousandth: twice the load, twice the stress
    twice = script["stress"](strip(), where, 200.0, script["C1"], script["C2"])
    assert np.allclose(twice, 2 * found, rtol=0.01)
    # a load of the size of the constants: P_yy = 2 (c1 + c2) (λ − λ⁻³) = t in a uniform stretch
    c1, c2 = 150.0, 10.0
    stretch = brentq(lambda a: 2 * (c1 + c2) * (a - a**-3) - 100.0, 1.0, 2.0)
    pressure = 2 * (c1 + c2) / stretch**2 + 2 * c2
    yy = 2 * (c1 + c2) * stretch**2 + 2 * c2 - pressure
    zz = 2 * c1 + 2 * c2 * (stretch**2 + stretch**-2) - pressure
    mises = np.sqrt(0.5 * (yy**2 + (yy - zz) ** 2 + zz**2))
    assert np.allclose(script["stress"](strip(), where, 100.0, c1, c2), mises, rtol=0.01)
