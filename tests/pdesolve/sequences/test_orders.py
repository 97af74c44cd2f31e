"""Orders of samples: permutations, lengths, ties, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.sequences import (
    ORDERS,
    nearest_neighbor_order,
    order_samples,
    path_length,
    space_filling_order,
    two_opt_order,
)
from pdesolve.sequences.hilbert import hilbert_index


def greedy_by_definition(features, start):
    order, left = [start], [i for i in range(len(features)) if i != start]
    while left:
        distances = [np.linalg.norm(features[i] - features[order[-1]]) for i in left]
        order.append(left.pop(int(np.argmin(distances))))
    return order


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 2), (2, 2), (3, 0), (7, 1), (40, 9)])
def test_permutation_whatever_the_size(name, shape):
    order = order_samples(np.random.default_rng(0).random(shape), name)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(shape[0]))


@pytest.mark.parametrize("name", ORDERS)
def test_equal_samples_follow_each_other_by_number(name):
    features = np.zeros((6, 4))
    assert order_samples(features, name).tolist() == list(range(6))
    if name != "index":
        features[1::2] = 1.0
        order = order_samples(features, name).tolist()
        assert order in ([0, 2, 4, 1, 3, 5], [1, 3, 5, 0, 2, 4])


@pytest.mark.parametrize("dimensions", [1, 2, 20])
@pytest.mark.parametrize("start", [0, 17])
def test_greedy_is_that_of_the_definition(dimensions, start):
    # far from the origin, where |x|² - 2 x·y loses digits
    features = 1e3 + np.random.default_rng(4).random((120, dimensions))
    order = nearest_neighbor_order(features, start).tolist()
    assert order == greedy_by_definition(features, start)


def test_ties_go_to_the_lowest_number():
    line = np.array([[0.0], [0.1], [-0.1], [0.2], [-0.2]])
    assert nearest_neighbor_order(line).tolist() == [0, 1, 3, 2, 4]
    # 0.3 - 0.2 and 0.1 - 0.0 differ in the last digit
    assert nearest_neighbor_order(np.array([[0.2], [0.1], [0.3]])).tolist() == [0, 1, 2]


def test_groups_are_sorted_one_by_one():
    features = np.random.default_rng(5).random((400, 2))
    order = nearest_neighbor_order(features, start=7, group_size=60)
    assert order[0] == 7
    assert sorted(order.tolist()) == list(range(400))
    whole = path_length(features, nearest_neighbor_order(features, start=7))
    assert whole < path_length(features, order) < 2 * whole
    assert len(set(nearest_neighbor_order(features, group_size=1).tolist())) == 400


@pytest.mark.parametrize("dimensions", [1, 2, 6, 50])
@pytest.mark.parametrize("begin", ["random", "greedy"])
@pytest.mark.parametrize("group_size", [1, 37, 1000])
def test_two_opt_never_makes_a_path_longer(dimensions, begin, group_size):
    rng = np.random.default_rng(6)
    features = rng.random((150, dimensions))
    given = rng.permutation(150) if begin == "random" else nearest_neighbor_order(features)
    kept = given.copy()
    order = two_opt_order(features, given, group_size=group_size)
    assert np.array_equal(given, kept)
    assert sorted(order.tolist()) == list(range(150))
    gain = path_length(features, given) - path_length(features, order)
    assert gain > 0 or (gain == 0 and (begin == "greedy" or group_size == 1))


def test_two_opt_leaves_no_exchange_and_no_move():
    features = np.random.default_rng(7).random((40, 2))
    order = two_opt_order(features, num_neighbors=39)
    least = path_length(features, order)
    for first in range(40):
        for last in range(first + 1, 40):
            turned = order.copy()
            turned[first : last + 1] = turned[first : last + 1][::-1]
            assert path_length(features, turned) > least - 1e-9
    for sample in range(40):
        others = order[order != sample]
        for position in range(40):
            moved = np.insert(others, position, sample)
            assert path_length(features, moved) > least - 1e-9


def test_two_opt_sorts_a_line():
    line = np.random.default_rng(8).permutation(60)[:, None].astype(float)
    order = two_opt_order(line, np.arange(60), num_neighbors=59)
    assert path_length(line, order) == pytest.approx(59.0)


@pytest.mark.parametrize(("dimensions", "bits"), [(1, 5), (2, 5), (3, 3), (5, 2)])
def test_neighbours_along_hilberts_curve_share_a_face(dimensions, bits):
    axes = np.meshgrid(*[np.arange(2**bits)] * dimensions, indexing="ij")
    cells = np.stack(axes, axis=-1).reshape(-1, dimensions)
    index = hilbert_index(cells, bits)
    assert sorted(index.tolist()) == list(range(len(cells)))
    steps = np.abs(np.diff(cells[np.argsort(index)], axis=0)).sum(axis=1)
    assert set(steps.tolist()) == {1}


def test_orders_are_shorter_than_random():
    rng = np.random.default_rng(9)
    # three directions that matter, in fifty numbers
    features = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 50))
    features += 0.01 * rng.standard_normal(features.shape)
    length = {name: path_length(features, order_samples(features, name)) for name in ORDERS}
    assert length["space-filling"] < 0.3 * length["index"]
    assert length["two-opt"] < length["nearest-neighbor"] < length["space-filling"]


@pytest.mark.parametrize("shape", [(100, 20), (20, 100)])
def test_space_filling_does_not_depend_on_rotation(shape):
    rng = np.random.default_rng(10)
    features = rng.standard_normal(shape) * 0.7 ** np.arange(shape[1])
    rotation = np.linalg.qr(rng.standard_normal((shape[1],) * 2))[0]
    same = space_filling_order(features, 2)
    assert np.array_equal(same, space_filling_order(features @ rotation + 3.0, 2))


def test_messages():
    features = np.random.default_rng(11).random((5, 2))
    with pytest.raises(InputError, match=r"no order 'two-op'. Did you mean 'two-opt'"):
        order_samples(features, "two-op")
    with pytest.raises(InputError, match=r"start=5 is not one of 5 samples"):
        nearest_neighbor_order(features, 5)
    with pytest.raises(InputError, match=r"order must hold each number from 0 to 4 once"):
        two_opt_order(features, np.array([0, 1, 2, 3, 3]))
    with pytest.raises(InputError, match=r"dimensions=0 must lie between 1 and 16"):
        space_filling_order(features, 0)
    with pytest.raises(InputError, match=r"must have shape \(samples, numbers a sample\)"):
        order_samples(features[0], "index")
    features[3, 1] = np.nan
    for name in ORDERS:
        with pytest.raises(InputError, match="features of sample 3 are not finite"):
            order_samples(features, name)
