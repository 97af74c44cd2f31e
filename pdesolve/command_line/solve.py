"""``pdesolve solve``: one problem."""

from __future__ import annotations

import importlib
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from meshes.errors import InputError, require
from meshes.field import Field
from pdesolve.command_line import evolution
from pdesolve.command_line.main import FAILURE, SUCCESS
from pdesolve.command_line.parsing import VerbParser, Words, existing_file, output_file
from pdesolve.command_line.problems import (
    add_family,
    add_sample,
    add_solver_parameters,
    chosen_family,
    chosen_problem,
    mesh_for,
    mesh_text,
    sample_text,
    start_solver,
    write_run_file,
)
from pdesolve.command_line.processes import processes
from pdesolve.command_line.tables import print_table, seconds_text
from pdesolve.problems.base import Problem, ProblemFamily
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.solution import Solution

EXAMPLES = (
    "solve darcy2d --shape 64 64 --seed 7 --out u.pvd --plot u.png",
    "solve darcy2d --shape 64 64 -- -ksp_type cg -pc_type gamg -ksp_monitor",
    "solve darcy2d --set kind=lognormal standard_deviation=0.5",
    "solve darcy2d --backend fem --shape 16 16 --element RT --degree 1",
    "solve darcy2d --mesh domain.msh --degree 2",
    "solve darcy2d --seed 7 --accelerate best.ckpt",
    "solve burgers1d --shape 256 --times 0 0.5 1 --animate u.gif",
    "solve heat2d --backend grid --dt 0.01 --checkpoint run.h5 -- -ts_type cn",
    "solve heat2d --backend grid --dt 0.01 --restart run.h5 --times 0 1 2 -- -ts_type cn",
    "solve --config u.run.yaml --shape 128 128",
)

REPEATS, LONG_SECONDS = 5, 4.0
"""Timed runs of an accelerated solve, and above how many seconds one is enough."""


def _parser() -> VerbParser:
    parser = VerbParser(
        "solve",
        "Draw one problem from a family and solve it with PETSc, Firedrake or Fourier modes.",
        EXAMPLES,
        takes_petsc=True,
    )
    add_family(parser)
    add_sample(parser)
    parser.option("shape", int, "cells along each axis, or one number for all axes", many=True)
    parser.option("mesh", str, "Gmsh file (.msh) in place of --shape; uses Firedrake")
    parser.option(
        "backend",
        Literal["auto", "grid", "fem", "spectral"],
        "grid: finite volumes with PETSc; fem: finite elements with Firedrake; spectral: "
        "Fourier modes on periodic boxes; auto: the family's first, fem where --mesh, "
        "--element or --degree is given",
        "auto",
    )
    parser.option("element", str, "finite element: CG (default), or RT for the mixed form")
    parser.option("degree", int, "degree of the finite element (default: 1)")
    parser.option("accelerate", str, "checkpoint of a surrogate whose prediction starts the solver")
    parser.option("out", str, "file for ParaView, ending in .pvd")
    parser.option("plot", str, "picture file, ending in .png")
    parser.option("check", bool, "whether a solve that did not converge is an error", True)
    add_solver_parameters(parser)
    evolution.add_options(parser)
    return parser


def run(words: Sequence[str]) -> int:
    """Solve, print the table, write files."""
    from pdesolve.solving import solve

    given = _parser().parse(words)
    backend = _backend(given)
    out = output_file(given["out"], "--out", ".pvd")
    plot = output_file(given["plot"], "--plot", ".png")
    family = chosen_family(given, EXAMPLES[0])
    problem = chosen_problem(given, family)
    if isinstance(problem, EvolutionProblem):
        return evolution.run(given, family, problem, backend)
    evolution.refuse_options(given, family)
    keywords: dict[str, Any] = {
        "mesh": mesh_for(given, family),
        "backend": backend,
        "element": "CG" if given["element"] is None else given["element"],
        "degree": 1 if given["degree"] is None else given["degree"],
        "check": given["check"],
        "unused_options": "error",
    }
    surrogate = _surrogate(given, family, problem, keywords)
    keywords["solver_parameters"] = start_solver(given)
    title = sample_text(given, family)
    if surrogate is None:
        solution = solve(problem, **keywords)
        _print_one(title, solution, given, keywords["mesh"])
    else:
        solution = _print_both(title, problem, keywords, surrogate, given)
    if out is not None:
        solution.save(out)
        write_run_file(out, given)
        print(f"wrote {out}")
    if plot is not None:
        solution.plot(plot)
        print(f"wrote {plot}")
    if not solution.result.converged:
        print("pdesolve solve: the tolerance was not met", file=sys.stderr)
        return FAILURE
    return SUCCESS


def _backend(given: Words) -> str:
    """The backend, once everything that speaks for one has been compared."""
    backend: str = given["backend"]
    if given["mesh"] is not None:
        existing_file(given["mesh"], "--mesh")
        if given["shape"] is not None:
            raise InputError("--shape and --mesh both give the mesh; leave one out")
    for_fem = [name for name in ("mesh", "element", "degree") if given[name] is not None]
    if for_fem and backend in ("grid", "spectral"):
        how = "finite volumes" if backend == "grid" else "Fourier modes"
        raise InputError(
            f"--backend {backend} solves on boxes with {how} and takes no --{for_fem[0]}; "
            "use --backend fem, or leave one of the two out"
        )
    return "fem" if for_fem else backend


def _surrogate(
    given: Words, family: ProblemFamily, problem: Problem, keywords: dict[str, Any]
) -> Any:
    """The surrogate, checked against the problem."""
    if given["accelerate"] is None:
        return None
    path = existing_file(given["accelerate"], "--accelerate")
    if given["mesh"] is not None:
        raise InputError("--accelerate predicts on grids; use --shape in place of --mesh")
    require("torch", extra="neural")
    surrogate = importlib.import_module("neural.surrogate").Surrogate.load(path)
    surrogate.check_family(family)
    surrogate.check(problem, problem.grid(keywords["mesh"]))
    return surrogate


def _lowest_degree(solution: Solution) -> int:
    return int(getattr(solution.problem, "lowest_degree", 1))


def _result_rows(solution: Solution) -> list[tuple[str, str]]:
    result = solution.result
    reason = result.reason if result.converged else f"{result.reason} (NOT converged)"
    return [
        ("unknowns", str(result.num_unknowns)),
        ("method", result.solver),
        ("stopped by", reason),
        ("iterations", str(result.iterations)),
        ("relative residual", f"{result.relative_residual:.2e}"),
        ("asked for", f"{result.rtol:.0e}"),
        *((f"{phase} time", seconds_text(value)) for phase, value in result.seconds.items()),
    ]


def _print_one(title: str, solution: Solution, given: Words, mesh: Any) -> None:
    total = sum(solution.result.seconds.values())
    rows = [
        ("backend", solution.backend),
        (
            "mesh",
            mesh_text(solution.backend, given, mesh, _lowest_degree(solution)),
        ),
        *_result_rows(solution),
        ("total time", seconds_text(total)),
    ]
    print_table(title, ("", "result"), rows)
    for note in solution.result.notes:
        print(f"note: {note}")


@dataclass(frozen=True)
class _Timed:
    """A solve, and the wall time of it and of the prediction that it started from."""

    solution: Solution
    seconds: float
    prediction_seconds: float = 0.0


def _timed_solve(problem: Problem, keywords: dict[str, Any], surrogate: Any = None) -> _Timed:
    """Solve, from a prediction if there is a surrogate."""
    from pdesolve.solving import solve

    start = time.perf_counter()
    guess, predicted = None, start
    if surrogate is not None:
        module = importlib.import_module("neural.accelerate")
        guess = module.initial_guess(surrogate, problem, problem.grid(keywords["mesh"]))
        predicted = time.perf_counter()
    solution = solve(problem, x0=guess, **keywords)
    return _Timed(solution, time.perf_counter() - start, predicted - start)


def _print_both(
    title: str, problem: Problem, keywords: dict[str, Any], surrogate: Any, given: Words
) -> Solution:
    """Solve without and with the prediction; give the second answer."""
    # the first of each also loads libraries and makes plans
    first = [_timed_solve(problem, keywords), _timed_solve(problem, keywords, surrogate)]
    # processes measure different times, and have to take the same decisions
    short = sum(timed.seconds for timed in first) < LONG_SECONDS
    repeats = processes().first(REPEATS if short else 1)
    without, with_prediction = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said once already
        for _ in range(repeats):
            without.append(_timed_solve(problem, keywords))
            with_prediction.append(_timed_solve(problem, keywords, surrogate))
    plain, accelerated = (_median(runs) for runs in (without, with_prediction))
    mesh = keywords["mesh"]
    own = dict(_result_rows(accelerated.solution))
    rows = [
        ("backend", plain.solution.backend, accelerated.solution.backend),
        (
            "mesh",
            *(mesh_text(timed.solution.backend, given, mesh) for timed in (plain, accelerated)),
        ),
        *((name, text, own.get(name, "")) for name, text in _result_rows(plain.solution)),
        ("prediction time", "", seconds_text(accelerated.prediction_seconds)),
        ("total time", seconds_text(plain.seconds), seconds_text(accelerated.seconds)),
    ]
    print_table(title, ("", "without", "with prediction"), rows)
    median = f"the medians of {repeats} runs" if repeats > 1 else "those of one run"
    print(f"Times are {median}, after a first one that also loads libraries.")
    print(f"Relative L2 difference of the two answers: {_difference(plain, accelerated):.1e}")
    return accelerated.solution


def _median(runs: Sequence[_Timed]) -> _Timed:
    """The run of median time, by the clock of the first process."""
    order = sorted(range(len(runs)), key=lambda number: runs[number].seconds)
    return runs[processes().first(order[len(runs) // 2])]


def _difference(one: _Timed, other: _Timed) -> float:
    """Size of the difference of two answers, relative to the first."""
    first, second = one.solution.gather(), other.solution.gather()
    difference = Field(first.mesh, second.values - first.values, first.names, first.location)
    return difference.norm() / (first.norm() or 1.0)
