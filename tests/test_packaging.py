"""The wheel holds the four packages, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("meshes", "neural", "operators", "pdesolve")


def top_level_names(files: Iterable[str]) -> set[str]:
    """First parts of the paths in a wheel, its own metadata left out."""
    return {
        name.split("/")[0]
        for name in files
        if not re.match(r"pdesolve_neural-[^/]*\.dist-info/", name)
    }


def strangers(files: Iterable[str]) -> list[str]:
    """Files that have no business in a wheel: tests, tools, and anything that is not code."""
    found = []
    for name in files:
        inside = name.split("/")[:-1]
        stem = name.rpartition("/")[2]
        if ".dist-info/" in name:
            continue
        is_code = stem.endswith(".py") or stem == "py.typed"
        in_foreign_folder = {"tests", "tools", "benchmarks", "examples"} & set(inside)
        is_test = stem.startswith("test_") or stem == "conftest.py"
        if not is_code or in_foreign_folder or is_test:
            found.append(name)
    return found


def tracked_files() -> list[Path]:
    """The files that a clone would have."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # The checkout may belong to another user, as it does in containers.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in answer.stdout.split("\0") if name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for path in tracked_files():
        if (ROOT / path).is_file():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, source / path)
    out = tmp_path_factory.mktemp("wheel")
    answer = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named build" in answer.stderr:
        pytest.skip("the package 'build' is not installed: pip install '.[dev]'")
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_top_level_names_are_the_four_packages(contents: list[str]) -> None:
    assert top_level_names(contents) == set(PACKAGES)


def test_each_package_is_typed(contents: list[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(contents)


def test_nothing_else_slips_in(contents: list[str]) -> None:
    assert strangers(contents) == []


def test_every_module_is_in_the_wheel(contents: list[str]) -> None:
    """A folder without ``__init__.py`` would be left out without a word."""
    modules = {
        str(path)
        for path in tracked_files()
        if path.suffix == ".py" and path.parts[0] in PACKAGES and (ROOT / path).is_file()
    }
    assert modules - set(contents) == set()


def test_planted_strangers_are_found() -> None:
    files = [
        "meshes/__init__.py",
        "meshes/py.typed",
        "pdesolve_neural-0.1.0.dist-info/METADATA",
        "tests/test_a.py",
        "meshes/test_b.py",
        "neural/model.ckpt",
    ]
    assert top_level_names(files) == {"meshes", "neural", "tests"}
    assert strangers(files) == ["tests/test_a.py", "meshes/test_b.py", "neural/model.ckpt"]


def test_the_wheel_installs_and_imports(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
         "--target", target, wheel],
        check=True,
    )  # fmt: skip
    script = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        f"for name in {PACKAGES!r}:\n"
        "    module = __import__(name)\n"
        f"    assert module.__file__.startswith({str(target)!r}), module.__file__\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script], check=True, cwd=tmp_path)
    assert (target / "bin" / "pdesolve").exists()


def pins_of_the_project() -> dict[str, str]:
    """Exact versions that ``pyproject.toml`` asks for."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    lines = project["dependencies"] + [
        line for extra in project["optional-dependencies"].values() for line in extra
    ]
    return dict(line.split(";")[0].strip().split("==") for line in lines if "==" in line)


def test_the_installer_and_the_project_pin_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools" / "install")
    import versions

    installer = dict(line.split("==") for line in versions.CONSTRAINTS if "==" in line)
    project = pins_of_the_project()
    shared = installer.keys() & project.keys()
    assert {"firedrake", "petsc4py", "torch"} <= shared
    assert {name: installer[name] for name in shared} == {name: project[name] for name in shared}
    bounds = {line for line in versions.CONSTRAINTS if "<" in line}
    with (ROOT / "pyproject.toml").open("rb") as stream:
        extras = tomllib.load(stream)["project"]["optional-dependencies"]
    assert bounds <= set(extras["fem"])
