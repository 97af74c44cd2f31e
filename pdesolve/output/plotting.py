"""Pictures of coefficients, solutions and predictions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.output.panels import PANEL, Panel, draw_panel, label
from pdesolve.output.paraview import replace_file
from pdesolve.problems.base import Problem
from pdesolve.solution import Solution

_MARGIN = 0.9
"""Inches of a panel's height for title and labels."""

_LETTERS_A_PANEL = 40
_POINTS_AN_AXIS = {1: 512, 2: 256, 3: 48}
_INPUT_COLOURS, _OUTPUT_COLOURS, _ERROR_COLOURS = "cividis", "viridis", "magma"


def plot_solution(solution: Solution, path: str | Path) -> Path:
    """Draw inputs and solution: lines in 1D, images in 2D, three middle planes in 3D.

    Collective; the first process draws.

    Parameters
    ----------
    solution
        What :func:`pdesolve.solve` gave.
    path
        Picture file, ending in ``.png``, ``.pdf`` or ``.svg``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the path has another ending, or the solution lives on a mesh of a 3D domain
        that is no box.

    Examples
    --------
    >>> import tempfile
    >>> from pdesolve import solve
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     solution = solve(DarcyProblem(1.0, dimension=1), mesh=16)
    ...     plot_solution(solution, f"{folder}/u.png").exists()
    True
    """
    target = picture_path(path)
    answer = solution.gather()
    if not isinstance(answer.mesh, StructuredGrid) and answer.mesh.dimension == 3:
        answer = solution.on(_box_around(answer))
    comm = getattr(solution.native, "comm", None)
    if comm is not None and comm.rank != 0:
        return target
    units = problem_units(solution.problem)
    panels, numbers = [], []
    for inputs in _inputs_of(solution.problem, answer):
        for name in inputs.names:
            unit = units.get(name, "")
            if _is_constant(inputs[name]):
                numbers.append(f"{name} = {inputs[name].flat[0]:.4g} {label('', unit)}".rstrip())
            else:
                panels.append(Panel(inputs, name, name, unit, _INPUT_COLOURS, is_input=True))
    panels += [
        Panel(answer, name, name, units.get(name, ""), _OUTPUT_COLOURS) for name in answer.names
    ]
    title = f"{solution.problem.name}: {solution.result.num_unknowns} unknowns"
    across = _LETTERS_A_PANEL * min(len(panels), 4)
    title = "\n".join([title, *textwrap.wrap(", ".join(numbers), across)])
    _draw(panels, target, title, units.get("length", ""))
    return target


def plot_fields(
    fields: Sequence[Field], path: str | Path, *, title: str, units: Mapping[str, str]
) -> Path:
    """Draw each channel of each field; see :func:`plot_solution`.

    Parameters
    ----------
    fields
        The last is drawn in the colours of solutions, the others in those of inputs.
    path
        Picture file.
    title
        Text above the picture.
    units
        Unit by channel name; ``length`` for the axes.
    """
    target = picture_path(path)
    panels = []
    for field in fields:
        is_input = field is not fields[-1]
        colours = _INPUT_COLOURS if is_input else _OUTPUT_COLOURS
        panels += [
            Panel(field, name, name, units.get(name, ""), colours, is_input=is_input)
            for name in field.names
        ]
    _draw(panels, target, title, units.get("length", ""))
    return target


def plot_comparison(
    coefficient: Field,
    solution: Field,
    prediction: Field,
    path: str | Path,
    *,
    units: Mapping[str, str] | None = None,
    title: str = "",
) -> Path:
    """Draw coefficient, solution, prediction and the size of the error side by side.

    Solution and prediction share one colour scale. Above the error stands its relative
    L2 norm, ‖prediction − solution‖ / ‖solution‖.

    Parameters
    ----------
    coefficient, solution, prediction
        Fields with one channel on grids of one box; the prediction is resampled to the
        solution's grid where they differ. In 3D the middle plane z is drawn.
    path
        Picture file, ending in ``.png``, ``.pdf`` or ``.svg``.
    units
        Unit by channel name; ``length`` for the axes.
    title
        Text above the picture.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If a field has several channels, or solution and prediction do not live on boxes.

    Examples
    --------
    >>> import tempfile
    >>> grid = StructuredGrid((8, 8))
    >>> fields = [Field(grid, np.full((8, 8), value)) for value in (3.0, 1.0, 1.1)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_comparison(*fields, f"{folder}/error.png").name
    'error.png'
    """
    target = picture_path(path)
    known = units or {}
    for role, field in (
        ("coefficient", coefficient),
        ("solution", solution),
        ("prediction", prediction),
    ):
        if field.num_channels != 1:
            raise InputError(
                f"the {role} has {field.num_channels} channels {field.names}; select one"
            )
        if not isinstance(field.mesh, StructuredGrid):
            raise InputError(f"the {role} lives on no grid; resample it to a StructuredGrid first")
    predicted = prediction.resample(solution.mesh)
    error = Field(solution.mesh, np.abs(predicted.values - solution.values), ("error",))
    difference = Field(solution.mesh, predicted.values - solution.values, ("error",))
    size = solution.norm()
    relative = difference.norm() / size if size > 0 else float("nan")
    low = float(min(solution.values.min(), predicted.values.min()))
    high = float(max(solution.values.max(), predicted.values.max()))
    name = solution.names[0]
    unit, limits = known.get(name, ""), (low, high)
    first = coefficient.names[0]
    panels = [
        Panel(coefficient, first, first, known.get(first, ""), _INPUT_COLOURS, is_input=True),
        Panel(solution, name, f"solution: {name}", unit, _OUTPUT_COLOURS, limits),
        Panel(predicted, predicted.names[0], f"prediction: {name}", unit, _OUTPUT_COLOURS, limits),
        Panel(
            error,
            "error",
            f"|error|, relative L2 {100 * relative:.2g} %",
            unit,
            _ERROR_COLOURS,
            (0.0, float(error.values.max()) or 1.0),
        ),
    ]
    _draw(panels, target, title, known.get("length", ""), planes=1)
    return target


def problem_units(problem: Problem) -> Mapping[str, str]:
    """Unit by channel name, from the registered family of the problem's name."""
    from pdesolve.problems.registry import FAMILIES, get_family

    return get_family(problem.name).units if problem.name in FAMILIES else {}


def picture_path(path: str | Path) -> Path:
    """The path of a picture file, or an error for other endings."""
    target = Path(path)
    if target.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"'{path}' must end in .png, .pdf or .svg")
    return target


def _box_around(field: Field) -> StructuredGrid:
    if isinstance(field.mesh, StructuredGrid):
        return field.mesh
    points = field.mesh.points
    dimension = field.mesh.dimension
    return StructuredGrid(
        (_POINTS_AN_AXIS[dimension],) * dimension,
        tuple(points.min(axis=0).tolist()),
        tuple(points.max(axis=0).tolist()),
    )


def _inputs_of(problem: Problem, answer: Field) -> list[Field]:
    """The problem's inputs where the answer lives, if they are scalar fields."""
    if getattr(problem, "has_tensor_coefficient", False):
        return []
    inputs = problem.input_fields(_box_around(answer))
    if isinstance(answer.mesh, StructuredGrid):
        return [inputs]
    centroids = answer.mesh.cell_centroids()
    values = inputs.evaluate(centroids, method="nearest")
    return [Field(answer.mesh, values, inputs.names, "cell")]


def _is_constant(values: FloatArray) -> bool:
    """Whether a channel is a number rather than a picture."""
    spread = float(values.max() - values.min())
    return spread <= 1e-12 * float(np.abs(values).max())


def panel_size(field: Field) -> tuple[float, float]:
    """Width and height of a panel in inches, for the shape of the domain.

    Examples
    --------
    >>> width, height = panel_size(
    ...     Field(StructuredGrid((8, 4), upper=(4.0, 1.0)), np.zeros((8, 4)))
    ... )
    >>> round(width, 2), round(height, 2)
    (3.9, 1.5)
    """
    dimension = field.mesh.dimension
    width, height = PANEL[min(dimension, 2)]
    if dimension != 2:
        return width, height
    box = _box_around(field)
    rows = box.extent[1] / box.extent[0] * (height - _MARGIN)
    # tall domains get as much height as three of the usual panels at most
    return width, float(np.clip(rows, 0.15 * height, 3 * height)) + _MARGIN


def _draw(
    panels: Sequence[Panel], path: Path, title: str, unit_of_length: str, planes: int = 3
) -> None:
    from matplotlib.figure import Figure

    dimension = panels[0].field.mesh.dimension
    planes = planes if dimension == 3 else 1
    if planes > 1:  # a row for each field, a column for each plane
        rows, columns = len(panels), planes
    else:
        columns = min(len(panels), 4)
        rows = math.ceil(len(panels) / columns)
    width, height = panel_size(panels[0].field)
    figure: Any = Figure(figsize=(width * columns, height * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for number, panel in enumerate(panels):
        for plane in range(planes):
            place = (number, plane) if planes > 1 else divmod(number, columns)
            draw_panel(figure, axes[place], panel, unit_of_length, plane)
    for unused in axes.ravel()[rows * columns if planes > 1 else len(panels) :]:
        unused.set_axis_off()
    if title:
        figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix.lstrip(".")
    replace_file(path, lambda part: figure.savefig(part, format=kind, dpi=150))
