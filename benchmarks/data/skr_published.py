"""Counts and times of Wang et al. (ICLR 2024, arXiv:2401.09516), tables 3 to 9 and 24 to 30.

For each preconditioner and tolerance: mean iterations of GMRES(40) and of SKR, and mean wall
seconds of both (for a whole program on up to 72 processes, with start-up, reading and writing).
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One cell."""

    gmres: float
    skr: float
    gmres_seconds: float
    skr_seconds: float


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
        "None": ((5402, 281, 0.45, 0.17), (8193, 387, 0.66, 0.23), (9059, 473, 0.72, 0.27)),
        "Jacobi": ((5235, 231, 0.44, 0.15), (7621, 311, 0.62, 0.19), (8622, 376, 0.70, 0.23)),
        "BJacobi": ((3642, 154, 0.39, 0.12), (5934, 207, 0.60, 0.15), (6916, 251, 0.70, 0.17)),
        "SOR": ((3644, 156, 0.33, 0.12), (5833, 209, 0.50, 0.15), (6956, 253, 0.60, 0.17)),
        "ASM": ((1199, 89, 0.21, 0.10), (2608, 117, 0.42, 0.12), (3631, 141, 0.57, 0.13)),
        "ICC": ((629, 66, 0.29, 0.15), (1320, 88, 0.60, 0.19), (2000, 106, 0.91, 0.22)),
        "ILU": ((599, 63, 0.27, 0.14), (1237, 85, 0.56, 0.18), (1760, 103, 0.80, 0.22)),
    },
)

HELMHOLTZ_10000 = _rows(
    (1e-2, 1e-5, 1e-7),
    {
        "None": ((7052, 407, 4.06, 0.52), (9407, 570, 5.41, 0.71), (9713, 710, 5.57, 0.86)),
        "Jacobi": ((6621, 327, 3.82, 0.45), (9004, 451, 5.15, 0.60), (9430, 521, 5.40, 0.68)),
        "BJacobi": ((4227, 197, 2.60, 0.29), (7019, 265, 4.27, 0.37), (7883, 301, 4.72, 0.42)),
        "SOR": ((4405, 197, 2.60, 0.31), (7074, 270, 4.16, 0.40), (7976, 308, 4.66, 0.44)),
        "ASM": ((3034, 119, 2.83, 0.27), (4676, 160, 4.35, 0.33), (5448, 182, 5.07, 0.36)),
        "ICC": ((2229, 104, 1.58, 0.33), (3942, 139, 2.80, 0.44), (4665, 159, 3.32, 0.49)),
        "ILU": ((1818, 104, 1.29, 0.33), (3726, 137, 2.63, 0.43), (4401, 157, 3.11, 0.49)),
    },
)
