"""In which order a data set's samples are solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.data.refusals import posing
from pdesolve.data.samples import SampleTask
from pdesolve.random_streams import sample_generator


class DrawnTasks(Sequence[SampleTask]):
    """The tasks of a data set, each drawn when it is asked for.

    Parameters
    ----------
    family
        The family.
    num_samples
        How many.
    seed, split
        Fix the random numbers of each sample.
    scalars
        Names of the scalar parameters.
    """

    def __init__(
        self, family: Any, num_samples: int, seed: int, split: str, scalars: Sequence[str] = ()
    ) -> None:
        self.family, self.num_samples, self.seed, self.split = family, num_samples, seed, split
        self.scalars = tuple(scalars)

    def __len__(self) -> int:
        return self.num_samples

    @overload
    def __getitem__(self, index: int) -> SampleTask: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SampleTask]: ...

    def __getitem__(self, index: int | slice) -> SampleTask | Sequence[SampleTask]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.num_samples))]
        if not 0 <= index < self.num_samples:
            raise IndexError(index)
        draw = self.family.sample(sample_generator(self.seed, self.split, index))
        scalars = {name: float(draw[name]) for name in self.scalars}
        with posing(index):
            problem = self.family.problem(draw)
        return SampleTask(index, problem, scalars)


def sample_order(
    tasks: Sequence[SampleTask], grid: StructuredGrid, name: str
) -> tuple[int, ...] | None:
    """Numbers of the samples in the order in which they are solved; None by number.

    Parameters
    ----------
    tasks
        All samples.
    grid
        Storage grid.
    name
        See :data:`pdesolve.sequences.ORDERS`.

    Raises
    ------
    InputError
        For an unknown order, or samples whose inputs do not vary.
    """
    from pdesolve.sequences import feature_matrix, order_samples

    if name == "index":
        return None
    features = feature_matrix(tasks, grid)
    if features.size == 0 and len(tasks) > 1:
        raise InputError(
            f"the samples cannot be sorted: none of their inputs varies. Use order='index' in the "
            f"place of '{name}'"
        )
    return tuple(order_samples(features, name).tolist())
