"""Solve in time on all processes, with a restart, and print what must not depend on them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from meshes import StructuredGrid
from operators.failures import CheckpointError, TimeStepFailure
from pdesolve import evolve
from pdesolve.fem import load_checkpoint
from pdesolve.fem._firedrake import firedrake
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.heat import HeatProblem
from pdesolve.problems.wave import WaveProblem

COMM = firedrake.COMM_WORLD
GRID = StructuredGrid((5, 5))


def heat() -> HeatProblem:
    return HeatProblem(
        lambda x: 0.1 + 0.05 * x[0],
        lambda t: 1.0 + t,
        source=1.0,
        initial=lambda x: np.sin(3 * x[0]) + x[1],
        boundary_conditions={
            "x_lower": Dirichlet(lambda x: x[1]),
            "x_upper": Neumann(0.1),
            "y_lower": Neumann(0.0),
            "y_upper": Neumann(-0.1),
        },
    )


def wave() -> WaveProblem:
    return WaveProblem(1.0, lambda x: np.sin(np.pi * x[0]) * np.sin(2 * np.pi * x[1]),
                       boundary_conditions={"all": Dirichlet(0.0)})  # fmt: skip


CASES = {
    "heat radau-iia-2": (heat(), {"method": "radau-iia-2", "degree": 2}),
    "heat bdf2": (heat(), {"method": "bdf2"}),
    "wave": (wave(), {}),
}


def answers(folder: Path) -> dict[str, list[float]]:
    found = {}
    for name, (problem, options) in CASES.items():
        options = {**options, "mesh": 6, "backend": "fem", "dt": 0.125}
        file = folder / f"{name} {COMM.size}.h5"
        whole = evolve(problem, **options)
        found[name] = whole.on(GRID)[-1].ravel().tolist()
        found[f"{name} quantities"] = [values[-1] for values in whole.history.values()]
        evolve(problem, times=(0.0, 0.5), checkpoint=file, **options)
        for other in (1, 3):  # what one process wrote is read by three
            old = folder / f"{name} {other}.h5"
            if old.exists():
                rest = evolve(problem, restart=old, **options)
                assert rest.times == (0.5, 1.0), rest.times
                assert rest.result.num_steps == 8
                found[f"{name} from {other}"] = rest.on(GRID)[-1].ravel().tolist()
                if other == COMM.size == 1:  # to the last bit
                    for one, two in zip(whole.native.dat, rest.native.dat, strict=True):
                        assert np.array_equal(one.data_ro, two.data_ro)
        assert load_checkpoint(file).names == tuple(whole.states[-1].names)
    return found


def failures(folder: Path) -> list[str]:
    """What each process says."""
    texts = []
    file = folder / "heat.h5"
    evolve(heat(), mesh=6, backend="fem", dt=0.25, times=(0.0, 0.5), checkpoint=file)

    def initial(x):
        if COMM.rank == 1:
            raise ValueError("process 1 cannot compute this")
        return x[0]

    def one_bad_value(x):
        return np.full(x.shape[1], np.nan if COMM.rank == 2 else 0.0)

    for build in (
        lambda: evolve(HeatProblem(1.0, initial=initial), mesh=6, backend="fem"),
        lambda: evolve(HeatProblem(1.0, initial=one_bad_value), mesh=6, backend="fem"),
        lambda: evolve(heat(), mesh=6, backend="fem", restart=folder / "absent.h5"),
        lambda: evolve(heat(), mesh=6, backend="fem", restart=file, method="bdf2"),
        lambda: evolve(
            heat(), mesh=24, backend="fem", dt=0.25,
            solver_parameters={"pc_type": "none", "ksp_max_it": 1},
        ),
    ):  # fmt: skip
        try:
            build()
        except (ValueError, CheckpointError, TimeStepFailure) as error:
            texts.append(f"{type(error).__name__} {error}")
    return texts


if __name__ == "__main__":
    directory, what = Path(sys.argv[1]), sys.argv[2]
    result = answers(directory) if what == "answers" else COMM.gather(failures(directory))
    if COMM.rank == 0:
        print("RESULT" + json.dumps(result))
