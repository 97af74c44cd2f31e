"""Which weak forms can be assembled in a matrix that is kept."""

from __future__ import annotations

from typing import Any

from meshes.errors import InputError
from pdesolve._petsc_options import flatten
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_linear import form_parameters


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
