"""Counts and ratios of Wang et al. (ICLR 2024, arXiv:2401.09516), tables 1, 3 to 9, 24 to 30.

For each preconditioner and tolerance: mean iterations of GMRES(40) and of SKR, and the ratio
of the wall times (of whole programs on up to 72 processes, with start-up, reading and writing).
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One cell."""

    gmres: float
    skr: float
    time_ratio: float


def _rows(
    tolerances: tuple[float, ...], table: dict[str, tuple[tuple[float, ...], ...]]
) -> dict[tuple[str, float], Published]:
    return {
        (name, tolerance): Published(*cell)
        for name, cells in table.items()
        for tolerance, cell in zip(tolerances, cells, strict=True)
    }


DARCY_6400 = _rows(
    (1e-2, 1e-5, 1e-8),
    {
        "None": ((5402, 281, 2.62), (8193, 387, 2.92), (9059, 473, 2.7)),
        "Jacobi": ((5235, 231, 2.88), (7621, 311, 3.42), (8622, 376, 3.09)),
        "BJacobi": ((3642, 154, 3.21), (5934, 207, 4.07), (6916, 251, 4.0)),
        "SOR": ((3644, 156, 2.69), (5833, 209, 3.45), (6956, 253, 3.54)),
        "ASM": ((1199, 89, 2.23), (2608, 117, 3.66), (3631, 141, 4.53)),
        "ICC": ((629, 66, 1.97), (1320, 88, 3.18), (2000, 106, 4.11)),
        "ILU": ((599, 63, 1.93), (1237, 85, 3.08), (1760, 103, 3.7)),
    },
)

HELMHOLTZ_10000 = _rows(
    (1e-2, 1e-5, 1e-7),
    {
        "None": ((7052, 407, 7.74), (9407, 570, 7.61), (9713, 710, 6.47)),
        "Jacobi": ((6621, 327, 8.44), (9004, 451, 8.62), (9430, 521, 7.96)),
        "BJacobi": ((4227, 197, 8.83), (7019, 265, 11.4), (7883, 301, 11.3)),
        "SOR": ((4405, 197, 8.37), (7074, 270, 10.5), (7976, 308, 10.6)),
        "ASM": ((3034, 119, 10.6), (4676, 160, 13.1), (5448, 182, 13.9)),
        "ICC": ((2229, 104, 4.77), (3942, 139, 6.38), (4665, 159, 6.72)),
        "ILU": ((1818, 104, 3.88), (3726, 137, 6.13), (4401, 157, 6.34)),
    },
)
