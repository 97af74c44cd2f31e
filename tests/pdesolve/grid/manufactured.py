"""Darcy problems with known answers on boxes that are not the unit box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pdesolve import DarcyProblem, Dirichlet, Neumann, Periodic

Function = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Manufactured:
    """u, ∇u, Δu, a, ∇a in closed form; f and the boundary data follow from them."""

    u: Function
    gradient: Function
    laplacian: Function
    a: Function
    a_gradient: Function
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    sides: Mapping[str, str]  # kind by side
    shape: tuple[int, ...]  # of the coarsest grid
    cap: float  # bound of the relative L2 error on the finest of three grids
    up_to_a_constant: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "up_to_a_constant", "dirichlet" not in self.sides.values())

    @property
    def dimension(self) -> int:
        return len(self.lower)

    def source(self, x: np.ndarray) -> np.ndarray:
        advective = sum(g * h for g, h in zip(self.a_gradient(x), self.gradient(x), strict=True))
        return -(advective + self.a(x) * self.laplacian(x))

    def problem(self) -> DarcyProblem:
        conditions: dict[str, Any] = {}
        for side, kind in self.sides.items():
            axis, outward = "xyz".index(side[0]), 1.0 if side.endswith("upper") else -1.0

            def flux(x: np.ndarray, axis: int = axis, outward: float = outward) -> np.ndarray:
                return outward * self.a(x) * self.gradient(x)[axis]

            conditions[side] = {
                "dirichlet": Dirichlet(self.u),
                "neumann": Neumann(flux),
                "periodic": Periodic(),
            }[kind]
        return DarcyProblem(
            self.a,
            self.source,
            conditions,
            dimension=self.dimension,
            lower=self.lower,
            upper=self.upper,
        )


def sides(dimension: int, **kinds: str) -> dict[str, str]:
    """Dirichlet but for the sides named."""
    names = [f"{axis}_{end}" for axis in "xyz"[:dimension] for end in ("lower", "upper")]
    return {name: kinds.get(name, "dirichlet") for name in names}


def every(dimension: int, kind: str) -> dict[str, str]:
    return dict.fromkeys(sides(dimension), kind)


def _smooth_1d(kinds: dict[str, str], cap: float) -> Manufactured:
    return Manufactured(
        u=lambda x: np.sin(2 * x[0]) + x[0],
        gradient=lambda x: (2 * np.cos(2 * x[0]) + 1,),
        laplacian=lambda x: -4 * np.sin(2 * x[0]),
        a=lambda x: 1 + 0.5 * np.sin(3 * x[0]),
        a_gradient=lambda x: (1.5 * np.cos(3 * x[0]),),
        lower=(-0.5,),
        upper=(1.3,),
        sides=kinds,
        shape=(16,),
        cap=cap,
    )


def _smooth_2d(kinds: dict[str, str], cap: float) -> Manufactured:
    return Manufactured(
        u=lambda x: np.cos(2 * x[0]) * np.exp(x[1] / 2),
        gradient=lambda x: (
            -2 * np.sin(2 * x[0]) * np.exp(x[1] / 2),
            0.5 * np.cos(2 * x[0]) * np.exp(x[1] / 2),
        ),
        laplacian=lambda x: -3.75 * np.cos(2 * x[0]) * np.exp(x[1] / 2),
        a=lambda x: np.exp(0.3 * x[0] - 0.2 * x[1]),
        a_gradient=lambda x: (
            0.3 * np.exp(0.3 * x[0] - 0.2 * x[1]),
            -0.2 * np.exp(0.3 * x[0] - 0.2 * x[1]),
        ),
        lower=(0.0, -1.0),
        upper=(2.0, 0.5),
        sides=kinds,
        shape=(12, 10),
        cap=cap,
    )


def _smooth_3d(kinds: dict[str, str], cap: float) -> Manufactured:
    return Manufactured(
        u=lambda x: np.sin(x[0]) * np.cos(x[1]) + x[2] ** 2,
        gradient=lambda x: (
            np.cos(x[0]) * np.cos(x[1]),
            -np.sin(x[0]) * np.sin(x[1]),
            2 * x[2],
        ),
        laplacian=lambda x: -2 * np.sin(x[0]) * np.cos(x[1]) + 2,
        a=lambda x: 1 + 0.3 * x[0] * x[1] + 0.5 * x[2],
        a_gradient=lambda x: (0.3 * x[1], 0.3 * x[0], 0.5 + 0 * x[2]),
        lower=(0.0, 0.5, 0.0),
        upper=(1.5, 2.0, 1.0),
        sides=kinds,
        shape=(6, 5, 4),
        cap=cap,
    )


def _waves_2d(kinds: dict[str, str], cap: float) -> Manufactured:
    """Period 2 in x, 1 in y."""
    return Manufactured(
        u=lambda x: np.sin(np.pi * x[0]) * np.cos(2 * np.pi * x[1]),
        gradient=lambda x: (
            np.pi * np.cos(np.pi * x[0]) * np.cos(2 * np.pi * x[1]),
            -2 * np.pi * np.sin(np.pi * x[0]) * np.sin(2 * np.pi * x[1]),
        ),
        laplacian=lambda x: -5 * np.pi**2 * np.sin(np.pi * x[0]) * np.cos(2 * np.pi * x[1]),
        a=lambda x: 2 + np.cos(np.pi * x[0]) * np.sin(2 * np.pi * x[1]),
        a_gradient=lambda x: (
            -np.pi * np.sin(np.pi * x[0]) * np.sin(2 * np.pi * x[1]),
            2 * np.pi * np.cos(np.pi * x[0]) * np.cos(2 * np.pi * x[1]),
        ),
        lower=(0.0, 0.0),
        upper=(2.0, 1.0),
        sides=kinds,
        shape=(16, 12),
        cap=cap,
    )


def _jump_2d(axis: int, cap: float) -> Manufactured:
    """a = 1 below and 10 above the plane x_axis = 1/2, where flux and u are continuous."""

    def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        s, t = x[axis] - 0.5, x[1 - axis]
        return s, t, np.where(s < 0, 1.0, 10.0)

    def u(x: np.ndarray) -> np.ndarray:
        s, t, a = split(x)
        return (s + s**2) * (1 + t**2) / a

    def gradient(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s, t, a = split(x)
        across, along = (1 + 2 * s) * (1 + t**2) / a, (s + s**2) * 2 * t / a
        return (across, along) if axis == 0 else (along, across)

    def laplacian(x: np.ndarray) -> np.ndarray:
        s, t, a = split(x)
        return (2 * (1 + t**2) + 2 * (s + s**2)) / a

    return Manufactured(
        u=u,
        gradient=gradient,
        laplacian=laplacian,
        a=lambda x: split(x)[2],
        a_gradient=lambda x: (0.0 * x[0], 0.0 * x[0]),
        lower=(0.0, 0.0),
        upper=(1.0, 1.0),
        sides=sides(2, x_upper="neumann"),
        shape=(8, 8),
        cap=cap,
    )


CASES = {
    "1d": _smooth_1d(every(1, "dirichlet"), 0.0005),
    "1d-mixed": _smooth_1d(sides(1, x_upper="neumann"), 0.0007),
    "1d-neumann": _smooth_1d(every(1, "neumann"), 0.0008),
    "2d": _smooth_2d(every(2, "dirichlet"), 0.0008),
    "2d-mixed": _smooth_2d(sides(2, x_upper="neumann", y_lower="neumann"), 0.0008),
    "2d-neumann": _smooth_2d(every(2, "neumann"), 0.0011),
    "2d-periodic": _waves_2d(every(2, "periodic"), 0.0018),
    "2d-periodic-in-x": _waves_2d(sides(2, x_lower="periodic", x_upper="periodic"), 0.0022),
    "2d-periodic-and-neumann": _waves_2d(
        {"x_lower": "periodic", "x_upper": "periodic", "y_lower": "neumann", "y_upper": "neumann"},
        1.8e-3,
    ),
    "2d-jump-in-x": _jump_2d(0, 0.0012),
    "2d-jump-in-y": _jump_2d(1, 0.0016),
    "3d": _smooth_3d(every(3, "dirichlet"), 0.0014),
    "3d-mixed": _smooth_3d(sides(3, x_lower="neumann", z_upper="neumann"), 0.0008),
    "3d-neumann": _smooth_3d(every(3, "neumann"), 0.0004),
}
