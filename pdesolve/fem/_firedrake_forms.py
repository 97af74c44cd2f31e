"""What a problem gets to write its weak form with, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshes.errors import InputError, suggest
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import Check, coefficient
from pdesolve.fem._firedrake_dirichlet import dirichlet_conditions
from pdesolve.fem._firedrake_meshes import NamedMesh
from pdesolve.problems.boundary import Absorbing, Condition, Dirichlet, Neumann, Periodic, Robin

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
    near_null_space
        A Firedrake basis of the functions that it maps nearly to zero away from the
        boundary, such as rigid body motions, for algebraic multigrid.
    solver_parameters
        Defaults for this form, PETSc options or the name of a preconditioner
        (:data:`pdesolve.fem.preconditioners.PRECONDITIONERS`); the backend's where it
        says nothing.
    finish
        Called with the answer, a Firedrake function, such as to fix the constant.
    inputs
        Firedrake functions to be written beside the answer.
    context
        The application context that Firedrake's preconditioners read (``appctx``).
    outputs
        Names of the unknowns whose values :meth:`Solution.gather` and
        :meth:`Solution.on` give, channel after channel; the main one when left out.
    hole_value
        What :meth:`Solution.on` gives in holes of the mesh, such as an obstacle; an error
        when left out.

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
    solver_parameters: Mapping[str, Any] | str = field(default_factory=dict)
    finish: Callable[[Any], None] | None = None
    inputs: tuple[Any, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    near_null_space: Any = None
    outputs: tuple[str, ...] = ()
    hole_value: float | None = None


@dataclass(frozen=True, eq=False)
class NonlinearForm:
    """A nonlinear weak problem: find u with residual(u; v) = 0 for all v.

    Parameters
    ----------
    residual
        UFL form in the state u and a test function v.
    state
        The Firedrake function u: it holds the first guess and receives the answer. Its
        Dirichlet values are set by the solver.
    boundary_conditions
        Firedrake ``DirichletBC`` objects.
    jacobian
        The derivative of the residual, a bilinear UFL form; UFL derives it when left out.
    names, main, null_space, near_null_space, solver_parameters, finish, inputs, context, outputs
        As in :class:`LinearForm`.
    symmetric
        Whether the Jacobian is symmetric (its null space is then that of its transpose).
    continuation
        Where Newton's method may fail from the first guess: takes s in (0, 1], and sets
        the constants of the form such that s = 1 is the problem to solve and a small s
        an easy one (a share of the load, a larger viscosity). It is used only if Newton's
        method fails at s = 1, which the form must be made with.

    Examples
    --------
    A problem's ``weak_form(self, context)`` gives one::

        V = context.space()
        u, v = Function(V), TestFunction(V)
        return NonlinearForm(inner((1 + u**2) * grad(u), grad(v)) * dx - v * dx, u,
                             context.dirichlet(V, self.boundary_conditions))
    """

    residual: Any
    state: Any
    boundary_conditions: tuple[Any, ...] = ()
    jacobian: Any = None
    names: tuple[str, ...] = ("u",)
    main: int = 0
    symmetric: bool = False
    null_space: Any = None
    near_null_space: Any = None
    solver_parameters: Mapping[str, Any] | str = field(default_factory=dict)
    finish: Callable[[Any], None] | None = None
    inputs: tuple[Any, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    hole_value: float | None = None
    continuation: Callable[[float], None] | None = None


ANY_CONDITION: tuple[type, ...] = (Dirichlet, Neumann, Robin, Absorbing, Periodic)
"""Kinds of conditions for :meth:`FormContext.conditions`."""


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

    def conditions(
        self,
        given: Mapping[str, Condition],
        allowed: tuple[type, ...] = (Dirichlet, Neumann, Periodic),
    ) -> dict[str, Condition]:
        """Exactly one condition for each side, see :meth:`NamedMesh.conditions`."""
        return self.named.conditions(given, allowed)

    def data(
        self,
        value: object,
        *,
        name: str = "data",
        shape: tuple[int, ...] = (),
        check: Check | None = None,
        side: str | None = None,
    ) -> Any:
        """A number, function, field or draw for use in a form, see :func:`coefficient`.

        With ``shape=(d,)`` a vector: a number for all entries, a tuple of numbers,
        functions, fields or draws, or one function that gives ``(d, ...)``. With the name of
        a `side`, for use in integrals over that part of the boundary only; functions are
        then read along it.
        """
        return coefficient(
            value,
            self.named,
            degree=max(self.degree, 1),
            name=name,
            shape=shape,
            check=check,
            side=None if side is None else self.side_number(side),
        )

    def once(self, make: Callable[..., Any], *parts: Any) -> Any:
        """What ``make(*parts)`` gives, such as a form of spaces, data and numbers of sides.

        Where many problems are read one after another, the same parts (equal numbers and
        strings; the spaces and data that the context gives are the same for all problems)
        give the object that was made before. `make`, a function of a module, must depend on
        nothing else.

        Examples
        --------
        With a function ``stiffness(space, k)`` that gives a bilinear form::

            bilinear = context.once(stiffness, context.space(), context.data(k))
        """
        return make(*parts)

    def dirichlet(
        self, space: Any, conditions: Mapping[str, Condition], factor: Any = None
    ) -> tuple[Any, ...]:
        """Firedrake's conditions for the Dirichlet sides among `conditions` (collective).

        Parameters
        ----------
        space
            A space of scalars or vectors with point values (``"CG"``), or such a part,
            ``space.sub(i)``, of a mixed space.
        conditions
            By side; ``"all"`` is allowed. Others than :class:`Dirichlet` are passed over.
            A vector's value is a number for all components, a tuple with an entry for
            each (None leaves that component free), a function that gives ``(dim, n)``,
            a Field with a channel for each, or a UFL expression; with
            ``Dirichlet(value, component=i)`` only component i is given.
        factor
            A Firedrake ``Constant`` that multiplies all values, such as a share of the
            load.

        Raises
        ------
        InputError
            If a value does not fit the space or is not finite.
        """
        found = []
        for name, condition in self.conditions(conditions, ANY_CONDITION).items():
            if isinstance(condition, Dirichlet):
                number = self.side_number(name)
                found += dirichlet_conditions(space, number, condition, name, factor)
        return tuple(found)
