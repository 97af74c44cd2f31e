"""Solve one problem in time."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from meshes.errors import InputError, PDESolveError, require, suggest
from operators.failures import TimeStepFailure
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.solution import DistributedState
from pdesolve.solving import Backend, as_grid, is_box
from pdesolve.step_sizes import checked_step, checked_times
from pdesolve.stepping import OnStep, StepInfo, Stepper, SteppingSettings
from pdesolve.trajectory import Trajectory

OnOutput = Callable[[float, DistributedState], None]


def evolve(
    problem: EvolutionProblem,
    *,
    mesh: Any = None,
    times: Sequence[float] | None = None,
    dt: float | None = None,
    method: str | None = None,
    rtol: float | None = None,
    backend: Backend = "auto",
    solver_parameters: Mapping[str, Any] | str | None = None,
    options_prefix: str = "",
    comm: Any = None,
    element: str = "CG",
    degree: int = 1,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    restart: str | Path | None = None,
    on_step: OnStep | None = None,
    on_output: OnOutput | None = None,
    unused_options: Literal["warn", "error"] = "warn",
) -> Trajectory:
    """Solve a problem in time with PETSc (``grid``), Irksome (``fem``) or ETDRK4 (``spectral``).

    Collective on the communicator.

    Parameters
    ----------
    problem
        What to solve.
    mesh
        As in :func:`pdesolve.solve`.
    times
        Times at which the state is kept, growing, the initial time first; the problem's
        when left out.
    dt
        Step size: every step of methods without error control (it must divide the times
        between outputs), the first step of adaptive ones. Left out, the problem's default.
    method
        ``grid``: a PETSc TS type such as ``"rk"``, ``"ssp"``, ``"arkimex"``, ``"cn"``,
        ``"beuler"``; ``fem``: an Irksome tableau such as ``"gauss-legendre-2"``;
        ``spectral``: ``"etdrk4"``. Left out, the problem's default.
    rtol
        Relative tolerance on the error of a step, for adaptive methods.
    backend
        ``"grid"``, ``"fem"``, ``"spectral"``, or ``"auto"``: the first of the problem's
        that fits the mesh.
    solver_parameters
        PETSc options by name (``ts_``, ``snes_``, ``ksp_``, ``pc_``); for ``fem`` also a name
        of :data:`pdesolve.fem.preconditioners.PRECONDITIONERS`.
    options_prefix
        Prefix under which PETSc's command line reaches the solver.
    comm
        MPI communicator.
    element, degree
        Finite element of the backend ``fem``.
    checkpoint
        HDF5 file (``.h5``) that is replaced after every `checkpoint_every` steps and at
        the end; a kill at any moment leaves the last whole one.
    checkpoint_every
        Number of steps; at the output times when left out.
    restart
        Checkpoint to go on from. The trajectory then begins at its time.
    on_step
        Called after every step with a :class:`StepInfo`.
    on_output
        Called at each output time, the first included, with time and state.
    unused_options
        Whether options that PETSc did not read are a warning or an error.

    Returns
    -------
    Trajectory
        States at the output times, diagnostics, and the record.

    Raises
    ------
    InputError
        If problem, mesh, times and options do not fit together, or an explicit step is
        larger than the stable one (which the message states).
    TimeStepFailure
        If a step fails or the state is not finite any more; it carries ``result`` and
        the trajectory so far as ``solution``, and names the last checkpoint.
    CheckpointError
        If `restart` cannot be used.

    Examples
    --------
    >>> from pdesolve import evolve, get_family, sample_generator
    >>> family = get_family("burgers1d")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> evolve(problem, mesh=64).times[-1]
    1.0
    """
    if not isinstance(problem, EvolutionProblem):
        kind = "steady problem; use solve" if isinstance(problem, Problem) else "no problem"
        raise InputError(f"problem is a {type(problem).__name__}, a {kind}")
    mesh = problem.default_mesh() if mesh is None else mesh
    if mesh is None:
        raise InputError("mesh is missing; give cells an axis such as mesh=(64, 64), or a mesh")
    keeper = _Keeper(checkpoint, checkpoint_every)
    settings = SteppingSettings(
        times=checked_times(problem.times if times is None else times),
        dt=checked_step(dt),
        method=method,
        rtol=rtol,
        solver_parameters=(
            {"preconditioner": solver_parameters}
            if isinstance(solver_parameters, str)
            else dict(solver_parameters or {})
        ),
        options_prefix=options_prefix,
        comm=comm,
        element=element,
        degree=degree,
        unused_options=unused_options,
    )
    chosen = choose_backend(problem, mesh, backend)
    stepper = make_stepper(problem, mesh, chosen, settings)
    try:
        if restart is not None:
            stepper.load(Path(restart))
        return _run(problem, chosen, stepper, settings, keeper, on_step, on_output)
    finally:
        stepper.close()


def choose_backend(problem: EvolutionProblem, mesh: Any, backend: str) -> str:
    """The backend, checked against problem and mesh."""
    known = ("auto", "grid", "fem", "spectral")
    if backend not in known:
        raise InputError(f"there is no backend '{backend}'. {suggest(backend, known)}")
    usable = problem.backends if is_box(mesh) else ("fem",)
    if backend == "auto":
        fitting = [name for name in problem.backends if name in usable]
        if not fitting:
            raise InputError(
                f"'{problem.name}' is solved on boxes (mesh a number of cells), by: "
                f"{', '.join(problem.backends)}"
            )
        return fitting[0]
    if backend not in problem.backends:
        raise InputError(
            f"'{problem.name}' has no form for the backend '{backend}'; it has: "
            f"{', '.join(problem.backends)}"
        )
    if backend not in usable:
        raise InputError(
            f"the backend '{backend}' solves on boxes, and mesh is {mesh!r}; use backend='fem'"
        )
    return backend


def make_stepper(
    problem: EvolutionProblem, mesh: Any, backend: str, settings: SteppingSettings
) -> Stepper:
    """A backend at the first time of a problem (collective)."""
    if backend == "spectral":
        module = importlib.import_module("pdesolve.spectral.stepper")
        return cast("Stepper", module.SpectralStepper(problem, as_grid(problem, mesh), settings))
    if backend == "grid":
        require("petsc4py.PETSc", extra="petsc")
        module = importlib.import_module("pdesolve.grid._petsc_evolution")
        return cast("Stepper", module.GridStepper(problem, as_grid(problem, mesh), settings))
    importlib.import_module("meshes._firedrake")  # sets the kernel cache; says what is missing
    module = importlib.import_module("pdesolve.fem._firedrake_evolution")
    return cast("Stepper", module.FemStepper(problem, mesh, settings))


class _Keeper:
    """When checkpoints are written, and which was the last."""

    def __init__(self, path: str | Path | None, every: int | None) -> None:
        self.path = None if path is None else Path(path)
        self.every = every
        self.last = ""
        self._written = -1
        if self.path is not None and self.path.suffix != ".h5":
            raise InputError(f"checkpoint='{path}' must end in .h5")
        if every is not None and (isinstance(every, bool) or int(every) != every or every < 1):
            raise InputError(f"checkpoint_every={every!r} must be a positive number of steps")
        if every is not None and path is None:
            raise InputError("checkpoint_every needs checkpoint, the file to write")

    def after_step(self, stepper: Stepper) -> None:
        if self.every is not None and stepper.num_steps % self.every == 0:
            self._write(stepper)

    def at_output(self, stepper: Stepper, *, final: bool) -> None:
        if self.every is None or final:
            self._write(stepper)

    def _write(self, stepper: Stepper) -> None:
        if self.path is None or self._written == stepper.num_steps:
            return
        stepper.save(self.path)
        self._written = stepper.num_steps
        self.last = f"'{self.path}' at t = {stepper.time:.9g} (step {stepper.num_steps})"


def _run(
    problem: EvolutionProblem,
    backend: str,
    stepper: Stepper,
    settings: SteppingSettings,
    keeper: _Keeper,
    on_step: OnStep | None,
    on_output: OnOutput | None,
) -> Trajectory:
    times: list[float] = []
    states: list[DistributedState] = []
    rows: list[Mapping[str, float]] = []

    comm = getattr(stepper, "comm", None)
    step_is_observed = _on_any(comm, on_step)
    output_is_observed = _on_any(comm, on_output)

    def keep() -> None:
        times.append(stepper.time)
        states.append(stepper.state())
        rows.append(stepper.quantities())
        if output_is_observed:
            _observe(comm, on_output, stepper.time, states[-1])

    def trajectory() -> Trajectory:
        names = rows[0] if rows else {}
        history = {name: np.array([row[name] for row in rows]) for name in names}
        return Trajectory(problem, backend, tuple(times), tuple(states), history, stepper.result())

    def after_step(info: StepInfo) -> None:
        keeper.after_step(stepper)
        if step_is_observed:
            _observe(comm, on_step, info)

    reached = stepper.time + 1e-12 * abs(stepper.time)
    later = [time for time in settings.times if time > reached]
    if not later:
        raise InputError(
            f"the checkpoint is at t = {stepper.time:g} already; the last requested time is "
            f"{settings.times[-1]:g}"
        )
    keep()
    try:
        for time in later:
            stepper.advance(time, after_step)
            keep()
            keeper.at_output(stepper, final=time == later[-1])
    except TimeStepFailure as failure:
        text = str(failure).removesuffix(".") + "."
        if keeper.last:
            text += f" The last good checkpoint is {keeper.last}."
        raise TimeStepFailure(text, result=stepper.result(), solution=trajectory()) from failure
    return trajectory()


def _on_any(comm: Any, observer: Callable[..., None] | None) -> bool:
    """Whether any process has an observer (collective)."""
    here = observer is not None
    return here if comm is None or comm.size == 1 else any(comm.allgather(here))


def _observe(comm: Any, observer: Callable[..., None] | None, *arguments: Any) -> None:
    """Call an observer; its error on one process ends all of them (collective)."""
    error: Exception | None = None
    try:
        if observer is not None:
            observer(*arguments)
    except Exception as problem:
        if comm is None or comm.size == 1:
            raise
        error = problem
    if comm is None or comm.size == 1:
        return
    texts = comm.allgather(None if error is None else f"{type(error).__name__}: {error}")
    if error is not None:
        raise error
    for rank, text in enumerate(texts):
        if text is not None:
            raise PDESolveError(f"process {rank} stopped the run. {text}")
