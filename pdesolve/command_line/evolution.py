"""``pdesolve solve`` for families that evolve in time."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import VerbParser, Words, existing_file, output_file
from pdesolve.command_line.problems import (
    mesh_for,
    mesh_text,
    sample_text,
    start_solver,
    write_run_file,
)
from pdesolve.command_line.processes import processes
from pdesolve.command_line.tables import print_table, seconds_text, time_bar
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.trajectory import Trajectory

NAMES = (
    "times",
    "dt",
    "method",
    "rtol",
    "checkpoint",
    "checkpoint_every",
    "restart",
    "animate",
)


def add_options(parser: VerbParser) -> None:
    """Add what only families in time take."""
    parser.option("times", float, "output times, the initial time first", many=True)
    parser.option("dt", float, "step size; the first one of adaptive methods")
    parser.option("method", str, "grid: a PETSc TS type; fem: a tableau; spectral: etdrk4")
    parser.option("rtol", float, "relative tolerance on a step's error, for adaptive methods")
    parser.option("checkpoint", str, "file to go on from later, ending in .h5")
    parser.option("checkpoint_every", int, "steps between two checkpoints")
    parser.option("restart", str, "checkpoint to go on from")
    parser.option("animate", str, "animation, ending in .mp4 or .gif")


def refuse_options(given: Words, family: ProblemFamily) -> None:
    """Say that a steady family does not take them."""
    for name in NAMES:
        if given[name] is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is for families that evolve in time; "
                f"'{family.name}' is steady"
            )


def run(given: Words, family: ProblemFamily, problem: EvolutionProblem, backend: str) -> int:
    """Solve in time, print the table, write files."""
    from pdesolve.evolving import evolve
    from pdesolve.output.series import StateSeries, open_series

    if given["accelerate"] is not None:
        raise InputError("--accelerate gives a steady solve its first guess; leave it out here")
    if not given["check"]:
        raise InputError("--check false is for steady solves; a failed step always ends a run")
    out = output_file(given["out"], "--out", ".pvd")
    plot = output_file(given["plot"], "--plot", ".png")
    animate = _animation(given["animate"])
    checkpoint = output_file(given["checkpoint"], "--checkpoint", ".h5")
    restart = None
    if given["restart"] is not None:
        restart = existing_file(given["restart"], "--restart")
    series: list[StateSeries] = []

    def write(time: float, state: Any) -> None:
        if out is not None:
            if not series:
                series.append(open_series(state, out))
            series[0].append(state, time)

    mesh = mesh_for(given, family)
    solver_parameters = start_solver(given)
    bar: Any = time_bar() if processes().rank == 0 else nullcontext()
    with bar as progress:
        trajectory = evolve(
            problem,
            mesh=mesh,
            times=given["times"],
            dt=given["dt"],
            method=given["method"],
            rtol=given["rtol"],
            backend=backend,  # type: ignore[arg-type]
            solver_parameters=solver_parameters,
            element="CG" if given["element"] is None else given["element"],
            degree=1 if given["degree"] is None else given["degree"],
            checkpoint=checkpoint,
            checkpoint_every=given["checkpoint_every"],
            restart=restart,
            on_step=progress,
            on_output=write,
            unused_options="error",
        )
    _print(sample_text(given, family), trajectory, mesh_text(trajectory.backend, given, mesh))
    if out is not None:
        write_run_file(out, given)
        print(f"wrote {out} ({len(trajectory.times)} times)")
    if plot is not None:
        trajectory.plot(plot)
        print(f"wrote {plot}")
    if animate is not None:
        trajectory.animate(animate)
        print(f"wrote {animate}")
    if checkpoint is not None:
        print(f"wrote {checkpoint}")
    return SUCCESS


def _animation(name: str | None) -> Path | None:
    if name is None:
        return None
    ending = Path(name).suffix
    if ending not in (".mp4", ".gif"):
        raise InputError(f"--animate: '{name}' must end in .mp4 or .gif")
    return output_file(name, "--animate", ending)


def _print(title: str, trajectory: Trajectory, mesh: str) -> None:
    result = trajectory.result
    rows = [
        ("backend", trajectory.backend),
        ("mesh", mesh),
        ("unknowns", str(result.num_unknowns)),
        ("method", result.method),
        ("stopped by", result.reason),
        ("time reached", f"{result.time:g}"),
        ("steps", str(result.num_steps)),
        *([("rejected steps", str(result.num_rejected))] if result.num_rejected else []),
        ("last step size", f"{result.step_size:.4g}"),
        *_counts(trajectory),
        *((f"{phase} time", seconds_text(value)) for phase, value in result.seconds.items()),
    ]
    print_table(title, ("", "result"), rows)
    names = [name for name, values in trajectory.history.items() if len(values)]
    if names:
        first, last = f"t = {trajectory.times[0]:g}", f"t = {trajectory.times[-1]:g}"
        numbers = [
            (name, f"{trajectory.history[name][0]:.8g}", f"{trajectory.history[name][-1]:.8g}")
            for name in names
        ]
        print_table("Quantities", ("", first, last), numbers)
    for note in result.notes:
        print(f"note: {note}")


def _counts(trajectory: Trajectory) -> list[tuple[str, str]]:
    result = trajectory.result
    counts = (
        ("nonlinear iterations", result.nonlinear_iterations),
        ("linear iterations", result.linear_iterations),
    )
    return [(name, str(count)) for name, count in counts if count]
