"""Stress around a void of random shape: training data with the geometry of a published benchmark.

A unit square with a void in its middle is clamped at the bottom and pulled upwards at the
top. The radius of the void in direction θ is r(θ) = 0.2 + 0.2 / (1 + exp g(θ)) with a
random periodic function g, so that it lies between 0.2 and 0.4. The material is
incompressible, with the energy w = c₁ (I₁ − 3) + c₂ (I₂ − 3) of Rivlin and Saunders. The
inputs are the coordinates of 972 points, the output is the von Mises stress there.

What is whose:

- Of the public benchmark are 972 points, their coordinates as the two inputs, one number for the
  stress as output, and 1000 samples for training and 200 for testing.
- After Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
  deformations for PDEs on general geometries, JMLR 24, doi:10.48550/arXiv.2207.05209, but
  *not compared with its text number by number*, are the cell with such a void and the formula
  of its radius, the clamped bottom, the kind of material, `C1`, `C2`, and `TRACTION`. `C1` and
  `C2` are those that other public code for this benchmark has. All three are arguments; with
  these values the strains are of the size of 10⁻⁴, so that the problem is nearly linear, and the
  stress scales with the traction.
- Our own are: plane strain; g as a sum of cosines and sines whose sizes follow the covariance
  (−Δ + 9)⁻¹ scaled to a standard deviation of `ROUGHNESS`; Taylor–Hood elements on triangles;
  points drawn evenly over the material; von Mises' scalar.

Errors on these data are therefore not comparable digit by digit with published ones.

Run: ``python examples/benchmarks/elasticity_data.py --num-samples 1000 --split train --out
elasticity_train.h5``, and again with ``--split test --num-samples 200``. Needs Gmsh.
Run it again after an interruption and it goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.unstructured import UnstructuredMesh
from pdesolve import sample_generator
from pdesolve.command_line.sample_progress import sample_progress
from pdesolve.data.kept_samples import KeptSamples

C1, C2, TRACTION = 1.863e5, 9.79e3, 100.0
NUM_POINTS, ROUGHNESS, NUM_WAVES = 972, 1.0, 16
Array = npt.NDArray[np.float64]


def radius(rng: np.random.Generator) -> Any:
    """The void's radius as a function of the angle."""
    waves = np.arange(1, NUM_WAVES + 1)
    sizes = 1.0 / np.sqrt(waves**2 + 9.0)
    sizes *= ROUGHNESS / np.sqrt(np.sum(sizes**2))
    cosines, sines = rng.normal(size=(2, NUM_WAVES)) * sizes

    def at(angle: Array) -> Array:
        phase = np.multiply.outer(angle, waves)
        g = np.cos(phase) @ cosines + np.sin(phase) @ sines
        return np.asarray(0.2 + 0.2 / (1.0 + np.exp(g)))

    return at


def cell_mesh(void: Any, size: float) -> UnstructuredMesh:
    """Triangles of about `size` around the void, with the sides bottom and top named."""
    import gmsh

    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        angles = np.linspace(0.0, 2 * np.pi, max(64, round(2.0 / size)), endpoint=False)
        rounds = void(angles)
        kernel = gmsh.model.geo
        corners = [kernel.addPoint(x, y, 0, size) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
        rim = [
            kernel.addPoint(0.5 + r * np.cos(a), 0.5 + r * np.sin(a), 0, size)
            for a, r in zip(angles, rounds, strict=True)
        ]
        loops = []
        for chain in (corners, rim):
            closed = zip(chain, chain[1:] + chain[:1], strict=True)
            loops.append(kernel.addCurveLoop([kernel.addLine(a, b) for a, b in closed]))
        kernel.addPlaneSurface(loops)
        kernel.synchronize()
        gmsh.model.mesh.generate(2)
        tags, coordinates, _ = gmsh.model.mesh.getNodes()
        _, _, vertices = gmsh.model.mesh.getElements(2)
    finally:
        gmsh.finalize()
    place = np.zeros(int(tags.max()) + 1, dtype=np.int64)
    place[tags.astype(np.int64)] = np.arange(len(tags))
    cells = place[vertices[0].astype(np.int64).reshape(-1, 3)]
    used, cells = np.unique(cells, return_inverse=True)
    points = coordinates.reshape(-1, 3)[used, :2]
    cells = cells.reshape(-1, 3)
    (ax, ay), (bx, by), (cx, cy) = (points[cells[:, k]].T for k in range(3))
    flipped = (bx - ax) * (cy - ay) < (by - ay) * (cx - ax)
    cells[flipped] = cells[flipped][:, ::-1]
    outer = UnstructuredMesh(points, cells).boundary_facets
    sides = {
        name: outer[(np.abs(points[outer, 1] - height) < 1e-9).all(axis=1)]
        for name, height in (("bottom", 0.0), ("top", 1.0))
    }
    return UnstructuredMesh(points, cells, facet_tags=sides)


def points_inside(mesh: UnstructuredMesh, count: int, rng: np.random.Generator) -> Array:
    """Points drawn evenly over the mesh."""
    areas = mesh.cell_volumes()
    chosen = mesh.cells[rng.choice(len(areas), size=count, p=areas / areas.sum())]
    share = rng.dirichlet(np.ones(3), size=count)
    return np.asarray(np.einsum("pk,pkd->pd", share, mesh.points[chosen]))


def stress(mesh: UnstructuredMesh, where: Array, traction: float, c1: float, c2: float) -> Array:
    """Von Mises stress at the points of the stretched cell."""
    from meshes._firedrake import boundary_numbers, to_firedrake
    from pdesolve.fem._firedrake import firedrake as fd

    domain = to_firedrake(mesh, fd.COMM_SELF)
    numbers = boundary_numbers(domain)
    space = fd.VectorFunctionSpace(domain, "CG", 2) * fd.FunctionSpace(domain, "CG", 1)
    state = fd.Function(space)
    u, p = fd.split(state)
    gradient = fd.Identity(2) + fd.grad(u)
    volume = fd.det(gradient)
    # plane strain: the third stretch is one
    right = gradient.T * gradient
    first = fd.tr(right) + 1.0
    second = fd.det(right) + fd.tr(right)
    energy = c1 * (first - 3.0) + c2 * (second - 3.0) - p * (volume - 1.0)
    load = fd.Constant((0.0, traction))
    form = fd.derivative(energy * fd.dx, state) - fd.inner(
        load, fd.TestFunctions(space)[0]
    ) * fd.ds(numbers["top"])
    clamped = fd.DirichletBC(space.sub(0), 0.0, numbers["bottom"])
    direct = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
    fd.solve(form == 0, state, bcs=clamped, solver_parameters={"snes_rtol": 1e-10, **direct})
    # σ = F P with the first Piola–Kirchhoff stress; J is one
    left = gradient * gradient.T
    out_of_plane = 2.0 * c1 + 2.0 * c2 * fd.tr(left) - p
    plane = 2.0 * (c1 + c2) * left + 2.0 * c2 * volume**2 * fd.Identity(2) - p * fd.Identity(2)
    xx, yy, xy = plane[0, 0], plane[1, 1], plane[0, 1]
    squares = (xx - yy) ** 2 + (yy - out_of_plane) ** 2 + (out_of_plane - xx) ** 2
    mises = fd.sqrt(0.5 * squares + 3.0 * xy**2)
    found = fd.Function(fd.FunctionSpace(domain, "CG", 1)).project(mises)
    return np.asarray(fd.PointEvaluator(domain, where).evaluate(found))


def sample(
    number: int,
    *,
    split: str = "train",
    seed: int = 0,
    size: float = 0.04,
    traction: float = TRACTION,
    c1: float = C1,
    c2: float = C2,
) -> dict[str, Array]:
    """Points ``(972, 2)`` and stresses ``(972,)`` of one cell."""
    rng = sample_generator(seed, split, number)
    mesh = cell_mesh(radius(rng), size)
    points = points_inside(mesh, NUM_POINTS, rng)
    return {"points": points, "stress": stress(mesh, points, traction, c1, c2)}


def main(words: Sequence[str] | None = None) -> None:
    """Make one file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--num-samples", type=int, required=True, help="at least 1")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=float, default=0.04, help="length of the mesh's edges")
    parser.add_argument("--traction", type=float, default=TRACTION)
    parser.add_argument("--c1", type=float, default=C1)
    parser.add_argument("--c2", type=float, default=C2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    if words is None:
        del sys.argv[1:]  # Firedrake would give them to PETSc
    if options.num_samples < 1:
        parser.error(f"--num-samples {options.num_samples} must be at least 1")
    given = {name: getattr(options, name) for name in ("size", "traction", "c1", "c2")}
    common = {"split": options.split, "seed": options.seed, **given}
    kept = KeptSamples(options.out, common)
    with sample_progress() as progress:
        found = kept.stacked(
            options.num_samples, lambda number: sample(number, **common), progress.advance
        )
    stresses = found["stress"]
    from neural.training.mesh_files import write_mesh_samples

    write_mesh_samples(
        options.out,
        family="hyperelastic cell",
        points=found["points"],
        inputs={},
        outputs={"stress": stresses},
        box=([0.0, 0.0], [1.0, 1.0]),
        units={"x": "1", "y": "1", "stress": "unit of c1"},
        seed=options.seed,
        split=options.split,
        settings=given,
    )
    kept.remove()
    print(f"wrote {options.out}: {len(stresses)} cells, stresses up to {stresses.max():.4g}")


if __name__ == "__main__":
    main()
