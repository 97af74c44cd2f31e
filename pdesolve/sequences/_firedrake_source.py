"""Linear problems with finite elements, one after another on the same mesh."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from pdesolve.fem._firedrake import communicator
from pdesolve.fem._firedrake_forms import LinearForm
from pdesolve.fem._firedrake_linear import _petsc_null_space, default_parameters
from pdesolve.fem._firedrake_meshes import named_mesh
from pdesolve.fem._firedrake_solver import _check_element
from pdesolve.problems.base import Problem
from pdesolve.random_streams import sample_generator
from pdesolve.sequences._firedrake_assembly import KeptAssembly
from pdesolve.sequences._firedrake_context import KeptContext
from pdesolve.sequences._firedrake_programs import FormProgram
from pdesolve.sequences._firedrake_sampling import GridSampler
from pdesolve.sequences._firedrake_supported import UnsupportedFormError
from pdesolve.sequences._petsc_sources import LoadedSystem
from pdesolve.sequences.geometry import geometry_of


class FormSource:
    """Problems with :meth:`pdesolve.Problem.weak_form` that give a linear form.

    Mesh, spaces, kernels, sparsity, PETSc matrix and the interpolation to the storage grid
    are made for the first problem. A later one has its data read into the coefficients of
    the form at hand, and only where operator and fixed nodes differ is the matrix filled
    again. The unknowns are u less the given boundary values.

    Parameters
    ----------
    grid
        Storage grid.
    reference
        A problem of the sequence.
    shape_or_mesh
        Cells along each axis of the problem's box; None for the mesh that the problem
        brings; or any other argument `mesh` of :func:`pdesolve.solve`.
    element, degree
        ``"CG"`` or ``"Q"``, and the polynomial degree.
    outputs
        Names of the channels that are stored.
    comm
        Communicator of one process.

    Raises
    ------
    UnsupportedFormError
        If the form is not one that
        :func:`pdesolve.sequences._firedrake_supported.supports` takes.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> from pdesolve.sequences._petsc_sequence_solver import SequenceSolver
    >>> family = get_family("poisson2d")
    >>> problems = [family.problem(family.sample(sample_generator(0, "train", i)))
    ...             for i in range(2)]
    >>> grid = problems[0].grid(8)
    >>> source = FormSource(grid, problems[0], shape_or_mesh=8, outputs=family.outputs)
    >>> solver = SequenceSolver(source.defaults())
    >>> system = source.load(problems[1])
    >>> source.values(solver.solve(system)[0], system).shape
    (1, 8, 8)
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: Problem,
        *,
        shape_or_mesh: Any,
        element: str = "CG",
        degree: int = 1,
        outputs: Sequence[str] = ("u",),
        comm: Any = None,
    ) -> None:
        _check_element(element, degree)
        self.grid = grid
        self.outputs = tuple(outputs)
        self._element, self._degree = element, int(degree)
        self._own_mesh = shape_or_mesh is None
        self._on_box = isinstance(shape_or_mesh, int | tuple | list)
        self._geometry = self._geometry_of(reference)
        mesh = reference.default_mesh() if self._own_mesh else shape_or_mesh
        ranks = communicator(PETSc.COMM_SELF if comm is None else comm)
        tensor_cells = element in ("Q", "RTCF")
        self._named = named_mesh(reference, mesh, ranks, tensor_cells=tensor_cells)
        self._context = KeptContext(self._named, element, self._degree)
        self._assembly = KeptAssembly(self._context)
        self._last: tuple[Problem, LinearForm, FormProgram] | None = None
        self._samplers: dict[Any, GridSampler] = {}
        self._sampler: GridSampler | None = None
        self._right: Any = None
        form, _ = self._read(reference)
        self._defaults = default_parameters(form, {})

    def _geometry_of(self, problem: Problem) -> Any:
        if not (self._own_mesh or self._on_box):
            return "given"
        found = geometry_of(problem, own_mesh=self._own_mesh)
        if found is None:
            raise UnsupportedFormError(
                f"'{problem.name}' has a geometry of its own, which a mesh that is kept does not "
                "have; leave the strategy out, or give a mesh"
            )
        return found

    def _read(self, problem: Problem) -> tuple[LinearForm, FormProgram]:
        if self._last is not None and self._last[0] is problem:
            return self._last[1:]
        self._last = None
        if self._geometry_of(problem) != self._geometry:
            raise InputError(
                f"the problems of a sequence must have one geometry; '{problem.name}' has "
                f"{self._geometry_of(problem)}, those before {self._geometry}. "
                "Make a source for each geometry"
            )
        form, program = self._assembly.read(lambda: problem.weak_form(self._context))
        self._last = problem, form, program
        return form, program

    def load(self, problem: Problem) -> LoadedSystem:
        """Assemble; fills the matrix unless the operator is the one at hand."""
        form, program = self._read(problem)
        assembly = self._assembly
        anew = assembly.assemble(program, form.boundary_conditions, form.symmetric)
        if self._right is None:
            self._right = assembly.matrix.createVecLeft()
        if anew and form.near_null_space is not None:
            assembly.matrix.setNearNullSpace(_petsc_null_space(form.near_null_space))
        self._right.array = assembly.right.dat.data_ro.reshape(-1)
        self._sampler = self._sampler_of(form)
        lift = assembly.lifted
        return LoadedSystem(
            assembly.matrix,
            self._right,
            form.symmetric,
            lift=lift.copy() if np.any(lift) else None,
        )

    def _sampler_of(self, form: LinearForm) -> GridSampler:
        key = (form.names, form.main, form.outputs, form.hole_value)
        if key not in self._samplers:
            self._samplers[key] = GridSampler(
                self._named, self._assembly.space, form, self.grid, self.outputs
            )
        return self._samplers[key]

    def fingerprint(self, problem: Problem) -> bytes:
        """Digest of the bilinear form, its coefficients and the fixed nodes.

        Reads the problem's data, and assembles nothing.
        """
        return self._read(problem)[1].digest()

    def expect(self, problems: Sequence[Problem]) -> None:
        """Look at problems like those to come: whether they have one operator.

        If so, what their right-hand sides need of it is kept. The answers are the same.
        """
        marks = {self.fingerprint(problem) for problem in problems}
        self._assembly.one_operator = len(marks) == 1

    def defaults(self) -> Mapping[str, Any]:
        """Those of the form over the general ones of the backend ``fem``."""
        return {key: value for key, value in self._defaults.items() if not key.endswith("mat_type")}

    def values(self, vector: Any, system: LoadedSystem) -> FloatArray:
        """The answer at the storage grid's points, given boundary values added."""
        if self._sampler is None:
            raise InputError("there is no system to take values of; call load first")
        values = np.asarray(vector.array_r, dtype=np.float64)
        return self._sampler.values(values if system.lift is None else values + system.lift)

    def describe(self) -> Mapping[str, Any]:
        """The discretisation."""
        return {
            "method": "finite elements",
            "element": self._element,
            "degree": self._degree,
            "unknowns": int(self._assembly.space.dim()),
        }

    def close(self) -> None:
        """Free the PETSc objects."""
        if self._right is not None:
            self._right.destroy()
            self._right = None
        self._last, self._sampler = None, None
        self._samplers.clear()
        self._assembly = KeptAssembly(self._context, one_operator=self._assembly.one_operator)


def form_source_for(
    family: Any,
    grid: StructuredGrid,
    reference: Problem,
    discretization: Mapping[str, Any] | None = None,
    comm: Any = None,
) -> FormSource | None:
    """A source for the problems of a family with finite elements; None if there can be none.

    The mesh is that of :class:`pdesolve.data.any_backend.MeshStrategy`: as many cells as
    the storage grid has points, or the problems' own where they share one.

    Parameters
    ----------
    family
        Gives the channels and says whether problems bring a mesh.
    grid
        Storage grid.
    reference
        A problem of the family.
    discretization
        ``element`` and ``degree``; with anything else there is no source.
    comm
        Communicator of one process.
    """
    given = dict(discretization or {})
    element, degree = str(given.pop("element", "CG")), given.pop("degree", 1)
    if given or "fem" not in reference.backends:
        return None
    if family.has_own_mesh and geometry_of(reference, own_mesh=True) is None:
        return None
    try:
        source = FormSource(
            grid,
            reference,
            shape_or_mesh=None if family.has_own_mesh else grid.shape,
            element=element,
            degree=degree,
            outputs=family.outputs,
            comm=comm,
        )
    except UnsupportedFormError:
        return None
    with contextlib.suppress(InputError):  # others than the reference may not fit it
        draws = [family.sample(sample_generator(0, "operators", number)) for number in range(2)]
        source.expect([family.problem(draw) for draw in draws])
    return source
