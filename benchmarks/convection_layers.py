"""Boundary layers thinner than a cell: error and overshoot of every scheme."""

from __future__ import annotations

from benchmarks.families.convection_diffusion import LAYER_CELLS, layer
from benchmarks.table import Table

SCHEMES: tuple[tuple[str, str, str, int], ...] = (
    ("grid, exponential", "exponential", "grid", 1),
    ("grid, upwind", "upwind", "grid", 1),
    ("grid, central", "central", "grid", 1),
    ("fem, SUPG, CG1", "exponential", "fem", 1),
    ("fem, SUPG, CG2", "exponential", "fem", 2),
)


def run(numbers: tuple[float, ...] = (1.0, 10.0, 100.0)) -> Table:
    """Largest error at cell centres or vertices, and what exceeds the bound 1 of u."""
    columns = ["method", *(f"{what}, Pe {n:g}" for n in numbers for what in ("error", "overshoot"))]
    table = Table(
        "convection_layers", f"Boundary layers on {LAYER_CELLS} cells an axis", tuple(columns)
    )
    for label, scheme, backend, degree in SCHEMES:
        for dimension in (1, 2):
            options = {} if backend == "grid" else {"degree": degree}
            cells: list[str] = []
            for number in numbers:
                error, over = layer(scheme, backend, number, dimension, **options)
                cells += [f"{error:.2g}", f"{max(over, 0.0):.2g}" if over > 1e-7 else "none"]
            table.add(f"{label}, {dimension}D", *cells)
    table.notes.append(
        "-eps u'' + u' = 1, u = 0 at both ends, cell Péclet number Pe = h/eps; errors of the grid "
        "at cell centres, of elements at vertices. 2D: a strip with no flux through its sides."
    )
    return table
