"""The command ``pdesolve``: choose the verb, report errors, set the exit code."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO

from pdesolve.command_line.processes import Processes, processes

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

VERBS = {
    "list": "list problem families and neural models",
    "solve": "solve one problem with PETSc or Firedrake",
    "generate": "solve many problems and write a data set",
    "check": "examine a data set and print its card",
    "train": "train a surrogate: fit, validate, test, predict",
    "evaluate": "measure a trained surrogate on data sets",
    "predict": "predict one solution, with an estimate of its error",
}

HELP = """\
usage: pdesolve [--help] [--version] [--debug] VERB ...

Solve partial differential equations, generate data sets from them, train neural
surrogates on those, and use the surrogates inside the solver.

verbs:
{verbs}

options:
  --debug     show the traceback of an error (before or after the verb)
  --version   show the version
  --help      show this text; 'pdesolve VERB --help' shows a verb's options

examples:
  pdesolve list
  pdesolve solve darcy2d --shape 64 64 --seed 7 --out u.pvd -- -ksp_type cg -ksp_monitor
  pdesolve generate darcy2d --num-samples 1000 --shape 43 43 --out darcy.h5
  pdesolve train fit --config run.yaml --trainer.max_epochs 50
  pdesolve evaluate best.ckpt --data darcy_test.h5
  pdesolve solve darcy2d --seed 7 --accelerate best.ckpt

exit codes: 0 success, 1 a solve or a training failed, 2 bad input
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv
        Words after the program's name; those of this process when left out.

    Returns
    -------
    int
        0 success, 1 failed solve or training, 2 bad input, 130 interrupted.

    Examples
    --------
    >>> main(["solve", "darcy1d", "--shape", "32"])  # doctest: +SKIP
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug, words = _take_debug(words)
    if argv is None and words[:1] != ["train"]:
        del sys.argv[1:]  # PETSc and Firedrake would take them for PETSc options
    start = processes()
    code = FAILURE
    try:
        with _printing(start.rank == 0), _plain_warnings(show=start.rank == 0):
            code = _run(words)
            sys.stdout.flush()
        start.finish()
        return code
    except SystemExit as stop:  # from the parser's --help and --print_config
        return stop.code if isinstance(stop.code, int) else SUCCESS
    except BrokenPipeError:  # the reader of our output has gone, as in `pdesolve list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except BaseException as error:
        code = _exit_code(error)
        _end(start, error, code, words, debug)
    return code


def _take_debug(words: list[str]) -> tuple[bool, list[str]]:
    """Find ``--debug`` among the words before ``--``."""
    end = words.index("--") if "--" in words else len(words)
    own = [word for word in words[:end] if word != "--debug"]
    return len(own) < end, own + words[end:]


def _run(words: list[str]) -> int:
    from meshes.errors import InputError, suggest

    if not words or words[0] in ("-h", "--help", "help"):
        listed = "\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())
        print(HELP.format(verbs=listed), end="", file=sys.stdout if words else sys.stderr)
        return SUCCESS if words else BAD_INPUT
    if words[0] == "--version":
        from pdesolve import __version__

        print(f"pdesolve {__version__}")
        return SUCCESS
    verb = words[0]
    if verb.startswith("-"):
        raise InputError(
            f"'{verb}' stands before the verb, where only --help, --version and --debug may; "
            f"put it after one of: {', '.join(VERBS)}"
        )
    if verb not in VERBS:
        raise InputError(f"there is no verb '{verb}'. {suggest(verb, VERBS)}")
    if verb in ("solve", "generate"):
        # a thread for each process: threads that wait for small blocks slow PETSc down
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    module = importlib.import_module(f"pdesolve.command_line.{verb}")
    code: int = module.run(words[1:])
    return code


def _exit_code(error: BaseException) -> int:
    from meshes.errors import InputError, MissingDependencyError
    from operators.failures import CheckpointError, DataFileError

    bad_input = (InputError, MissingDependencyError, DataFileError, CheckpointError)
    paths = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return BAD_INPUT if isinstance(error, (*bad_input, *paths, PermissionError)) else FAILURE


def _end(start: Processes, error: BaseException, code: int, words: list[str], debug: bool) -> None:
    """Say what went wrong, and do not leave other processes waiting."""
    message = _message(error, words, debug)
    if start.rank == 0:
        sys.stderr.write(message)
        sys.stderr.flush()
    together = start.all_failed()
    if start.rank and not together:
        sys.stderr.write(f"process {start.rank}: {message}")
    sys.stderr.flush()
    if start.rank == 0 or not together:
        start.abort(code)


def _message(error: BaseException, words: list[str], debug: bool) -> str:
    from meshes.errors import PDESolveError
    from operators.failures import SolveFailure, TimeStepFailure

    trace = "".join(traceback.format_exception(error)) if debug else ""
    name = f"pdesolve {words[0]}" if words and words[0] in VERBS else "pdesolve"
    if isinstance(error, KeyboardInterrupt):
        return f"{trace}{name}: interrupted\n"
    text = f"{trace}{name}: error: "
    if isinstance(error, PDESolveError | OSError):
        text += str(error)
    else:
        text += f"{type(error).__name__}: {error}"
        if not debug:
            text += " (this was not foreseen; --debug shows where it happened)"
    if isinstance(error, SolveFailure):  # whose advice is for Python
        text = text.partition(" Pass check=False")[0]
        if words[:1] == ["solve"] and not isinstance(error, TimeStepFailure):
            text += " '--check false' shows and writes the last iterate."
    return text + "\n"


@contextmanager
def _printing(here: bool) -> Iterator[None]:
    """Print on the first process only."""
    if here:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def _plain_warnings(*, show: bool) -> Iterator[None]:
    """Print warnings as one line, without the place in the source."""

    def print_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del category, filename, lineno, line
        if show:
            print(f"pdesolve: warning: {message}", file=file or sys.stderr)

    with warnings.catch_warnings():
        # Firedrake, on finding that PETSc runs already, as it should here
        warnings.filterwarnings("ignore", message="Calling petsctools.init")
        warnings.showwarning = print_warning
        yield


if __name__ == "__main__":
    sys.exit(main())
