"""Run on several processes: an observer that fails on one ends all."""

import sys

from pdesolve import evolve, get_family, sample_generator


def main() -> None:
    from mpi4py import MPI

    backend, which = sys.argv[1:]
    family = get_family("heat1d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))

    def fails(*_: object) -> None:
        if MPI.COMM_WORLD.rank == 1:
            raise ValueError("the disk is full")

    observers = {which: fails if MPI.COMM_WORLD.rank < 2 else None}
    try:
        evolve(problem, mesh=24, backend=backend, times=(0.0, 0.1), dt=0.02, **observers)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)


main()
