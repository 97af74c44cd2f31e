"""Data sets of solved problems."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import StructuredGrid
from pdesolve.data.arguments import checked_count, checked_dtype, checked_stream, unique_names
from pdesolve.data.coarse_storage import CoarseStorage, check_storage
from pdesolve.data.engine import (
    Observer,
    Progress,
    check_disk_space,
    chunk_size,
    default_shard_size,
    run,
)
from pdesolve.data.ordering import DrawnTasks, sample_order
from pdesolve.data.pilot import Choice, choose, kept_choice
from pdesolve.data.ranks import OneRank, on_first, ranks_of
from pdesolve.data.refusals import posing
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.samples import BY_NUMBER, Strategy, UnusedOptions
from pdesolve.data.schema import DatasetInfo
from pdesolve.data.settings import GenerationSettings
from pdesolve.data.shards import ShardFolder
from pdesolve.data.strategies import make_strategy
from pdesolve.problems.base import Problem
from pdesolve.random_streams import sample_generator
from pdesolve.tolerances import checked_tolerance


def generate(
    family: Any,
    num_samples: int,
    *,
    shape: int | Sequence[int] | None = None,
    solve_shape: int | Sequence[int] | None = None,
    storage: str = "projection",
    seed: int = 0,
    split: str = "train",
    out: str | Path,
    backend: str = "auto",
    rtol: float | None = None,
    solver_parameters: Mapping[str, Any] | None = None,
    discretization: Mapping[str, Any] | None = None,
    dtype: str = "float64",
    estimate_error: bool = True,
    strategy: str | Callable[[StructuredGrid, Problem], Strategy] = "independent",
    order: str | None = None,
    shard_size: int | None = None,
    overwrite: bool = False,
    licence: str = "not stated",
    comm: Any = None,
    progress: Progress | None = None,
    observer: Observer | None = None,
    report: Callable[[Choice], None] | None = None,
    unused_options: UnusedOptions = "warn",
) -> DatasetInfo:
    """Draw problems from a family, solve them, and write inputs and solutions to a file.

    Sample i depends on `seed`, `split` and i alone. A process of `comm` that is free takes
    the next shard of samples (collective; every process solves its samples by itself), and
    the file is the same for any number of them. A run that was killed goes on where it stopped
    when it is started again with the same arguments. Until the file is whole, finished
    shards lie in ``<out>.parts``; afterwards the card ``<out>.md`` and the log
    ``<out>.log.jsonl`` (wall times, messages) lie beside the file.

    Parameters
    ----------
    family
        Name of a problem family, or a family.
    num_samples
        Number of samples.
    shape
        Number of cells along each axis of the storage grid; the family's default when
        left out.
    solve_shape
        Number of cells along each axis on which samples are solved, where that is more than
        is stored. Inputs and outputs are projected to the storage grid: Fourier modes are left
        out with the backend ``"spectral"``, cells are averaged with ``"grid"``.
    storage
        With `solve_shape`: ``"projection"``, or ``"points"``, which takes the values at those
        points of the fine grid that are points of the storage grid, as published sets of
        sub-sampled fields do.
    seed, split
        See :func:`pdesolve.sample_generator`.
    out
        HDF5 file to write, ending in ``.h5`` or ``.hdf5``.
    backend
        ``"grid"``, ``"fem"``, ``"spectral"``, or ``"auto"``: the family's first.
    rtol
        ‖b − A u‖₂ / ‖b‖₂ at which a solve stops (default 1e-8). For families in time: the
        relative tolerance on a step's error, for adaptive methods.
    solver_parameters
        PETSc options.
    discretization
        For ``"fem"``: arguments of :func:`pdesolve.solve`, such as ``{"degree": 2}``. For
        families in time: ``dt`` and ``method`` of :func:`pdesolve.evolve`.
    dtype
        ``"float64"`` or ``"float32"``, for storage of fields.
    estimate_error
        Whether to estimate each sample's discretisation error.
    strategy
        How samples are solved: a name of :data:`pdesolve.data.strategies.STRATEGIES`;
        ``"auto"``, which solves a few samples in ways that are likely to be fast and takes the
        fastest; or what makes a strategy from the storage grid and the problem of sample 0
        (`backend` and the options that follow it are then unused).
    order
        Order in which samples are solved, a name of :data:`pdesolve.sequences.ORDERS`, in
        the place of the strategy's own. The file has them by number in any case.
    shard_size
        Samples a process works on before it writes them; what a kill may cost.
    overwrite
        Whether a finished file of that name may be replaced.
    licence
        Licence of the data, for the card.
    comm
        MPI communicator; MPI's world when left out.
    progress
        Called on the first process with the number of samples done and to be done; of other
        processes' samples those of begun shards count.
    observer
        Called on the first process with the :class:`SampleRecord` of each of its samples.
    report
        Called on the first process with what ``"auto"`` chose.
    unused_options
        Whether PETSc options that nothing read are a warning or an error.

    Returns
    -------
    DatasetInfo
        What the file holds.

    Raises
    ------
    InputError
        For arguments that cannot be used, an existing file without `overwrite`, parts of
        a run with other settings, or a disk too small.
    PDESolveError
        On all other processes, when one of them fails.

    Warns
    -----
    UserWarning
        If samples could be solved neither by the given nor by a direct solver. They are
        in the file, marked as failed, with NaN for outputs.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = generate("darcy2d", 4, shape=8, out=f"{folder}/darcy.h5")
    >>> info.num_samples, info.shape
    (4, (8, 8))
    """
    if isinstance(family, str):
        from pdesolve.problems.registry import get_family

        family = get_family(family)
    path = _checked_path(out)
    count = checked_count(num_samples)
    seed, split = checked_stream(seed, split)
    first_draw = family.sample(sample_generator(seed, split, 0))
    first_problem = family.problem(first_draw)
    grid = first_problem.grid(_checked_shape(shape, family))
    _check_inputs(family, first_problem, grid)
    chosen = _checked_backend(backend, family)
    solved = grid
    if solve_shape is None and storage != "projection":
        raise InputError(
            f"storage={storage!r} is for solve_shape (--solve-shape); give both or none"
        )
    if solve_shape is not None:
        solved = first_problem.grid(_checked_shape(solve_shape, family, "solve_shape"))
        _check_solve_shape(family, solved, grid, strategy, chosen, storage)
    request = StrategyRequest(
        family,
        solved,
        first_problem,
        chosen,
        None if rtol is None else checked_tolerance(rtol),
        solver_parameters,
        discretization,
        estimate_error,
        unused_options,
        order,
        seed,
        split,
    )
    settings = GenerationSettings(
        family=_describe(family),
        num_samples=count,
        grid=grid,
        seed=seed,
        split=split,
        inputs=tuple(family.inputs),
        outputs=tuple(family.outputs),
        scalars=_scalar_names(first_draw),
        units=dict(family.units),
        boundary_conditions=_describe_sides(first_problem, grid),
        strategy={},
        dtype=checked_dtype(dtype),
        licence=licence,
        versions=_versions(),
        times=getattr(first_problem, "times", (0.0,)),
    )
    size = None if shard_size is None else checked_count(shard_size, "shard_size")
    tasks = DrawnTasks(family, count, seed, split, settings.scalars)
    ranks = ranks_of(comm)
    tried: list[Strategy] = []
    try:
        way: Strategy
        if callable(strategy):
            way = strategy(grid, first_problem)
        else:
            name = strategy or "independent"
            if name == "auto":
                choice = on_first(
                    ranks,
                    lambda: kept_choice(
                        path,
                        _asked(settings, request).fingerprint,
                        lambda: _choose(path, settings, request, tasks, tried),
                        overwrite=overwrite,
                    ),
                )
                name = choice.name
                if report is not None and ranks.rank == 0:
                    report(choice)
            way = tried.pop() if tried else make_strategy(name, request)
            if solve_shape is not None:
                way = CoarseStorage(way, solved, grid, chosen, storage)
        try:
            schedule = getattr(way, "schedule", BY_NUMBER)
            size = size or chunk_size(settings, schedule)
            settings = _with_strategy(settings, way, size)
            unique_names(settings.inputs, settings.outputs)
            sequence = on_first(ranks, lambda: sample_order(tasks, grid, schedule.order))
            chunk = size or default_shard_size(settings, schedule.least)
            folder = ShardFolder(path, settings, chunk, sequence)
            return run(
                tasks, way, folder, ranks, overwrite=overwrite, progress=progress, observer=observer
            )
        finally:
            way.close()
    finally:
        for unused in tried:
            unused.close()
        request.close()
        if not isinstance(ranks, OneRank):
            ranks.close()


def _choose(
    path: Path,
    settings: GenerationSettings,
    request: StrategyRequest,
    tasks: DrawnTasks,
    tried: list[Strategy],
) -> Choice:
    check_disk_space(ShardFolder(path, settings, 1))
    return choose(request, tasks, tried)


def _check_inputs(family: Any, problem: Problem, grid: StructuredGrid) -> None:
    with posing(0):
        names = problem.input_fields(grid).names
    if len(names) != len(family.inputs):
        raise InputError(
            f"the inputs of '{family.name}' are {', '.join(family.inputs)}, and its problems give "
            f"the fields {', '.join(names)}; let input_fields give one channel for each name"
        )


def _check_solve_shape(
    family: Any,
    solved: StructuredGrid,
    grid: StructuredGrid,
    strategy: Any,
    backend: str,
    storage: str,
) -> None:
    if callable(strategy):
        raise InputError(
            "solve_shape is for strategies by name; let your own strategy solve on the grid that "
            "it wants, or wrap it in pdesolve.data.coarse_storage.CoarseStorage"
        )
    if family.has_own_mesh:
        raise InputError(
            f"'{family.name}' brings its own mesh; set its mesh size instead of solve_shape"
        )
    check_storage(solved, grid, backend, storage)


def _asked(settings: GenerationSettings, request: StrategyRequest) -> GenerationSettings:
    """With all that a choice of strategy depends on."""
    asked = {
        "backend": request.backend,
        "tolerance": request.rtol,
        "discretization": dict(request.discretization or {}),
        "order": request.order,
        **({} if request.grid == settings.grid else {"solved_on": list(request.grid.shape)}),
    }
    return replace(settings, strategy=asked)


def _with_strategy(
    settings: GenerationSettings, way: Strategy, shard_size: int | None
) -> GenerationSettings:
    """With what a strategy says of itself, and the inputs that it adds."""
    described = dict(way.describe())
    if shard_size is not None and "sequence" in described:
        # within a shard samples hand something on, so that its size counts
        described["sequence"] = {**described["sequence"], "chunk": shard_size}
    return replace(
        settings,
        strategy=described,
        inputs=(*settings.inputs, *getattr(way, "extra_inputs", ())),
        units={**settings.units, **getattr(way, "extra_units", {})},
    )


def _checked_path(out: str | Path) -> Path:
    path = Path(os.path.abspath(out))  # noqa: PTH100  # does not follow links
    if path.suffix not in (".h5", ".hdf5"):
        raise InputError(f"out='{out}' must end in .h5 or .hdf5")
    if path.is_dir():
        raise InputError(f"out='{out}' is a folder; give a file")
    if not path.parent.is_dir():
        raise InputError(f"the folder '{path.parent}' of out='{out}' does not exist; make it first")
    return path


def _checked_shape(
    shape: int | Sequence[int] | None, family: Any, name: str = "shape"
) -> tuple[int, ...]:
    dimension = int(family.dimension)
    if shape is None:
        return tuple(family.default_shape)
    if isinstance(shape, int | np.integer):
        sizes: tuple[Any, ...] = (shape,)
    elif isinstance(shape, Sequence | np.ndarray) and not isinstance(shape, str):
        sizes = tuple(shape)
    else:
        raise InputError(f"{name}={shape!r} must be an integer, or {dimension} of them")
    if len(sizes) == 1:
        sizes *= dimension
    if len(sizes) != dimension:
        raise InputError(
            f"{name}={shape!r} has {len(sizes)} entries; '{family.name}' has {dimension} axes"
        )
    for size in sizes:
        if isinstance(size, bool | np.bool_) or not isinstance(size, int | np.integer):
            raise InputError(f"{name}={shape!r} must hold integers, not {size!r}")
        if size < 1:
            raise InputError(f"{name}={shape!r} must hold positive sizes, not {size}")
    return tuple(int(size) for size in sizes)


def _checked_backend(backend: str, family: Any) -> str:
    if backend == "auto":
        return str(family.backends[0])
    if backend not in family.backends:
        raise InputError(
            f"'{family.name}' has no backend '{backend}'. {suggest(backend, family.backends)}"
        )
    return backend


def _describe(family: Any) -> dict[str, Any]:
    """The family's own words, and its options where it is a dataclass."""
    from dataclasses import fields, is_dataclass

    from pdesolve.problems.registry import FAMILIES, get_family

    name = str(family.name)
    described = {"name": name, **family.describe()}
    if is_dataclass(family):
        options = {item.name: getattr(family, item.name) for item in fields(family)}
        described["options"] = options
        if name in FAMILIES:
            usual = get_family(name)
            described["given_options"] = {
                key: value for key, value in options.items() if value != getattr(usual, key)
            }
    return described


def _describe_sides(problem: Any, grid: StructuredGrid) -> dict[str, str]:
    conditions = problem.boundary_conditions
    return {
        side: str(conditions[key])
        for side in grid.side_names
        for key in (side, "all")
        if key in conditions
    }


def _scalar_names(draw: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        name
        for name, value in draw.items()
        if isinstance(value, int | float | np.number) and not isinstance(value, bool)
    )


def _versions() -> dict[str, str]:
    import h5py

    from pdesolve._petsc_comm import solver_versions

    found = {name: metadata.version(name) for name in ("numpy", "scipy", "h5py")}
    found["HDF5"] = h5py.version.hdf5_version
    try:
        found["pdesolve-neural"] = metadata.version("pdesolve-neural")
    except metadata.PackageNotFoundError:
        found["pdesolve-neural"] = "source tree"
    return {**found, **solver_versions()}
