"""Many periodic problems at once, on NumPy or torch, with gradients in torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.failures import TimeStepFailure
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import Array, SpectralEvolution, stack
from pdesolve.spectral.integrator import FourierIntegrator
from pdesolve.step_sizes import checked_step, checked_times

_CACHED_BYTES = 2**18  # of a piece's state; larger ones fall out of a core's cache


@dataclass(frozen=True, eq=False)
class BatchTrajectories:
    """Trajectories of a batch.

    Parameters
    ----------
    times
        Output times.
    values
        ``(batch, time, channel, *shape)``, in the array library that was asked for.
    names
        Names of the channels.
    history
        Diagnostics by name, ``(batch, time)``.
    grid
        Where the values sit.
    step_size
        The last step's size.
    """

    times: tuple[float, ...]
    values: Array
    names: tuple[str, ...]
    history: Mapping[str, Array]
    grid: StructuredGrid
    step_size: float

    @property
    def finite(self) -> npt.NDArray[np.bool_]:
        """Whether each trajectory is finite throughout, a NumPy array ``(batch,)``."""
        values = self.values
        host = values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
        flat: npt.NDArray[np.float64] = host.reshape(len(host), -1)
        found: npt.NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(flat), axis=1)
        return found


def evolve_batch(
    problems: Sequence[EvolutionProblem],
    grid: StructuredGrid | int | tuple[int, ...],
    times: Sequence[float] | None = None,
    *,
    dt: float | None = None,
    method: str | None = None,
    xp: Any = "numpy",
    device: Any = None,
    dtype: str = "float64",
    workers: int = 1,
    check: bool = True,
) -> BatchTrajectories:
    """Solve problems of one family together with the backend ``spectral``.

    Parameters
    ----------
    problems
        Problems that differ in initial states and parameters only.
    grid
        Grid that wraps on every axis, or cells an axis.
    times
        Output times, the initial time first; those of the first problem when left out.
    dt
        Step size of all; it must divide the times between outputs. Left out, the smallest
        of the problems' defaults.
    method
        ``"etdrk4"`` (the default) or ``"etdrk2"``.
    xp
        Array library: ``"numpy"``, or the module ``torch``.
    device, dtype
        Of the arrays, such as ``"cuda"`` and ``"float32"``. Coefficients of the method are
        computed in float64 whatever the type.
    workers
        Threads of NumPy's transforms.
    check
        Whether a trajectory that is not finite is an error. Otherwise see
        :attr:`BatchTrajectories.finite`.

    Raises
    ------
    InputError
        If the problems do not make a batch.
    TimeStepFailure
        If trajectories blow up; the message names them, and ``solution`` holds all.

    Notes
    -----
    NumPy takes the batch in pieces that fit a processor's cache.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> family = get_family("kuramoto_sivashinsky")
    >>> problems = [family.problem(family.sample(sample_generator(0, "a", i))) for i in range(3)]
    >>> evolve_batch(problems, 64, (0.0, 0.5, 1.0)).values.shape
    (3, 3, 1, 64)
    """
    if not problems:
        raise InputError("a batch needs at least one problem")
    where = grid if isinstance(grid, StructuredGrid) else problems[0].grid(grid)
    evolutions = [problem.spectral_evolution(where) for problem in problems]
    instants = checked_times(problems[0].times if times is None else times)
    smallest = min(item.step_size for item in evolutions)
    parts = []
    for part in _parts(evolutions, whole=xp is not None and xp != "numpy" and xp is not np):
        integrator = FourierIntegrator(
            replace(stack(part), step_size=smallest),
            xp=xp,
            dtype=dtype,
            device=device,
            workers=workers,
            method=method,
        )
        parts.append(_solved(integrator, instants, checked_step(dt)))
    library, first = integrator.transforms.xp, integrator.evolution
    found = BatchTrajectories(
        instants,
        library.concat([values for values, _, _ in parts], axis=0),
        first.reported_names,
        {
            name: library.concat([history[name] for _, history, _ in parts], axis=0)
            for name in first.diagnostics
        },
        where,
        parts[0][2],
    )
    if check and not found.finite.all():
        bad = np.flatnonzero(~found.finite)
        lost = _host(found.values)[bad[0]].reshape(len(instants), -1)
        number = int(np.isfinite(lost).all(axis=1).argmin())
        names = ", ".join(map(str, bad[:10])) + (", ..." if bad.size > 10 else "")
        raise TimeStepFailure(
            f"{bad.size} of {len(problems)} trajectories are not finite with dt = "
            f"{found.step_size:.3g} (numbers {names}; the first between t = "
            f"{instants[number - 1]:g} and {instants[number]:g}). Take a smaller dt or a finer "
            "grid, or check=False and leave them out",
            solution=found,
        )
    return found


def rollout(
    evolution: SpectralEvolution,
    times: Sequence[float],
    *,
    dt: float | None = None,
    method: str | None = None,
    initial: Array | None = None,
    parameters: Mapping[str, Array] | None = None,
    xp: Any = None,
    device: Any = None,
    dtype: str = "float64",
) -> Array:
    """States at the given times as one array; torch differentiates through it.

    Parameters
    ----------
    evolution
        The equations, such as ``problem.spectral_evolution(grid)``, single or a batch.
    times
        Times of the states, the initial time first.
    dt, method
        As for :func:`evolve_batch`.
    initial
        Replaces the initial state, real ``(*batch, channel, *shape)``.
    parameters
        Replace parameters by name. Tensors that require gradients get them.
    xp, device, dtype
        As for :func:`evolve_batch`.

    Returns
    -------
    array
        ``(*batch, time, channel, *shape)``.

    Notes
    -----
    Reverse mode keeps every stage of every step: memory grows with the number of steps.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> family = get_family("burgers1d")
    >>> problem = family.problem(family.sample(sample_generator(0, "a", 0)))
    >>> evolution = problem.spectral_evolution(problem.grid(64))
    >>> rollout(evolution, (0.0, 0.1), parameters={"viscosity": 0.05}).shape
    (2, 1, 64)
    """
    integrator = FourierIntegrator(
        evolution, xp=xp, dtype=dtype, device=device, method=method, parameters=parameters
    )
    state = integrator.initial(initial)
    states, _ = _states(integrator, state, checked_times(times), checked_step(dt))
    axis = -2 - evolution.grid.dimension
    return integrator.transforms.xp.stack([integrator.report(item) for item in states], axis=axis)


def _states(
    integrator: FourierIntegrator, state: Array, times: tuple[float, ...], dt: float | None
) -> tuple[list[Array], float]:
    """The coefficients at the times, and the last step's size."""
    states, size = [state], float("nan")
    for start, stop in pairwise(times):
        count, size = integrator.plan(start, stop, dt)
        for number in range(count):
            state = integrator.step(state, start + number * size, size)
        states.append(state)
    return states, size


def _parts(
    evolutions: list[SpectralEvolution], *, whole: bool
) -> Iterator[list[SpectralEvolution]]:
    """The batch, or for a CPU's cache pieces of it."""
    number = len(evolutions)
    if not whole:
        number = max(1, _CACHED_BYTES // int(np.asarray(evolutions[0].initial).nbytes))
        stack([evolutions[0], *evolutions[number::number]])  # the pieces must fit together too
    for start in range(0, len(evolutions), number):
        yield evolutions[start : start + number]


def _solved(
    integrator: FourierIntegrator, times: tuple[float, ...], dt: float | None
) -> tuple[Array, dict[str, Array], float]:
    """Values ``(batch, time, channel, *shape)``, diagnostics, and the last step's size."""
    states, size = _states(integrator, integrator.initial(), times, dt)
    xp = integrator.transforms.xp
    rows = [integrator.quantities(state) for state in states]
    history = {name: xp.stack([row[name] for row in rows], axis=-1) for name in rows[0]}
    return xp.stack([integrator.report(state) for state in states], axis=1), history, size


def _host(state: Array) -> Any:
    return state if isinstance(state, np.ndarray) else state.detach().cpu().numpy()
