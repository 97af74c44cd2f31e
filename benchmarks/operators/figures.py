"""A table for each model's page: published errors beside those measured here.

``python -m benchmarks.operators figures`` puts it together from the tables of the other
benchmarks of this folder, which must have been run before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.operators.comparison import CANDIDATES
from benchmarks.table import Table, Tables, show

RESULTS = Path(__file__).parents[1] / "results" / "operators"

LI = "Li et al. 2021"
WU = "Wu et al. 2023, 500 epochs"
TRANSOLVER = "Wu et al. 2024, 500 epochs"
DARCY = "Darcy 85², 1000 samples"
VORTICITY = "Navier–Stokes 1e-5, 1000 samples"

PUBLISHED: Mapping[str, Sequence[tuple[str, str, float]]] = {
    "fno": ((DARCY, LI, 1.08), (VORTICITY, LI, 15.56)),
    "factorized-fno": ((DARCY, WU, 0.77),),
    "unet": ((DARCY, WU, 0.80), (VORTICITY, WU, 19.82)),
    "lsm": ((DARCY, WU, 0.65), (VORTICITY, WU, 15.35)),
    "deeponet": ((DARCY, WU, 5.88), (VORTICITY, WU, 29.72)),
    "transolver": ((DARCY, TRANSOLVER, 0.57), (VORTICITY, TRANSOLVER, 9.00)),
    "message-passing": (),
}
"""By model: data, source, relative L2 error in per cent."""


def run(folder: Path = RESULTS) -> Tables:
    """Tables ``figures_NAME`` from the results in a folder.

    Parameters
    ----------
    folder
        Where the tables of the other benchmarks are.
    """
    return Tables(tuple(_of_model(name, folder) for name in PUBLISHED))


def _of_model(name: str, folder: Path) -> Table:
    table = Table(
        f"figures_{name}",
        f"Relative L2 errors on test data, %: {name}",
        ("data", "published", "here", "how"),
    )
    for data, source, error in PUBLISHED[name]:
        runs = [run for run in _full_size(folder) if run[:2] == (data, name)]
        for _, _, found, how in runs or [("", "", "–", "")]:
            table.add(data, f"{error:.2f} ({source})", found, how)
    title, rows = _read(folder, "comparison")
    for label in (one.label for one in CANDIDATES if one.model["name"] == name):
        for row in (row for row in rows if row[0] == label):
            error = f"{show(float(row[4]))} ± {show(float(row[5]))}"
            table.add(title.removeprefix("Models on "), "–", error, f"{label}; `comparison`")
    title, rows = _read(folder, "lsm_ablation")
    starts = {"lsm": "LSM", "unet": "U-Net", "fno": "FNO"}.get(name)
    for row in rows if starts else ():
        if row[0].startswith(starts):
            error = f"{show(float(row[3]))} ± {show(float(row[4]))}"
            table.add(title.partition(": ")[2], "–", error, f"{row[0]}; `lsm_ablation`")
    if name == "fno":
        title, rows = _read(folder, "burgers")
        for row in rows:
            error = f"{100 * float(row[1]):.2f}"
            published = f"{100 * float(row[2]):.2f} ({LI})"
            table.add(f"Burgers, {row[0]} points", published, error, f"{title}; `burgers`")
    table.notes.append(
        "A row without a number in a column has no equal there: the published rows are for the "
        "authors' data, sizes and budgets, ours for what two cores can train, "
        "unless a row says cuda."
    )
    return table


def _full_size(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Data, model, error in per cent and words of each run of ``full_size``."""
    places = {"Darcy 85²": DARCY, "Navier–Stokes 10⁻⁵": VORTICITY}
    models = {"FNO": "fno", "LSM": "lsm", "U-Net": "unet", "Transolver": "transolver"}
    for device in ("cuda", "cpu"):
        _, rows = _read(folder, f"full_size_{device}")
        for case, _, epochs, _, error, *_ in rows:
            data, model, *_ = case.split(", ")
            if data in places:
                length = "" if f"{epochs} epochs" in case else f", {epochs} epochs"
                how = f"{case}{length}, {device}; `full_size`"
                yield places[data], models[model], f"{100 * float(error):.2f}", how


def _read(folder: Path, name: str) -> tuple[str, list[list[Any]]]:
    path = folder / f"{name}.json"
    if not path.exists():
        return "", []
    found = json.loads(path.read_text())
    return str(found["title"]), list(found["rows"])
