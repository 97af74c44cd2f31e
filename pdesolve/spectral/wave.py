"""Waves on periodic boxes, exact in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.fourier import wavenumbers
from pdesolve.spectral.evolution import Array, SpectralEvolution
from pdesolve.spectral.transforms import Transforms

if TYPE_CHECKING:
    from pdesolve.problems.wave import WaveProblem


def signed_wavenumber(grid: StructuredGrid) -> FloatArray:
    """|k| on one half of Fourier space and −|k| on the other, shape ``modes``.

    i times it is the symbol of a real operator R with R² = Δ, in one dimension ∂/∂x. Modes
    that are their own conjugates (the mean, and waves that alternate from point to point
    along some axes without varying along the others) belong to no half; there it is zero.

    Examples
    --------
    >>> grid = StructuredGrid(8, upper=2 * np.pi, periodic=True)
    >>> signed_wavenumber(grid).tolist()
    [0.0, 1.0, 2.0, 3.0, 0.0]
    """
    lines = wavenumbers(grid)
    squares = np.zeros((*grid.shape[:-1], grid.shape[-1] // 2 + 1))
    sign = np.zeros_like(squares)
    for axis in reversed(range(grid.dimension)):
        k = lines[axis]
        squares = squares + k**2
        alternating = np.isclose(np.abs(k) * grid.spacing[axis], np.pi)
        sign = np.where(sign == 0, np.where(alternating, 0.0, np.sign(k)), sign)
    result: FloatArray = sign * np.sqrt(squares)
    return result


def wave_evolution(problem: WaveProblem, grid: StructuredGrid) -> SpectralEvolution:
    """Turn u and v = ∂u/∂t into two waves that do not see each other.

    With the operator R of :func:`signed_wavenumber`, r± = v/c ± R u satisfy ∂r±/∂t =
    ±c R r±, which is exact for steps of any size. The mean has ∂u/∂t = v, integrated
    exactly as well; alternating modes without a direction, which a resolved solution does
    not have, stay as they are. The parameter ``speed`` may be replaced; the initial state
    then stands for the same u and v/c.

    Raises
    ------
    InputError
        If the speed is no positive number.
    """
    speed = problem.speed
    if not problem.has_uniform_speed or not float(speed) > 0:  # type: ignore[arg-type]
        raise InputError(
            f"the backend 'spectral' needs a speed that is one positive number, not {speed!r}; "
            "use backend='grid'"
        )
    c = float(speed)  # type: ignore[arg-type]
    displacement, velocity = problem.initial_on(grid)
    transforms = Transforms(grid)
    change = transforms.inverse(_operator(transforms) * transforms.forward(displacement))
    shortest = min(np.diff(problem.times))
    return SpectralEvolution(
        grid,
        ("forward_wave", "backward_wave"),
        np.stack([velocity / c + change, velocity / c - change]),
        wave_symbol,
        mean_growth,
        {"speed": np.asarray(c)},
        output=displacement_and_velocity,
        output_names=("displacement", "velocity"),
        diagnostics={"energy": wave_energy},
        step_size=float(shortest),
    )


def _operator(transforms: Transforms) -> Array:
    """Symbol of R, and a number that is not zero where R has none."""
    signed = signed_wavenumber(transforms.grid)
    unit = 2 * np.pi / max(transforms.grid.extent)
    return transforms.asarray(np.where(signed == 0, unit, 1j * signed))


def wave_symbol(transforms: Transforms, parameters: Mapping[str, Array]) -> Array:
    """L = ±i c |k| with its sign, shape ``(*batch, 2, *modes)``."""
    signed = transforms.asarray(1j * signed_wavenumber(transforms.grid))
    forward = transforms.per_problem(parameters["speed"]) * signed[None, ...]
    return transforms.xp.concat([forward, -forward], axis=-1 - transforms.grid.dimension)


def mean_growth(
    transforms: Transforms, time: float, r_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    """N: the mean displacement grows with the mean velocity."""
    del time
    dimension = transforms.grid.dimension
    only_mean = np.zeros((2, *transforms.modes), dtype=np.complex128)
    unit = 2 * np.pi / max(transforms.grid.extent)
    only_mean.reshape(2, -1)[:, 0] = (0.5 * unit, -0.5 * unit)
    total = transforms.xp.sum(r_hat, axis=-1 - dimension, keepdims=True)
    speed = transforms.per_problem(parameters["speed"])
    return speed * transforms.asarray(only_mean) * total


def displacement_and_velocity(
    transforms: Transforms, r_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    """Displacement u and velocity v, shape ``(*batch, 2, *modes)``."""
    d = transforms.grid.dimension
    channels = (slice(None),) * d
    forward, backward = r_hat[(..., slice(0, 1), *channels)], r_hat[(..., slice(1, 2), *channels)]
    displacement = (forward - backward) / (2 * _operator(transforms))
    velocity = transforms.per_problem(parameters["speed"]) * (forward + backward) / 2
    return transforms.xp.concat([displacement, velocity], axis=-1 - d)


def wave_energy(transforms: Transforms, r_hat: Array, parameters: Mapping[str, Array]) -> Array:
    """½ ∫ v² + c² |∇u|² dx, shape ``(*batch,)``."""
    d = transforms.grid.dimension
    both = displacement_and_velocity(transforms, r_hat, parameters)
    channels = (slice(None),) * d
    displacement, velocity = (
        both[(..., slice(0, 1), *channels)],
        both[(..., slice(1, 2), *channels)],
    )
    volume = float(np.prod(transforms.grid.extent))
    kinetic = transforms.mean_square(velocity)[..., 0]
    slopes = transforms.mean_square((-transforms.laplacian) ** 0.5 * displacement)[..., 0]
    speed = transforms.asarray(parameters["speed"])
    return 0.5 * volume * (kinetic + speed**2 * slopes)
