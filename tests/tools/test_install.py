"""The installer's decisions, without installing anything."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "install"
MODULES = ("versions", "steps", "cache", "system", "petsc", "wheels", "existing", "environment")


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The installer's modules, freshly imported, with a cache folder of their own."""
    for name in ("PETSC_DIR", "PETSC_ARCH", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PDESOLVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(TOOL)
    yield {name: __import__(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


def fake_petsc(folder: Path, *, version: str = "3.26.0", extra: str = "", arch: str = "") -> Path:
    """The files of an installed PETSc that the installer reads."""
    numbers = dict(zip(("MAJOR", "MINOR", "SUBMINOR"), version.split("."), strict=True))
    include = folder / "include"
    include.mkdir(parents=True, exist_ok=True)
    (include / "petscversion.h").write_text(
        "".join(f"#define PETSC_VERSION_{k}      {v}\n" for k, v in numbers.items()),
        encoding="utf-8",
    )
    configuration = folder / arch / "include"
    configuration.mkdir(parents=True, exist_ok=True)
    (configuration / "petscconf.h").write_text(extra, encoding="utf-8")
    return folder


COMPLETE = (
    "#define PETSC_USE_REAL_DOUBLE 1\n#define PETSC_HAVE_HDF5 1\n#define PETSC_HAVE_MUMPS 1\n"
)


class TestKey:
    def test_options_change_it(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tool["cache"].BuildCache().key
        assert tool["cache"].BuildCache().key == before
        monkeypatch.setattr(
            tool["versions"], "petsc_configure_options", lambda _: ["--with-debugging=1"]
        )
        assert tool["cache"].BuildCache().key != before

    @pytest.mark.parametrize("name", ["PETSC", "MPI4PY", "H5PY", "BUILD_TOOLS"])
    def test_versions_change_it(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        before = tool["cache"].BuildCache().key
        monkeypatch.setattr(tool["versions"], name, "9.9.9")
        assert tool["cache"].BuildCache().key != before

    def test_machine_python_and_distribution_change_it(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache = tool["cache"]
        keys = {cache.BuildCache().key, cache.BuildCache("/opt/petsc/").key}
        monkeypatch.setattr(cache.platform, "machine", lambda: "aarch64")
        keys.add(cache.BuildCache().key)
        monkeypatch.setattr(cache, "distribution", lambda: "ubuntu-24.04")
        keys.add(cache.BuildCache().key)
        monkeypatch.setattr(cache.sysconfig, "get_config_var", lambda _: "cpython-399")
        keys.add(cache.BuildCache().key)
        assert len(keys) == 5

    def test_no_option_is_for_one_processor_only(self, tool: dict[str, ModuleType]) -> None:
        options = " ".join(tool["versions"].petsc_configure_options("x86_64-linux-gnu"))
        assert "native" not in options
        assert "-march" not in options
        assert "x86_64" not in " ".join(
            tool["versions"].petsc_configure_options("aarch64-linux-gnu")
        )

    def test_the_callers_flags_do_not_reach_the_compiler(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CFLAGS", "-march=native")
        monkeypatch.setenv("PIP_USER", "1")
        cleaned = tool["steps"].clean_environment(CC="mpicc")
        assert "CFLAGS" not in cleaned
        assert "PIP_USER" not in cleaned
        assert cleaned["CC"] == "mpicc"


def test_the_distribution_is_read_from_its_file(
    tool: dict[str, ModuleType], tmp_path: Path
) -> None:
    path = tmp_path / "os-release"
    path.write_text('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n', encoding="utf-8")
    assert tool["cache"].distribution(path) == "ubuntu-24.04"
    assert tool["cache"].distribution(tmp_path / "absent") == "unknown-0"


@pytest.mark.parametrize("version", [(3, 10, 12), (3, 8, 0)])
def test_an_old_python_is_refused(tool: dict[str, ModuleType], version: tuple[int, ...]) -> None:
    main = runpy.run_path(str(TOOL / "__main__.py"))
    error = tool["steps"].InstallationError
    with pytest.raises(error, match=r"This is Python 3\.\d+\.\d+; pdesolve needs 3\.11 or newer"):
        main["require_python"](version)
    main["require_python"]((3, 11, 0))


class TestSystemPackages:
    def test_only_installed_ones_count(self, tool: dict[str, ModuleType]) -> None:
        answer = "installed gfortran\nconfig-files bison\nnot-installed flex\ninstalled libgl1\n"
        assert tool["system"].parse_status(answer) == {"gfortran", "libgl1"}

    def test_without_root_one_line_is_printed(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        system = tool["system"]
        monkeypatch.setattr(system.os, "geteuid", lambda: 1000)
        monkeypatch.setattr(system, "missing_packages", lambda wanted: list(wanted)[:2])
        monkeypatch.setattr(system, "available", lambda _: ["libscotchmetis-dev"])
        with pytest.raises(tool["steps"].InstallationError) as caught:
            system.install_system_packages(
                tool["steps"].Steps(tmp_path), ["gfortran", "bison", "flex"], optional=True
            )
        lines = [line for line in str(caught.value).splitlines() if "apt-get" in line]
        assert lines == [
            "  sudo apt-get install -y --no-install-recommends gfortran bison libscotchmetis-dev"
        ]

    def test_without_dpkg_the_names_are_told(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tool["system"].shutil, "which", lambda _: None)
        with pytest.raises(tool["steps"].InstallationError, match=r"no dpkg.*gfortran"):
            tool["system"].missing_packages(["gfortran"])

    def test_a_python_without_venv_or_headers_asks_for_them(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        system = tool["system"]
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        monkeypatch.setattr(system.importlib.util, "find_spec", lambda _: None)
        monkeypatch.setattr(system.sysconfig, "get_path", lambda _: "/nowhere")
        assert system.python_packages() == [f"{name}-venv", f"{name}-dev"]

    def test_an_existing_petsc_needs_no_libraries(self, tool: dict[str, ModuleType]) -> None:
        wanted = tool["system"].wanted_packages(compilers=True, libraries=False)
        assert "gfortran" in wanted
        assert "libmumps-dev" not in wanted


class TestExistingPetsc:
    def test_none_is_named(self, tool: dict[str, ModuleType]) -> None:
        assert tool["petsc"].installed_petsc() is None

    @pytest.mark.parametrize(
        ("version", "extra", "message"),
        [
            ("3.18.2", COMPLETE, r"holds PETSc 3\.18\.2\. pdesolve needs .* 3\.26\.0"),
            ("3.26.0", COMPLETE + "#define PETSC_USE_COMPLEX 1\n", "is complex-valued"),
            ("3.26.0", "#define PETSC_USE_REAL_SINGLE 1\n", "not in double precision"),
            ("3.26.0", "#define PETSC_USE_REAL_DOUBLE 1\n", "without HDF5 and MUMPS"),
            ("3.26.0", COMPLETE + "#define PETSC_HAVE_MPIUNI 1\n", "without MPI"),
        ],
    )
    def test_one_that_does_not_fit_is_told_apart(
        self,
        tool: dict[str, ModuleType],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        version: str,
        extra: str,
        message: str,
    ) -> None:
        monkeypatch.setenv("PETSC_DIR", str(fake_petsc(tmp_path, version=version, extra=extra)))
        with pytest.raises(tool["steps"].InstallationError, match=message) as caught:
            tool["petsc"].installed_petsc()
        assert "Unset PETSC_DIR" in str(caught.value)

    def test_an_absent_folder_or_arch(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        error = tool["steps"].InstallationError
        monkeypatch.setenv("PETSC_DIR", str(tmp_path / "nowhere"))
        with pytest.raises(error, match=r"no include/petscversion\.h"):
            tool["petsc"].installed_petsc()
        monkeypatch.setenv("PETSC_DIR", str(fake_petsc(tmp_path, extra=COMPLETE)))
        monkeypatch.setenv("PETSC_ARCH", "linux-debug")
        with pytest.raises(error, match="PETSC_ARCH='linux-debug'"):
            tool["petsc"].installed_petsc()

    def test_one_that_fits_brings_its_mpi_and_hdf5(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fake_petsc(tmp_path, extra=COMPLETE, arch="linux")
        variables = tmp_path / "linux" / "lib" / "petsc" / "conf" / "petscvariables"
        variables.parent.mkdir(parents=True)
        variables.write_text(
            "CC = /opt/mpi/bin/mpicc\nHDF5_LIB = -Wl,-rpath,/opt/hdf5/lib -L/opt/hdf5/lib -lhdf5\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("PETSC_DIR", str(tmp_path))
        monkeypatch.setenv("PETSC_ARCH", "linux")
        found = tool["petsc"].installed_petsc()
        assert found.compiler == "/opt/mpi/bin/mpicc"
        assert found.hdf5 == Path("/opt/hdf5")
        environment = found.environment()
        assert environment["PATH"].startswith("/opt/mpi/bin:")
        assert environment["PETSC_ARCH"] == "linux"


class TestExistingFiredrake:
    def test_another_version_is_refused(self, tool: dict[str, ModuleType]) -> None:
        found = {"firedrake": "2025.4.0", "petsc4py": "3.23.4"}
        with pytest.raises(tool["steps"].InstallationError) as caught:
            tool["existing"].require_fit(Path("/fd/bin/python"), found)
        text = str(caught.value)
        assert "/fd/bin/python imports Firedrake 2025.4.0 with petsc4py 3.23.4" in text
        assert "needs Firedrake 2026.10.0 with petsc4py 3.26.0" in text
        assert "deactivate" in text

    def test_one_that_fits_keeps_its_versions(self, tool: dict[str, ModuleType]) -> None:
        existing = tool["existing"].ExistingFiredrake(
            Path("/fd/bin/python"), {"numpy": "2.3.0", "h5py": "3.15.0"}, ("/fd/lib",)
        )
        lines = existing.constraints()
        assert "numpy==2.3.0" in lines
        assert "h5py==3.15.0" in lines
        assert f"torch=={tool['versions'].TORCH}" in lines
        assert sum(line.startswith("numpy") for line in lines) == 1

    def test_a_broken_active_environment_is_named(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        python = tmp_path / "bin" / "python"
        python.parent.mkdir()
        python.write_text("#!/bin/sh\necho broken >&2\nexit 1\n", encoding="utf-8")
        python.chmod(0o755)
        monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
        with pytest.raises(tool["steps"].InstallationError, match="does not run: broken"):
            tool["existing"].existing_firedrake(tmp_path / "project")


class Recorder:
    """Stands in for `Steps`: notes the commands, and fails on demand."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.logs: list[str] = []

    def note(self, text: str) -> None: ...

    def step(self, _name: str) -> Any:
        from contextlib import nullcontext

        return nullcontext()

    def run(self, command: list[Any], *, log: str, **_: Any) -> None:
        self.logs.append(log)
        if log == self.failing:
            raise KeyboardInterrupt
        if log == "petsc-download":
            folder = Path(command[command.index("-d") + 1])
            (folder / "petsc-3.26.0").mkdir(parents=True)
            with tarfile.open(folder / "petsc-3.26.0.tar.gz", "w:gz") as archive:
                archive.add(folder / "petsc-3.26.0", "petsc-3.26.0")


class TestResuming:
    @pytest.mark.parametrize(
        ("failing", "again"),
        [
            ("petsc-download", ["petsc-download", "petsc-configure", "petsc-make"]),
            ("petsc-configure", ["petsc-configure", "petsc-make"]),
            ("petsc-make", ["petsc-make"]),
        ],
    )
    def test_it_goes_on_where_it_stopped(
        self, tool: dict[str, ModuleType], failing: str, again: list[str]
    ) -> None:
        cache = tool["cache"].BuildCache()
        cache.prepare()
        build = tool["petsc"].build_petsc
        with pytest.raises(KeyboardInterrupt):
            build(cache, Recorder(failing), Path("python"))
        second = Recorder()
        build(cache, second, Path("python"))
        assert second.logs == [*again, "petsc-install"]
        third = Recorder()
        build(cache, third, Path("python"))
        assert third.logs == []

    def test_wheels_are_kept_and_left_overs_removed(self, tool: dict[str, ModuleType]) -> None:
        cache, versions = tool["cache"].BuildCache(), tool["versions"]
        cache.prepare()
        for name, version in (
            ("petsc4py", versions.PETSC),
            ("mpi4py", versions.MPI4PY),
            ("h5py", versions.H5PY),
            ("libsupermesh", versions.LIBSUPERMESH),
            ("firedrake", versions.FIREDRAKE),
        ):
            (cache.wheels / f"{name}-{version}-cp311-cp311-linux_x86_64.whl").touch()
        (cache.folder / "unfinished-abc").mkdir()
        petsc = tool["petsc"].Petsc(cache.petsc, "", compiler="", hdf5=Path("/hdf5"))
        steps = Recorder()
        wheels = tool["wheels"].WheelBuilder(cache, steps, Path("python"), petsc).all()
        assert len(wheels) == 5
        assert steps.logs == []
        assert not (cache.folder / "unfinished-abc").exists()

    def test_a_full_disk_is_noticed_first(
        self, tool: dict[str, ModuleType], tmp_path: Path
    ) -> None:
        with pytest.raises(tool["steps"].InstallationError, match=r"needs 1000000000\.0 GB"):
            tool["cache"].require_space(tmp_path, 1e18, "building PETSc")

    def test_a_killed_installation_keeps_the_lock_while_its_command_runs(
        self, tool: dict[str, ModuleType], tmp_path: Path
    ) -> None:
        cache = tool["cache"].BuildCache()
        cache.prepare()
        script = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from cache import BuildCache; from steps import Steps; from pathlib import Path\n"
            "cache = BuildCache(); steps = Steps(Path(sys.argv[2]))\n"
            "with cache.lock() as lock, steps.step('x'):\n"
            "    steps.inherited = (lock,)\n"
            "    steps.run(['sh', '-c', 'touch started; sleep 2; touch ended'],\n"
            "              log='x', cwd=Path(sys.argv[2]))\n"
        )
        process = subprocess.Popen([sys.executable, "-c", script, TOOL, tmp_path])
        while not (tmp_path / "started").exists():
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with cache.lock():
            assert (tmp_path / "ended").exists()


class TestSteps:
    def test_a_failure_shows_the_end_of_the_log(
        self, tool: dict[str, ModuleType], tmp_path: Path
    ) -> None:
        steps = tool["steps"].Steps(tmp_path)
        command = ["sh", "-c", "echo the reason; exit 3"]
        with (
            pytest.raises(tool["steps"].InstallationError, match="the reason") as caught,
            steps.step("Compile"),
        ):
            steps.run(command, log="compile")
        assert "'Compile' failed (exit status 3)" in str(caught.value)
        assert str(tmp_path / "compile.log") in str(caught.value)

    def test_each_step_says_how_long_it_took(
        self, tool: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with tool["steps"].Steps(tmp_path).step("Download"):
            pass
        assert capsys.readouterr().out == "==> Download\n    done in 0 s\n"


class TestEnvironment:
    def test_complete_only_while_everything_stands(
        self, tool: dict[str, ModuleType], tmp_path: Path
    ) -> None:
        petsc = tmp_path / "petsc"
        petsc.mkdir()
        environment = tool["environment"].Environment(tmp_path, None, "identity")
        assert not environment.is_complete("one")
        environment.python.parent.mkdir(parents=True)
        environment.python.touch()
        environment.finish("one", [petsc])
        assert environment.is_complete("one")
        assert not environment.is_complete("two")
        petsc.rmdir()
        assert not environment.is_complete("one")

    def test_a_foreign_checkout_is_refused(
        self, tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tool["environment"].os, "access", lambda *_: False)
        environment = tool["environment"].Environment(tmp_path, None, "identity")
        with pytest.raises(tool["steps"].InstallationError, match="cannot be written"):
            environment.require_writable()


def test_an_unwritable_cache_is_told(
    tool: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PDESOLVE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(tool["steps"].InstallationError, match="PDESOLVE_CACHE"):
        tool["cache"].BuildCache().prepare()


def test_make_help_lists_every_target() -> None:
    answer = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[0] for line in answer.stdout.splitlines()}
    assert {"install", "demo", "test", "bench", "lint", "docs", "clean", "help"} <= listed


@pytest.mark.parametrize(
    ("listing", "offered"),
    [
        ("Available versions: {0}+cpu, {0}, 2.1.0", True),
        ("Available versions: {0}, 2.1.0+cpu", False),
        ("", False),
    ],
)
def test_cpu_build_of_torch_is_recognised(
    tool: dict[str, ModuleType], listing: str, offered: bool
) -> None:
    text = listing.format(tool["versions"].TORCH)
    assert tool["environment"].offers_cpu_torch(text) is offered
