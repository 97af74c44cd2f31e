"""What a problem says of itself to the backend ``grid`` beyond linear systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray

Couplings = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class NonlinearSystem:
    """F(u) = 0 on one process's block of a grid.

    All functions see the block with its ghost layers. Values beyond the sides of the box
    come in as zero; it is the problem's part to fill them in, or to do without.

    Parameters
    ----------
    names
        Names of the components of u.
    residual
        Takes u, shape ``(component, *ghosted_shape)``, and gives F(u), ``(component,
        *shape)``.
    jacobian
        Takes the same u and gives the coefficients of F'(u), ``(S, component, component,
        *shape)``; with one component also ``(S, *shape)``. See
        :class:`operators._petsc_block.BlockMatrix`.
    offsets
        Shape ``(S, dimension)``.
    initial
        First guess, ``(component, *shape)``.
    symmetric
        Whether F'(u) is symmetric.
    couplings
        Triples (s, r, c) of `jacobian` that may differ from zero; all when left out.
    solver_parameters
        PETSc options by which this system is best solved, where the caller says nothing.
    notes
        Remarks for the record of the solve.
    easier
        Systems with the same components that lead to this one (continuation): where
        Newton's method fails from `initial`, they are solved one after another, each from
        the answer of the one before.
    prepare
        A system that is solved first; its answer is the first guess in the place of
        `initial`, to whose residual the tolerance is relative.
    load
        The part of F that does not depend on u, ``(component, *shape)``, where F grows so
        fast with u that the residual of a first guess says nothing: the tolerance is then
        relative to the load's norm if that is smaller (and not zero).
    """

    names: tuple[str, ...]
    residual: Callable[[FloatArray], FloatArray]
    jacobian: Callable[[FloatArray], FloatArray]
    offsets: npt.NDArray[np.int64]
    initial: FloatArray
    symmetric: bool = False
    couplings: Couplings | None = None
    solver_parameters: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    easier: tuple[NonlinearSystem, ...] = ()
    prepare: NonlinearSystem | None = None
    load: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class BlockLinearSystem:
    """A u = b with one or more unknowns a cell, on one process's block of a grid.

    Parameters
    ----------
    names
        Names of the components of u.
    coefficients
        Of A, shape ``(S, component, component, *shape)``; see
        :class:`operators._petsc_block.BlockMatrix`.
    right_hand_side
        b, shape ``(component, *shape)``, boundary data included.
    offsets
        Shape ``(S, dimension)``.
    symmetric
        Whether A is symmetric.
    couplings
        Triples (s, r, c) of the coefficients that may differ from zero; all when left out.
    preconditioner
        Coefficients of the matrix from which the preconditioner is made; A when left out.
    solver_parameters
        PETSc options by which this system is best solved, where the caller says nothing.
    notes
        Remarks for the record of the solve.
    hint
        What to try when the solve fails, for the message.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    right_hand_side: FloatArray
    offsets: npt.NDArray[np.int64]
    symmetric: bool = False
    couplings: Couplings | None = None
    preconditioner: FloatArray | None = None
    solver_parameters: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    hint: str = ""

    def __post_init__(self) -> None:
        if self.right_hand_side.shape[0] != len(self.names):
            raise InputError(
                f"right_hand_side has {self.right_hand_side.shape[0]} components, names has "
                f"{len(self.names)}"
            )
        if not np.isfinite(self.right_hand_side).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(self.right_hand_side))[0])
            raise InputError(
                f"the right-hand side of '{self.names[where[0]]}' is not finite at index "
                f"{where[1:]} of the block"
            )


@dataclass(frozen=True, eq=False)
class GridEvolution:
    """u' = G(t, u) + S(t, u) on one process's block of a grid.

    G is the part that explicit methods take, S the stiff part that implicit methods take
    in IMEX methods; a method of one kind takes their sum. All functions see the block
    with its ghost layers, as in :class:`NonlinearSystem`.

    Parameters
    ----------
    names
        Names of the components of u, the main one first.
    initial
        u at the first time, ``(component, *shape)``.
    rate
        G: takes t and u ``(component, *ghosted_shape)``, gives ``(component, *shape)``;
        None where there is no such part.
    stiff_rate
        S, in the same form.
    stiff_jacobian
        ∂S/∂u: takes t and u, gives coefficients ``(S, component, component, *shape)``.
    jacobian
        ∂(G + S)/∂u for fully implicit methods, where it is known.
    offsets
        Of both Jacobians, shape ``(S, dimension)``.
    couplings
        Triples (s, r, c) of the Jacobians that may differ from zero.
    stable_step
        Takes t and u and gives the largest stable explicit step for this block (infinity
        where there is none) of the forward Euler method; strong-stability-preserving and
        Runge–Kutta methods multiply it by their coefficient.
    stable_step_of_rate
        The same for G alone, which IMEX methods take explicitly; `stable_step` when left
        out.
    spectrum
        Where the eigenvalues of ∂(G + S)/∂u lie, by which `stable_step` is meant:
        ``"disk"``: in the disk |z + 1/h| ≤ 1/h for the step h = `stable_step` (upwind
        transport with diffusion); ``"real"``: between −2/h and 0 (diffusion);
        ``"imaginary"``: between −i/h and i/h (waves), where forward Euler has no stable
        step.
    linear
        Whether the rate is linear in u (then Newton's method is not iterated).
    stiff_linear
        Whether S alone is linear in u, so that IMEX methods need not iterate.
    method
        PETSc options that choose the default method, such as
        ``{"ts_type": "arkimex", "ts_arkimex_type": "3"}``.
    conserved
        Name and density of conserved or decaying quantities: takes u over the block
        without ghosts and gives values ``shape`` that are summed times the cell volume.
    ghosted_densities
        The same for densities that need neighbours: take t and u with ghosts.
    """

    names: tuple[str, ...]
    initial: FloatArray
    rate: Callable[[float, FloatArray], FloatArray] | None = None
    stiff_rate: Callable[[float, FloatArray], FloatArray] | None = None
    stiff_jacobian: Callable[[float, FloatArray], FloatArray] | None = None
    jacobian: Callable[[float, FloatArray], FloatArray] | None = None
    offsets: npt.NDArray[np.int64] | None = None
    couplings: Couplings | None = None
    stable_step: Callable[[float, FloatArray], float] | None = None
    stable_step_of_rate: Callable[[float, FloatArray], float] | None = None
    spectrum: Literal["disk", "real", "imaginary"] = "disk"
    linear: bool = False
    stiff_linear: bool = False
    method: dict[str, Any] | None = None
    conserved: dict[str, Callable[[FloatArray], FloatArray]] | None = None
    ghosted_densities: dict[str, Callable[[float, FloatArray], FloatArray]] | None = None

    def __post_init__(self) -> None:
        if self.rate is None and self.stiff_rate is None:
            raise InputError("give rate, stiff_rate or both: the problem does not evolve without")
        if self.initial.shape[0] != len(self.names):
            raise InputError(
                f"initial has {self.initial.shape[0]} components, names has {len(self.names)}"
            )
        if not np.isfinite(self.initial).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(self.initial))[0])
            raise InputError(
                f"the initial state of '{self.names[where[0]]}' is not finite at {where[1:]}"
            )
        if (self.stiff_jacobian is not None or self.jacobian is not None) and self.offsets is None:
            raise InputError("a Jacobian needs its offsets")
