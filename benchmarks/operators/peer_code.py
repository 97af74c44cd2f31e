"""Public code of other groups: where it is, how to get it, how to build its models."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from meshes.errors import InputError

FOLDER = Path(__file__).parents[2] / ".benchmark-peers"
PACKAGES = Path(__file__).parents[1] / "peers.txt"
REPOSITORIES = {
    "Latent-Spectral-Models": (
        "https://github.com/thuml/Latent-Spectral-Models",
        "d5a0b409ecf558919c1ef7ea59ff636a94935399",
    ),
    "Transolver": (
        "https://github.com/thuml/Transolver",
        "75e0f67643806a81cd1d3f6adc88dd8c02416fe7",
    ),
}
HOW = "python -m benchmarks.operators.peers --install"


@dataclass(frozen=True)
class PeerFolders:
    """Where the code of the peers lies.

    Parameters
    ----------
    packages
        Folder of installed packages (neuraloperator and what it imports, einops).
    lsm, transolver
        Clones of the repositories.
    """

    packages: Path = field(default_factory=lambda: _named("PDESOLVE_PEER_PACKAGES", "packages"))
    lsm: Path = field(
        default_factory=lambda: _named("PDESOLVE_LSM_FOLDER", "Latent-Spectral-Models")
    )
    transolver: Path = field(
        default_factory=lambda: _named("PDESOLVE_TRANSOLVER_FOLDER", "Transolver")
    )


def _named(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or FOLDER / name).resolve()


def install(folder: Path = FOLDER) -> None:
    """Packages of `peers.txt` and the pinned repositories, into a folder of their own.

    torch is never installed here: all run with the one of this environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packages = ["--target", str(folder / "packages"), "-r", str(PACKAGES)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    subprocess.run([*pip, *packages], check=True)
    for name, (address, commit) in REPOSITORIES.items():
        place = folder / name
        steps: list[Sequence[str]] = [["fetch", "--quiet", "--depth", "1", address, commit]]
        steps.append(["checkout", "--quiet", "--force", "FETCH_HEAD"])
        if not (place / ".git").exists():
            steps.insert(0, ["init", "--quiet"])
        place.mkdir(exist_ok=True)
        for step in steps:
            subprocess.run(["git", *step], cwd=place, check=True)
        print(f"{name} at {commit[:12]}: {place}")


def neuraloperator_fno(folders: PeerFolders, **options: Any) -> nn.Module:
    """The FNO of the package, which may also be installed in this environment."""
    with _importable(folders.packages, last=True):
        try:
            models = importlib.import_module("neuralop.models")
        except ImportError as error:
            raise _absent("the package neuraloperator", folders.packages, error) from error
        model: nn.Module = models.FNO(**options)
    return model


def public_lsm(folders: PeerFolders, **options: Any) -> nn.Module:
    """The latent spectral model for grids; fields with channels last."""
    path = folders.lsm / "models" / "LSM_2D.py"
    spec = importlib.util.spec_from_file_location("public_lsm_2d", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise _absent(REPOSITORIES["Latent-Spectral-Models"][0], folders.lsm)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with _cuda_where_there_is_one():
        model: nn.Module = module.Model(SimpleNamespace(**options))
    return model


def public_transolver(folders: PeerFolders, mesh: str, **options: Any) -> nn.Module:
    """The model for ``Structured_Mesh_2D`` or ``Irregular_Mesh``; points in one row."""
    place = folders.transolver / "PDE-Solving-StandardBenchmark"
    if not (place / "model" / f"Transolver_{mesh}.py").is_file():
        raise _absent(REPOSITORIES["Transolver"][0], folders.transolver)
    layers = types.ModuleType("timm.models.layers")
    # all it takes from timm; the same function, used for initial values only
    layers.trunc_normal_ = nn.init.trunc_normal_  # type: ignore[attr-defined]
    stand_ins = {
        name: types.ModuleType(name) for name in ("timm", "timm.models") if name not in sys.modules
    }
    stand_ins.setdefault("timm.models.layers", layers)
    with _importable(place), _importable(folders.packages, last=True):
        kept = {name: sys.modules.get(name) for name in stand_ins}
        sys.modules.update(stand_ins)
        try:
            module = importlib.import_module(f"model.Transolver_{mesh}")
        except ImportError as error:
            raise _absent("what Transolver imports", folders.packages, error) from error
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == "model"]:
                del sys.modules[name]  # too common a name to leave behind
            for name, before in kept.items():
                if before is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = before
    with _cuda_where_there_is_one():
        model: nn.Module = module.Model(**options)
    return model


def _absent(what: str, place: Path, error: Exception | None = None) -> InputError:
    reason = f" ({error})" if error else ""
    return InputError(f"{what} is not in {place}{reason}; get it with '{HOW}', or name its folder")


@contextlib.contextmanager
def _importable(folder: Path, last: bool = False) -> Iterator[None]:
    """Modules of a folder found, after those of the environment if `last`."""
    sys.path.insert(len(sys.path) if last else 0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _cuda_where_there_is_one() -> Iterator[None]:
    """Constants that the public code puts on the GPU stay here where there is none."""
    if torch.cuda.is_available():
        yield
        return
    original = torch.Tensor.cuda
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.Tensor.cuda = original  # type: ignore[method-assign]
