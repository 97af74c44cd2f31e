"""Published iteration counts of recycling, on the released matrices and on Darcy flow."""

from __future__ import annotations

import statistics

from benchmarks.data import released_matrices as matrices
from benchmarks.data.krylov_sequences import (
    CG,
    GMRES,
    SKR,
    SequenceRecord,
    greedy_order,
    solve_sequence,
)
from benchmarks.table import Table

LABEL = 2500  # as published; 48² = 2304 unknowns

# Wang et al. (2024), tables 3 and 4 at 1e-5
PUBLISHED = {("none", "GMRES(40)"): 3983, ("none", "SKR"): 183}
PUBLISHED |= {("jacobi", "GMRES(40)"): 3407, ("jacobi", "SKR"): 152}


def run(number: int = 40, seed: int = 0) -> Table:
    """Mean iterations over `number` sorted systems of 2304 unknowns, and their spectra."""
    table = Table(
        "skr_reproduction",
        f"Recycling on {number} systems of 2304 unknowns, rtol 1e-5: mean iterations a system",
        (
            "matrix",
            "preconditioner",
            "GMRES(40)",
            "SKR",
            "SKR + products for A Y",
            "GMRES(40) / SKR",
            "published GMRES(40), SKR",
            "CG",
        ),
    )
    K = matrices.coefficients(number, LABEL, seed)
    K = K[greedy_order(K)]
    right = matrices.right_hand_side(K[0])
    kinds = {
        "as released": matrices.released_darcy,
        "released, without the shift": lambda k: matrices.released_darcy(k, shifted=False),
        "conservative Darcy": matrices.conservative_darcy,
    }
    for kind, build in kinds.items():
        systems = [(build(k), right) for k in K]
        for name in ("none", "jacobi"):
            preconditioner = {"pc_type": name}
            gmres = solve_sequence(systems, GMRES, preconditioner)
            skr = solve_sequence(systems, SKR, preconditioner)
            cg = "-"
            if kind.startswith("conservative"):
                cg = f"{solve_sequence(systems, CG, preconditioner).mean():.0f}"
            published = "-"
            if kind == "as released":
                published = ", ".join(str(PUBLISHED[name, way]) for way in ("GMRES(40)", "SKR"))
            table.add(
                kind,
                name,
                with_error(gmres),
                f"{skr.mean():.1f}",
                f"{skr.mean(products=True):.1f}",
                gmres.mean() / skr.mean(),
                published,
                cg,
            )
            if kind == "as released":
                table.notes.append(
                    f"As released, {name}: first system SKR {skr.iterations[0]}, later ones "
                    f"{skr.mean(after=1):.1f} (standard error {skr.standard_error():.1f}); "
                    f"GMRES(40) from {min(gmres.iterations)} to {max(gmres.iterations)} "
                    f"iterations, {gmres.capped} of {number} stopped by the cap of 10 000 with "
                    f"‖b - A x‖/‖b‖ up to {max(gmres.residuals):.1g}."
                )
    table.notes.append(
        "m = 40, k = 20, zero guess, left preconditioning and the tolerance on the "
        "preconditioned residual, as in the publication (arXiv:2401.09516); sorted greedily by "
        "the Frobenius distance of K. GMRES(40) is PETSc's, ± one standard error; * marks means "
        "with capped solves. The publication counts no products with A for A Y."
    )
    for kind, build in kinds.items():
        found = [matrices.properties(build(k)) for k in K]
        condition = [item.condition for item in found]
        negative = [item.num_negative for item in found]
        table.notes.append(
            f"{kind}: ‖A - Aᵀ‖/‖A‖ up to {max(item.asymmetry for item in found):.2g}, condition "
            f"number {min(condition):.2g} to {max(condition):.2g} (median "
            f"{statistics.median(condition):.2g}), {min(negative)} to {max(negative)} eigenvalues "
            f"with negative real part (least {min(item.least_real_part for item in found):.2g})."
        )
    return table


def with_error(record: SequenceRecord) -> str:
    """The mean with its standard error, and * where solves were stopped by the cap."""
    return f"{record.mean():.0f} ± {record.standard_error():.0f}" + "*" * (record.capped > 0)
