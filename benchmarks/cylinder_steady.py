"""Flow past a cylinder, case 2D-1: drag, lift and pressure next to the published values."""

from __future__ import annotations

from benchmarks.table import Table
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.navier_stokes import CylinderFlowSteadyFamily

# The benchmark's intervals (Schäfer and Turek 1996, doi:10.1007/978-3-322-89849-4_39), and
# values to more digits by a spectral method (Nabh 1998, as published with FEATFLOW).
INTERVALS = {
    "drag": (5.5700, 5.5900),
    "lift": (0.0104, 0.0110),
    "pressure_difference": (0.1172, 0.1176),
}
REFERENCE = {
    "drag": 5.57953523384,
    "lift": 0.010618948146,
    "pressure_difference": 0.11752016697,
}


def measure(cell_size: float) -> tuple[int, dict[str, float]]:
    """Unknowns and quantities on one mesh."""
    family = get_family("cylinder_flow_steady", reynolds=20.0, cell_size=cell_size)
    assert isinstance(family, CylinderFlowSteadyFamily)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    solution = solve(problem)
    return solution.result.num_unknowns, family.quantities(solution)


def run(cell_sizes: tuple[float, ...] = (0.06, 0.03, 0.015, 0.0075)) -> Table:
    """Quantities on meshes that get finer."""
    table = Table(
        "cylinder_steady",
        "Flow past a cylinder at Re = 20 (2D-1), P2-P1 elements with curved edges",
        ("cell size, m", "unknowns", "drag", "lift", "pressure difference", "within"),
    )
    for size in cell_sizes:
        unknowns, found = measure(size)
        within = [
            name.replace("_", " ")
            for name, (low, high) in INTERVALS.items()
            if low <= found[name] <= high
        ]
        values = [f"{found[name]:.6f}" for name in INTERVALS]
        table.add(f"{size:g}", unknowns, *values, "all" if len(within) == 3 else ", ".join(within))
    table.add(
        "published", "", *(f"{low:.4f} to {high:.4f}" for low, high in INTERVALS.values()), ""
    )
    table.add("reference", "", *(f"{REFERENCE[name]:.6f}" for name in INTERVALS), "")
    table.notes.append(
        "Published: the intervals of Schäfer and Turek (1996), doi:10.1007/978-3-322-89849-4_39. "
        "Reference: Nabh (1998), as published with FEATFLOW. Forces from the weak form's residual."
    )
    return table
