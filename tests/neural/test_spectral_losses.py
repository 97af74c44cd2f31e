"""Losses of the amplitudes of waves."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import fft
from scipy.sparse import diags_array, eye_array, kron
from scipy.sparse.linalg import spsolve

from meshes.errors import InputError
from neural.training import RelativeL2
from neural.training.losses import BandL2, BoxSpectrum, RelativeSobolev

pytestmark = pytest.mark.torch
BASES = ("periodic", "even", "odd")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )  # fmt: skip


@pytest.mark.parametrize("bases", list(itertools.product(BASES, repeat=2)))
@pytest.mark.parametrize("shape", [(7, 6), (4, 5), (1, 2)])
def test_transforms_match_scipy_and_keep_the_norm(bases, shape) -> None:
    values = random(2, 3, *shape)
    found = BoxSpectrum((1.0, 2.0), bases).amplitudes(values)
    expected = values.numpy()
    for axis, basis in enumerate(bases):
        if basis != "periodic":
            transform = fft.dct if basis == "even" else fft.dst
            expected = transform(expected, axis=axis + 2, norm="ortho")
    wrapped = [axis + 2 for axis, basis in enumerate(bases) if basis == "periodic"]
    if wrapped:
        expected = fft.rfftn(expected, axes=wrapped, norm="ortho")
        size = values.shape[wrapped[-1]]
        pairs = np.array(
            [1.0 if n in (0, size / 2) else math.sqrt(2) for n in range(size // 2 + 1)]
        )
        expected = expected * (pairs if wrapped[-1] == 3 else pairs[:, None])
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-13)
    assert torch.allclose(found.abs().square().sum(), values.square().sum())


def test_even_vertices_follow_the_trapezoidal_rule() -> None:
    values = random(1, 1, 6)
    found = BoxSpectrum((1.0,), ("even",), "vertex").amplitudes(values)
    weights = torch.tensor([0.5, 1, 1, 1, 1, 0.5])
    assert torch.allclose(found.square().sum(), (weights * values.square()).sum())
    x = torch.linspace(0, 1, 6, dtype=torch.float64)
    wave = BoxSpectrum((1.0,), ("even",), "vertex").amplitudes(
        torch.cos(3 * math.pi * x)[None, None]
    )
    assert wave.abs().argmax() == 3
    assert float(wave.abs().sum()) == pytest.approx(float(wave.abs().max()))


@pytest.mark.parametrize("extension", ["even", "odd"])
@pytest.mark.parametrize("periodic", [(True, True), (False, True), (False, False)])
def test_order_zero_is_l2(extension, periodic) -> None:
    target, prediction = random(3, 2, 5, 8), random(3, 2, 5, 8, seed=1)
    loss = RelativeSobolev(0, extension=extension, lengths=(1.0, 3.0), periodic=periodic)
    assert torch.allclose(
        loss.per_sample(prediction, target), RelativeL2().per_sample(prediction, target)
    )


@pytest.mark.parametrize("order", [-2, -1, -0.5, 1, 2])
def test_one_wave_has_the_weight_of_the_order_and_not_of_half_of_it(order) -> None:
    length, n = 3.0, 32
    x = (torch.arange(n, dtype=torch.float64) + 0.5) * length / n
    one = torch.cos(2 * math.pi * 2 * x / length)
    other = torch.cos(2 * math.pi * 5 * x / length)
    loss = RelativeSobolev(order, alpha=0.7, lengths=[length], periodic=True)
    low, high = ((2 * math.pi * k / length) ** 2 + 0.7 for k in (2, 5))
    found = float(loss((one + 0.1 * other)[None, None], one[None, None]))
    assert found == pytest.approx(0.1 * (high / low) ** (order / 2), rel=1e-12)
    assert float(loss.norm(one[None, None])) == pytest.approx(math.sqrt(low**order / 2))


def test_order_one_is_the_integral_of_the_gradient() -> None:
    """u = sin(πx) cos(2πy) on (0, 1) x (0, 2) y periodic: ∫ u² + |∇u|² by hand."""
    n, m = 24, 31
    x = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    y = (torch.arange(m, dtype=torch.float64) + 0.5) * 2 / m
    u = torch.sin(math.pi * x)[:, None] * torch.cos(2 * math.pi * y)
    loss = RelativeSobolev(1, extension="odd", lengths=(1.0, 2.0), periodic=(False, True))
    mean = (1 + math.pi**2 + 4 * math.pi**2) / 4
    assert float(loss.norm(u[None, None])) == pytest.approx(math.sqrt(mean), rel=1e-12)


def test_order_minus_one_is_a_periodic_poisson_solve() -> None:
    """‖f‖₋₁² = mean of f u with −Δu + α u = f."""
    n, alpha = 16, 0.3
    f = random(1, 1, n, n)
    k = 2 * np.pi * np.fft.fftfreq(n, 1 / n) / 2.0  # the box is 2 long
    symbol = alpha + k[:, None] ** 2 + k[None, :] ** 2
    u = np.fft.ifft2(np.fft.fft2(f[0, 0].numpy()) / symbol).real
    loss = RelativeSobolev(-1, alpha, lengths=(2.0, 2.0), periodic=True)
    expected = math.sqrt(float((f[0, 0].numpy() * u).mean()))
    assert float(loss.norm(f)) == pytest.approx(expected, rel=1e-12)


def test_order_minus_one_approaches_a_finite_volume_solve_with_zero_sides() -> None:
    """Of smooth data: the wave numbers are exact, the stencil's are to O(h²)."""
    differences = []
    for n in (16, 32):
        x = (np.arange(n) + 0.5) / n
        f = np.sin(np.pi * x)[:, None] * x[None, :] * (1 - x[None, :])
        along = diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1])
        along = along.tolil()
        along[0, 0] = along[-1, -1] = 3.0  # the side is half a cell away
        matrix = (kron(along, eye_array(n)) + kron(eye_array(n), along)).tocsc() * n**2
        expected = math.sqrt(float((f.ravel() * spsolve(matrix, f.ravel())).mean()))
        loss = RelativeSobolev(-1, 0.0, extension="odd", lengths=(1.0, 1.0))
        differences.append(float(loss.norm(torch.as_tensor(f)[None, None])) / expected - 1)
    assert abs(differences[1]) < 5e-4
    assert abs(differences[0] / differences[1]) == pytest.approx(4, abs=0.5)


def test_box_comes_from_the_training_data_unless_given() -> None:
    info = SimpleNamespace(lower=(0.0,), upper=(3.0,), periodic=(True,), location="cell")
    told, given = RelativeSobolev(-1), RelativeSobolev(-1, lengths=[3.0], periodic=True)
    told.prepare(info)
    u, v = random(2, 1, 9), random(2, 1, 9, seed=1)
    assert torch.equal(told(u, v), given(u, v))
    other = RelativeSobolev(-1, lengths=[1.0])
    other.prepare(info)
    assert float(other(u, v)) != pytest.approx(float(given(u, v)))


@pytest.mark.parametrize("location", ["cell", "vertex"])
@pytest.mark.parametrize("order", [-1, 0, 1])
def test_the_norm_is_the_same_on_every_grid(location, order) -> None:
    loss = RelativeSobolev(order, alpha=1.0)
    loss.take_box(BoxSpectrum((1.0, 1.0), ("even", "periodic"), location))
    for size in (9, 16):
        cells = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        ends = torch.arange(size, dtype=torch.float64) / (size - 1)
        x = cells if location == "cell" else ends
        wave = (1 + torch.cos(2 * math.pi * x))[:, None].expand(size, 8)
        expected = math.sqrt(1 + 0.5 * (1 + 4 * math.pi**2) ** order)
        assert float(loss.norm(wave[None, None])) == pytest.approx(expected, rel=1e-12)


def test_bands_split_the_error() -> None:
    u, v = random(3, 2, 12, 9), random(3, 2, 12, 9, seed=1)
    whole = RelativeL2().per_sample(u, v)
    loss = BandL2([1.0, 3.0], floor=1.0, extension="odd", lengths=(1.0, 2.0))
    found = loss.errors(u, v)
    assert list(found) == ["below_1", "1_to_3", "from_3"]
    assert torch.allclose(sum(value**2 for value in found.values()), whole**2)
    assert torch.allclose(loss.per_sample(u, v), sum(found.values()) / 3)


def test_a_wave_counts_in_its_band_by_waves_per_longest_side() -> None:
    x = torch.arange(16, dtype=torch.float64) / 16
    y = torch.arange(8, dtype=torch.float64) / 8
    wave = torch.cos(2 * math.pi * (3 * x[:, None] + 2 * y))  # sides 2 and 1: |k| = 5 of side 2
    base = torch.ones(16, 8, dtype=torch.float64)
    shares = {}
    for edge in (5.0, 5.01):
        loss = BandL2([edge], weights=[0, 1], floor=1, lengths=(2.0, 1.0), periodic=True)
        shares[edge] = float(loss((base + 0.1 * wave)[None, None], base[None, None]))
    assert shares[5.0] == pytest.approx(0.1 * math.sqrt(0.5))
    assert shares[5.01] == pytest.approx(0.0, abs=1e-12)


def test_floor_limits_what_a_band_without_content_counts() -> None:
    x = torch.arange(16, dtype=torch.float64) / 16
    base, wave = torch.cos(2 * math.pi * x), torch.cos(2 * math.pi * 6 * x)
    pair = (base + 0.01 * wave)[None, None], base[None, None]
    options = {"lengths": [1.0], "periodic": True, "weights": [0, 1]}
    assert float(BandL2([4], floor=0.1, **options)(*pair)) == pytest.approx(0.1)
    assert float(BandL2([4], floor=0.5, **options)(*pair)) == pytest.approx(0.02)


LOSSES = {
    "order -1": RelativeSobolev(-1, 0.5, lengths=(1.0, 2.0), periodic=(True, False)),
    "order 1.5, sines": RelativeSobolev(1.5, extension="odd", lengths=(1.0, 2.0)),
    "bands": BandL2([1, 2], [1, 2, 3], lengths=(1.0, 2.0), periodic=(False, True)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name) -> None:
    loss, target = LOSSES[name], random(2, 1, 5, 4, seed=3)
    assert torch.autograd.gradcheck(
        lambda u: loss.per_sample(u, target), random(2, 1, 5, 4).requires_grad_()
    )
    same = target.clone().requires_grad_()
    loss(same, target).backward()
    assert torch.equal(same.grad, torch.zeros_like(same))  # not nan where the error is zero


@pytest.mark.parametrize("name", LOSSES)
def test_single_and_half_precision_come_close(name) -> None:
    u, v = random(2, 1, 43, 43), random(2, 1, 43, 43, seed=1)
    exact = LOSSES[name].per_sample(u, v)
    assert torch.allclose(LOSSES[name].per_sample(u.float(), v.float()).double(), exact, rtol=1e-5)
    coarse = LOSSES[name].per_sample(u.bfloat16(), v.bfloat16())
    assert coarse.dtype == torch.float32
    assert torch.allclose(coarse.double(), exact, rtol=0.05)


def test_refusals() -> None:
    u = random(2, 1, 4, 4)
    square = {"lengths": (1.0, 1.0)}
    for wrong, message in (
        (lambda: RelativeSobolev(math.nan), "order=nan must be a finite number"),
        (lambda: RelativeSobolev(alpha=-1.0), "alpha=-1.0 must be a finite number of at least 0"),
        (lambda: RelativeSobolev(extension="evn"), "'evn' is unknown. Did you mean 'even'"),
        (lambda: RelativeSobolev(lengths=(1.0, 0.0)), "must be positive and finite"),
        (
            lambda: RelativeSobolev(lengths=(1.0,), periodic=(True, False)),
            "must have one entry an axis",
        ),
        (lambda: RelativeSobolev()(u, u), "does not know the box: give lengths"),
        (lambda: RelativeSobolev(**square)(u, u[:1]), "must be equal in shape"),
        (lambda: RelativeSobolev(**square)(u[0], u[0]), "with 2 axes of space"),
        (lambda: RelativeSobolev(**square)(u, 0 * u), "zero for sample\\(s\\) \\[0, 1\\]"),
        (lambda: RelativeSobolev(-1, 0.0, **square)(u, u), "divides by zero for the mean"),
        (lambda: BoxSpectrum((1.0,), ("odd",), "vertex"), "sine series .* cell-centred"),
        (
            lambda: BoxSpectrum((1.0,), ("even",), "vertex").amplitudes(random(1, 1, 1)),
            "at least two vertices",
        ),
        (lambda: BoxSpectrum((1.0,), ("even",), "node"), "must be 'cell' or 'vertex'"),
        (lambda: BandL2([]), "must be finite, positive and rising"),
        (lambda: BandL2([4, 2]), "must be finite, positive and rising"),
        (lambda: BandL2([4], weights=[1]), "must be 2 numbers of at least 0.*below_4, from_4"),
        (lambda: BandL2([4], floor=2), "floor=2 must lie between 0 and 1"),
        (lambda: BandL2([4])(u, u), "does not know the box"),
        (lambda: BandL2([1], **square)(u, 0 * u), "the band 'below_1' is zero"),
    ):
        with pytest.raises(InputError, match=message):
            wrong()
