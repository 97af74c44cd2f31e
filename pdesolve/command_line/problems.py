"""Options that several verbs share: which problem, on which grid, in which files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meshes.errors import InputError, require
from pdesolve.command_line.parsing import VerbParser, Words, required
from pdesolve.command_line.petsc_flags import split_at_start
from pdesolve.command_line.processes import processes
from pdesolve.command_line.tables import shape_text
from pdesolve.problems.base import Problem, ProblemFamily


def add_family(parser: VerbParser) -> None:
    """Add the family's name and its options."""
    parser.positional("family", "name of a problem family, or path/to/file.py:ClassName")
    parser.mapping("set", "options of the family, such as kind=lognormal above=4.0")


def add_sample(parser: VerbParser) -> None:
    """Add which random sample of the family is meant."""
    parser.option("seed", int, "seed of the random numbers (default: 0)", 0)
    parser.option("split", str, "name of the random stream (default: test)", "test")
    parser.option("index", int, "number of the sample in that stream (default: 0)", 0)


def chosen_family(words: Words, example: str) -> ProblemFamily:
    """The family with its options."""
    from pdesolve.problems.registry import get_family

    return get_family(required(words, "family", example), **(words["set"] or {}))


def chosen_problem(words: Words, family: ProblemFamily) -> Problem:
    """The sample of the family."""
    from pdesolve.random_streams import sample_generator

    rng = sample_generator(words["seed"], words["split"], words["index"])
    return family.problem(family.sample(rng))


def sample_text(words: Words, family: ProblemFamily) -> str:
    """Name of the sample, for titles."""
    return f"{family.name}, sample {words['index']} of '{words['split']}' with seed {words['seed']}"


def shape_for(
    shape: list[int] | None, family: ProblemFamily, option: str = "--shape"
) -> tuple[int, ...]:
    """Cells along each axis; one number stands for all axes.

    Raises
    ------
    InputError
        If the count does not fit the family, or a size is not positive.
    """
    sizes = tuple(shape) if shape else tuple(family.default_shape)
    if len(sizes) == 1:
        sizes *= family.dimension
    if len(sizes) != family.dimension:
        raise InputError(
            f"{option} {' '.join(map(str, sizes))} has {len(sizes)} numbers; '{family.name}' is "
            f"{family.dimension}D, so give {family.dimension} or one for all"
        )
    for size in sizes:
        if size < 1:
            raise InputError(f"{option}: {size} cells along an axis; give 1 or more")
    return sizes


def mesh_for(words: Words, family: ProblemFamily) -> Any:
    """The mesh: a file, cells along each axis, or None for a family's own geometry."""
    if words["mesh"] is not None:
        return words["mesh"]
    if words["shape"] is None and family.has_own_mesh:
        return None
    return shape_for(words["shape"], family)


def mesh_text(backend: str, given: Words, mesh: Any, lowest_degree: int = 1) -> str:
    """What was solved on, in words; flows have no elements of degree 1."""
    if mesh is None:
        text = "the family's own"
    else:
        text = mesh if isinstance(mesh, str) else f"{shape_text(mesh)} cells"
    if backend == "fem":
        degree = max(given["degree"] or 1, lowest_degree)
        text += f", {given['element'] or 'CG'} elements of degree {degree}"
    return text


def start_solver(words: Words) -> dict[str, Any]:
    """Start PETSc with its own options and give those of the solver.

    Raises
    ------
    MissingDependencyError
        If petsc4py is not installed.
    """
    at_start, solver = split_at_start(words.petsc)
    require("petsc4py", extra="petsc")
    from pdesolve.command_line._petsc_start import start_petsc

    given = {**(words["solver_parameters"] or {}), **solver}
    start_petsc(at_start, given)
    return given


def add_solver_parameters(parser: VerbParser) -> None:
    """Add PETSc options as they stand in a YAML file."""
    parser.mapping("solver_parameters", "PETSc options, for YAML files; later ones after '--' win")


def write_run_file(beside: Path, words: Words) -> None:
    """Write the options in force beside an output, as ``u.run.yaml`` for ``u.pvd``.

    ``--config`` reads it. A file that was itself read by this run is left alone.
    """
    target = beside.with_suffix(".run.yaml")
    read = [Path(str(path)).resolve() for path in words["config"] or []]
    if processes().rank or target.resolve() in read:
        return
    import yaml

    values = {name: value for name, value in words.values.items() if value not in (None, {}, [])}
    values.pop("config", None)
    if words.petsc:
        values["solver_parameters"] = {**(words["solver_parameters"] or {}), **words.petsc}
    target.write_text(yaml.safe_dump(values, sort_keys=False))
