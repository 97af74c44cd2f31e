"""What the order of samples does: path lengths, time to sort, iterations of what is handed on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.table import Table
from meshes.structured import FloatArray
from pdesolve import DarcyProblem, get_family, sample_generator
from pdesolve.data.samples import SampleTask
from pdesolve.grid._petsc_solver import GridSolver
from pdesolve.sequences import ORDERS, feature_matrix, guess_parameters, order_samples, path_length
from pdesolve.sequences._petsc_guesses import PetscNeighborGuess

GMRES: Mapping[str, Any] = {
    "ksp_type": "gmres",
    "ksp_gmres_restart": 40,
    "ksp_pc_side": "right",
    "pc_type": "jacobi",
}
GCRODR: Mapping[str, Any] = {
    "ksp_type": "python",
    "ksp_python_type": "pdesolve.ksp.GCRODR",
    "gcrodr_restart": 40,
    "gcrodr_recycle": 20,
    "ksp_pc_side": "right",
    "pc_type": "jacobi",
}
CG: Mapping[str, Any] = {"ksp_type": "cg", "pc_type": "icc"}
NUM_NEIGHBORS = 10
THREE = "three parameters"
FAMILIES = ("darcy2d", "darcy2d_lognormal", THREE)


def problems(name: str, count: int) -> list[Any]:
    """Problems of a family, or with log a = Σ ξ_k cos(k₁πx) cos(k₂πy) for three ξ in (-1, 1)."""
    if name == THREE:
        draws = np.random.default_rng(0).uniform(-1, 1, (count, 3))
        return [DarcyProblem(lambda x, xi=xi: np.exp(_three_waves(x, xi))) for xi in draws]
    family = get_family(name)
    return [
        family.problem(family.sample(sample_generator(0, "train", index))) for index in range(count)
    ]


def _three_waves(x: FloatArray, xi: FloatArray) -> FloatArray:
    across, along = np.cos(np.pi * x[0]), np.cos(np.pi * x[1])
    waves: FloatArray = xi[0] * across + xi[1] * along + xi[2] * across * along
    return waves


def features(samples: Sequence[Any], size: int) -> FloatArray:
    """Truncated cosine features of problems."""
    tasks = [SampleTask(index, problem, {}) for index, problem in enumerate(samples)]
    return feature_matrix(tasks, samples[0].grid(size))


def mean_iterations(
    samples: Sequence[Any], size: int, options: Mapping[str, Any], rtol: float = 1e-8
) -> float:
    """Mean iterations of a sequence in which PETSc's objects are kept.

    The preconditioner is made anew for each system. Where a guess of PETSc is among the options,
    PETSc is told after that to reuse the preconditioner, without which the guess is
    emptied for each new matrix.
    """
    solver, counts = None, []
    for problem in samples:
        grid = problem.grid(size)
        solver = solver or GridSolver(grid, {**options, "ksp_rtol": rtol})
        if "ksp_guess_type" in options and solver.matrix is not None:
            solver._ksp.getPC().setReusePreconditioner(False)
            assembled = solver.assemble(problem.discretize(grid))
            solver._ksp.setUp()
            solver._ksp.getPC().setReusePreconditioner(True)
            vector, result = solver.solve_assembled(assembled)
        else:
            vector, result = solver.solve(problem.discretize(grid))
        vector.destroy()
        counts.append(result.iterations)
    if solver is not None:
        solver.destroy()
    return float(np.mean(counts))


def mean_iterations_with_neighbors(
    samples: Sequence[Any],
    size: int,
    count: int = NUM_NEIGHBORS,
    *,
    energy: bool = True,
    points: FloatArray | None = None,
    rtol: float = 1e-8,
) -> float:
    """The same for CG from guesses out of solutions: the last, or all nearest in features."""
    solver, guesses, counts = None, None, []
    for place, problem in enumerate(samples):
        grid = problem.grid(size)
        solver = solver or GridSolver(grid, {**CG, "ksp_rtol": rtol})
        assembled = solver.assemble(problem.discretize(grid))
        right = solver._right
        own = None if points is None else points[place]
        count, capacity = (
            (count, count) if points is None else (min(count, len(samples)), len(samples))
        )
        guesses = guesses or PetscNeighborGuess(right, count, energy, capacity)
        first, guess = None, right.duplicate()
        if guesses.make(assembled.matrix.mat, right, guess, own):
            first = assembled.matrix.local_array(guess)
        vector, result = solver.solve_assembled(assembled, first)
        guesses.add(vector, own)
        for used in (guess, vector):
            used.destroy()
        counts.append(result.iterations)
    if solver is not None:
        solver.destroy()
    return float(np.mean(counts))


def sorting_seconds(count: int, size: int = 64) -> dict[str, tuple[float, float]]:
    """Processor seconds and path length of each order of `count` samples; also features."""
    samples = problems("darcy2d", count)
    start = time.process_time()
    points = features(samples, size)
    found = {"features": (time.process_time() - start, float("nan"))}
    whole = path_length(points)
    for name in ORDERS:
        start = time.process_time()
        order = order_samples(points, name)
        found[name] = (time.process_time() - start, path_length(points, order) / whole)
    return found


def run(size: int = 48, num_samples: int = 100, many: int = 10_000) -> Table:
    """Each order of three families, under GCRO-DR and under CG with guesses."""
    table = Table(
        "orders",
        f"Order of {num_samples} Darcy systems at {size}² (1e-8): path length and mean iterations",
        (
            "family",
            "order",
            "path length",
            "GMRES(40)+Jacobi",
            "GCRODR(40,20)+Jacobi",
            "CG+Jacobi",
            "CG+ICC",
            "+ Fischer",
            "+ POD",
            "+ 10 last, energy",
            "+ 10 last, residual",
            "+ 30 nearest, energy",
        ),
    )
    for name in FAMILIES:
        samples = problems(name, num_samples)
        points = features(samples, size)
        for kind in ORDERS:
            order = order_samples(points, kind)
            ordered = [samples[index] for index in order]
            table.add(
                name,
                kind,
                path_length(points, order) / path_length(points),
                *(mean_iterations(ordered, size, options) for options in (GMRES, GCRODR)),
                mean_iterations(ordered, size, {**CG, "pc_type": "jacobi"}),
                mean_iterations(ordered, size, CG),
                *(
                    mean_iterations(ordered, size, {**CG, **guess_parameters(guess, NUM_NEIGHBORS)})
                    for guess in ("fischer", "pod")
                ),
                *(
                    mean_iterations_with_neighbors(ordered, size, energy=energy)
                    for energy in (True, False)
                ),
                mean_iterations_with_neighbors(ordered, size, 30, points=points[order]),
            )
    table.notes.append(
        "Path length: that of the index order is 1. GCRODR counts Arnoldi steps; the products for "
        "the 20 recycled vectors come on top. Fischer and POD keep 10 solutions; the other guesses "
        "are the best combinations of solved neighbours, and cost as many products with A."
    )
    table.notes.append(
        "Fischer and POD are PETSc's, made to keep their solutions although the matrix changes; "
        "by options alone PETSc empties them, and the counts are those of CG+ICC."
    )
    if many:
        table.notes.append(
            f"Sorting {many} samples of darcy2d by 144 numbers, processor time: "
            + "; ".join(
                f"{name} {seconds:.2f} s" + (f", path {length:.3f}" if np.isfinite(length) else "")
                for name, (seconds, length) in sorting_seconds(many).items()
            )
            + "."
        )
    return table
