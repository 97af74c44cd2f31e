"""The tutorial's equations, used as a person would: files outside the packages, the command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pdesolve import solve
from pdesolve.data import check_dataset, open_dataset
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator
from tests.mpi import clean_environment

FILES = Path(__file__).parents[2] / "examples" / "own_equations"

CASES = [
    pytest.param(
        "screened_poisson.py:ScreenedPoisson", "12 12", ["reaction"], ["u"], "[3, 3]", "cg",
        marks=pytest.mark.petsc,
    ),
    pytest.param(
        "membrane.py:Membrane", "12 12", ["load"], ["u"], "[3, 3]", "newton",
        marks=pytest.mark.firedrake,
    ),
    pytest.param(
        "fisher_kolmogorov.py:FisherKolmogorov", "32", ["initial_u"], ["u"], "[4]", "etdrk4",
    ),
    pytest.param(
        "fitzhugh_nagumo.py:FitzHughNagumo", "16 16", ["initial_v"], ["v", "w"], "[3, 3]", "rk",
        marks=pytest.mark.petsc,
    ),
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize(("family", "shape", "inputs", "outputs", "modes", "method"), CASES)
def test_solve_generate_train(tmp_path, family, shape, inputs, outputs, modes, method):
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)

    def run(words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pdesolve.command_line.main", *words.split()],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"pdesolve {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    solved = run(f"solve {family} --shape {shape} --plot u.png")
    assert re.search(rf"method +\S*{method}", solved), solved
    for split, count in (("train", 8), ("validation", 4)):
        run(
            f"generate {family} --shape {shape} --num-samples {count} --split {split} "
            f"--out {split}.h5"
        )
        report = check_dataset(tmp_path / f"{split}.h5")
        assert report.passed, report.text()
    with open_dataset(tmp_path / "train.h5") as data:
        assert (list(data.info.inputs), list(data.info.outputs)) == (inputs, outputs)
        assert len(data) == 8
    names = f"--model.inputs [{','.join(inputs)}] --model.outputs [{','.join(outputs)}]"
    run(
        f"train fit --config training.yaml {names} --trainer.max_epochs 1 "
        f"--model.model.modes {modes.replace(' ', '')} --model.model.width 4"
    )
    assert list((tmp_path / "training").rglob("*.ckpt"))


def test_they_are_short():
    for file in FILES.glob("*.py"):
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        assert len(lines) <= 45, f"{file.name} has {len(lines)} lines"


@pytest.mark.petsc
def test_screened_poisson_against_a_fourier_series():
    """−Δu + c u = 1 with constant c has a double sine series."""
    family = get_family(f"{FILES / 'screened_poisson.py'}:ScreenedPoisson")
    problem = type(family.problem(family.sample(sample_generator(0, "test", 0))))(Constant(50.0))
    errors = []
    for size in (16, 32, 64):
        found = solve(problem, mesh=size).gather()
        x, y = found.mesh.points()
        exact = np.zeros_like(x)
        for j in range(1, 160, 2):
            for k in range(1, 160, 2):
                weight = 16 / (np.pi**2 * j * k) / (np.pi**2 * (j**2 + k**2) + 50.0)
                exact += weight * np.sin(j * np.pi * x) * np.sin(k * np.pi * y)
        errors.append(np.sqrt(np.mean((found.values[0] - exact) ** 2)))
    order = np.polyfit(np.log([16, 32, 64]), np.log(errors), 1)[0]
    assert -order == pytest.approx(2.0, abs=0.15)
    assert errors[-1] < 2e-5


class Constant:
    """The same value everywhere."""

    def __init__(self, value: float) -> None:
        self.value = value

    def on(self, grid):
        return np.full(grid.shape, self.value)


def test_fisher_kolmogorov_without_diffusion_is_logistic_growth():
    from pdesolve import evolve

    family = get_family(f"{FILES / 'fisher_kolmogorov.py'}:FisherKolmogorov")
    problem = type(family.problem(family.sample(sample_generator(0, "test", 0))))(Constant(0.1))
    trajectory = evolve(problem, mesh=16)
    start, rate, time = 0.1, 10.0, trajectory.times[2]
    exact = start / (start + (1 - start) * np.exp(-rate * time))
    assert trajectory.gather(2).values == pytest.approx(exact, rel=1e-6)
