"""Data sets solved by finite elements and stored on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pdesolve import generate, get_family, open_dataset, sample_generator, solve

pytestmark = [pytest.mark.petsc, pytest.mark.firedrake]


def test_samples_are_the_solves_of_their_problems(tmp_path: Path) -> None:
    out = tmp_path / "fem.h5"
    info = generate("darcy2d_lognormal", 3, shape=(12, 12), backend="fem", out=out)
    assert info.num_failed == 0
    reader = open_dataset(out)
    _, outputs = reader.read()
    family = get_family("darcy2d_lognormal")
    for index in range(3):
        problem = family.problem(family.sample(sample_generator(0, "train", index)))
        own = solve(problem, mesh=(12, 12), backend="fem").on(problem.grid((12, 12)))
        # both meet 1e-8, on a mesh that is kept and on a new one
        np.testing.assert_allclose(outputs[index], own.values, rtol=0, atol=1e-7)
    records = reader.read_records()
    assert (records["residual"] <= 1e-8).all()
    assert (records["error_estimate"] > 0).all()


def test_elements_and_volumes_tell_of_the_same_problems(tmp_path: Path) -> None:
    answers = []
    for backend in ("fem", "grid"):
        out = tmp_path / f"{backend}.h5"
        generate("darcy2d_lognormal", 3, shape=(24, 24), backend=backend, out=out)
        answers.append(open_dataset(out).read()[1])
    distance = np.linalg.norm(answers[0] - answers[1]) / np.linalg.norm(answers[1])
    assert distance < 0.03
