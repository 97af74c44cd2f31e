"""Heat conduction and waves in time with finite elements: orders of accuracy, solvers."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.families.heat import decaying_mode
from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import FloatArray
from pdesolve import evolve
from pdesolve.fem import relative_error
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.heat import HeatProblem
from pdesolve.problems.wave import WaveProblem
from pdesolve.solution import Solution
from pdesolve.trajectory import Trajectory

TITLE = "heat conduction and waves in time with finite elements"

TIME_ORDERS = {
    "backward-euler": 1,
    "crank-nicolson": 2,
    "bdf2": 2,
    "pareschi-russo": 2,
    "qin-zhang": 2,
    "lobatto-iiic-2": 2,
    "gauss-legendre-1": 2,
    "alexander": 3,
    "radau-iia-2": 3,
    "gauss-legendre-2": 4,
    "lobatto-iiic-3": 4,
    "radau-iia-3": 5,
}
"""Methods with the order that is measured; the others are the same with more stages."""


def error_of(trajectory: Trajectory, exact: Callable[[FloatArray], FloatArray]) -> float:
    """Relative L2 error at the last time."""
    state = trajectory.states[-1]
    return float(relative_error(Solution(trajectory.problem, None, "fem", state), exact))  # type: ignore[arg-type]


def in_space(dimension: int, boundary: str, degree: int) -> Callable[[Any], float]:
    """Error of a decaying mode on a box."""

    def error(size: Any) -> float:
        problem, exact = decaying_mode(dimension, boundary)
        trajectory = evolve(
            problem,
            mesh=int(size),
            backend="fem",
            degree=degree,
            method="radau-iia-2",
            dt=(problem.times[-1] - problem.times[0]) / (16 if dimension == 3 else 64),
        )
        return error_of(trajectory, exact)

    return error


def on_gmsh(degree: int) -> Callable[[Any], float]:
    """Error of a decaying mode on triangles that Gmsh makes in the unit square."""

    def error(size: Any) -> float:
        shape, rate = _neumann_mode()
        problem = HeatProblem(
            0.05,
            initial=shape,
            boundary_conditions={
                "inlet": Neumann(0.0),
                "walls": Neumann(0.0),
                "7": Dirichlet(0.0),
            },
            times=(0.0, 1.0),
        )
        with tempfile.TemporaryDirectory() as folder:
            file = write_square(Path(folder) / "square.msh", 1.0 / size)
            trajectory = evolve(
                problem, mesh=str(file), degree=degree, method="radau-iia-2", dt=1 / 64
            )
        return error_of(trajectory, lambda x: math.exp(-0.05 * rate) * shape(x))

    return error


def _neumann_mode() -> tuple[Callable[[FloatArray], FloatArray], float]:
    """cos(π x/2) cos(π y), zero at x = 1, without a flux elsewhere, and its eigenvalue."""

    def shape(x: FloatArray) -> FloatArray:
        return np.asarray(np.cos(0.5 * np.pi * x[0]) * np.cos(np.pi * x[1]))

    return shape, 1.25 * math.pi**2


def write_square(path: Path, size: float) -> Path:
    """The unit square with sides inlet (left), 7 (right) and walls."""
    import gmsh

    gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        geo = gmsh.model.geo
        corners = [geo.addPoint(x, y, 0, size) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
        lines = [geo.addLine(corners[i], corners[(i + 1) % 4]) for i in range(4)]
        surface = geo.addPlaneSurface([geo.addCurveLoop(lines)])
        geo.synchronize()
        gmsh.model.addPhysicalGroup(1, [lines[3]], name="inlet")
        gmsh.model.addPhysicalGroup(1, [lines[1]], 7)
        gmsh.model.addPhysicalGroup(1, [lines[0], lines[2]], name="walls")
        gmsh.model.addPhysicalGroup(2, [surface], name="inside")
        gmsh.model.mesh.generate(2)
        gmsh.write(str(path))
    finally:
        gmsh.finalize()
    return path


def discrete_decay(num_cells: int) -> tuple[float, Callable[[FloatArray], FloatArray]]:
    """Linear elements on the unit interval: the rate of decay of sin(π x) for κ = 1, exact.

    The nodal values of sin(π x) are an eigenvector of mass and stiffness matrix with
    eigenvalue 6 (1 − cos πh) / (h² (2 + cos πh)), so that nothing is left but the error in
    time.
    """
    h = 1.0 / num_cells
    rate = 6.0 * (1.0 - math.cos(math.pi * h)) / (h**2 * (2.0 + math.cos(math.pi * h)))
    return rate, lambda x: np.sin(np.pi * x[0])


def in_time(method: str) -> Callable[[Any], float]:
    """Error of a discrete mode's amplitude under κ(t)."""

    def error(dt: Any) -> float:
        rate, shape = discrete_decay(8)
        problem = HeatProblem(
            0.25,
            _factor,
            initial=shape,
            boundary_conditions={"all": Dirichlet(0.0)},
            dimension=1,
        )
        trajectory = evolve(problem, mesh=8, backend="fem", method=method, dt=float(dt))
        found = trajectory.native.dat.data_ro.max()
        # ∫ of the factor from 0 to 1 is 4/3
        return abs(float(found) / math.exp(-0.25 * rate * 4.0 / 3.0) - 1.0)

    return error


def _factor(time: float) -> float:
    return 1.0 + time**2


def wave_in_space(degree: int) -> Callable[[Any], float]:
    """Error of a standing wave."""

    def error(size: Any) -> float:
        problem = WaveProblem(
            1.0,
            lambda x: np.sin(np.pi * x[0]) * np.sin(np.pi * x[1]),
            boundary_conditions={"all": Dirichlet(0.0)},
            times=(0.0, 0.5),
        )
        trajectory = evolve(
            problem,
            mesh=int(size),
            backend="fem",
            degree=degree,
            method="gauss-legendre-3",
            dt=0.125,
        )
        phase = math.cos(math.sqrt(2.0) * math.pi * 0.5)
        return error_of(trajectory, lambda x: phase * np.sin(np.pi * x[0]) * np.sin(np.pi * x[1]))

    return error


def orders() -> list[OrderStudy]:
    """Space: boxes in 1D to 3D and Gmsh geometry; time: every kind of method."""
    studies = []
    for dimension, boundary, degree, sizes, small, cap in (
        (1, "robin", 1, (16, 32, 64), (8, 16, 32), 1e-3),
        (2, "neumann", 1, (16, 32, 64), (8, 16, 32), 5e-3),
        (2, "dirichlet", 2, (8, 16, 32), (4, 8, 16), 5e-4),
        (2, "periodic", 1, (16, 32, 64), (12, 24, 48), 3e-2),
        (3, "dirichlet", 1, (8, 16, 24), (8, 12, 16), 5e-2),
    ):
        studies.append(
            OrderStudy(
                f"heat{dimension}d, {boundary}",
                f"fem, CG{degree}, radau-iia-2",
                "u, relative L2",
                in_space(dimension, boundary, degree),
                sizes,
                small,
                degree + 1,
                cap,
            )
        )
    for degree, cap in ((1, 5e-3), (2, 2e-4)):
        studies.append(
            OrderStudy(
                "heat2d, Gmsh triangles",
                f"fem, CG{degree}, radau-iia-2",
                "u, relative L2",
                on_gmsh(degree),
                (8, 16, 32, 64),
                (6, 12, 24),
                degree + 1,
                cap,
            )
        )
        studies.append(
            OrderStudy(
                "wave2d, Dirichlet",
                f"fem, CG{degree}, gauss-legendre-3",
                "u, relative L2",
                wave_in_space(degree),
                (8, 16, 32),
                (4, 8, 16),
                degree + 1,
                {1: 3e-2, 2: 1e-3}[degree],
            )
        )
    for method, order in TIME_ORDERS.items():
        coarsest = {1: 1 / 64, 2: 1 / 16, 3: 1 / 16, 4: 1 / 8, 5: 1 / 4}[order]
        sizes = (coarsest, coarsest / 2, coarsest / 4)
        studies.append(
            OrderStudy(
                "heat1d, κ(t)",
                f"fem, {method}",
                "amplitude of a discrete mode",
                in_time(method),
                (*sizes, sizes[-1] / 2),
                sizes,
                order,
                {1: 5e-2, 2: 5e-3, 3: 1e-4, 4: 1e-4, 5: 1e-5}[order],
                "time",
            )
        )
    return studies


def solvers() -> list[SolverStudy]:
    """Solvers of the systems of a step of Radau IIA with two stages, 16 steps."""

    def solve(dimension: int) -> Callable[[int, Mapping[str, Any]], Any]:
        def run(size: int, options: Mapping[str, Any]) -> Any:
            problem, _ = decaying_mode(dimension, "dirichlet")
            span = problem.times[-1] - problem.times[0]
            return evolve(
                problem, mesh=size, backend="fem", dt=span / 16, solver_parameters=options
            ).result

        return run

    split = {
        "ksp_type": "fgmres",
        "pc_type": "fieldsplit",
        "pc_fieldsplit_type": "multiplicative",
        **{f"fieldsplit_{i}_ksp_type": "preonly" for i in (0, 1)},
    }
    candidates: dict[str, Mapping[str, Any]] = {
        "MUMPS LU (default for small systems)": {"pc_type": "lu"},
        "GMRES + fieldsplit of the stages, GAMG (default)": {
            **split,
            **{f"fieldsplit_{i}_pc_type": "gamg" for i in (0, 1)},
        },
        "GMRES + fieldsplit of the stages, ILU": {
            **split,
            **{f"fieldsplit_{i}_pc_type": "ilu" for i in (0, 1)},
        },
    }
    return [
        SolverStudy("heat2d", "fem, radau-iia-2", solve(2), (32, 64, 128), candidates),
        SolverStudy("heat3d", "fem, radau-iia-2", solve(3), (8, 12, 16), candidates),
    ]
