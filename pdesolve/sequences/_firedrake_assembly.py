"""Assembly of linear forms into tensors that are kept, without processing UFL again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from petsc4py import PETSc
from scipy import sparse
from ufl.algorithms import extract_coefficients

from meshes.structured import FloatArray
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import nodes_along
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.sequences._firedrake_context import KeptContext
from pdesolve.sequences._firedrake_programs import FormProgram
from pdesolve.sequences._firedrake_supported import UnsupportedFormError, supports
from pdesolve.sequences.lifting import Lifting

MOST_PROGRAMS = 8
"""Forms of different kinds whose kernels are kept at a time."""


class KeptAssembly:
    """Systems of one space, one after another in the same matrix and vectors.

    Parameters
    ----------
    context
        The context that the forms are written with.
    one_operator
        Whether most forms will have the same operator: its columns of given values are then
        kept as a matrix, so that right-hand sides need no pass over all cells.
    """

    def __init__(self, context: KeptContext, *, one_operator: bool = False) -> None:
        self._context = context
        self.one_operator = one_operator
        self._programs: list[FormProgram] = []
        self._homogeneous: dict[int, tuple[Any, Any]] = {}
        self._matrix: Any = None
        self.space: Any = None
        self.lift: Any = None
        self.right: Any = None
        self._digest = b""
        self._lifting: tuple[bytes, Lifting] | None = None

    def read(self, write: Callable[[], Any]) -> tuple[LinearForm, FormProgram]:
        """A form and its kernels, with its values in their coefficients.

        Parameters
        ----------
        write
            Gives the form, written with the context; called once more where the form is
            of another kind than those before.

        Raises
        ------
        UnsupportedFormError
            If the form is none of those that :func:`supports` takes, or in another space.
        """
        self._context.restart()
        form = write()
        program = self._find(form)
        if program is not None:
            return form, program
        if self._context.read_everywhere():
            self._context.restart()
            form = write()
        homogeneous = tuple(self._zeros(item) for item in form.boundary_conditions)
        program = FormProgram(form, homogeneous, self.lift, self._context)
        self._programs = [program, *self._programs][:MOST_PROGRAMS]
        self._context.read_only_at(_needed_nodes(self._programs))
        return form, program

    def _find(self, form: Any) -> FormProgram | None:
        for position, program in enumerate(self._programs):
            if program.is_for(form):
                self._programs.insert(0, self._programs.pop(position))
                return program
        reason = supports(form)
        if reason is not None:
            raise UnsupportedFormError(
                f"this form cannot be assembled in a matrix that is kept: {reason}; leave the "
                "strategy out"
            )
        space = form.bilinear.arguments()[-1].function_space()
        if self.space is None:
            self.space = space
            self.lift = firedrake.Function(space)
            self.right = firedrake.Cofunction(space.dual())
        elif space != self.space:
            raise UnsupportedFormError(
                f"the forms of a sequence must be in one space; this one is in {space}, those "
                f"before in {self.space}"
            )
        homogeneous = tuple(self._zeros(item) for item in form.boundary_conditions)
        for position, program in enumerate(self._programs):
            if program.take_values(form, homogeneous, self._context):
                self._programs.insert(0, self._programs.pop(position))
                return program
        return None

    def _zeros(self, condition: Any) -> Any:
        side = self._context.side_of(condition)
        return condition.reconstruct(g=0) if side is None else side.homogeneous

    def assemble(self, program: FormProgram, conditions: Iterable[Any], symmetric: bool) -> bool:
        """Fill matrix, lift and right-hand side; False where the matrix stays as it is."""
        digest = program.digest()
        anew = digest != self._digest
        if anew:
            self._digest = b""
            new = self._matrix is None
            self._matrix = program.matrix(self._matrix)
            if new:  # so that who looks for a distributed array sees that it is none
                self.matrix.setDM(PETSc.DMShell().create(comm=self.matrix.comm))
            self.matrix.setOption(PETSc.Mat.Option.SYMMETRIC, symmetric)
            self._digest = digest
        given = tuple(conditions)
        lifted = self._set_lift(given)
        # always or never, so that a right-hand side is the same to the last bit whatever came
        # before it
        lifting = self._lifting_of(program, given) if lifted and self.one_operator else None
        program.right(self.right, lifted=lifted and lifting is None)
        if lifting is not None:
            lifting.subtract(self.lift.dat.data_ro, self.right.dat.data)
        return anew

    def _lifting_of(self, program: FormProgram, conditions: tuple[Any, ...]) -> Lifting | None:
        """What boundary values of the operator at hand do to right-hand sides, as a matrix."""
        found = [self._context.side_of(condition) for condition in conditions]
        sides = [side for side in found if side is not None]
        if len(sides) < len(found):
            return None
        if self._lifting is None or self._lifting[0] != self._digest:
            fixed = np.zeros(self.lift.dat.data_ro.shape, dtype=bool)
            for side in sides:
                fixed[side.nodes if side.component is None else (side.nodes, side.component)] = True
            matrix = program.unconstrained_matrix().petscmat
            starts, columns, values = matrix.getValuesCSR()
            whole = sparse.csr_matrix((values, columns, starts), shape=matrix.getSize())
            self._lifting = self._digest, Lifting(whole, fixed.reshape(-1))
            matrix.destroy()
        return self._lifting[1]

    def _set_lift(self, conditions: Iterable[Any]) -> bool:
        data = self.lift.dat.data_with_halos
        data[...] = 0.0
        for condition in conditions:
            side = self._context.side_of(condition)
            if side is None:
                condition.apply(self.lift)
            else:
                side.write(data)
        return bool(np.any(self.lift.dat.data_ro))

    @property
    def matrix(self) -> Any:
        """PETSc's matrix, the same object for all systems."""
        return self._matrix.petscmat

    @property
    def lifted(self) -> FloatArray:
        """The given boundary values and zeros, as a flat array."""
        return np.asarray(self.lift.dat.data_ro, dtype=np.float64).reshape(-1)


def _needed_nodes(programs: Sequence[FormProgram]) -> dict[Any, Any]:
    """Nodes of the coefficients that only stand in integrals over numbered sides."""
    sides: dict[Any, set[int]] = {}
    others: set[Any] = set()
    for program in programs:
        for integral in (*program.bilinear.integrals(), *program.linear.integrals()):
            found = extract_coefficients(integral.integrand())
            number = integral.subdomain_id()
            if integral.integral_type() == "exterior_facet" and isinstance(number, int):
                for coefficient in found:
                    sides.setdefault(coefficient, set()).add(number)
            else:
                others.update(found)
    nodes = {}
    for coefficient, numbers in sides.items():
        space = coefficient.function_space()
        if coefficient not in others and space.ufl_element() not in ufl.H1:
            nodes[coefficient] = nodes_along(space, *numbers)
    return nodes
