"""Weak form of heat conduction in the plate with a slit."""

from __future__ import annotations

import functools
import numbers
import operator
from typing import TYPE_CHECKING, Any

from meshes._firedrake import boundary_numbers
from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.fem._firedrake_meshes import NamedMesh
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.slit_plate import ALLOWED, SlitPlateProblem

if TYPE_CHECKING:
    from pdesolve.solution import Solution


def slit_plate_form(problem: SlitPlateProblem, context: FormContext) -> LinearForm:
    """Weak form of −∇·(k ∇T) = f.

    Find T with the given temperatures and ∫ k ∇T·∇v + ∫_Robin h T v = ∫ f v +
    ∫_Neumann q v + ∫_Robin g v for all v that vanish where temperatures are given.
    """
    if context.mixed:
        raise InputError(f"element='{context.element}' has no form for '{problem.name}'; use 'CG'")
    space = context.space("CG")
    conditions = context.conditions(problem.boundary_conditions, ALLOWED)
    if not any(isinstance(condition, Dirichlet | Robin) for condition in conditions.values()):
        raise InputError(
            "no side fixes the temperature; give one of them Dirichlet(T) or Robin(h, h * T)"
        )
    k = context.data(
        problem.conductivity, name="conductivity", check=require_positive("conductivity")
    )
    given, transfers = [], []
    for name, condition in conditions.items():
        number = context.side_number(name)
        if isinstance(condition, Neumann) and condition.flux != 0:
            flux = context.data(condition.flux, name=f"flux on '{name}'", side=name)
            given.append((number, flux))
        elif isinstance(condition, Robin):
            h = context.data(condition.coefficient, name=f"coefficient on '{name}'", side=name)
            transfers.append((number, h))
            value = context.data(condition.value, name=f"value on '{name}'", side=name)
            given.append((number, value))
    none = isinstance(problem.source, numbers.Real) and problem.source == 0 and bool(given)
    source = None if none else context.data(problem.source, name="source")
    bilinear = context.once(_conduction, space, k, tuple(transfers))
    linear = context.once(_heating, space, source, tuple(given))
    return LinearForm(
        bilinear,
        linear,
        context.dirichlet(space, problem.boundary_conditions),
        (problem.unknown,),
        inputs=(k,) if isinstance(k, firedrake.Function) else (),
        hole_value=0.0,
    )


def _conduction(space: Any, k: Any, transfers: tuple[tuple[int, Any], ...]) -> Any:
    """∫ k ∇T·∇v, and ∫ h T v over sides by number."""
    u, v = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    found = k * ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx
    for number, h in transfers:
        found += h * u * v * ufl.ds(number, domain=space.mesh())
    return found


def _heating(space: Any, source: Any, given: tuple[tuple[int, Any], ...]) -> Any:
    """∫ f v, nothing for None, and ∫ q v over sides by number."""
    v = firedrake.TestFunction(space)
    parts = [] if source is None else [source * v * ufl.dx]
    parts += [q * v * ufl.ds(number, domain=space.mesh()) for number, q in given]
    return functools.reduce(operator.add, parts)


def heat_flow_of(solution: Solution) -> dict[str, float]:
    """See :func:`pdesolve.problems.slit_plate.heat_flow`."""
    problem: Any = solution.problem
    if not isinstance(problem, SlitPlateProblem):
        raise InputError(f"'{problem.name}' is no problem of the plate with a slit")
    answer = solution.native
    mesh = answer.function_space().mesh()
    degree = answer.function_space().ufl_element().embedded_superdegree
    context = FormContext(NamedMesh(mesh, boundary_numbers(mesh)), "CG", degree)
    form = problem.weak_form(context)
    answer = firedrake.Function(form.bilinear.arguments()[0].function_space()).assign(answer)
    residual = firedrake.assemble(firedrake.action(form.bilinear, answer) - form.linear)
    flows = {}
    for name, condition in context.conditions(problem.boundary_conditions, ALLOWED).items():
        if isinstance(condition, Dirichlet):
            continue
        value: Any = firedrake.Constant(0.0)
        if isinstance(condition, Neumann):
            value = context.data(condition.flux, name=f"flux on '{name}'", side=name)
        elif isinstance(condition, Robin):
            h = context.data(condition.coefficient, name=f"coefficient on '{name}'", side=name)
            value = context.data(condition.value, name=f"value on '{name}'", side=name) - h * answer
        flows[name] = float(firedrake.assemble(value * context.side(name)))
    # a node on two such sides counts for the first
    for condition, name in zip(form.boundary_conditions, _given(context, problem), strict=True):
        rest = residual.copy(deepcopy=True)
        condition.zero(rest)
        with residual.dat.vec_ro as before, rest.dat.vec_ro as after:
            flows[name] = float(before.sum() - after.sum())
        residual = rest
    return flows


def _given(context: FormContext, problem: SlitPlateProblem) -> list[str]:
    conditions = context.conditions(problem.boundary_conditions, ALLOWED)
    return [name for name, found in conditions.items() if isinstance(found, Dirichlet)]
