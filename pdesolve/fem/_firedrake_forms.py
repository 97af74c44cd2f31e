"""What a problem gets to write its weak form with, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshes.errors import InputError, suggest
from operators.spatial import ConstantFunction
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import Check, coefficient, nodal_values
from pdesolve.fem._firedrake_meshes import NamedMesh
from pdesolve.problems.boundary import Condition, Dirichlet

ELEMENTS = ("CG", "Q", "RT", "RTCF")


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A weak problem: find u with bilinear(u, v) = linear(v) for all v.

    Parameters
    ----------
    bilinear, linear
        UFL forms; the unknown's space is that of the trial function.
    boundary_conditions
        Firedrake ``DirichletBC`` objects.
    names
        Names of the unknowns, one for each part of a mixed space, the main one being
        `main`.
    main
        Number of the main unknown.
    symmetric
        Whether the bilinear form is symmetric.
    null_space
        A Firedrake basis of the functions that the bilinear form maps to zero, or None.
    solver_parameters
        Defaults for this form; the backend's where it says nothing.
    finish
        Called with the answer, a Firedrake function, such as to fix the constant.
    inputs
        Firedrake functions to be written beside the answer.
    context
        The application context that Firedrake's preconditioners read (``appctx``).

    Examples
    --------
    A problem's ``weak_form(self, context)`` gives one::

        V = context.space()
        u, v = TrialFunction(V), TestFunction(V)
        return LinearForm(inner(grad(u), grad(v)) * dx, context.data(1.0) * v * dx,
                          context.dirichlet(V, self.boundary_conditions))
    """

    bilinear: Any
    linear: Any
    boundary_conditions: tuple[Any, ...] = ()
    names: tuple[str, ...] = ("u",)
    main: int = 0
    symmetric: bool = True
    null_space: Any = None
    solver_parameters: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[Any], None] | None = None
    inputs: tuple[Any, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FormContext:
    """A mesh with named sides, and the element that the user chose.

    Parameters
    ----------
    named
        Mesh and sides.
    element
        ``"CG"``, ``"Q"``, ``"RT"`` or ``"RTCF"``.
    degree
        Polynomial degree of the element.
    """

    named: NamedMesh
    element: str = "CG"
    degree: int = 1

    @property
    def mesh(self) -> Any:
        """The Firedrake mesh."""
        return self.named.mesh

    @property
    def dimension(self) -> int:
        """Number of space dimensions."""
        return int(self.mesh.geometric_dimension)

    @property
    def mixed(self) -> bool:
        """Whether the user asked for a flux as an unknown of its own."""
        return self.element in ("RT", "RTCF")

    @property
    def sides(self) -> tuple[str, ...]:
        """Names of the parts of the boundary."""
        return tuple(self.named.sides)

    def space(self, family: str = "CG", degree: int | None = None) -> Any:
        """A scalar space on the mesh, of the user's degree where none is given."""
        return firedrake.FunctionSpace(self.mesh, family, self.degree if degree is None else degree)

    def vector_space(self, family: str = "CG", degree: int | None = None) -> Any:
        """A space of vectors with as many entries as the mesh has dimensions."""
        order = self.degree if degree is None else degree
        return firedrake.VectorFunctionSpace(self.mesh, family, order)

    def side(self, name: str) -> Any:
        """The measure ``ds`` on one part of the boundary.

        Raises
        ------
        InputError
            If the mesh has no such part.
        """
        return ufl.ds(self.side_number(name), domain=self.mesh)

    def side_number(self, name: str) -> int:
        """Firedrake's number of a part of the boundary."""
        if name not in self.named.sides:
            raise InputError(f"the mesh has no side '{name}'. {suggest(name, self.sides)}")
        return self.named.sides[name]

    def conditions(self, given: Mapping[str, Condition]) -> dict[str, Condition]:
        """Exactly one condition for each side, see :meth:`NamedMesh.conditions`."""
        return self.named.conditions(given)

    def data(
        self,
        value: object,
        *,
        name: str = "data",
        shape: tuple[int, ...] = (),
        check: Check | None = None,
    ) -> Any:
        """A number, function, field or draw for use in a form, see :func:`coefficient`."""
        return coefficient(
            value,
            self.named,
            degree=max(self.degree, 1),
            name=name,
            shape=shape,
            check=check,
        )

    def dirichlet(self, space: Any, conditions: Mapping[str, Condition]) -> tuple[Any, ...]:
        """Firedrake's conditions for the Dirichlet sides among `conditions` (collective).

        Parameters
        ----------
        space
            A space with point values (``"CG"``).
        conditions
            By side; ``"all"`` is allowed. Others than :class:`Dirichlet` are passed over.
        """
        found = []
        for name, condition in self.conditions(conditions).items():
            if not isinstance(condition, Dirichlet):
                continue
            number, function = self.side_number(name), condition.function
            zero = firedrake.DirichletBC(space, 0.0, number)
            if isinstance(function, ConstantFunction):
                fixed = firedrake.DirichletBC(space, firedrake.Constant(function.value), number)
                found.append(zero if function.value == 0 else fixed)
                continue
            values = nodal_values(function, space, zero.nodes, f"value on '{name}'")
            found.append(firedrake.DirichletBC(space, values, number))
        return tuple(found)
