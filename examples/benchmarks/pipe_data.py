"""Flow through pipes with random bends: training data with the geometry of a published benchmark.

A pipe of length 10 and width 1 follows a random centreline: five evenly spaced nodes with
random heights and slopes, joined by cubic polynomials. Steady Navier–Stokes flow with
ν = 0.005 enters with a parabolic profile of largest speed 1, sticks to the walls and leaves
freely. The mesh has 129 × 129 vertices, equally spaced along the pipe and across it; the
inputs are their coordinates, the output is the horizontal velocity there.

What is whose:

- Of the public benchmark are the 129 × 129 mesh, its coordinates as the two inputs, the
  horizontal velocity as output, and 1000 samples for training and 200 for testing.
- After Z. Li, D. Z. Huang, B. Liu, A. Anandkumar (2023), Fourier neural operator with learned
  deformations for PDEs on general geometries, JMLR 24, doi:10.48550/arXiv.2207.05209, but
  *not compared with its text number by number*, are length, width, viscosity, the inflow, five
  nodes with cubic polynomials, heights within ±2 and slopes within ±1 (arguments).
- Our own are: the first and last node lie at height 0 with slope 0, so that the flow enters and
  leaves straight; sections are moved vertically; heights and slopes are uniform; Taylor–Hood
  elements and Newton's method.

Errors on these data are therefore not comparable digit by digit with published ones.

Run: ``python examples/benchmarks/pipe_data.py --num-samples 1000 --split train --out
pipe_train.h5`` (about 10 s a sample at full size, half a second with ``--shape 33 33``), and
again with ``--split test --num-samples 200``. Run it again after an interruption and it goes on.
An output that ends in ``.pt`` holds the same as arrays on the 129 × 129 grid of the mesh, for
models of grids.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial import cKDTree

from meshes.unstructured import UnstructuredMesh
from pdesolve import sample_generator, solve
from pdesolve.command_line.sample_progress import sample_progress
from pdesolve.data.kept_samples import KeptSamples
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.flow import Inflow
from pdesolve.problems.navier_stokes import NavierStokesProblem

LENGTH, WIDTH, VISCOSITY, NUM_NODES = 10.0, 1.0, 0.005, 5
Array = npt.NDArray[np.float64]


def centreline(rng: np.random.Generator, height: float, slope: float) -> CubicHermiteSpline:
    """Cubic polynomials through five nodes with random heights and slopes."""
    heights, slopes = (rng.uniform(-size, size, NUM_NODES) for size in (height, slope))
    for values in (heights, slopes):
        values[[0, -1]] = 0.0
    return CubicHermiteSpline(np.linspace(0.0, LENGTH, NUM_NODES), heights, slopes)


def pipe_mesh(line: CubicHermiteSpline, shape: Sequence[int]) -> UnstructuredMesh:
    """Quadrilaterals along and across the pipe; vertex (i, j) has the number i · shape[1] + j."""
    along, across = np.linspace(0.0, LENGTH, shape[0]), np.linspace(-0.5, 0.5, shape[1]) * WIDTH
    x, y = np.meshgrid(along, across, indexing="ij")
    points = np.stack([x, line(x) + y], axis=-1).reshape(-1, 2)
    numbers = np.arange(len(points)).reshape(shape)
    corners = (numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:], numbers[:-1, 1:])
    sides = {
        "inlet": numbers[0],
        "outlet": numbers[-1],
        "lower": numbers[:, 0],
        "upper": numbers[:, -1],
    }
    return UnstructuredMesh(
        points,
        np.stack([corner.ravel() for corner in corners], axis=1),
        "quadrilateral",
        facet_tags={name: np.stack([row[:-1], row[1:]], 1) for name, row in sides.items()},
    )


def velocity(mesh: UnstructuredMesh) -> Array:
    """Horizontal velocity at the vertices of the steady flow through a pipe."""
    wall = Dirichlet(0.0)
    problem = NavierStokesProblem(
        VISCOSITY,
        boundary_conditions={
            "inlet": Inflow(speed=1.0),
            "outlet": Neumann(0.0),
            "lower": wall,
            "upper": wall,
        },
        name="pipe flow",
    )
    found = solve(problem, mesh=mesh).field
    if not isinstance(found.mesh, UnstructuredMesh):
        raise TypeError(f"the flow is on a {type(found.mesh).__name__}")
    # the backend numbers vertices in its own order
    _, order = cKDTree(found.mesh.points).query(mesh.points)
    return np.asarray(found["velocity_x"])[order]


def sample(
    number: int,
    shape: Sequence[int] = (129, 129),
    *,
    split: str = "train",
    seed: int = 0,
    height: float = 2.0,
    slope: float = 1.0,
) -> dict[str, Array]:
    """Coordinates ``(*shape, 2)`` and horizontal velocities ``shape`` of one pipe."""
    mesh = pipe_mesh(centreline(sample_generator(seed, split, number), height, slope), shape)
    return {"points": mesh.points.reshape(*shape, 2), "speeds": velocity(mesh).reshape(shape)}


def write(
    path: Path, points: Array, speeds: Array, *, split: str, seed: int, height: float, slope: float
) -> None:
    """One mesh file, or a file of tensors on the grid of the mesh."""
    if path.suffix == ".pt":
        import torch

        x = torch.as_tensor(points).movedim(-1, 1).float()
        torch.save({"x": x.contiguous(), "y": torch.as_tensor(speeds)[:, None].float()}, path)
        return
    from neural.training.mesh_files import write_mesh_samples

    count, *shape = speeds.shape
    numbers = np.arange(shape[0] * shape[1]).reshape(shape)
    corners = (numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:], numbers[:-1, 1:])
    write_mesh_samples(
        path,
        family="pipe flow",
        points=points.reshape(count, -1, 2),
        cells=np.stack([corner.ravel() for corner in corners], axis=1),
        cell_type="quadrilateral",
        inputs={},
        outputs={"velocity_x": speeds.reshape(count, -1)},
        box=([0.0, -3.0 * height - WIDTH], [LENGTH, 3.0 * height + WIDTH]),
        units={"x": "1", "y": "1", "velocity_x": "1"},
        seed=seed,
        split=split,
        settings={"viscosity": VISCOSITY, "height": height, "slope": slope, "shape": shape},
    )


def main(words: Sequence[str] | None = None) -> None:
    """Make one file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--num-samples", type=int, required=True, help="at least 1")
    parser.add_argument("--shape", type=int, nargs=2, default=(129, 129), help="vertices")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--height", type=float, default=2.0, help="largest height of a node")
    parser.add_argument("--slope", type=float, default=1.0, help="largest slope at a node")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    if words is None:
        del sys.argv[1:]  # Firedrake would give them to PETSc
    if options.num_samples < 1:
        parser.error(f"--num-samples {options.num_samples} must be at least 1")
    common = {name: getattr(options, name) for name in ("split", "seed", "height", "slope")}
    shape = tuple(options.shape)
    kept = KeptSamples(options.out, {"shape": shape, **common})
    with sample_progress() as progress:
        found = kept.stacked(
            options.num_samples, lambda number: sample(number, shape, **common), progress.advance
        )
    speeds = found["speeds"]
    write(options.out, found["points"], speeds, **common)
    kept.remove()
    print(f"wrote {options.out}: {len(speeds)} pipes, speeds up to {speeds.max():.3f}")


if __name__ == "__main__":
    main()
