"""Compiled kernels are kept apart by processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshes.kernel_cache import instruction_set_digest, use_cache_of_this_processor

X86 = """\
processor : {number}
vendor_id : AuthenticAMD
cpu family : 25
model : 17
cpu MHz : {speed}
flags : fpu sse sse2 avx {more}

"""


def cpu_file(folder: Path, name: str, *, cores: int = 1, more: str = "", speed: int = 2000) -> Path:
    path = folder / name
    text = "".join(X86.format(number=i, speed=speed + i, more=more) for i in range(cores))
    path.write_text(text, encoding="utf-8")
    return path


def test_an_instruction_more_changes_the_folder(tmp_path: Path) -> None:
    plain = cpu_file(tmp_path, "plain")
    wide = cpu_file(tmp_path, "wide", more="avx512f")
    folders = [
        use_cache_of_this_processor({"FIREDRAKE_CACHE_DIR": "/cache"}, path)
        for path in (plain, wide)
    ]
    assert folders[0] != folders[1]
    assert all(folder.parent == Path("/cache") for folder in folders)


def test_cores_and_clock_do_not_change_it(tmp_path: Path) -> None:
    one = cpu_file(tmp_path, "one")
    many = cpu_file(tmp_path, "many", cores=8, speed=3100)
    assert instruction_set_digest(one) == instruction_set_digest(many)


def test_arm_features_count(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("Features\t: fp asimd\nCPU part\t: 0xd0c\n", encoding="utf-8")
    second.write_text("Features\t: fp asimd sve\nCPU part\t: 0xd0c\n", encoding="utf-8")
    assert instruction_set_digest(first) != instruction_set_digest(second)


def test_without_a_description_of_the_processor(tmp_path: Path) -> None:
    assert len(instruction_set_digest(tmp_path / "absent")) == 10


def test_a_folder_that_the_user_chose_stays() -> None:
    variables = {"PYOP2_CACHE_DIR": "/mine", "FIREDRAKE_CACHE_DIR": "/cache"}
    assert use_cache_of_this_processor(variables) == Path("/mine")
    assert variables["PYOP2_CACHE_DIR"] == "/mine"


def test_without_a_folder_given_it_lies_where_firedrake_keeps_its_caches() -> None:
    variables: dict[str, str] = {}
    folder = use_cache_of_this_processor(variables)
    assert variables == {"PYOP2_CACHE_DIR": str(folder)}
    assert folder.parent in {Path(sys.prefix) / ".cache", Path.home() / ".cache"}


@pytest.mark.firedrake
def test_firedrake_compiles_into_it(tmp_path: Path) -> None:
    pytest.importorskip("firedrake")
    script = (
        "from meshes.kernel_cache import use_cache_of_this_processor\n"
        "folder = use_cache_of_this_processor()\n"
        "from firedrake import UnitIntervalMesh, assemble, dx, Constant\n"
        "assert abs(assemble(Constant(2.0) * dx(domain=UnitIntervalMesh(3))) - 2) < 1e-12\n"
        "assert list(folder.rglob('*.so')), folder\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYOP2_CACHE_DIR"}
    environment |= {"FIREDRAKE_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=300)
    assert [path.name for path in tmp_path.glob("pyop2*")] == [f"pyop2-{instruction_set_digest()}"]
