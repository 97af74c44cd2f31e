"""What a problem in time gives the backend ``fem``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from meshes.errors import InputError
from operators.spatial import as_spatial_function
from pdesolve.fem._firedrake import firedrake, load_irksome, raise_together, ufl
from pdesolve.fem._firedrake_data import evaluate_array, node_coordinates, require_finite


class TimeFunction:
    """A Python function of time for use in a residual.

    UFL cannot look into a Python function. Here it stands as a polynomial in the time since
    the beginning of a step that has the function's values at all times where the method in
    time asks for them; the backend sets its coefficients anew before each step.

    Parameters
    ----------
    function
        Takes the time, a float, and gives a float.
    time
        The constant that the residual has for the time.
    num_nodes
        Number of times in a step at which the values are exact; methods with more stages
        are refused.

    Examples
    --------
    >>> time = firedrake.Constant(0.0)
    >>> factor = TimeFunction(lambda t: t**2, time)
    >>> factor.prepare(1.0, 0.5, (0.0, 1.0))
    >>> time = time.assign(1.5)
    >>> float(factor.expression)
    2.25
    """

    def __init__(self, function: Callable[[float], float], time: Any, num_nodes: int = 5) -> None:
        if not callable(function):
            raise InputError(f"{function!r} must be a function of the time")
        self.function = function
        self.time = time
        self._start = firedrake.Constant(0.0)
        self._step = firedrake.Constant(1.0)
        self.coefficients = tuple(firedrake.Constant(0.0) for _ in range(num_nodes))
        self.prepare(float(time), 1.0, (0.0,))

    @cached_property
    def expression(self) -> Any:
        """The UFL expression."""
        share = (self.time - self._start) / self._step
        result = self.coefficients[-1]
        for number in reversed(self.coefficients[:-1]):
            result = number + share * result
        return result

    def prepare(self, start: float, step: float, nodes: Sequence[float]) -> None:
        """Set the coefficients for a step.

        Parameters
        ----------
        start, step
            Of the step.
        nodes
            Where the method evaluates, in units of the step.

        Raises
        ------
        InputError
            If there are more nodes than coefficients, or a value is not finite.
        """
        places = np.unique(np.round(np.asarray(nodes, dtype=np.float64), 14))
        if len(places) > len(self.coefficients):
            raise InputError(
                f"the method evaluates at {len(places)} times in a step, and this function of "
                f"time keeps {len(self.coefficients)}"
            )
        values = [float(self.function(start + place * step)) for place in places]
        if not np.isfinite(values).all():
            raise InputError(
                f"a function of time is not finite between {start:g} and {start + step:g}"
            )
        polynomial = np.linalg.solve(np.vander(places, increasing=True), values)
        self._start.assign(start)
        self._step.assign(step)
        for number, constant in enumerate(self.coefficients):
            constant.assign(polynomial[number] if number < len(polynomial) else 0.0)


@dataclass(frozen=True, eq=False)
class EvolutionForm:
    """A weak problem in time: find u(t) with residual(t, u, ∂u/∂t; v) = 0 for all v.

    Parameters
    ----------
    residual
        UFL form with one test function; the time derivative of `state`, or of a part of
        it, is ``Dt`` of it (:func:`pdesolve.fem.Dt`). Parts without a time derivative, such
        as a pressure, are allowed for methods that are stiffly accurate.
    state
        Firedrake function with the initial value.
    time
        The constant (``firedrake.Constant``) that stands for the time in `residual` and
        `boundary_conditions`; its value is the initial time.
    boundary_conditions
        Firedrake ``DirichletBC`` objects; their values may depend on `time`.
    names
        Names of the unknowns, one for each part of a mixed space.
    main
        Number of the main unknown.
    null_space
        A Firedrake basis of what the equations leave free at each time, or None.
    solver_parameters
        Defaults for this form; the backend's where it says nothing.
    method
        Default method, see :data:`pdesolve.fem._firedrake_methods.METHODS`.
    step_size
        Default step, or a function of the Firedrake mesh that gives it; a hundredth of the
        time to the last output where neither is given.
    quantities
        UFL functionals of `state` (and `rate`), or functions without arguments that give
        a number: what :attr:`pdesolve.Trajectory.history` keeps.
    inputs
        Firedrake functions to be written beside the state.
    time_functions
        The :class:`TimeFunction` objects in `residual`.
    rate
        A Firedrake function that gets ∂u/∂t after each step, from a backward difference of
        second order, for `quantities` that need it; None where none does.
    extrapolated
        For the method ``"bdf2-linear"``: takes a Firedrake function w, the state at the new
        time extrapolated from the two before, and gives the residual with w in the place of
        all but one factor of each nonlinear term.
    context
        The application context that Firedrake's preconditioners read (``appctx``).
    hole_value
        What states give at points outside the mesh but inside its bounding box, such as in
        an obstacle; an error when left out.

    Examples
    --------
    A problem's ``evolution_form(self, context)`` gives one; the heat equation::

        V, time = context.space(), Constant(0.0)
        u, v = Function(V).interpolate(start), TestFunction(V)
        return EvolutionForm(Dt(u) * v * dx + inner(grad(u), grad(v)) * dx, u, time,
                             context.dirichlet(V, self.boundary_conditions),
                             quantities={"heat": u * dx})
    """

    residual: Any
    state: Any
    time: Any
    boundary_conditions: tuple[Any, ...] = ()
    names: tuple[str, ...] = ("u",)
    main: int = 0
    null_space: Any = None
    solver_parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "radau-iia-2"
    step_size: float | Callable[[Any], float] | None = None
    quantities: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    time_functions: tuple[TimeFunction, ...] = ()
    rate: Any = None
    extrapolated: Callable[[Any], Any] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    hole_value: float | None = None

    def __post_init__(self) -> None:
        if len(self.residual.arguments()) != 1:
            raise InputError(
                "the residual of an EvolutionForm must have one test function and hold the state "
                f"as a Function; it has {len(self.residual.arguments())} arguments"
            )
        num_parts = len(self.state.function_space())
        if len(self.names) != num_parts:
            raise InputError(
                f"names={self.names!r} must name the {num_parts} parts of the state's space"
            )

    @property
    def space(self) -> Any:
        """The state's function space."""
        return self.state.function_space()

    @property
    def mesh(self) -> Any:
        """The Firedrake mesh."""
        return self.space.mesh().unique()

    def at(self, residual: Any, state: Any, rate: Any, time: Any) -> Any:
        """A residual with expressions in the places of state, time derivative and time."""
        module = load_irksome()
        expanded = module.expand_time_derivatives(
            residual, t=self.time, timedep_coeffs=(self.state,)
        )
        tools = module.tools
        found = {
            tools.TimeDerivative(self.state): rate,
            self.state: state,
            self.time: ufl.as_ufl(time),
        }
        return tools.replace(expanded, found)

    def linearised(self, extrapolated: Any) -> Any:
        """The residual with a state extrapolated from the two before.

        Raises
        ------
        InputError
            If the form gives none.
        """
        if self.extrapolated is None:
            raise InputError(
                "the problem has no linearised form for the method 'bdf2-linear'; use 'bdf2'"
            )
        return self.extrapolated(extrapolated)

    def kind(self, residual: Any, varying: tuple[Any, ...] = ()) -> tuple[bool, bool]:
        """Whether a residual is linear in the state, and whether its operator is constant.

        Parameters
        ----------
        residual
            A UFL form.
        varying
            Functions in it that change from step to step, other than the state.
        """
        rate = firedrake.Function(self.space)
        form = self.at(residual, self.state, rate, self.time)
        changing = {self.time, *varying, *(c for f in self.time_functions for c in f.coefficients)}
        linear = constant = True
        for variable in (self.state, rate):
            jacobian = ufl.algorithms.expand_derivatives(firedrake.derivative(form, variable))
            if not jacobian.integrals():
                continue
            parts = set(jacobian.coefficients())
            constants = set(ufl.algorithms.analysis.extract_type(jacobian, firedrake.Constant))
            linear = linear and not parts & {self.state, rate}
            constant = constant and not (parts | constants) & changing
        return linear, linear and constant


def initial_state(function: Any, value: object, name: str) -> None:
    """Set a function's values at all nodes (collective).

    Parameters
    ----------
    function
        A Firedrake function of scalars or vectors with point values, or such a part of a
        mixed one (``state.subfunctions[i]``).
    value
        A number, a function of points, a draw, a Field, or a UFL expression; of a vector a
        function that gives ``(dimension, n)``.
    name
        For messages.

    Raises
    ------
    InputError
        On every process, if the value cannot be used or is not finite on any.

    Examples
    --------
    >>> mesh = firedrake.UnitIntervalMesh(2)
    >>> u = firedrake.Function(firedrake.FunctionSpace(mesh, "CG", 1))
    >>> initial_state(u, lambda x: x[0] ** 2, "u")
    >>> u.dat.data_ro.tolist()
    [0.0, 0.25, 1.0]
    """
    if isinstance(value, ufl.core.expr.Expr):
        function.interpolate(value)
        return
    space = function.function_space()
    shape = tuple(space.value_shape)
    points = node_coordinates(space)
    values = np.zeros((len(points), *shape))
    error: Exception | None = None
    try:
        if shape:
            values = evaluate_array(value, points, shape)
        else:
            values = np.asarray(as_spatial_function(value).evaluate(points), dtype=np.float64)
        require_finite(values, points, name)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        error = problem
    raise_together(space.mesh().comm, error)
    function.dat.data_with_halos[...] = values
