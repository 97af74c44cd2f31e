"""Discrete equations of the samples of a batch, made from their input fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from neural.diffusion_stencils import diffusion_coefficients
from neural.training.compatibility import distribution_of
from neural.training.losses.spectrum import Basis
from pdesolve.batched import StackedStencils
from pdesolve.grid.finite_volume import diffusion_offsets
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.darcy import DarcyFamily
from pdesolve.problems.registry import FAMILIES, get_family
from pdesolve.random_streams import sample_generator

_AGREEMENT = 1e-8  # of the largest coefficient or right-hand side; data may be rounded to 1e-16


class FamilyOperator:
    """A u = b of any sample of a family, as the solver of the backend ``grid`` has it.

    The problem of a sample is made again from its input channels, so that fields that were
    flipped or come from elsewhere have the right equations too. That this gives the numbers
    of the family's own problem is tried on one draw.

    Parameters
    ----------
    info
        Of a data set, see ``pdesolve.data.DatasetInfo``: family, options, box and names.

    Raises
    ------
    InputError
        If the family is unknown, has no linear system with one unknown a cell, evolves in
        time, follows another distribution, or its equations do not follow from the input
        channels alone (boundary values are not the values in the cells next to the side).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> info = SimpleNamespace(
    ...     path="d.h5", family="darcy2d", inputs=("coefficient",), outputs=("pressure",),
    ...     shape=(8, 8), lower=(0.0, 0.0), upper=(1.0, 1.0), periodic=(False, False),
    ...     location="cell", settings={})
    >>> stencils, right = FamilyOperator(info).systems(torch.ones(2, 1, 4, 4))
    >>> stencils.diagonal[0, 0]  # 2 neighbours, 2 sides half a cell away; h = 1/4
    tensor([96., 80., 80., 96.], dtype=torch.float64)
    """

    def __init__(self, info: Any) -> None:
        self._info = info
        if info.family not in FAMILIES:
            raise InputError(
                f"'{info.path}' is of family '{info.family}', whose equations are not known here; "
                "this loss needs data of a registered family ('pdesolve list')"
            )
        if info.location not in ("cell", "vertex"):
            raise InputError(
                f"the values of '{info.path}' are not on a uniform grid (location="
                f"'{info.location}'), and this loss knows equations on grids only; use RelativeL2, "
                "or EnergyNorm with a matrix of the mesh"
            )
        distribution = distribution_of(info)
        if distribution:
            raise InputError(
                f"the samples of '{info.path}' are no problems of '{info.family}' ({distribution}),"
                " so their equations are not known; use a loss of the fields alone"
            )
        options = info.settings.get("family", {}).get("given_options", {})
        self.family = get_family(info.family, **options)
        generator = sample_generator(0, "train", 0)
        self._reference = self.family.problem(self.family.sample(generator))
        if not self._reference.has_stencil or len(info.outputs) != 1:
            raise InputError(
                f"family '{info.family}' has no linear system of one unknown a cell on grids; this "
                "loss is for steady linear families such as darcy2d or poisson2d"
            )
        self.symmetric = False
        self._compare()

    def check(self, info: Any) -> None:
        """Refuse data whose equations are not those of the data it was made for."""
        for key in ("family", "inputs", "lower", "upper", "periodic", "location"):
            here, there = getattr(info, key), getattr(self._info, key)
            if here != there:
                raise InputError(
                    f"'{info.path}' has {key} {here}, the first training file {there}; a loss of "
                    "the equations is for one family on one box"
                )
        options = [one.settings.get("family") for one in (info, self._info)]
        if options[0] != options[1]:
            raise InputError(
                f"'{info.path}' holds '{info.family}' with other options than the first training "
                "file; a loss of the equations is for one of them"
            )

    def grid(self, shape: Sequence[int]) -> StructuredGrid:
        """The grid of fields of this shape on the box of the data."""
        info = self._info
        return StructuredGrid(tuple(shape), info.lower, info.upper, info.periodic, info.location)

    @property
    def bases(self) -> tuple[Basis, ...]:
        """Series of functions that are zero where u is given: those that test the equations.

        Sines between two sides where u is given, cosines where it is not.
        """
        conditions = self._reference.boundary_conditions

        def fixed(side: str) -> bool:
            return isinstance(conditions.get(side, conditions.get("all")), Dirichlet)

        found: list[Basis] = []
        for axis, wraps in zip(AXIS_NAMES, self._info.periodic, strict=False):
            both = fixed(f"{axis}_lower") and fixed(f"{axis}_upper")
            found.append("periodic" if wraps else "odd" if both else "even")
        return tuple(found)

    def systems(self, inputs: Tensor) -> tuple[StackedStencils, Tensor]:
        """A of each sample and b, ``(batch, *shape)`` in float64, of ``(batch, channel, *shape)``.

        Raises
        ------
        InputError
            If the number of channels differs, or a value is not allowed.
        """
        names = tuple(self._info.inputs)
        if inputs.ndim != 2 + len(self._info.periodic) or inputs.shape[1] != len(names):
            raise InputError(
                f"inputs of shape {tuple(inputs.shape)} must have shape (batch, {len(names)}, "
                f"*space): channels {', '.join(names)}"
            )
        grid = self.grid(inputs.shape[2:])
        given = inputs.detach()
        if isinstance(self.family, DarcyFamily):
            coefficients = diffusion_coefficients(grid, given[:, 0].double())
            offsets = diffusion_offsets(grid.dimension)
            stencils = StackedStencils(grid, offsets, coefficients, check=False)
            return stencils, torch.full_like(stencils.diagonal, float(self.family.source))
        systems = [self._system(values, grid) for values in given.double().cpu().numpy()]
        stencils = StackedStencils.of(systems, xp=torch, device=inputs.device)
        right = np.stack([system.right_hand_side for system in systems])
        return stencils, torch.as_tensor(right, device=inputs.device)

    def _system(self, values: FloatArray, grid: StructuredGrid) -> LinearSystem:
        return self._problem(values, grid).discretize(grid)

    def _problem(self, values: FloatArray, grid: StructuredGrid) -> Problem:
        fields = {
            name: Field(grid, channel, (name,))
            for name, channel in zip(self._info.inputs, values, strict=True)
        }
        return self.family.problem(fields)

    def _compare(self) -> None:
        grid = self.grid(self._info.shape)
        own = self._reference.discretize(grid)
        self.symmetric = own.symmetric
        try:
            made = self._system(self._reference.input_fields(grid).values, grid)
        except InputError as error:
            raise InputError(
                f"the equations of family '{self._info.family}' do not follow from its input "
                f"channels {list(self._info.inputs)}: {error}"
            ) from error
        for one, other in (
            (made.stencil.coefficients, own.stencil.coefficients),
            (made.right_hand_side, own.right_hand_side),
        ):
            if np.abs(one - other).max() > _AGREEMENT * max(np.abs(other).max(), 1e-300):
                raise InputError(
                    f"the equations of family '{self._info.family}' do not follow from the values "
                    f"of {list(self._info.inputs)} in the cells (boundary values are given on the "
                    "sides); use a loss of the fields, or a family without such data, as "
                    "poisson2d with boundary_deviation=0"
                )
