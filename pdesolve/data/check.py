"""Examination of a data-set file, value by value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operators.failures import DataFileError
from pdesolve.data.field_statistics import FieldStatistics
from pdesolve.data.header import (
    open_file,
    verify_arrays,
    verify_attributes,
    verify_columns,
    verify_complete,
    verify_texts,
    verify_version,
)
from pdesolve.data.samples import sample_digest
from pdesolve.data.schema import DIGEST, DRIFT, FIELDS, GROUP, PER_SAMPLE, USABLE

BLOCK_BYTES = 32 * 2**20
ROUNDING = 1e-12
"""Allowed difference of statistics, relative to the largest value."""


@dataclass(frozen=True)
class Check:
    """One examination and its outcome.

    Parameters
    ----------
    name
        What was examined.
    passed
        The outcome.
    detail
        What was found.
    """

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class CheckReport:
    """All examinations of one file, up to the first that made further ones pointless.

    Parameters
    ----------
    path
        The file.
    checks
        Outcomes in order.
    """

    path: Path
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all passed."""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """One line an examination."""
        lines = [f"{self.path}: {'good' if self.passed else 'NOT GOOD'}"]
        for check in self.checks:
            mark = "ok  " if check.passed else "FAIL"
            lines.append(f"  {mark} {check.name}" + (f": {check.detail}" if check.detail else ""))
        return "\n".join(lines)

    def require(self) -> None:
        """Raise for a file that is not good.

        Raises
        ------
        DataFileError
            With the report.
        """
        if not self.passed:
            raise DataFileError(self.text())


def check_dataset(path: str | Path) -> CheckReport:
    """Examine a data set: format, checksums, shapes, every value, statistics.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    CheckReport
        One entry an examination.

    Raises
    ------
    InputError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from pdesolve.data import generate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = generate("darcy2d", 4, shape=8, out=f"{folder}/darcy.h5")
    ...     check_dataset(info.path).passed
    True
    """
    target = Path(path)
    checks: list[Check] = []
    try:
        file = open_file(target)
    except DataFileError as error:
        return CheckReport(target, (Check("HDF5 file", False, str(error)),))
    checks.append(Check("HDF5 file", True))
    with file:
        settings: dict[str, Any] = {}
        steps: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("schema version", lambda: verify_version(file, target)),
            ("written to the end", lambda: verify_complete(file, target)),
            ("texts", lambda: verify_texts(file, target)),
            ("attributes", lambda: settings.update(verify_attributes(file, target))),
            ("arrays", lambda: verify_arrays(file, target, settings)),
            ("sample numbers", lambda: verify_columns(file, target, settings)),
        )
        for name, step in steps:
            failure = _attempt(step)
            checks.append(Check(name, not failure, failure))
            if failure:
                return CheckReport(target, tuple(checks))
        try:
            checks += _check_values(file, settings)
        except (OSError, RuntimeError) as error:
            checks.append(Check("checksums", False, f"a block of data is damaged ({error})"))
    return CheckReport(target, tuple(checks))


def _attempt(step: Callable[[], Any]) -> str:
    try:
        step()
    except (DataFileError, OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        return str(error) or type(error).__name__
    return ""


def _check_values(file: Any, settings: dict[str, Any]) -> list[Check]:
    """Read everything once."""
    own = file[GROUP]
    columns = {name: own[name][:] for name in PER_SAMPLE}
    scalars = {f"scalar {name}": file["scalars"][name][:] for name in settings["scalars"]}
    inputs, names = settings["inputs"], settings["inputs"] + settings["outputs"]
    usable = np.isin(columns["status"], USABLE)
    stored = own[DIGEST][:]
    statistics = {name: FieldStatistics() for name in names}
    count = settings["num_samples"]
    times = len(settings.get("times", (0.0,)))
    num_fields = len(inputs) + times * len(settings["outputs"])
    row_bytes = 8 * max(1, int(np.prod(settings["shape"]))) * num_fields
    block = max(1, BLOCK_BYTES // row_bytes)
    bad_values: list[str] = []
    bad_digests: list[int] = []
    for first in range(0, count, block):
        rows = slice(first, min(first + block, count))
        arrays = {
            f"field {name}": file[FIELDS][name][(rows, 0) if times == 1 else rows] for name in names
        }
        for name in names:
            values = arrays[f"field {name}"]
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            # outputs of failed samples are NaN by intent
            wanted = np.ones_like(finite) if name in inputs else usable[rows]
            bad_values += [
                f"'{name}' of sample {first + int(row)}" for row in np.flatnonzero(wanted & ~finite)
            ]
            statistics[name].add(values[usable[rows]])
        arrays |= {name: values[rows] for name, values in {**columns, **scalars}.items()}
        bad_digests += [
            first + row
            for row in range(rows.stop - first)
            if sample_digest(arrays, row) != stored[first + row].tobytes()
        ]
    failed = np.flatnonzero(~usable)
    return [
        Check("checksums", True),
        Check("values are finite", not bad_values, _listed(bad_values)),
        Check("sample digests", not bad_digests, _listed(bad_digests)),
        Check(
            "data set digest",
            hashlib.sha256(stored.tobytes()).digest() == own.attrs["sha256"].tobytes(),
        ),
        _check_residuals(columns, usable),
        Check("samples alike", True, _alike(stored)),
        Check("statistics", *_compare(own["statistics"], statistics)),
        Check(
            "solved samples",
            len(failed) < count,
            f"{count - len(failed)} of {count}"
            + (f", {len(failed)} failed and left out by readers" if len(failed) else ""),
        ),
    ]


def _check_residuals(columns: dict[str, Any], usable: Any) -> Check:
    residual, tolerance = columns["residual"][usable], columns["tolerance"][usable]
    known = np.isfinite(tolerance)
    if len(residual) and not known.any():
        return Check("residuals meet the tolerance", True, "solved in time: every step converged")
    worst = float((residual[known] / tolerance[known]).max()) if len(residual) else 0.0
    return Check("residuals meet the tolerance", worst <= DRIFT, f"largest ratio {worst:.2g}")


def _alike(stored: Any) -> str:
    """Samples may coincide where few values are possible; it is worth saying."""
    _, counts = np.unique(stored, axis=0, return_counts=True)
    repeated = int((counts - 1).sum())
    return f"{repeated} repeat another one" if repeated else "none"


def _compare(group: Any, found: dict[str, FieldStatistics]) -> tuple[bool, str]:
    for name, statistics in found.items():
        stored, values = group[name][:], statistics.values()
        # the extremes are values of the data; sums round differently on other processors
        extremes = np.array_equal(stored[:2], values[:2], equal_nan=True)
        slack = ROUNDING * float(np.abs(values[:2]).max())
        if not extremes or not np.allclose(
            stored[2:], values[2:], rtol=0, atol=slack, equal_nan=True
        ):
            return False, f"those of '{name}' do not fit the data"
        if statistics.count and values[3] == 0.0:
            return False, f"'{name}' has the same value everywhere"
    return True, ""


def _listed(items: list[Any]) -> str:
    return ", ".join(map(str, items[:5])) + (
        f" and {len(items) - 5} more" if len(items) > 5 else ""
    )
