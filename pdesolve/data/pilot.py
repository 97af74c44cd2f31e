"""Choose a strategy by solving a few samples with each."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from operators.failures import SolveFailure
from pdesolve.data.ordering import sample_order
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.samples import BY_NUMBER, SampleRecord, SampleTask, Strategy
from pdesolve.data.schema import Status, to_json
from pdesolve.data.shards import CHOICE, write_safely
from pdesolve.data.solved_before import after_trial
from pdesolve.data.strategies import (
    STRATEGIES,
    applicable,
    make_strategy,
    repeats_operator,
)

FEWEST = 20
"""Samples below which a trial costs more than it can save."""

SHARE = 0.03
"""Part of the time of the whole set after which no further trial is begun."""

MOST_SORTED = 256
"""Samples among which neighbours are looked for."""

LARGEST_DIRECT = {1: 10**9, 2: 400_000, 3: 30_000}
"""Unknowns up to which a sparse factorisation is tried, by dimension."""

LARGEST_TRANSFORM = 20_000
"""Cells in 2D up to which waves are tried by transforms before factors."""

PREFERENCE = (
    "batched",
    "fast-transform",
    "multi-rhs",
    "downstream",
    "independent",
    "incomplete-factors",
    "algebraic-multigrid",
    "multigrid",
    "lag",
    "neighbors",
    "recycled-cg",
    "skr",
    "direct",
)
"""In which order strategies are tried: those that have won most often first.

Operator action is not among them: its data follow another distribution. In three
dimensions transforms come before batches, see :func:`_in_order`.
"""

FOR_REPEATED = ("fast-transform", "multi-rhs", "batched")
FACTORISING = ("direct", "multi-rhs")
FEW, MANY, LONG_ENOUGH = 4, 8, 0.02
SMALLEST_BATCH, LARGEST_BATCH, WHOLE_CHUNK = 8, 64, 1 / 7
"""Samples of a trial in batches, a sixteenth of all: fewer do not show what batches are worth.

A whole chunk where that is at most the last share of all: if batches are chosen, what is kept
then fits, and nothing has to be made for batches of other sizes.
"""

WORTH_BATCHES = 640
"""Samples from which batches are tried after something else was found to work."""

CLOSE = 1.2
"""A candidate slower than the best by more is not tried on further samples. Where samples of a
trial go into the data, more of them cost nothing if it is chosen, and the choice is surer."""

MISSED, BEHIND = "missed the tolerance, or took too long", "far behind"
PATIENCE = 3.0
"""How many times the best time a candidate's first sample may take."""


@dataclass(frozen=True)
class Trial:
    """How one strategy did on the pilot samples.

    Parameters
    ----------
    name
        The strategy.
    first
        Seconds of the first sample, with what is made once.
    each
        Median seconds of the others.
    samples
        How many were solved.
    total
        Seconds that the whole set would take by these two, infinite for a failure.
    note
        Why it was given up, or nothing.
    """

    name: str
    first: float
    each: float
    samples: int
    total: float
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Parameters
    ----------
    name
        The strategy.
    reason
        In words.
    trials
        What was tried, the best first.
    """

    name: str
    reason: str
    trials: tuple[Trial, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Plain values, for the log."""
        trials = [
            {key: value if value != math.inf else None for key, value in asdict(trial).items()}
            for trial in self.trials
        ]
        return {"chosen": self.name, "reason": self.reason, "trials": trials}


def choose(
    request: StrategyRequest, tasks: Sequence[SampleTask], winner: list[Strategy] | None = None
) -> Choice:
    """Try the strategies that can solve a request on a few samples, and take the fastest.

    The pilot samples are neighbours in the order in which samples will be solved, so that
    strategies that hand something on show what it is worth. A candidate that is far
    behind is given up in the middle of its first sample. Answers of all strategies agree
    to the tolerance, so the choice decides about time alone.

    Parameters
    ----------
    request
        What is to be solved.
    tasks
        All samples.
    winner
        Where the strategy itself is put, ready for use, if it was tried; else it is closed.

    Raises
    ------
    InputError
        If PETSc options are given: they belong to one solver, and `auto` compares several.
    """
    if request.solver_parameters:
        raise InputError(
            "strategy='auto' compares solvers with options of their own; leave PETSc options out, "
            "or name a strategy"
        )
    applying = applicable(request)
    possible = [name for name in _in_order(request) if name in applying]
    if possible == ["independent"]:
        return Choice("independent", "no other strategy solves such problems")
    first = [tasks[index] for index in range(min(3, len(tasks)))]
    if repeats_operator(request, first):
        names = [name for name in FOR_REPEATED if name in possible]
        if _too_large(request):
            names.remove("multi-rhs")
        names = names or ["independent"]
        if len(names) == 1:
            return Choice(names[0], "the operator is the same for all samples")
    else:
        left_out = {"multi-rhs", *_too_large(request), *_pointless(request, possible)}
        names = [name for name in possible if name not in left_out]
    if len(tasks) < FEWEST:
        return Choice("independent", f"fewer than {FEWEST} samples do not pay for a trial")
    kept: list[Strategy] = []
    choice, records = _fastest(names, request, tasks, kept)
    if winner is None:
        for way in kept:
            way.close()
    else:
        winner += [after_trial(way, records) for way in kept]
    return choice


def _fastest(
    names: Sequence[str],
    request: StrategyRequest,
    tasks: Sequence[SampleTask],
    winner: list[Strategy],
) -> tuple[Choice, list[SampleRecord]]:
    """Try one after another; the best strategy so far is in `winner`, and what it solved."""
    pilot = _Pilot(request, tasks)
    trials: list[Trial] = []
    records: list[SampleRecord] = []
    untried: list[str] = []
    spent = 0.0
    for name in names:
        solved = [trial for trial in trials if trial.total < math.inf]
        best = min(solved, key=lambda trial: trial.total, default=None)
        small = name == "batched" and len(tasks) < WORTH_BATCHES
        if best is not None and (small or spent > SHARE * best.total):
            untried.append(name)
            continue
        start = time.perf_counter()
        try:
            way = make_strategy(name, request)
        except InputError as error:
            if request.order is None:
                raise
            trials.append(Trial(name, math.inf, math.inf, 0, math.inf, str(error)))
            continue  # it cannot make use of an order
        solved_now: list[SampleRecord] = []
        trials.append(_try(name, way, pilot, len(tasks), best, solved_now))
        if trials[-1].total < (math.inf if best is None else best.total):
            winner.append(way)
            records = solved_now
            way = winner.pop(0) if len(winner) > 1 else None  # type: ignore[assignment]
        if way is not None:
            way.close()
        spent += time.perf_counter() - start
    trials.sort(key=lambda trial: trial.total)
    if trials[0].total == math.inf:
        return Choice("independent", "no strategy solved the pilot samples", tuple(trials)), []
    reason = _why(trials)
    if untried:
        reason += f"; {', '.join(untried)} not tried for so few samples"
    return Choice(trials[0].name, reason, tuple(trials)), records


def _in_order(request: StrategyRequest) -> list[str]:
    """What to try, the likely winner first.

    A trial in batches costs a tenth of a small set. In two dimensions it wins by a factor;
    in three a transform is about as fast, and its trial is cheap.
    """
    names = list(PREFERENCE)
    if request.grid.dimension == 3:
        names.remove("batched")
        names.insert(names.index("fast-transform") + 1, "batched")
    if _factorises(request):
        names.remove("direct")
        plane = request.grid.dimension == 2
        if plane and request.grid.num_points > LARGEST_TRANSFORM:
            names.insert(0, "direct")
        elif plane or "fast-transform" not in applicable(request):
            names.insert(names.index("independent"), "direct")
        else:  # in space factors are dear, and their trial cannot be cut short
            names.append("direct")
    return names


def _factorises(request: StrategyRequest) -> bool:
    """Whether the family's own solver is a Krylov method around a factorisation."""
    return request.defaults.get("pc_type") in ("lu", "cholesky")


def _pointless(request: StrategyRequest, possible: Sequence[str]) -> set[str]:
    """Strategies that another one does better for certain."""
    found = set()
    if _factorises(request) and "direct" in possible:
        found.add("independent")  # the same factors, and twice as many triangular solves
    if request.positive_definite and request.uses_stencils:
        found.add("skr")  # 'recycled-cg' hands on the same with less work
    return found


def _too_large(request: StrategyRequest) -> tuple[str, ...]:
    large = request.grid.num_points > LARGEST_DIRECT[request.grid.dimension]
    # where the family's own solver factorises and nothing else is as likely to be fast, there
    # is nothing to fear from trying it
    if not (large and (request.uses_stencils or "fast-transform" in applicable(request))):
        return ()
    return FACTORISING if request.positive_definite else (*FACTORISING, "lag")


class _Pilot:
    """The samples of the trials, sorted where a strategy wants them so."""

    def __init__(self, request: StrategyRequest, tasks: Sequence[SampleTask]) -> None:
        self._tasks = tasks
        self._most = min(len(tasks), MOST_SORTED)
        self._grid = request.grid
        self._by_number: list[SampleTask] = []
        self._sorted: list[SampleTask] = []

    def samples(self, order: str, count: int) -> list[SampleTask]:
        """By number, or neighbours; each is drawn once."""
        if order == "index":
            drawn = len(self._by_number)
            self._by_number += self._tasks[drawn : max(drawn, min(count, self._most))]
            return self._by_number[:count]
        if not self._sorted:
            few = self._tasks[: self._most]
            try:
                places = sample_order(few, self._grid, "nearest-neighbor")
            except InputError:  # nothing to sort by
                places = None
            self._sorted = [few[place] for place in (places or range(len(few)))[:LARGEST_BATCH]]
        return self._sorted[:count]


def _try(
    name: str,
    way: Strategy,
    pilot: _Pilot,
    num_samples: int,
    best: Trial | None,
    records: list[SampleRecord],
) -> Trial:
    note = ""
    schedule = getattr(way, "schedule", BY_NUMBER)
    in_batches = getattr(way, "in_batches", False)
    count = MANY
    if in_batches:
        count = _batch_size(schedule.chunk_for(num_samples), num_samples)
    samples = pilot.samples(schedule.order, count)
    if best is not None and hasattr(way, "limit"):
        way.limit = PATIENCE * max(best.each, 1e-3)
    timing = _Timing(records)
    try:
        if in_batches:
            size = min(schedule.chunk_for(num_samples) or count, num_samples)
            note = timing.of_batches(way, samples, size, alone=num_samples >= WORTH_BATCHES)
        else:
            enough = MANY if getattr(way, "samples_apart", False) else FEW
            note = timing.one_by_one(way, samples, best, enough)
    except (InputError, SolveFailure) as error:
        note = str(error)
    finally:
        if hasattr(way, "limit"):
            way.limit = None
    starts = math.ceil(num_samples / (schedule.chunk_for(num_samples) or num_samples))
    failed = bool(note and note != BEHIND) or not timing.samples
    total = timing.first * starts + timing.each * (num_samples - starts)
    return Trial(
        name, timing.first, timing.each, timing.samples, math.inf if failed else total, note
    )


def _batch_size(chunk: int | None, num_samples: int) -> int:
    if chunk is not None and chunk <= min(LARGEST_BATCH, WHOLE_CHUNK * num_samples):
        return chunk
    return max(SMALLEST_BATCH, min(chunk or LARGEST_BATCH, LARGEST_BATCH, num_samples // 16))


class _Timing:
    """Seconds of the first sample, and of each that follows."""

    def __init__(self, records: list[SampleRecord]) -> None:
        self.first = self.each = math.inf
        self.samples = 0
        self._records = records

    def one_by_one(
        self, way: Strategy, pilot: Sequence[SampleTask], best: Trial | None, enough: int
    ) -> str:
        """Until it is clear; gives why it was given up, or nothing.

        What is about to be chosen goes on to `enough` samples, others to `FEW`.
        """
        times: list[float] = []
        note = ""
        start = last = time.perf_counter()
        for record in way.solve(pilot):
            now = time.perf_counter()
            times.append(now - last)
            self._records.append(record)
            if record.status is not Status.SOLVED:
                note = MISSED
            elif best is not None and times[-1] > best.each * (
                2 if len(times) > 1 else 2 * PATIENCE
            ):
                note = BEHIND
            ahead = best is None or statistics.median(times[1:] or times) <= CLOSE * best.each
            most = enough if ahead else FEW
            if note or (len(times) >= most and now - start > LONG_ENOUGH):
                break
            last = time.perf_counter()
        self.samples = len(times)
        self.first = times[0]
        self.each = statistics.median(times[1:]) if len(times) > 1 else times[0]
        return note

    def of_batches(
        self, way: Strategy, pilot: Sequence[SampleTask], size: int, *, alone: bool
    ) -> str:
        """All at once, and where `alone` the first by itself.

        What a batch costs beside its samples is then known, and spread over `size`.
        """
        start = time.perf_counter()
        records = list(way.solve(pilot))
        together = time.perf_counter() - start
        self._records += records
        self.samples = len(pilot)
        one = every = together / len(pilot)
        if alone and len(pilot) > 1 and size > len(pilot):
            start = time.perf_counter()
            records += way.solve(pilot[:1])
            one = time.perf_counter() - start
            more = max((together - one) / (len(pilot) - 1), 0.5 * every)
            every = min(every, more + max(one - more, 0.0) / size)
        self.each = every
        self.first = max(one, every)
        return "" if all(record.status is Status.SOLVED for record in records) else MISSED


def _why(trials: Sequence[Trial]) -> str:
    best = trials[0]
    text = f"{1e3 * best.each:.3g} ms a sample"
    others = [trial for trial in trials[1:] if trial.total < math.inf]
    if others:
        text += f", next {others[0].name} with {1e3 * others[0].each:.3g} ms"
    return text


def kept_choice(
    out: Path, fingerprint: str, make: Callable[[], Choice], *, overwrite: bool = False
) -> Choice:
    """The choice of an interrupted run that is gone on with, or a new one, which is kept.

    Parameters
    ----------
    out
        The data-set file to be made.
    fingerprint
        Of what shall be solved.
    make
        Makes the choice.
    overwrite
        Whether a finished file may be replaced.

    Raises
    ------
    InputError
        If there is a finished file that may not be replaced.
    """
    folder = out.with_name(out.name + ".parts")
    kept = folder / CHOICE
    written = [kept]
    if out.with_name(out.name + ".parts.finished").exists():  # only tidying was left
        written.append(out.with_name(out.name + ".log.jsonl"))
    for path in written:
        try:
            found = json.loads(path.read_text().partition("\n")[0])
            if found["fingerprint"] == fingerprint and found["chosen"] in tuple(STRATEGIES):
                return Choice(found["chosen"], f"chosen before the interruption: {found['reason']}")
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, not written by this program, or not whole: choose again
    if out.exists() and not overwrite:
        raise InputError(
            f"'{out}' exists; pass overwrite=True (--overwrite) or choose another name"
        )
    choice = make()
    folder.mkdir(parents=True, exist_ok=True)
    text = to_json({**choice.describe(), "fingerprint": fingerprint})
    write_safely(kept, lambda stream: stream.write(text.encode()))
    return choice
