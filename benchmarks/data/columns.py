"""What is timed against each other when data sets are made: a good engineer's solvers and ours."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meshes.errors import InputError
from pdesolve.data.ordering import sample_order
from pdesolve.data.pilot import choose
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.samples import BY_NUMBER, SampleTask, Strategy
from pdesolve.data.sequences import SequenceSettings, SequenceStrategy
from pdesolve.data.strategies import applicable, make_strategy

ILU = {"ksp_type": "gmres", "ksp_gmres_restart": 40, "pc_type": "ilu", "ksp_max_it": 2000}
MUMPS = {"ksp_type": "preonly", "pc_factor_mat_solver_type": "mumps"}
OURS = (
    "multigrid",
    "fast-transform",
    "downstream",
    "skr",
    "recycled-cg",
    "lag",
    "direct",
    "batched",
    "multi-rhs",
)
LARGEST_SUPERLU = 20_000
MOST = 6
"""Times the limit after which a column stops whatever it has."""

MOST_ROUNDS, SETTLED, LEAST_SECONDS = 4, 1.05, 5.0
"""When columns were measured often enough, see :func:`measure_again`."""

FEWEST_PAIRS, MOST_PAIRS, PAIRS_SECONDS = 5, 15, 20.0
"""How often ``auto`` and the best column are compared, see :func:`measure_pairs`."""

FEWEST = {"independent": 3, "sequence": 10}


@dataclass(frozen=True)
class Measured:
    """One column of one row.

    Parameters
    ----------
    seconds
        A sample, everything from drawing the problem to its solution on the storage grid; what
        only the first one took is spread over all systems, however few were solved.
    samples
        How many were solved in the time that was given.
    iterations
        Mean.
    missed
        Samples whose true residual missed the tolerance (1.5 times it) by this solver.
    note
        What was chosen, or why there is no number.
    """

    seconds: float
    samples: int
    iterations: float = float("nan")
    missed: int = 0
    note: str = ""


class Unnoticed:
    """A source that nobody asks whether the operator is the one at hand.

    A loop over samples copies values into one matrix; PETSc then makes the preconditioner
    again, even for equal values.

    Parameters
    ----------
    source
        Gives the systems.
    """

    def __init__(self, source: Any) -> None:
        self.source = source

    def load(self, problem: Any) -> Any:
        """The system, as if its values had just been set."""
        system = self.source.load(problem)
        system.matrix.stateIncrease()
        return system

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def new_source(request: StrategyRequest) -> Any:
    """A source that was not there before."""
    request.close()
    return request.take_source()


def algebraic_multigrid(request: StrategyRequest) -> dict[str, Any]:
    """The right Krylov method for GAMG by the kind of system."""
    if request.positive_definite:
        return {"ksp_type": "cg", "ksp_norm_type": "unpreconditioned", "pc_type": "gamg"}
    options = {"ksp_type": "gmres", "ksp_pc_side": "right", "pc_type": "gamg", "ksp_max_it": 2000}
    if request.uses_stencils:  # convection: smoothed aggregation diverges
        options |= {
            "pc_gamg_agg_nsmooths": 0,
            "pc_mg_cycle_type": "w",
            "mg_levels_ksp_type": "richardson",
            "mg_levels_pc_type": "sor",
        }
    else:  # waves: kept interpolation costs half as many iterations again
        options["pc_gamg_reuse_interpolation"] = False
    return options


def factorisation(request: StrategyRequest) -> dict[str, Any]:
    """MUMPS, L D Lᵀ where the systems are symmetric."""
    return {**MUMPS, "pc_type": "cholesky" if request.symmetric else "lu"}


def baselines(request: StrategyRequest) -> dict[str, Mapping[str, Any]]:
    """PETSc options of the independent solvers by column."""
    return {
        "GMRES(40)+ILU": ILU,
        "AMG": algebraic_multigrid(request),
        "MUMPS": factorisation(request),
    }


def measure_baseline(
    request: StrategyRequest,
    tasks: Sequence[SampleTask],
    options: Mapping[str, Any],
    limit: float,
    *,
    new_objects: bool = False,
) -> Measured:
    """One solver for every system by itself, with one matrix and solver or new ones each."""
    start = time.perf_counter()

    def strategy() -> SequenceStrategy:
        own = SequenceSettings("baseline", chunk=None, solver_parameters=options)
        source = Unnoticed(new_source(request))
        return SequenceStrategy(
            source, request.grid, request.tolerance, own, backend=request.backend
        )

    if not new_objects:
        way = strategy()
        way.limit = math.inf  # no repetition of failed solves
        found = _collect(
            way.solve(tasks), request.tolerance, limit, FEWEST["independent"], start, len(tasks)
        )
        way.close()
        return found

    def records() -> Iterator[Any]:
        for task in tasks:
            way = strategy()
            way.limit = math.inf  # no repetition of failed solves
            yield from way.solve([task])
            way.close()

    return _collect(records(), request.tolerance, limit, FEWEST["independent"], start, len(tasks))


def measure_scipy(request: StrategyRequest, tasks: Sequence[SampleTask], limit: float) -> Measured:
    """``scipy.sparse.linalg.spsolve``: SuperLU, everything new for each system."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import spsolve

    source, seconds, missed = new_source(request), [], 0
    for task in tasks:
        start = time.perf_counter()
        _ = task.problem.input_fields(request.grid).values
        system = source.load(task.problem)
        rows, columns, values = system.matrix.getValuesCSR()
        size = system.matrix.getSize()
        matrix = csr_array((values, columns, rows), shape=size)
        right = np.array(system.right.array_r)
        answer = spsolve(matrix.tocsc(), right)
        seconds.append(time.perf_counter() - start)
        residual = np.linalg.norm(right - matrix @ answer) / np.linalg.norm(right)
        missed += not residual <= 1.5 * request.tolerance
        if _enough(seconds, limit, FEWEST["independent"]):
            break
    source.close()
    return Measured(float(np.mean(seconds)), len(seconds), 1.0, missed)


def measure_strategy(
    name: str,
    request: StrategyRequest,
    tasks: Sequence[SampleTask],
    limit: float,
    *,
    tried: Strategy | None = None,
) -> Measured:
    """One of the named strategies in its order and chunks, sorting included."""
    if tried is None:
        request.close()  # nothing is there yet
    start = time.perf_counter()
    way = make_strategy(name, request) if tried is None else tried
    schedule = getattr(way, "schedule", BY_NUMBER)
    order = sample_order(tasks, request.grid, schedule.order) or range(len(tasks))
    once = (time.perf_counter() - start) / len(tasks)
    ordered = [tasks[index] for index in order]
    size = schedule.chunk_for(len(tasks)) or len(tasks)

    def records() -> Iterator[Any]:
        for first in range(0, len(ordered), size):
            yield from way.solve(ordered[first : first + size])

    fewest = FEWEST["independent" if schedule is BY_NUMBER else "sequence"]
    if getattr(way, "in_batches", False):
        fewest = len(tasks)
    begin = time.perf_counter()
    found = _collect(records(), request.tolerance, limit, fewest, begin, len(tasks))
    way.close()
    return replace(found, seconds=found.seconds + once)


def measure_auto(request: StrategyRequest, tasks: Sequence[SampleTask], limit: float) -> Measured:
    """The pilot, spread over all samples, and what it chose."""
    request.close()
    start = time.perf_counter()
    tried: list[Strategy] = []
    choice = choose(request, tasks, tried)
    pilot = (time.perf_counter() - start) / len(tasks)
    way = tried[0] if tried else make_strategy(choice.name, request)
    found = measure_strategy(choice.name, request, tasks, limit, tried=way)
    note = f"{choice.name}; pilot {1e3 * pilot:.3g} ms"
    return replace(found, seconds=found.seconds + pilot, note=note)


def columns(
    request: StrategyRequest,
    tasks: Sequence[SampleTask],
    limit: float,
    skip: Callable[[str], bool] = lambda name: False,  # noqa: ARG005
) -> Iterator[tuple[str, Measured]]:
    """All columns of a row, each by itself.

    Parameters
    ----------
    request
        Family, grid and tolerance.
    tasks
        The samples.
    limit
        Seconds a column may take; it solves fewer samples then.
    skip
        Says which columns to leave out.
    """
    for name, options in baselines(request).items():
        for new in (True, False):
            label = f"{name}, new objects" if new else name
            if not skip(label):
                yield (
                    label,
                    _safely(measure_baseline, request, tasks, options, limit, new_objects=new),
                )
    heavy = request.grid.dimension == 3 and request.grid.num_points > LARGEST_SUPERLU
    if not heavy and not skip("SciPy spsolve"):  # minutes and gigabytes a sample
        yield "SciPy spsolve", _safely(measure_scipy, request, tasks, limit)
    possible = applicable(request)
    for name in OURS:
        if name in possible and not skip(name):
            yield name, _safely(measure_strategy, name, request, tasks, limit)
    if not skip("auto"):
        yield "auto", _safely(measure_auto, request, tasks, limit)


def measure_again(
    request: StrategyRequest,
    tasks: Sequence[SampleTask],
    names: Sequence[str],
    limit: float,
    rounds: int,
) -> dict[str, Measured]:
    """Some columns in turn, several rounds of all; the best of each.

    What decides between columns that are close is then measured side by side, and not
    minutes apart. Up to `MOST_ROUNDS` times as many rounds are added until the two best times
    of ``auto``, and those of the best other column, agree to `SETTLED`, and the sets that
    ``auto`` made took `LEAST_SECONDS` together.
    """
    found: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(MOST_ROUNDS * rounds):
        spent = len(tasks) * sum(one.seconds for one in found.get("auto", ()))
        if number >= rounds and not spent < LEAST_SECONDS and _settled(found):
            break
        for name in names:
            found[name].append(_measure_named(request, tasks, name, limit))
    return {name: min(times, key=_seconds) for name, times in found.items()}


def measure_pairs(
    request: StrategyRequest, tasks: Sequence[SampleTask], name: str, limit: float
) -> list[float]:
    """Time of ``auto`` over that of another column, each pair measured one right after the other.

    The machine's speed changes within seconds by more than the two differ; a pair sees the same
    speed, so that the median of the ratios is surer than the ratio of the best times. Which of
    the two comes first changes from pair to pair.
    """
    ratios: list[float] = []
    start = time.perf_counter()
    while len(ratios) < FEWEST_PAIRS or (
        len(ratios) < MOST_PAIRS and time.perf_counter() - start < PAIRS_SECONDS
    ):
        pair = (name, "auto") if len(ratios) % 2 else ("auto", name)
        times = {one: _seconds(_measure_named(request, tasks, one, limit)) for one in pair}
        ratios.append(times["auto"] / times[name])
    return ratios


def _measure_named(
    request: StrategyRequest, tasks: Sequence[SampleTask], name: str, limit: float
) -> Measured:
    solvers = baselines(request)
    if name in solvers:
        return _safely(measure_baseline, request, tasks, solvers[name], limit)
    if name == "auto":
        return _safely(measure_auto, request, tasks, limit)
    return _safely(measure_strategy, name, request, tasks, limit)


def _seconds(found: Measured) -> float:
    return math.inf if math.isnan(found.seconds) else found.seconds


def _settled(found: Mapping[str, Sequence[Measured]]) -> bool:
    """Whether what decides was measured twice with the same outcome."""
    times = {name: sorted(map(_seconds, every)) for name, every in found.items()}
    best = min((name for name in times if name != "auto"), key=lambda name: times[name][0])
    return all(
        len(times[name]) > 1 and times[name][1] <= SETTLED * times[name][0]
        for name in {best, "auto"} & set(times)
    )


def _safely(measure: Callable[..., Measured], *arguments: Any, **options: Any) -> Measured:
    try:
        return measure(*arguments, **options)
    except (InputError, MemoryError) as error:
        return Measured(math.nan, 0, note=str(error).splitlines()[0])


def _collect(
    records: Iterator[Any], rtol: float, limit: float, fewest: int, start: float, systems: int
) -> Measured:
    seconds, iterations, missed = [], [], 0
    last = start  # what is made once counts
    for record in records:
        now = time.perf_counter()
        seconds.append(now - last)
        iterations.append(record.iterations)
        missed += not record.residual <= 1.5 * rtol or "directly" in record.message
        if _enough(seconds, limit, fewest):
            break
        last = time.perf_counter()
    return Measured(_spread(seconds, systems), len(seconds), float(np.mean(iterations)), missed)


def _spread(seconds: Sequence[float], systems: int) -> float:
    """Mean over all systems when only some were solved: the first one's excess counts once."""
    if not 1 < len(seconds) < systems:
        return float(np.mean(seconds))
    rest = float(np.mean(seconds[1:]))
    return rest + (seconds[0] - rest) / systems


def _enough(seconds: Sequence[float], limit: float, fewest: int) -> bool:
    spent = sum(seconds)
    return (len(seconds) >= fewest and spent > limit) or spent > MOST * limit
