"""Preconditioners as they were on the 72 processes of the publication, on one process.

PETSc's block Jacobi, SOR and additive Schwarz act on the rows of each process, so that their
iteration counts depend on the number of processes. The published counts for them come from 72
processes, those with ICC and ILU from one. Here the 72 ranges of rows are blocks of one
process: the same preconditioners up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RANKS = 72


@dataclass(frozen=True)
class Preconditioner:
    """PETSc options, and what options cannot say."""

    options: Mapping[str, Any]
    prepare: Callable[[Any], None] | None = field(default=None)


def ranges(size: int, parts: int) -> list[tuple[int, int]]:
    """First row and number of rows of each process, as PETSc splits them.

    Examples
    --------
    >>> ranges(5, 2)
    [(0, 3), (3, 2)]
    """
    counts = [size // parts + (part < size % parts) for part in range(parts)]
    starts = np.concatenate(([0], np.cumsum(counts)))[:-1]
    return [(int(start), count) for start, count in zip(starts, counts, strict=True)]


def overlap_row_ranges(preconditioner: Any) -> None:
    """Give additive Schwarz the rows of each process and their neighbours as subdomains.

    PETSc adds no overlap to subdomains that it is given, so it is added here.
    """
    from petsc4py import PETSc

    matrix, _ = preconditioner.getOperators()
    parts = ranges(matrix.getSize()[0], RANKS)
    own, overlapping = (
        [PETSc.IS().createStride(count, start, 1, comm=PETSc.COMM_SELF) for start, count in parts]
        for _ in range(2)
    )
    for index_set in overlapping:
        matrix.increaseOverlap(index_set, 1)
    preconditioner.setType("asm")
    preconditioner.setASMLocalSubdomains(RANKS, overlapping, own)


def preconditioners() -> dict[str, Preconditioner]:
    """The seven of the published table."""
    blocks = {"pc_type": "bjacobi", "pc_bjacobi_blocks": RANKS}
    return {
        "None": Preconditioner({"pc_type": "none"}),
        "Jacobi": Preconditioner({"pc_type": "jacobi"}),
        "BJacobi": Preconditioner({**blocks, "sub_pc_type": "ilu"}),
        "SOR": Preconditioner({**blocks, "sub_pc_type": "sor"}),
        "ASM": Preconditioner({"pc_type": "asm", "sub_pc_type": "ilu"}, overlap_row_ranges),
        "ICC": Preconditioner({"pc_type": "icc"}),
        "ILU": Preconditioner({"pc_type": "ilu"}),
    }
