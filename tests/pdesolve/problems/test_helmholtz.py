"""Helmholtz: orders, waves that pass, the discrete dispersion, resonances, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.families.helmholtz import orders, wave_in_a_guide
from meshes import Field, InputError, StructuredGrid
from meshes.block import GridBlock
from operators.failures import LinearSolveFailure
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.helmholtz import HelmholtzProblem, complex_parts
from pdesolve.problems.helmholtz_families import RandomHelmholtzFamily

NAMES = ("helmholtz1d", "helmholtz2d", "helmholtz2d_random", "helmholtz3d_random")
ON_GRIDS = [study for study in orders() if study.backend == "grid"]
WITH_ELEMENTS = [study for study in orders() if study.backend != "grid"]
WAVE = {"x_lower": Dirichlet(1.0), "x_upper": Absorbing()}


def named(study) -> str:
    return f"{study.family}-{study.backend}-{study.quantity}"


def problem_of(name: str, index: int = 0, **options):
    family = get_family(name, num_modes=16, **options)
    return family.problem(family.sample(sample_generator(3, "test", index)))


def complex_values(field: Field) -> np.ndarray:
    return field["u_real"] + 1j * field["u_imaginary"]


@pytest.mark.petsc
@pytest.mark.parametrize("study", ON_GRIDS, ids=named)
def test_orders_on_grids(study):
    study.check()


@pytest.mark.firedrake
@pytest.mark.parametrize("study", WITH_ELEMENTS, ids=named)
def test_orders_with_elements(study):
    study.check()


@pytest.mark.petsc
class TestWaves:
    def test_discrete_dispersion(self):
        """Inside, the answer is made of the two waves with 2 (1 − cos κh) = k² h²."""
        k, n = 40.0, 160
        answer = solve(HelmholtzProblem(k, 0.0, WAVE, dimension=1), mesh=n).field
        values, x, h = complex_values(answer), answer.mesh.axes()[0], 1.0 / n
        kappa = np.arccos(1 - (k * h) ** 2 / 2) / h
        assert kappa - k == pytest.approx(k**3 * h**2 / 24, rel=0.02)  # the phase error
        waves = np.stack([np.exp(1j * kappa * x), np.exp(-1j * kappa * x)], axis=1)
        parts, *_ = np.linalg.lstsq(waves, values, rcond=None)
        np.testing.assert_allclose(waves @ parts, values, atol=1e-9)
        # the absorbing side sends back what the order of the scheme allows
        assert abs(parts[1]) < (k * h) ** 2 / 8
        assert abs(parts[0]) == pytest.approx(1.0, abs=0.01)

    def test_phase_error_grows_with_the_wavenumber(self):
        """Pollution: at 16 points per wavelength the error is proportional to k."""
        errors = []
        for k in (2 * np.pi * 2, 2 * np.pi * 8):
            n = round(16 * k / (2 * np.pi))
            answer = solve(HelmholtzProblem(k, 0.0, WAVE, dimension=1), mesh=n).field
            exact = np.exp(1j * k * answer.mesh.axes()[0])
            errors.append(np.abs(complex_values(answer) - exact).max())
        assert 3.0 < errors[1] / errors[0] < 4.5

    def test_a_plane_wave_crosses_the_square(self):
        """At normal incidence the absorbing side sends nothing back: |u| stays one."""
        sides = {**WAVE, "y_lower": Periodic(), "y_upper": Periodic()}
        answer = solve(HelmholtzProblem(10.0, 0.0, sides), mesh=(160, 16)).field
        values = complex_values(answer)
        assert np.abs(np.abs(values) - 1).max() < 2e-3
        assert np.ptp(values, axis=1).max() < 1e-9

    def test_a_source_radiates(self):
        """Waves leave a square with absorbing sides much as they leave a larger one."""
        k = 20.0

        def source(x):
            return np.exp(-((x[0] - 0.5) ** 2 + (x[1] - 0.5) ** 2) / (2 * 0.05**2))

        small = solve(HelmholtzProblem(k, source), mesh=64).field
        large = solve(
            HelmholtzProblem(k, source, lower=(-1.0, -1.0), upper=(2.0, 2.0)), mesh=192
        ).field
        window = (slice(None), slice(64, 128), slice(64, 128))
        difference = np.linalg.norm(small.values - large.values[window])
        assert difference < 0.15 * np.linalg.norm(small.values)

    def test_energy_balance(self):
        """What leaves through the sides is the source's work: k ∮ |u|² = Im ∫ f̄ u, discretely."""
        k, n = 12.0, 64
        source = lambda x: np.sin(3 * x[0] + x[1])  # noqa: E731
        answer = solve(HelmholtzProblem(k, source), mesh=n).field
        u, h = complex_values(answer), 1 / n
        sides = 0.0
        for axis in (0, 1):
            for end in (0, -1):
                at_side = np.take(u, end, axis=axis) / (1 - 0.5j * k * h)
                sides += k * np.sum(np.abs(at_side) ** 2) * h
        work = np.sum(source(answer.mesh.points()) * u).imag * h * h
        assert sides == pytest.approx(work, rel=1e-9)

    def test_backends_agree(self):
        pytest.importorskip("firedrake")
        for name in NAMES[:3]:  # three dimensions: tests/pdesolve/test_backends_agree.py
            problem = problem_of(name)
            size = 256 if problem.dimension == 1 else 64
            one = solve(problem, mesh=size).field
            other = solve(problem, mesh=size, backend="fem", degree=2).on(one.mesh)
            assert one.names == other.names == ("u_real", "u_imaginary")
            scale = np.abs(one.values).max()
            assert np.abs(one.values - other.values).max() < 0.1 * scale, name


@pytest.mark.petsc
class TestReal:
    def test_one_unknown(self):
        sides = {"all": Dirichlet(0.0)}
        solution = solve(HelmholtzProblem(10.0, 1.0, sides), mesh=32)
        assert solution.field.names == ("u",)
        assert solution.result.num_unknowns == 1024
        assert HelmholtzProblem(10.0, (1.0, 0.5), sides).unknowns == ("u_real", "u_imaginary")
        assert HelmholtzProblem(10.0, 1.0, {"all": Dirichlet(1j)}).is_complex

    def test_complex_and_real_agree(self):
        sides = {"all": Dirichlet(lambda x: x[0])}
        real = solve(HelmholtzProblem(10.0, 1.0, sides), mesh=32).field
        both = solve(HelmholtzProblem(10.0, (1.0, 2.0), sides), mesh=32).field
        np.testing.assert_allclose(both["u_real"], real["u"], rtol=1e-7, atol=1e-9)

    def test_resonance_is_refused(self):
        n = 16
        eigenvalue = 2 * (2 * n * np.sin(np.pi / (2 * n))) ** 2
        problem = HelmholtzProblem(float(np.sqrt(eigenvalue)), 1.0, {"all": Dirichlet(0.0)})
        with pytest.raises(InputError, match=r"is a resonance of this box.*mode \(1, 1\)"):
            solve(problem, mesh=n)
        assert solve(problem, mesh=2 * n).result.converged  # the discrete eigenvalue is another

    def test_resonance_of_the_equation_is_refused(self):
        problem = HelmholtzProblem(
            np.pi * np.sqrt(2.0), boundary_conditions={"all": Dirichlet(0.0)}, dimension=2
        )
        with pytest.raises(InputError, match=r"the eigenvalue of −Δ of mode \(1, 1\)"):
            solve(problem, mesh=32)

    def test_resonance_that_is_not_foreseen(self):
        """With Neumann sides the factorisation meets it, and the message says what it is."""
        n = 16
        number = 2 * n * np.sin(np.pi / (2 * n))
        sides = {"x_lower": Neumann(0.0), "x_upper": Neumann(0.0)}
        problem = HelmholtzProblem(number, lambda x: np.cos(np.pi * x[0]), sides, dimension=1)
        with pytest.raises(LinearSolveFailure, match="resonances: if k² is an eigenvalue"):
            solve(problem, mesh=n)


@pytest.mark.petsc
class TestSolvers:
    @pytest.mark.parametrize(
        ("options", "shift"),
        [
            ({"pc_type": "lu"}, 0.0),
            ({"pc_type": "lu"}, 0.5),
            ({"pc_type": "gamg", "ksp_type": "fgmres"}, 1.0),
            ({"pc_type": "ilu"}, 0.0),
        ],
        ids=str,
    )
    def test_low_wavenumbers(self, options, shift):
        """At k = 10 all candidates work and agree."""
        source = lambda x: np.exp(-30 * ((x[0] - 0.5) ** 2 + (x[1] - 0.3) ** 2))  # noqa: E731
        usual = solve(HelmholtzProblem(10.0, source), mesh=32).field.values
        problem = HelmholtzProblem(10.0, source, preconditioner_shift=shift)
        other = solve(problem, mesh=32, solver_parameters=options)
        np.testing.assert_allclose(other.field.values, usual, atol=1e-6 * np.abs(usual).max())

    def test_iterations_with_the_shifted_laplacian_grow_with_k(self):
        counts = []
        for k, n in ((10.0, 32), (20.0, 64)):
            problem = HelmholtzProblem(k, 1.0, preconditioner_shift=0.5)
            counts.append(solve(problem, mesh=n, solver_parameters={"pc_type": "lu"}).result)
        assert 5 < counts[0].iterations < counts[1].iterations < 60

    def test_incomplete_factors_fail_at_high_wavenumbers(self):
        with pytest.raises(LinearSolveFailure, match="DIVERGED_ITS"):
            solve(
                HelmholtzProblem(40.0), mesh=96,
                solver_parameters={"pc_type": "ilu", "ksp_max_it": 200},
            )  # fmt: skip

    def test_matrix_is_symmetric_and_indefinite(self):
        problem, _ = wave_in_a_guide()
        block = GridBlock.whole(problem.grid((12, 11)))
        system = problem.block_system(block)
        size = 2 * block.grid.num_points
        dense = np.zeros((size, size))
        number = np.arange(size // 2).reshape(block.shape)
        for s, offset in enumerate(system.offsets):
            for i in np.ndindex(block.shape):
                j = tuple(int(a + b) for a, b in zip(i, offset, strict=True))
                if all(0 <= a < n for a, n in zip(j, block.shape, strict=True)):
                    for r in (0, 1):
                        for c in (0, 1):
                            value = system.coefficients[(s, r, c, *i)]
                            dense[number[i] + r * size // 2, number[j] + c * size // 2] += value
        np.testing.assert_allclose(dense, dense.T, atol=1e-9)
        eigenvalues = np.linalg.eigvalsh(dense)
        assert eigenvalues[0] < 0 < eigenvalues[-1]


@pytest.mark.petsc
class TestResolution:
    def test_too_few_points(self):
        with pytest.raises(InputError, match=r"4 points per wavelength.*1.5 times as many") as e:
            solve(HelmholtzProblem(2 * np.pi * 8), mesh=32)
        assert "fewer than 6" in str(e.value)

    def test_few_points(self):
        with pytest.warns(UserWarning, match="8.0 points per wavelength"):
            solution = solve(HelmholtzProblem(2 * np.pi * 4), mesh=32)
        assert solution.result.notes == ("8 points per wavelength at least",)

    @pytest.mark.firedrake
    def test_elements(self):
        problem = HelmholtzProblem(2 * np.pi * 8, 0.0, WAVE, dimension=1)
        with pytest.raises(InputError, match=r"4 points per wavelength.*higher degree"):
            solve(problem, mesh=32, backend="fem")
        assert solve(problem, mesh=64, backend="fem", degree=2).result.converged


@pytest.mark.parametrize("name", NAMES)
def test_family(name):
    family = get_family(name)
    assert family.name == name
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    for channel in (*family.inputs, *family.outputs, *family.parameters.names):
        assert family.units[channel]
    grid = StructuredGrid((12,) * family.dimension)
    one, again, other = (problem_of(name, index).input_fields(grid) for index in (0, 0, 1))
    assert one.names == family.inputs
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    assert family.outputs == problem_of(name).unknowns == ("u_real", "u_imaginary")
    closed = family.with_options(sides="dirichlet")
    assert closed.outputs == problem_of(name, sides="dirichlet").unknowns == ("u",)
    assert closed.describe() != family.describe()


@pytest.mark.petsc
@pytest.mark.parametrize("name", NAMES)
def test_default_grids_resolve_the_waves(name, recwarn):
    family = get_family(name)
    for index in range(3):
        problem = family.problem(family.sample(sample_generator(0, "train", index)))
        block = GridBlock.whole(problem.grid(family.default_shape))
        problem.block_system(block)
    assert not [w for w in recwarn if "wavelength" in str(w.message)]


@pytest.mark.parametrize(
    ("name", "usual"), [("helmholtz2d_random", 25.0), ("helmholtz3d_random", 7.5)]
)
def test_range_of_a_random_wavenumber(name, usual):
    """The median scales k, the standard deviation its logarithm; the draw stays the same."""

    def drawn(**options):
        problem = problem_of(name, **options)
        return problem.wavenumber_on(StructuredGrid((12,) * problem.dimension))

    given = drawn()
    assert abs(np.log(given / usual).mean()) < 0.05
    np.testing.assert_allclose(drawn(median=2 * usual), 2 * given, rtol=1e-12)
    spread = get_family(name).describe()["parameters"]["wavenumber"]["distribution"]["g"]
    twice = drawn(standard_deviation=2 * spread["standard deviation"])
    np.testing.assert_allclose(twice / usual, (given / usual) ** 2, rtol=1e-12)


def test_complex_parts():
    assert complex_parts((1.0, 2.0)) == (1.0, 2.0)
    assert complex_parts(3j) == (0.0, 3.0)
    assert complex_parts(4) == (4, 0.0)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: HelmholtzProblem(-1.0), "wavenumber=-1.0 must be positive"),
        (lambda: HelmholtzProblem(float("inf")), "inf is not a finite number"),
        (lambda: HelmholtzProblem(1.0, (1.0, 2.0, 3.0)), "a pair (real, imaginary)"),
        (lambda: HelmholtzProblem(1.0, dimension=4), "dimension=4 must be 1, 2 or 3"),
        (lambda: HelmholtzProblem(1.0, preconditioner_shift=-1.0), "finite and not negative"),
        (lambda: HelmholtzProblem(1.0, boundary_conditions=3), "must map side names"),
        (lambda: get_family("helmholtz2d", sides="absorb"), "Did you mean 'absorbing'?"),
        (lambda: get_family("helmholtz2d", smallest=-1.0), "smallest=-1.0 must be positive"),
        (lambda: get_family("helmholtz2d_random", median=0.0), "median=0.0 must be positive"),
        (lambda: RandomHelmholtzFamily(1), "dimension=1 must be 2 or 3"),
        (
            lambda: get_family("helmholtz3d_random", standard_deviation=-1.0),
            "standard_deviation=-1.0 must be",
        ),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


@pytest.mark.petsc
def test_data_that_a_problem_does_not_take():
    with pytest.raises(InputError, match=r"use Absorbing\(\)"):
        solve(HelmholtzProblem(5.0, 1.0, {"all": Robin(1.0, 0.0)}), mesh=16)
    with pytest.raises(InputError, match=r"the wavenumber must be positive; it is -"):
        solve(HelmholtzProblem(lambda x: x[0] - 0.5), mesh=16)
