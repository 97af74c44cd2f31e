"""Lid-driven cavity: velocities on the centrelines next to the published table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.table import Table
from meshes.structured import FloatArray
from pdesolve import get_family, sample_generator, solve

# Ghia, Ghia, Shin (1982), J. Comput. Phys. 48, tables I and II, doi:10.1016/0021-9991(82)90058-4:
# u on the vertical line x = 1/2 and v on the horizontal line y = 1/2, computed on 129² points
# (so the places, printed with four digits, are multiples of 1/128).
VERTICAL = (
    *(0.0000, 0.0547, 0.0625, 0.0703, 0.1016, 0.1719, 0.2813, 0.4531, 0.5000),
    *(0.6172, 0.7344, 0.8516, 0.9531, 0.9609, 0.9688, 0.9766, 1.0000),
)
HORIZONTAL = (
    *(0.0000, 0.0625, 0.0703, 0.0781, 0.0938, 0.1563, 0.2266, 0.2344, 0.5000),
    *(0.8047, 0.8594, 0.9063, 0.9453, 0.9531, 0.9609, 0.9688, 1.0000),
)
U = {
    100: (
        *(0.00000, -0.03717, -0.04192, -0.04775, -0.06434, -0.10150, -0.15662, -0.21090, -0.20581),
        *(-0.13641, 0.00332, 0.23151, 0.68717, 0.73722, 0.78871, 0.84123, 1.00000),
    ),
    400: (
        *(0.00000, -0.08186, -0.09266, -0.10338, -0.14612, -0.24299, -0.32726, -0.17119, -0.11477),
        *(0.02135, 0.16256, 0.29093, 0.55892, 0.61756, 0.68439, 0.75837, 1.00000),
    ),
    1000: (
        *(0.00000, -0.18109, -0.20196, -0.22220, -0.29730, -0.38289, -0.27805, -0.10648, -0.06080),
        *(0.05702, 0.18719, 0.33304, 0.46604, 0.51117, 0.57492, 0.65928, 1.00000),
    ),
}
V = {
    100: (
        *(0.00000, 0.09233, 0.10091, 0.10890, 0.12317, 0.16077, 0.17507, 0.17527, 0.05454),
        *(-0.24533, -0.22445, -0.16914, -0.10313, -0.08864, -0.07391, -0.05906, 0.00000),
    ),
    400: (
        *(0.00000, 0.18360, 0.19713, 0.20920, 0.22965, 0.28124, 0.30203, 0.30174, 0.05186),
        *(-0.38598, -0.44993, -0.23827, -0.22847, -0.19254, -0.15663, -0.12146, 0.00000),
    ),
    1000: (
        *(0.00000, 0.27485, 0.29012, 0.30353, 0.32627, 0.37095, 0.33075, 0.32235, 0.02526),
        *(-0.31966, -0.42665, -0.51550, -0.39188, -0.33714, -0.27669, -0.21388, 0.00000),
    ),
}
# Botella, Peyret (1998), Computers & Fluids 27, tables 9 and 10, doi:10.1016/S0045-7930(98)00002-4:
# the same places for Re = 1000 by a spectral method (their lid moves to the left).
SPECTRAL = {
    "u": (
        *(0.0000000, -0.1812881, -0.2023300, -0.2228955, -0.3004561, -0.3885691, -0.2803696),
        *(-0.1081999, -0.0620561, 0.0570178, 0.1886747, 0.3372212, 0.4723329, 0.5169277),
        *(0.5808359, 0.6644227, 1.0000000),
    ),
    "v": (
        *(0.0000000, 0.2807056, 0.2962703, 0.3099097, 0.3330442, 0.3769189, 0.3339924),
        *(0.3253592, 0.0257995, -0.3202137, -0.4264545, -0.5264392, -0.4103754, -0.3553213),
        *(-0.2936869, -0.2279225, 0.0000000),
    ),
}
# The printed v at x = 0.9063 for Re = 400 breaks the curve through its neighbours; it is taken
# for a misprint, and reported by itself.
MISPRINTS = {("v", 400): (11,)}


@dataclass(frozen=True)
class Profile:
    """One of the table's columns, and the same places in our answer."""

    component: str
    reynolds: int
    published: FloatArray
    found: FloatArray
    found_as_printed: FloatArray  # at the places as printed, with four digits

    @property
    def deviations(self) -> FloatArray:
        """|found − published|, without misprints."""
        wrong = MISPRINTS.get((self.component, self.reynolds), ())
        kept = np.setdiff1d(np.arange(len(self.published)), wrong)
        return np.asarray(np.abs(self.found - self.published)[kept], dtype=np.float64)


def profiles(reynolds: int, cells: int, degree: int = 2) -> tuple[Profile, Profile]:
    """Solve, and read u and v where the table has them."""
    from pdesolve.fem._firedrake_forces import value_at

    family = get_family("lid_driven_cavity", reynolds=reynolds)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    solution = solve(problem, mesh=cells, degree=degree)
    velocity = solution.state.functions["velocity"]  # type: ignore[attr-defined]
    middle = np.full(len(VERTICAL), 0.5)
    printed = np.array(VERTICAL), np.array(HORIZONTAL)
    u, v = [], []
    for y, x in (tuple(np.round(128 * places) / 128 for places in printed), printed):
        u.append(value_at(velocity, np.column_stack([middle, y]))[:, 0])
        v.append(value_at(velocity, np.column_stack([x, middle]))[:, 1])
    return (
        Profile("u", reynolds, np.array(U[reynolds]), *u),
        Profile("v", reynolds, np.array(V[reynolds]), *v),
    )


def spectral(profile: Profile) -> Profile:
    """The same profile next to the spectral table, which is for Re = 1000."""
    return replace(
        profile,
        component="",
        published=np.array(SPECTRAL[profile.component]),
        found=profile.found_as_printed,
    )


def run(cells: tuple[int, ...] = (32, 64, 128)) -> Table:
    """Largest deviations for each Reynolds number and mesh."""
    table = Table(
        "cavity",
        "Lid-driven cavity, P2-P1 elements: deviation from published profiles",
        ("Re", "table", "cells", "u, largest", "u, rms", "v, largest", "v, rms"),
    )
    for reynolds in U:
        for count in cells:
            found = profiles(reynolds, count)
            _add(table, reynolds, "Ghia et al. 1982", count, found)
            if reynolds == 1000:
                compared = tuple(spectral(profile) for profile in found)
                _add(table, reynolds, "Botella, Peyret 1998", count, compared)
        _note_misprints(table, found[1])
    table.notes.append(
        "In units of the lid's speed, at the 17 + 17 places of tables I and II of "
        "doi:10.1016/0021-9991(82)90058-4 (differences of second order, 129² points), and of "
        "tables 9 and 10 of doi:10.1016/S0045-7930(98)00002-4 (spectral, Re = 1000)."
    )
    return table


def _add(table: Table, reynolds: int, source: str, cells: int, found: tuple[Profile, ...]) -> None:
    sizes = [
        float(size(profile.deviations))
        for profile in found
        for size in (np.max, lambda d: np.sqrt(np.mean(d**2)))
    ]
    table.add(reynolds, source, f"{cells}²", *sizes)


def _note_misprints(table: Table, profile: Profile) -> None:
    for place in MISPRINTS.get((profile.component, profile.reynolds), ()):
        printed, found = profile.published[place], profile.found[place]
        table.notes.append(
            f"Left out: v at x = {HORIZONTAL[place]} for Re = {profile.reynolds}, printed as "
            f"{printed:.5f}, which breaks the curve through its neighbours; found {found:.5f}."
        )
