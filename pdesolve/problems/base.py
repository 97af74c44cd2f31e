"""What a problem and a family of problems are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, Location, StructuredGrid
from operators.linear import LinearOperator
from operators.parameters import ParameterSpace
from operators.stencil import Stencil
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.grid.systems import BlockLinearSystem, NonlinearSystem
from pdesolve.problems.boundary import Condition


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """A discrete problem on a grid, A u = b.

    Parameters
    ----------
    stencil
        A.
    right_hand_side
        b, shape ``grid.shape``, boundary data included.
    symmetric
        Whether A is symmetric.
    constant_null_space
        Whether constants solve A u = 0; b must then sum to zero and the answer is the
        one with mean zero.
    notes
        Remarks for the record of the solve.
    """

    stencil: Stencil
    right_hand_side: FloatArray
    symmetric: bool = False
    constant_null_space: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = np.asarray(self.right_hand_side, dtype=np.float64)
        if values.shape != self.stencil.grid.shape:
            raise InputError(
                f"right-hand side of shape {values.shape} does not fit the grid's shape "
                f"{self.stencil.grid.shape}"
            )
        if not np.isfinite(values).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise InputError(f"the right-hand side is not finite at index {where}")


@dataclass(frozen=True, eq=False)
class SpectralSystem:
    """A symmetric positive problem on a periodic grid, for the backend ``spectral``.

    Parameters
    ----------
    operator
        A, symmetric and positive definite on functions of mean zero.
    right_hand_side
        b of mean zero, shape ``grid.shape``.
    preconditioner
        An approximate inverse of A, symmetric, that keeps the mean zero.
    """

    operator: LinearOperator
    right_hand_side: FloatArray
    preconditioner: LinearOperator


class Problem(ABC):
    """One boundary value problem.

    An implementation sets the attributes below, and gives one or more of
    :meth:`discretize` (linear), :meth:`block_system` (linear, several unknowns a cell) or
    :meth:`nonlinear_system` for the backend ``grid``, :meth:`weak_form` for ``fem`` and
    :meth:`spectral_system` for ``spectral``.

    Attributes
    ----------
    name
        Family name, or any other name.
    dimension
        Number of space dimensions.
    lower, upper
        The box, for meshes made from a shape.
    boundary_conditions
        Condition by side.
    unknown
        Name of what is solved for.
    location
        Where the values of grids made from a shape sit, ``"cell"`` or ``"vertex"``.
    stencil_width
        Ghost layers that :meth:`nonlinear_system` and :meth:`block_system` want.
    """

    name: str
    dimension: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    boundary_conditions: Mapping[str, Condition]
    unknown: ClassVar[str] = "u"
    location: ClassVar[Location] = "cell"
    stencil_width: ClassVar[int] = 1

    @property
    def has_stencil(self) -> bool:
        """Whether :meth:`discretize` gives a linear system with one unknown a cell."""
        return type(self).discretize is not Problem.discretize

    @property
    def is_nonlinear_on_grids(self) -> bool:
        """Whether the backend ``grid`` solves it with Newton's method."""
        return type(self).nonlinear_system is not Problem.nonlinear_system

    @property
    def has_block_system(self) -> bool:
        """Whether it is linear with (possibly) several unknowns a cell on grids."""
        return type(self).block_system is not Problem.block_system

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends whose form this problem gives, the default first."""
        found = []
        if (
            type(self).discretize is not Problem.discretize
            or self.is_nonlinear_on_grids
            or self.has_block_system
        ):
            found.append("grid")
        if type(self).weak_form is not Problem.weak_form:
            found.append("fem")
        if type(self).spectral_system is not Problem.spectral_system:
            found.append("spectral")
        return tuple(found)

    def grid(self, shape: int | tuple[int, ...]) -> StructuredGrid:
        """The grid of the problem's box with the given number of cells along each axis."""
        from pdesolve.problems.boundary import periodic_axes

        sizes = (
            tuple(shape) if isinstance(shape, Sequence | np.ndarray) else (shape,) * self.dimension
        )
        if len(sizes) != self.dimension:
            raise InputError(
                f"mesh={shape!r} has {len(sizes)} axes; '{self.name}' is {self.dimension}D"
            )
        wraps = periodic_axes(self.boundary_conditions, self.dimension)
        if self.location == "vertex":
            sizes = tuple(n if wrap else n + 1 for n, wrap in zip(sizes, wraps, strict=True))
        return StructuredGrid(sizes, self.lower, self.upper, wraps, self.location)

    def default_mesh(self) -> Any:
        """The mesh to solve on where the caller gives none, or None if there is no such.

        Families with a geometry of their own give what the argument `mesh` of
        :func:`pdesolve.solve` takes, and set ``has_own_mesh``.
        """
        return None

    @abstractmethod
    def input_fields(self, grid: StructuredGrid) -> Field:
        """The fields that determine the answer, as a surrogate's input."""

    def discretize(self, grid: StructuredGrid) -> LinearSystem:
        """The linear system on a grid (backend ``grid``)."""
        del grid
        raise InputError(f"problem '{self.name}' has no form for the backend 'grid'")

    def discretize_block(self, block: GridBlock) -> StencilRows:
        """The rows of the linear system that belong to a process's block of a grid.

        Where a problem gives this, :func:`pdesolve.solve` calls it in place of
        :meth:`discretize`, and no process sees the whole grid. It may read data in the
        block and one layer around it.
        """
        del block
        raise InputError(f"problem '{self.name}' has no form by blocks for the backend 'grid'")

    @property
    def discretizes_blocks(self) -> bool:
        """Whether each process makes its own part of the linear system."""
        return type(self).discretize_block is not Problem.discretize_block

    def grid_solver_parameters(self, grid: StructuredGrid, num_ranks: int) -> Mapping[str, Any]:
        """PETSc options by which the backend ``grid`` best solves it, over the defaults."""
        del grid, num_ranks
        return {}

    def nonlinear_system(self, block: GridBlock) -> NonlinearSystem:
        """F(u) = 0 on a process's block of a grid (backend ``grid``)."""
        del block
        raise InputError(f"problem '{self.name}' has no nonlinear form for the backend 'grid'")

    def block_system(self, block: GridBlock) -> BlockLinearSystem:
        """A u = b with several unknowns a cell on a process's block (backend ``grid``)."""
        del block
        raise InputError(f"problem '{self.name}' has no block form for the backend 'grid'")

    def spectral_system(self, grid: StructuredGrid) -> SpectralSystem:
        """The pseudo-spectral system on a periodic grid (backend ``spectral``)."""
        del grid
        raise InputError(f"problem '{self.name}' has no form for the backend 'spectral'")

    def weak_form(self, context: Any) -> Any:
        """The weak form on a Firedrake mesh (backend ``fem``)."""
        del context
        raise InputError(f"problem '{self.name}' has no form for the backend 'fem'")


class ProblemFamily(ABC):
    """Problems that differ in parameters drawn from a distribution.

    Attributes
    ----------
    name
        Name in the registry.
    dimension
        Number of space dimensions.
    parameters
        What is drawn.
    backends
        Backends that solve it, the default first.
    inputs, outputs
        Names of a surrogate's input and output channels.
    units
        Unit by channel name.
    default_shape
        Grid used when none is given.
    equation
        The PDE, in plain text.
    citation
        Where the family comes from.
    symmetries
        Grid symmetries under which solutions transform like the inputs, such as
        ``("square",)`` for all flips and exchanges of axes; used for augmentation.
    has_own_mesh
        Whether its problems bring a mesh, see :meth:`Problem.default_mesh`.
    """

    name: str
    dimension: int
    parameters: ParameterSpace
    backends: ClassVar[tuple[str, ...]]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]
    units: ClassVar[Mapping[str, str]]
    default_shape: tuple[int, ...]
    equation: ClassVar[str]
    citation: ClassVar[str] = ""
    symmetries: tuple[str, ...] = ()
    has_own_mesh: ClassVar[bool] = False

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw parameters; the same generator state gives the same problem on every mesh."""
        if not isinstance(rng, np.random.Generator):
            raise InputError(
                f"rng={rng!r} must be a numpy.random.Generator, such as "
                "sample_generator(seed, 'train', index)"
            )
        return self.parameters.sample(rng)

    @abstractmethod
    def problem(self, parameters: Mapping[str, Any]) -> Problem:
        """The problem with these parameters."""

    def exact(self, parameters: Mapping[str, Any]) -> Callable[[FloatArray], FloatArray] | None:
        """The exact solution as a function of points ``(dimension, ...)``, if known."""
        del parameters
        return None

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card: the PDE, parameters, units, source."""
        return {
            "family": self.name,
            "equation": self.equation,
            "dimension": self.dimension,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "units": dict(self.units),
            "parameters": self.parameters.describe(),
            "citation": self.citation,
        }
