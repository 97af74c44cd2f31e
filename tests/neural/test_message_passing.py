"""Graphs of meshes, and the network that sends messages along their edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from meshes.errors import InputError
from meshes.unstructured import UnstructuredMesh
from neural.models.mesh_graph import check_edges, grid_edges, mesh_edges, nearest_neighbor_edges
from neural.models.message_passing import MessagePassingNetwork

pytestmark = pytest.mark.torch


def triangulation(count: int = 30) -> UnstructuredMesh:
    points = np.random.default_rng(0).random((count, 2))
    cells = Delaunay(points).simplices
    a, b, c = (points[cells[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    cells[area < 0] = cells[area < 0][:, ::-1]
    return UnstructuredMesh(points, cells)


def small(**options: object) -> MessagePassingNetwork:
    torch.manual_seed(0)
    given = {"width": 8, "num_layers": 3, **options}
    return MessagePassingNetwork(2, 1, **given).double().eval()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mesh() -> UnstructuredMesh:
    return triangulation()


@pytest.fixture(scope="module")
def fields() -> torch.Tensor:
    return torch.randn(3, 2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class TestEdges:
    def test_of_a_triangulation(self, mesh: UnstructuredMesh) -> None:
        edges = mesh_edges(mesh)
        pairs = set(map(tuple, edges.T.tolist()))
        sides = {(a, b) for cell in mesh.cells.tolist() for a in cell for b in cell if a != b}
        assert pairs == sides
        assert edges.shape[1] == len(pairs)  # each once

    @pytest.mark.parametrize(
        ("cell_type", "points", "count"),
        [
            ("interval", [[0.0], [1.0]], 1),
            ("quadrilateral", [[0.0, 0], [1, 0], [1, 1], [0, 1]], 4),
            ("tetrahedron", [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], 6),
            (
                "hexahedron",
                [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
                + [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
                12,
            ),
        ],
    )
    def test_of_every_cell_type(self, cell_type: str, points: list, count: int) -> None:  # type: ignore[type-arg]
        mesh = UnstructuredMesh(points, [list(range(len(points)))], cell_type)  # type: ignore[arg-type]
        edges = mesh_edges(mesh)
        assert edges.shape == (2, 2 * count)
        lengths = (mesh.points[edges[0]] - mesh.points[edges[1]]).__pow__(2).sum(1)
        if cell_type in ("quadrilateral", "hexahedron"):
            assert np.allclose(lengths, 1.0)  # no diagonals

    def test_to_the_nearest(self, mesh: UnstructuredMesh) -> None:
        senders, receivers = nearest_neighbor_edges(mesh.points, 4)
        distances = np.linalg.norm(mesh.points[:, None] - mesh.points[None], axis=-1)
        for point in range(mesh.num_points):
            found = set(senders[receivers == point].tolist())
            assert found == set(np.argsort(distances[point])[1:5].tolist())

    def test_of_a_grid(self) -> None:
        edges = grid_edges((3, 4), periodic=(True, False))
        steps = [(abs(a // 4 - b // 4), abs(a % 4 - b % 4)) for a, b in edges.T.tolist()]
        assert set(steps) == {(1, 0), (2, 0), (0, 1)}
        assert len(steps) == 2 * (3 * 4 + 3 * 3)

    def test_strides_beyond_the_grid_are_left_out(self) -> None:
        assert torch.equal(grid_edges((5,), strides=(1, 7)), grid_edges((5,)))

    def test_strides_beyond_an_axis_that_wraps_are_left_out(self) -> None:
        around = grid_edges((4, 9), periodic=True, strides=(1, 6))
        steps = {(abs(a // 9 - b // 9), abs(a % 9 - b % 9)) for a, b in around.T.tolist()}
        assert steps == {(1, 0), (3, 0), (0, 1), (0, 8), (0, 3), (0, 6)}

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: nearest_neighbor_edges([[0.0], [0.0], [1.0]], 1), "coincides"),
            (lambda: nearest_neighbor_edges([[0.0], [1.0]], 2), "between 1 and 1"),
            (lambda: nearest_neighbor_edges([[0.0], [np.nan]], 1), "be finite"),
            (lambda: grid_edges((3, 0)), "positive sizes"),
            (lambda: grid_edges((3,), periodic=(True, False)), "one truth value an axis"),
            (lambda: grid_edges((3,), strides=(0,)), "positive numbers"),
            (lambda: check_edges(torch.zeros(2, 3), 4), "must be int64"),
            (lambda: check_edges(torch.tensor([[0], [4]]), 4), "numbered from 0 to 3"),
            (lambda: check_edges(torch.tensor([[-1], [0]]), 4), "numbered from 0 to 3"),
            (lambda: check_edges(torch.tensor([[1], [1]]), 4), "with itself"),
        ],
    )
    def test_refusals(self, call: object, message: str) -> None:
        with pytest.raises(InputError, match=message):
            call()  # type: ignore[operator]


class TestNetwork:
    def test_a_layer_is_what_its_formula_says(self) -> None:
        layer = small().layers[0]
        nodes = torch.randn(1, 4, 8, dtype=torch.float64)
        edges = torch.tensor([[0, 1, 2], [3, 3, 1]])
        features = torch.randn(1, 3, 5, dtype=torch.float64)
        degree = torch.tensor([0, 1, 0, 2])
        found = layer(nodes, edges, features, degree)[0]
        gelu = torch.nn.functional.gelu
        for point in range(4):
            sums = torch.zeros(8, dtype=torch.float64)
            for k, (j, i) in enumerate(edges.T.tolist()):
                if i == point:
                    heard = layer.receiver(nodes[0, i]) + layer.sender(nodes[0, j])
                    sums = sums + gelu(heard + layer.edge(features[0, k]))
            message = layer.message(sums / max(int(degree[point]), 1))
            update = layer.update(gelu(layer.hidden(torch.cat([nodes[0, point], message]))))
            expected = nodes[0, point] + layer.norm(update)
            assert torch.allclose(found[point], expected, atol=1e-12)

    def test_order_of_points_does_not_matter(
        self, mesh: UnstructuredMesh, fields: torch.Tensor
    ) -> None:
        model, points, edges = small(), torch.tensor(mesh.points), mesh_edges(mesh)
        order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
        place = torch.argsort(order)
        moved = model(fields[:, :, order], points[order], place[edges])
        assert torch.allclose(moved, model(fields, points, edges)[:, :, order], atol=1e-12)

    def test_translation_changes_nothing_without_coordinates(
        self, mesh: UnstructuredMesh, fields: torch.Tensor
    ) -> None:
        points, edges = torch.tensor(mesh.points), mesh_edges(mesh)
        moved = points + torch.tensor([3.0, -1.0], dtype=torch.float64)
        free = small(append_coordinates=False)
        assert torch.allclose(free(fields, points, edges), free(fields, moved, edges), atol=1e-12)
        tied = small()
        assert not torch.allclose(tied(fields, points, edges), tied(fields, moved, edges))

    def test_a_message_goes_one_edge_a_layer(self) -> None:
        model = small(num_layers=3, strides=(1,), dimension=1)
        inputs = torch.zeros(1, 2, 12, dtype=torch.float64)
        changed = inputs.clone()
        changed[0, 0, 0] = 1.0
        heard = (model(changed) != model(inputs))[0, 0]
        assert heard.tolist() == [point <= 3 for point in range(12)]
        far = small(num_layers=3, strides=(1, 4), dimension=1)
        heard = (far(changed) != far(inputs))[0, 0]
        assert heard.tolist() == [point <= 9 for point in range(12)]  # 9 = 4 + 4 + 1

    def test_edges_of_each_sample(self, mesh: UnstructuredMesh, fields: torch.Tensor) -> None:
        model, points = small(), torch.tensor(mesh.points)
        several = [mesh_edges(mesh), nearest_neighbor_edges(mesh.points, 3), mesh_edges(mesh)]
        padded = torch.full((3, 2, max(e.shape[1] for e in several)), -1)
        for row, edges in zip(padded, several, strict=True):
            row[:, : edges.shape[1]] = edges
        clouds = torch.stack([points, points * 2.0, points + 1.0])
        together = model(fields, clouds, padded)
        for k in range(3):
            alone = model(fields[k : k + 1], clouds[k], several[k])
            assert torch.allclose(together[k], alone[0], atol=1e-12)

    @pytest.mark.parametrize("coordinates", ["cell", "vertex"])
    @pytest.mark.parametrize(("shape", "stride"), [((8, 7), 3), ((8, 12), 4), ((5, 12), 6)])
    def test_periodic_grid_knows_no_first_point(
        self, coordinates: str, shape: tuple[int, ...], stride: int
    ) -> None:
        model = small(
            periodic=True, append_coordinates=False, strides=(1, stride), coordinates=coordinates
        )
        inputs = torch.randn(1, 2, *shape, dtype=torch.float64)
        rolled = model(inputs.roll((3, 2), (2, 3)))
        assert torch.allclose(rolled, model(inputs).roll((3, 2), (2, 3)), atol=1e-12)

    def test_two_runs_give_the_same_numbers(self) -> None:
        model = small().train()
        inputs = torch.randn(2, 2, 20, 20, dtype=torch.float64)
        gradients = []
        for _ in range(2):
            model.zero_grad()
            model(inputs).square().sum().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        assert torch.equal(*gradients)

    @pytest.mark.parametrize("aggregation", ["mean", "sum"])
    @pytest.mark.parametrize("dimension", [1, 2, 3])
    def test_every_dimension(self, dimension: int, aggregation: str) -> None:
        model = small(dimension=dimension, aggregation=aggregation, diagonal=True, length=0.1)
        inputs = torch.randn(2, 2, *(5, 4, 3)[:dimension], dtype=torch.float64)
        assert model(inputs).shape == (2, 1, *inputs.shape[2:])

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: small(aggregation="max"), "aggregation='max' is unknown"),
            (lambda: small(strides=()), "strides is empty"),
            (lambda: small(periodic=(True,)), "one truth value, or 2"),
            (lambda: small(length=0.0), "length=0.0 must be a positive"),
            (lambda: small()(torch.zeros(1, 2, 9), torch.zeros(9, 2)), "edges are missing"),
            (
                lambda: small()(torch.zeros(1, 2, 3, 3), edges=grid_edges((3, 3))),
                "give the points",
            ),
            (
                lambda: small()(
                    torch.zeros(3, 2, 9),
                    torch.zeros(9, 2),
                    grid_edges((3, 3)).expand(2, 2, -1),
                ),
                "edges for 2 samples",
            ),
        ],
    )
    def test_refusals(self, call: object, message: str) -> None:
        with pytest.raises(InputError, match=message):
            call()  # type: ignore[operator]
