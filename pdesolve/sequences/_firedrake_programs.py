"""Kernels of a linear form, kept for the next form that differs in values only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from firedrake.assemble import get_assembler

from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.sequences._firedrake_context import KeptContext
from pdesolve.sequences._firedrake_supported import UnsupportedFormError


class FormProgram:
    """One kind of form: its kernels, coefficients and boundary conditions.

    Parameters
    ----------
    form
        The first form of this kind.
    homogeneous
        Its boundary conditions with zeros.
    lift
        Firedrake function that holds the given boundary values.
    context
        Its coefficients are assembled with as they are; of others, which belong to the
        problem, copies are made.
    """

    def __init__(
        self,
        form: LinearForm,
        homogeneous: tuple[Any, ...],
        lift: Any,
        context: KeptContext,
    ) -> None:
        self.signatures = form.bilinear.signature(), form.linear.signature()
        self.conditions = form.boundary_conditions
        self._homogeneous = homogeneous
        self._lift = lift
        found = [_terminals(part) for part in (form.bilinear, form.linear)]
        foreign = [item for part in found for item in part if not context.owns(item)]
        copies = {item: _copy(item) for item in dict.fromkeys(foreign)}
        self._terminals = [[copies.get(item, item) for item in part] for part in found]
        self.bilinear, self.linear = form.bilinear, form.linear
        if copies:
            self.bilinear = ufl.replace(form.bilinear, copies)
            self.linear = ufl.replace(form.linear, copies)
        self._assemblers: dict[str, Any] = {}
        digest = hashlib.blake2b(self.signatures[0].encode(), digest_size=16)
        for condition in homogeneous:
            digest.update(repr(condition.function_space().component).encode())
            digest.update(np.ascontiguousarray(condition.nodes).data)
        self._start = digest

    def is_for(self, form: LinearForm) -> bool:
        """Whether a form is this one up to the values in its coefficients, which are these."""
        return (
            len(form.boundary_conditions) == len(self.conditions)
            and all(
                one is other
                for one, other in zip(form.boundary_conditions, self.conditions, strict=True)
            )
            and (self.bilinear is form.bilinear or bool(self.bilinear.equals(form.bilinear)))
            and (self.linear is form.linear or bool(self.linear.equals(form.linear)))
        )

    def take_values(
        self, form: LinearForm, homogeneous: tuple[Any, ...], context: KeptContext
    ) -> bool:
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
                if mine is not new and context.is_read_in_part(new):
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
                self.bilinear, bcs=self._homogeneous, mat_type="aij"
            )
        return self._assemblers["matrix"].assemble(tensor=tensor)

    def unconstrained_matrix(self) -> Any:
        """A new Firedrake matrix with the rows and columns of given values in it."""
        return get_assembler(self.bilinear, mat_type="aij").assemble()

    def right(self, tensor: Any, *, lifted: bool) -> Any:
        """Assemble the right-hand side, that of the correction where `lifted`."""
        name = "lifted" if lifted else "plain"
        if name not in self._assemblers:
            linear = self.linear
            if lifted:
                linear = linear - firedrake.action(self.bilinear, self._lift)
            self._assemblers[name] = get_assembler(linear, bcs=self._homogeneous)
        return self._assemblers[name].assemble(tensor=tensor)


def _terminals(form: Any) -> list[Any]:
    """Coefficients and constants in the order of UFL's numbers, which signatures use."""
    numbers: Mapping[Any, int] = form.terminal_numbering()
    found = [item for item in numbers if hasattr(item, "dat")]
    return sorted(found, key=lambda item: (type(item).__name__, numbers[item]))


def _copy(terminal: Any) -> Any:
    """A function or constant of the same kind with the same values."""
    if isinstance(terminal, firedrake.Function):
        return firedrake.Function(terminal)
    if isinstance(terminal, firedrake.Constant):
        return firedrake.Constant(terminal.dat.data_ro.reshape(terminal.ufl_shape))
    raise UnsupportedFormError(
        f"a form with a {type(terminal).__name__} cannot be assembled in a matrix that is kept"
    )


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
