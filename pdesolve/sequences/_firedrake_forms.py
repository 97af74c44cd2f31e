"""Assembly of linear forms into tensors that are kept, without processing UFL again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from firedrake.assemble import get_assembler
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from pdesolve._petsc_options import flatten
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_linear import form_parameters
from pdesolve.sequences._firedrake_context import KeptContext

MOST_PROGRAMS = 8
"""Forms of different kinds whose kernels are kept at a time."""


class UnsupportedFormError(InputError):
    """A form that :class:`pdesolve.sequences._firedrake_source.FormSource` does not take."""


def supports(form: Any) -> str | None:
    """Why systems of this form cannot be made in one matrix kept for good; None if they can.

    Taken are linear forms in one Lagrange space, with integrals over cells and the
    boundary, whose solver works on the matrix alone.
    """
    if not isinstance(form, LinearForm):
        return f"it is a {type(form).__name__}, not a LinearForm"
    if not isinstance(form.bilinear, ufl.Form) or not isinstance(form.linear, ufl.Form):
        return "its sides are not both sums of integrals"
    spaces = [argument.function_space() for argument in form.bilinear.arguments()]
    space = spaces[-1]
    if spaces[0] != space or len(space) > 1:
        return "its unknown is in a mixed space"
    element = space.ufl_element()
    if element not in ufl.H1 or element.family() not in ("Lagrange", "Q"):
        return f"its element {element.family()} is not Lagrange"
    if form.null_space is not None or form.finish is not None:
        return "its matrix is singular"
    for integral in (*form.bilinear.integrals(), *form.linear.integrals()):
        if integral.integral_type() not in ("cell", "exterior_facet"):
            return f"it has integrals over {integral.integral_type()}s"
    if not all(isinstance(item, firedrake.DirichletBC) for item in form.boundary_conditions):
        return "it has boundary conditions that are equations"
    if space.mesh().unique().comm.size > 1:
        return "its mesh is spread over several processes"
    return _unsupported_options(form)


def _unsupported_options(form: LinearForm) -> str | None:
    if form.context:
        return "its solver reads the context of the form"
    for key, value in flatten(form_parameters(form)).items():
        if key.endswith("mat_type") and value != "aij":
            return f"its solver asks for {key}='{value}'"
        if key.endswith("pc_type") and value in ("python", "fieldsplit"):
            return f"its solver asks for {key}='{value}', which reads the context of the form"
    return None


class FormProgram:
    """One kind of form: its kernels, coefficients and boundary conditions.

    Parameters
    ----------
    form
        The first form of this kind; its coefficients are those that are assembled with.
    homogeneous
        Its boundary conditions with zeros.
    lift
        Firedrake function that holds the given boundary values.
    """

    def __init__(self, form: LinearForm, homogeneous: tuple[Any, ...], lift: Any) -> None:
        self.form = form
        self.signatures = form.bilinear.signature(), form.linear.signature()
        self.conditions = form.boundary_conditions
        self._homogeneous = homogeneous
        self._lift = lift
        self._terminals = [_terminals(part) for part in (form.bilinear, form.linear)]
        self._assemblers: dict[str, Any] = {}
        digest = hashlib.blake2b(self.signatures[0].encode(), digest_size=16)
        for condition in homogeneous:
            digest.update(repr(condition.function_space().component).encode())
            digest.update(np.ascontiguousarray(condition.nodes).data)
        self._start = digest

    def is_for(self, form: LinearForm) -> bool:
        """Whether a form is this one up to the values in its coefficients, which are these."""
        own = self.form
        return (
            len(form.boundary_conditions) == len(self.conditions)
            and all(
                one is other
                for one, other in zip(form.boundary_conditions, self.conditions, strict=True)
            )
            and bool(own.bilinear.equals(form.bilinear))
            and bool(own.linear.equals(form.linear))
        )

    def take_values(self, form: LinearForm, homogeneous: tuple[Any, ...]) -> bool:
        """Copy the values of a form with the same signature; False where it has another."""
        if (form.bilinear.signature(), form.linear.signature()) != self.signatures:
            return False
        if not _same_nodes(homogeneous, self._homogeneous):
            return False
        pairs: dict[Any, Any] = {}
        given = [_terminals(part) for part in (form.bilinear, form.linear)]
        for own, other in zip(self._terminals, given, strict=True):
            for mine, new in zip(own, other, strict=True):
                if pairs.setdefault(mine, new) is not new or not _same_space(mine, new):
                    return False
        values = [np.array(new.dat.data_ro_with_halos) for new in pairs.values()]
        for mine, value in zip(pairs, values, strict=True):
            mine.dat.data_with_halos[...] = value
        return True

    def digest(self) -> bytes:
        """Of the bilinear form with the values of its coefficients, and the fixed nodes."""
        found = self._start.copy()
        for terminal in self._terminals[0]:
            found.update(np.ascontiguousarray(terminal.dat.data_ro_with_halos).data)
        return found.digest()

    def matrix(self, tensor: Any) -> Any:
        """Assemble the matrix into a Firedrake matrix, a new one if None."""
        if "matrix" not in self._assemblers:
            self._assemblers["matrix"] = get_assembler(
                self.form.bilinear, bcs=self._homogeneous, mat_type="aij"
            )
        return self._assemblers["matrix"].assemble(tensor=tensor)

    def right(self, tensor: Any, *, lifted: bool) -> Any:
        """Assemble the right-hand side, that of the correction where `lifted`."""
        name = "lifted" if lifted else "plain"
        if name not in self._assemblers:
            linear = self.form.linear
            if lifted:
                linear = linear - firedrake.action(self.form.bilinear, self._lift)
            self._assemblers[name] = get_assembler(linear, bcs=self._homogeneous)
        return self._assemblers[name].assemble(tensor=tensor)


class KeptAssembly:
    """Systems of one space, one after another in the same matrix and vectors.

    Parameters
    ----------
    context
        The context that the forms are written with.
    """

    def __init__(self, context: KeptContext) -> None:
        self._context = context
        self._programs: list[FormProgram] = []
        self._homogeneous: dict[int, tuple[Any, Any]] = {}
        self._matrix: Any = None
        self.space: Any = None
        self.lift: Any = None
        self.right: Any = None
        self._digest = b""

    def read(self, form: LinearForm) -> FormProgram:
        """The kernels for a form, with its values in their coefficients.

        Raises
        ------
        UnsupportedFormError
            If the form is none of those that :func:`supports` takes, or in another space.
        """
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
            if program.take_values(form, homogeneous):
                self._programs.insert(0, self._programs.pop(position))
                return program
        self._programs = [FormProgram(form, homogeneous, self.lift), *self._programs]
        del self._programs[MOST_PROGRAMS:]
        return self._programs[0]

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
        program.right(self.right, lifted=self._set_lift(conditions))
        return anew

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


def _terminals(form: Any) -> list[Any]:
    """Coefficients and constants in the order of UFL's numbers, which signatures use."""
    numbers: Mapping[Any, int] = form.terminal_numbering()
    found = [item for item in numbers if hasattr(item, "dat")]
    return sorted(found, key=lambda item: (type(item).__name__, numbers[item]))


def _same_space(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one.ufl_shape != other.ufl_shape:
        return False
    space = one.function_space()
    return space is None or bool(space == other.function_space())


def _same_nodes(some: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    if len(some) != len(others):
        return False
    return all(
        one.function_space().component == other.function_space().component
        and np.array_equal(one.nodes, other.nodes)
        for one, other in zip(some, others, strict=True)
    )
