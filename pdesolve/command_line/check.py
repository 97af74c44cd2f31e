"""``pdesolve check``: a data set."""

from __future__ import annotations

from collections.abc import Sequence

from operators.failures import DataFileError
from pdesolve.command_line.main import SUCCESS
from pdesolve.command_line.parsing import VerbParser, existing_file, required

EXAMPLES = ("check darcy.h5", "check darcy.h5 darcy_test.h5 --card false")


def run(words: Sequence[str]) -> int:
    """Examine files and print their cards."""
    from pdesolve.data import check_dataset, read_card

    parser = VerbParser(
        "check",
        "Examine data sets: format, checksums, shapes, every value; then print their cards.",
        EXAMPLES,
    )
    parser.positional("files", "data sets (.h5)", many=True)
    parser.option("card", bool, "whether to print the card of a good file", True)
    given = parser.parse(words)
    files = required(given, "files", EXAMPLES[0])
    paths = [existing_file(path, "files") for path in files]
    bad = []
    for path in paths:
        report = check_dataset(path)
        print(report.text())
        if not report.passed:
            bad.append(str(path))
        elif given["card"]:
            print(f"\n{read_card(path)}")
    if bad:
        raise DataFileError(f"{', '.join(bad)}: not good, see above")
    return SUCCESS
