"""The functions of a problem in time, as PETSc's TS calls them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators._petsc_block import BlockMatrix, DistributedGrid
from pdesolve.grid._petsc_solver import raise_together
from pdesolve.grid.systems import GridEvolution

Rate = Callable[[float, FloatArray], FloatArray]


class BlockRates:
    """u' = explicit part + implicit part, and the matrix shift · I − ∂(implicit part)/∂u.

    An error in one of the problem's functions is kept until all processes meet in
    :meth:`raise_errors`; till then the function gives NaN.

    Parameters
    ----------
    distributed
        The grid.
    evolution
        The problem's functions on the block.
    kind
        ``"explicit"``, ``"imex"`` or ``"implicit"``, see
        :class:`pdesolve.grid._petsc_methods.Method`.
    """

    def __init__(self, distributed: DistributedGrid, evolution: GridEvolution, kind: str) -> None:
        self.distributed, self.evolution, self.kind = distributed, evolution, kind
        self._linear = evolution.linear or (kind == "imex" and evolution.stiff_linear)
        self._explicit: Rate | None = None
        self._implicit: Rate | None = None
        derivative: Rate | None = None
        if kind == "explicit":
            self._explicit = self._total
        elif kind == "imex":
            self._explicit, self._implicit = evolution.rate, evolution.stiff_rate
            derivative = evolution.stiff_jacobian
        else:
            self._implicit = self._total
            derivative = evolution.stiff_jacobian if evolution.rate is None else None
            derivative = evolution.jacobian or derivative
        self._derivative = derivative
        self._matrix: BlockMatrix | None = None
        self._vectors: list[Any] = []
        self._error: Exception | None = None
        self._last: tuple[float, FloatArray] | None = None
        if derivative is not None:
            self._create_matrix()

    def _create_matrix(self) -> None:
        offsets, size = self.evolution.offsets, self.distributed.num_components
        if offsets is None:
            raise InputError("a Jacobian needs its offsets")
        centre = np.flatnonzero((offsets == 0).all(axis=1))
        if len(centre) == 0:
            offsets = np.concatenate([np.zeros_like(offsets[:1]), offsets])
            raise InputError(f"the Jacobian's offsets must include the cell itself: {offsets}")
        self._centre = int(centre[0])
        couplings = self.evolution.couplings
        if couplings is not None:
            diagonal = {(self._centre, c, c) for c in range(size)}
            couplings = tuple(sorted(diagonal | set(couplings)))
        self._matrix = BlockMatrix(self.distributed, offsets, couplings)

    def attach(self, ts: Any, *, additive: bool = False) -> None:
        """Give the functions to a TS, of an additive method also an explicit part of zero."""
        if self._linear:
            ts.setProblemType(PETSc.TS.ProblemType.LINEAR)
        if self._explicit is None and additive:
            # with no such part PETSc takes the slope at the start of a step from the step
            # before, and the first one from a short backward Euler step
            ts.setRHSFunction(self._nothing, self._vector())
        if self._explicit is not None:
            ts.setRHSFunction(self._right_hand_side, self._vector())
        if self._implicit is not None and self._matrix is not None:
            ts.setIFunction(self._residual, self._vector())
            ts.setIJacobian(self._jacobian, self._matrix.mat, self._matrix.mat)

    def _vector(self) -> Any:
        self._vectors.append(self.distributed.vector())
        return self._vectors[-1]

    def _total(self, time: float, u: FloatArray) -> FloatArray:
        parts = [p for p in (self.evolution.rate, self.evolution.stiff_rate) if p is not None]
        values = parts[0](time, u)
        return values + parts[1](time, u) if len(parts) > 1 else values

    def _evaluate(self, function: Rate, time: float, vector: Any) -> FloatArray:
        ghosted = self.distributed.ghosted(vector)
        expected = (self.distributed.num_components, *self.distributed.block.shape)
        if self._error is None:
            try:
                with np.errstate(all="ignore"):
                    values = function(time, ghosted)
                if np.shape(values) != expected:
                    raise InputError(
                        f"the rate has shape {np.shape(values)}; it must have {expected}"
                    )
            except Exception as error:
                self._keep(error)
            else:
                return values
        return np.full(expected, np.nan)

    def whole(self, time: float, vector: Any) -> FloatArray:
        """The whole rate on the block (collective)."""
        return self._evaluate(self._total, time, vector)

    def stable_step(self, time: float, vector: Any) -> float:
        """The largest stable step of forward Euler, over all processes (collective).

        Of IMEX methods it is that of the part taken explicitly.
        """
        evolution = self.evolution
        function = evolution.stable_step
        if self.kind == "imex" and evolution.stable_step_of_rate is not None:
            function = evolution.stable_step_of_rate
        if function is None:
            return float("inf")
        ghosted = self.distributed.ghosted(vector)
        step = float("nan")
        try:
            with np.errstate(all="ignore"):
                step = float(function(time, ghosted))
        except Exception as error:
            self._keep(error)
        self.raise_errors()
        return float(min(self.distributed.comm.tompi4py().allgather(step)))

    def _right_hand_side(self, ts: Any, time: float, u: Any, result: Any) -> None:
        del ts
        assert self._explicit is not None  # noqa: S101
        self.distributed.fill(result, self._evaluate(self._explicit, time, u))

    def _nothing(self, ts: Any, time: float, u: Any, result: Any) -> None:
        del ts, time, u
        result.set(0.0)

    def _residual(self, ts: Any, time: float, u: Any, slope: Any, result: Any) -> None:
        del ts
        assert self._implicit is not None  # noqa: S101
        self.distributed.fill(result, -self._evaluate(self._implicit, time, u))
        result.axpy(1.0, slope)

    def _jacobian(
        self, ts: Any, time: float, u: Any, slope: Any, shift: float, matrix: Any, p: Any
    ) -> None:
        del ts, slope, matrix, p
        assert self._matrix is not None  # noqa: S101
        size = self.distributed.num_components
        shape = (len(self._matrix.offsets), size, size, *self.distributed.block.shape)
        values = self._coefficients(time, u, shape)
        if self._linear:
            # the same matrix again: leave it alone, and its preconditioner is kept
            same = (
                self._last is not None
                and self._last[0] == shift
                and (self._last[1] is values or np.array_equal(self._last[1], values))
            )
            comm = self.distributed.comm.tompi4py()
            if comm.allreduce(int(same)) == comm.size:
                return
            self._last = (shift, values)
        shifted = -values.reshape(shape)
        for component in range(size):
            shifted[self._centre, component, component] += shift
        self._matrix.set_values(shifted)

    def _coefficients(self, time: float, u: Any, shape: tuple[int, ...]) -> FloatArray:
        assert self._derivative is not None  # noqa: S101
        ghosted = self.distributed.ghosted(u)
        if self._error is None:
            try:
                with np.errstate(all="ignore"):
                    values = self._derivative(time, ghosted)
                if np.size(values) != np.prod(shape):
                    raise InputError(
                        f"the Jacobian has shape {np.shape(values)}; it must have {shape}"
                    )
            except Exception as error:
                self._keep(error)
            else:
                return values
        return np.zeros(shape)

    def _keep(self, error: Exception) -> None:
        """Keep an error with its traceback as text.

        The frames of a traceback hold PETSc's objects, which would live on, on this process
        alone, and destroying them is collective.
        """
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
        self._error = error.with_traceback(None)

    def raise_errors(self) -> None:
        """Raise on all processes what one of the problem's functions has raised (collective)."""
        error, self._error = self._error, None
        raise_together(self.distributed.comm, error)

    def destroy(self) -> None:
        """Free vectors and matrix (collective)."""
        for vector in self._vectors:
            vector.destroy()
        if self._matrix is not None:
            self._matrix.destroy()
