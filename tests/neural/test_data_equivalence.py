"""Networks learn the same from data of another strategy."""

from __future__ import annotations

import pytest

from benchmarks.data.equivalence import Sizes, make_file, solution_distances, train

pytestmark = [pytest.mark.torch, pytest.mark.petsc]

SMALL = Sizes(
    cells=16, num_train=32, num_test=16, epochs=25, batch_size=8, modes=4, width=6, num_layers=2
)
RTOL = 1e-6


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_network_learns_the_same_from_batched_and_direct_data(tmp_path) -> None:
    reference = make_file(tmp_path, "direct", 1e-12, SMALL)
    test = make_file(tmp_path, "direct", 1e-12, SMALL, "test")
    batched = make_file(tmp_path, "batched", RTOL, SMALL)
    distances = solution_distances(batched, reference)
    assert 0 < distances.max() <= 10 * RTOL  # above zero: it is not the same file

    same, other = (train(path, test, SMALL, seed=0) for path in (reference, batched))
    for name in ("train", "test"):
        assert same[name] < 0.5  # it has learned something
        assert other[name] == pytest.approx(same[name], rel=1e-2)


def test_files_of_other_samples_are_told_apart(tmp_path) -> None:
    one = make_file(tmp_path, "direct", 1e-12, SMALL, "test")
    two = make_file(tmp_path, "direct", 1e-12, Sizes(cells=16, num_train=16))
    with pytest.raises(RuntimeError, match="are not those of direct"):
        solution_distances(two, one)
