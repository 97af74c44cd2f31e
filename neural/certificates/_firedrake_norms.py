"""Steady problems on meshes with the norms in which predictions are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pdesolve.fem._firedrake import communicator, firedrake, ufl
from pdesolve.fem._firedrake_forms import FormContext, LinearForm, NonlinearForm
from pdesolve.fem._firedrake_meshes import NamedMesh, named_mesh
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Absorbing, Robin
from pdesolve.problems.flow import FlowProblem
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem

WAVES = "errors that are waves themselves can be larger by a factor of the order of k times the box"
RESONANT = (
    "no side absorbs, so near a resonance errors that are waves themselves can be larger by any "
    "factor"
)
FLOWS = "the error can be larger by a constant that grows with the Reynolds number"


@dataclass(frozen=True, eq=False)
class Posed:
    """A weak problem with elements of one degree more than a prediction's, and a norm.

    Parameters
    ----------
    form
        The problem.
    space
        Of its unknown.
    norm
        Takes two members and gives the form whose diagonal is the squared norm.
    name
        Of the norm.
    constant
        What is said of the constant between residual and error; where empty, the size of the
        residual's Riesz representative is corrected by one step along it.
    given
        Degree of the prediction.
    monotone
        Whether the equations without −Δ are monotone: the dual norm is then an upper bound.
    """

    form: LinearForm | NonlinearForm
    space: Any
    norm: Callable[[Any, Any], Any]
    name: str
    constant: str
    given: int
    monotone: bool = False

    @property
    def mixed(self) -> bool:
        """Whether the unknown has several parts."""
        return len(self.space) > 1

    def size(self, member: Any) -> float:
        """Squared norm (collective)."""
        return float(firedrake.assemble(self.norm(member, member)))


def posed(problem: Problem, mesh: Any, element: str, degree: int) -> Posed | None:
    """The problem for an estimate; None where no norm is known for its unknowns (collective)."""
    own = mesh.mesh if isinstance(mesh, NamedMesh) else mesh
    ranks = own.comm if hasattr(own, "ufl_cell") else communicator(None)
    named = named_mesh(problem, mesh, ranks, tensor_cells=element == "Q")
    context = FormContext(named, element, degree + 1)
    form = problem.weak_form(context)
    if isinstance(form, NonlinearForm):
        space = form.state.function_space()
    elif isinstance(form, LinearForm):
        space = form.bilinear.arguments()[-1].function_space()
    else:
        return None
    if isinstance(problem, HelmholtzProblem):
        k = context.data(problem.wavenumber, name="wavenumber")
        volume = firedrake.assemble(1.0 * ufl.dx(domain=context.mesh))
        square = float(firedrake.assemble(k**2 * ufl.dx(domain=context.mesh))) / float(volume)
        absorbs = any(isinstance(one, Absorbing) for one in problem.boundary_conditions.values())
        text = WAVES if absorbs else RESONANT
        return Posed(form, space, _sobolev(square), "wave energy", text, degree)
    if isinstance(problem, FlowProblem) and len(space) == 2:
        viscosity = context.data(problem.viscosity, name="viscosity")
        return Posed(form, space, _of_flows(viscosity), "flow energy", FLOWS, degree)
    if len(space) > 1:
        return None
    square = 0.0 if form.boundary_conditions else 1.0 / _length(context.mesh) ** 2
    name = "Dirichlet energy" if form.boundary_conditions else "H1"
    monotone = (
        isinstance(problem, OneSidedReactionProblem)
        and square == 0
        and not any(isinstance(one, Robin) for one in problem.boundary_conditions.values())
    )
    return Posed(form, space, _sobolev(square), name, "", degree, monotone)


def _sobolev(square: float) -> Callable[[Any, Any], Any]:
    """∫ ∇u·∇v + s u v."""
    shift = firedrake.Constant(square)

    def norm(one: Any, other: Any) -> Any:
        gradients = ufl.inner(ufl.grad(one), ufl.grad(other)) * ufl.dx
        return gradients + shift * ufl.inner(one, other) * ufl.dx if square else gradients

    return norm


def _of_flows(viscosity: Any) -> Callable[[Any, Any], Any]:
    """∫ ν ∇u:∇v + p q / ν of pairs (u, p) and (v, q)."""

    def norm(one: Any, other: Any) -> Any:
        (u, p), (v, q) = ufl.split(one), ufl.split(other)
        gradients = viscosity * ufl.inner(ufl.grad(u), ufl.grad(v))
        return (gradients + p * q / viscosity) * ufl.dx

    return norm


def _length(mesh: Any) -> float:
    """Longest side of the mesh's box (collective)."""
    own = mesh.coordinates.dat.data_ro
    ends = mesh.comm.allgather((own.min(axis=0), own.max(axis=0)) if len(own) else None)
    known = [end for end in ends if end is not None]
    low = np.min([end[0] for end in known], axis=0)
    high = np.max([end[1] for end in known], axis=0)
    return float(np.max(high - low))
