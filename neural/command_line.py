"""``pdesolve train``: fit, validate, test and predict from a configuration file."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from jsonargparse import ArgumentError
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
)

from meshes.errors import InputError, suggest
from neural.models.registry import MODELS, get_model
from neural.training.checkpoints import read_checkpoint
from neural.training.data import PDEDataModule
from neural.training.module import SurrogateModule
from neural.training.point_cloud_module import PointCloudModule
from neural.training.report import EpochReport
from neural.training.trajectory_data import TrajectoryDataModule
from neural.training.trajectory_module import TrajectoryModule

ACTIONS = {
    "fit": "train; writes last.ckpt, with validation data best.ckpt, metrics.csv, config.yaml",
    "validate": "error on the validation data",
    "test": "error on the test data",
    "predict": "outputs for the test data, as an array",
}
TASKS: dict[str, tuple[type[lightning.LightningModule], type[lightning.LightningDataModule]]] = {
    "steady": (SurrogateModule, PDEDataModule),
    "trajectory": (TrajectoryModule, TrajectoryDataModule),
    "points": (PointCloudModule, PDEDataModule),
}
"""What the key ``task`` of a configuration means: the training module and its data."""
_EXAMPLES = """\
examples:
  pdesolve train fit --config examples/darcy_fno.yaml
  pdesolve train fit --config examples/darcy_fno.yaml --trainer.max_epochs 50 --out runs/a
  pdesolve train fit --config examples/benchmarks/darcy_lsm.yaml --fast
  pdesolve train fit --config runs/a/config.yaml --ckpt_path runs/a/last.ckpt
  pdesolve train test --config runs/a/config.yaml --ckpt_path runs/a/best.ckpt
  pdesolve train fit --config examples/operators/navier_stokes_fno.yaml
"""


class TrainingCommand(LightningCLI):
    """Lightning's command line with this project's model, data and output folder."""

    def __init__(self, words: Sequence[str], task: str) -> None:
        options: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            *TASKS[task],
            save_config_callback=_SaveConfig,
            save_config_kwargs={"overwrite": True, "save_to_log_dir": False},
            trainer_defaults={
                "max_epochs": 40,
                "accelerator": "auto",
                "devices": "auto",
                "deterministic": True,
                "enable_progress_bar": sys.stderr.isatty(),
                "enable_model_summary": False,
                "log_every_n_steps": 1,
            },
            seed_everything_default=0,
            parser_kwargs={
                **options,
                "prog": "pdesolve train",
                "epilog": _EXAMPLES,
                **{action: dict(options) for action in ACTIONS},
            },
            args=list(words),
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the task and the output folder."""
        parser.add_argument(
            "--task",
            type=Literal["steady", "trajectory", "points"],
            default="steady",
            help="steady: from input to output fields; trajectory: from frames to later frames; "
            "points: steady, with other numbers of points in each sample",
        )
        parser.add_argument(
            "--out", type=str, default="training", help="folder for checkpoints and logs"
        )
        parser.add_argument(
            "--overwrite", action="store_true", help="replace what an earlier run left there"
        )

    def instantiate_trainer(self, **options: Any) -> lightning.Trainer:
        """The trainer, writing into the output folder."""
        out, fitting = Path(self._get(self.config, "out")), self.subcommand == "fit"
        data = cast("PDEDataModule | TrajectoryDataModule", self.datamodule)
        if not fitting and self._get(self.config, "ckpt_path") is None:
            raise InputError(
                f"--ckpt_path is missing: 'pdesolve train {self.subcommand}' needs the checkpoint "
                "of a trained model, such as --ckpt_path training/best.ckpt"
            )
        data.setup()  # refuses unfit data before anything is written
        own = self._get(self.config_init, "trainer")
        loggers: Any = own.get("logger")
        if loggers is None and fitting:
            loggers = [CSVLogger(out, name="", version="")]
            if importlib.util.find_spec("tensorboard") is not None:
                loggers.append(TensorBoardLogger(out, name="", version=""))
        callbacks = self._callbacks(out, data) if fitting else []
        given = own.get("callbacks") or []
        options = {
            "default_root_dir": str(out),
            "logger": loggers if loggers is not None else False,
            **options,
            "callbacks": [*(given if isinstance(given, list) else [given]), *callbacks],
        }
        return self._instantiate_trainer({**own, **options}, [])

    def before_fit(self) -> None:
        """Do not lose an earlier run's results."""
        if self.trainer.is_global_zero:
            resumed = self._get(self.config, "ckpt_path") is not None
            out, overwrite = self._get(self.config, "out"), self._get(self.config, "overwrite")
            _prepare(Path(out), resumed=resumed, overwrite=overwrite)

    def _parse_ckpt_path(self) -> None:
        """Refuse unsafe and foreign checkpoints; take no options from them."""
        path = self.config[self.config.subcommand].get("ckpt_path")
        if path is not None:
            read_checkpoint(path)

    def _callbacks(
        self, out: Path, data: PDEDataModule | TrajectoryDataModule
    ) -> list[lightning.Callback]:
        bar = bool(self._get(self.config_init, "trainer").get("enable_progress_bar"))
        found: list[lightning.Callback] = [] if bar else [EpochReport()]
        validated = bool(data.paths["validation"]) or bool(data.fractions and data.fractions[1])
        common: dict[str, Any] = {"dirpath": out, "enable_version_counter": False}
        if not validated:
            return [*found, ModelCheckpoint(filename="last", **common)]
        metric = "validation_relative_l2"
        return [
            *found,
            ModelCheckpoint(filename="best", monitor=metric, save_last=True, **common),
            EarlyStopping(metric, patience=10**9, check_finite=True, strict=False),
        ]

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        given = super()._prepare_subcommand_kwargs(subcommand)
        given["weights_only"] = True
        return given

    def predict(self, **options: Any) -> None:
        """Predict the test data and write ``predictions.npy``.

        Its shape is (sample, channel, *shape), with an axis of frames after that of samples
        for trajectories.
        """
        if self.trainer.world_size > 1:
            raise InputError(
                f"predictions on {self.trainer.world_size} devices would be in pieces; give "
                "--trainer.devices 1"
            )
        parts = self.trainer.predict(**options)
        out = Path(self._get(self.config, "out"))
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / "predictions.npy", torch.cat(cast("Any", parts)).cpu().numpy())
        print(f"wrote {out / 'predictions.npy'}")

    def after_test(self) -> None:
        """Write the errors of the frames of trajectories, ``frame_errors.csv``."""
        module = self.model
        if not isinstance(module, TrajectoryModule) or not self.trainer.is_global_zero:
            return
        out = Path(self._get(self.config, "out"))
        out.mkdir(parents=True, exist_ok=True)
        rows = [
            f"{number},{number * module.time_step:.10g},{error:.10g}"
            for number, error in enumerate(module.frame_errors, start=1)
        ]
        (out / "frame_errors.csv").write_text(
            "\n".join(["frame,time_after_history,relative_l2", *rows]) + "\n"
        )
        print(f"wrote {out / 'frame_errors.csv'}")

    def after_fit(self) -> None:
        """Say where the results are."""
        if not self.trainer.is_global_zero:
            return
        module = cast("SurrogateModule | TrajectoryModule", self.model)
        out = Path(self._get(self.config, "out"))
        metrics = ", ".join(
            f"{name.replace('_relative_l2', '')} {float(value):.4f}"
            for name, value in sorted(self.trainer.callback_metrics.items())
            if name.endswith("_relative_l2")
        )
        best = "best.ckpt and last.ckpt" if (out / "best.ckpt").exists() else "last.ckpt"
        print(
            f"trained for {module.training_seconds:.0f} s; "
            + (f"relative L2 error: {metrics}; " if metrics else "no epoch was left to train; ")
            + f"wrote {best} in {out}"
        )


class _SaveConfig(SaveConfigCallback):
    """Keeps the resolved configuration beside the results of ``fit``."""

    def save_config(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        del pl_module
        if stage != "fit":
            return
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, folder / self.config_filename, overwrite=True)


def main(words: Sequence[str]) -> int:
    """Run ``pdesolve train`` with the words after ``train``.

    Parameters
    ----------
    words
        An action (fit, validate, test, predict) and its options.

    Returns
    -------
    int
        0. Failures are raised.

    Raises
    ------
    InputError
        For an unknown action or key (named, with the nearest known one), a value of the
        wrong type, a missing file.
    TrainingFailure
        If the loss is not finite.

    Examples
    --------
    >>> main(["fit", "--config", "examples/darcy_fno.yaml"])  # doctest: +SKIP
    0
    """
    if not words or words[0] in ("-h", "--help"):
        listed = "\n".join(f"  {action:<10}{text}" for action, text in ACTIONS.items())
        print(
            f"usage: pdesolve train ACTION [options]\n\nactions:\n{listed}\n\n{_EXAMPLES}", end=""
        )
        return 0
    if words[0] not in ACTIONS:
        raise InputError(f"there is no action '{words[0]}'. {suggest(words[0], ACTIONS)}")
    words = fast_variant(words)
    _check_paths(words)
    task = task_of(words)
    with _quiet():
        try:
            TrainingCommand(words, task)
        except ArgumentError as error:
            raise InputError(explain(str(error), task)) from error
        except MisconfigurationException as error:
            raise InputError(str(error)) from error
    return 0


def fast_variant(words: Sequence[str]) -> list[str]:
    """The words with ``--fast`` carried out: each configuration's small one in its place.

    The small configuration of ``NAME.yaml`` is ``NAME_fast.yaml`` beside it.

    Raises
    ------
    InputError
        If there is no configuration, or no small one beside it.

    Examples
    --------
    >>> fast_variant(["fit", "--config", "own.yaml"])
    ['fit', '--config', 'own.yaml']
    """
    if "--fast" not in words:
        return list(words)
    found: list[str] = []
    expected = replaced = False
    for word in words:
        name, equals, value = word.partition("=")
        option = name in ("--config", "-c")
        if expected or (option and equals):
            given = word if expected else value
            path = Path(given)
            other = path.with_name(f"{path.stem.removesuffix('_fast')}_fast{path.suffix}")
            if not other.is_file():
                raise InputError(
                    f"--fast asks for the small variant of '{given}', and there is no '{other}'; "
                    "write one, or leave --fast out"
                )
            word = str(other) if expected else f"{name}={other}"
            replaced = True
        expected = option and not equals
        if word != "--fast":
            found.append(word)
    if not replaced:
        raise InputError(
            "--fast takes the small variant of a configuration: give one with --config FILE"
        )
    return found


def task_of(words: Sequence[str]) -> str:
    """The task that words and their configuration files name; the last one counts.

    Raises
    ------
    InputError
        If there is no such task.

    Examples
    --------
    >>> task_of(["fit", "--task", "trajectory"])
    'trajectory'
    """
    from pdesolve.command_line.parsing import read_config

    found: Any = "steady"
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        given = value if equals else (list(words) + [""])[index + 1]
        if name == "--task":
            found = given
        elif name in ("--config", "-c"):
            content = read_config(given)
            inside = content.get(words[0])
            found = content.get("task", found)
            found = inside.get("task", found) if isinstance(inside, dict) else found
    if found not in TASKS:
        raise InputError(f"there is no task '{found}'. {suggest(str(found), TASKS)}")
    return str(found)


def explain(text: str, task: str = "steady") -> str:
    """A parser's message in this project's words: the key, and the nearest known one.

    Examples
    --------
    >>> explain("unrecognized arguments: --trainer.max_epoch 3")
    "there is no option 'trainer.max_epoch'. Did you mean 'trainer.max_epochs'?"
    """
    line = " ".join(text.split())
    unknown = re.search(r"nrecognized arguments: (?:--)?([\w.-]+)", line) or re.search(
        r"does not accept option '([\w.-]+)'", line
    )
    if unknown:
        return f"there is no option '{unknown[1]}'{_elsewhere(unknown[1], task)}"
    wrong = re.search(r'Parser key "([^"]+)":', line)
    foreign = re.search(r"Import path (\S+) does not correspond to a subclass of (\w+)", line)
    if wrong and foreign:
        return f"{wrong[1]}: '{foreign[1]}' is no {foreign[2]}"
    # a message on a nested value repeats what all alternatives expected; the first says enough
    value = re.findall(r"(?:Got value|Given value): (.*?)(?: Errors:| - |$)", line)
    if wrong and value:
        kinds = re.findall(
            r"Expected an? (typing\.Literal\[.*?\]|<class '[\w.]+'>|[\w\[\], ]+?)"
            r"(?=\.| -| Given|$)",
            line,
        )
        expected = " or ".join(dict.fromkeys(kind for kind in kinds if kind)) or "another type"
        return f"{wrong[1]}: '{value[-1]}' was given, expected is {_worded(expected)}"
    return f"{line}; see 'pdesolve train fit --help'"


def _worded(kind: str) -> str:
    names = {
        "int": "an integer",
        "float": "a number",
        "str": "a text",
        "bool": "true or false",
        "Sequence": "a list",
        "Mapping": "a mapping",
        "dict": "a mapping",
    }
    parts = [re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", part) for part in kind.split(" or ")]
    parts = [names.get(part, part) for part in parts if part != "NoneType"]
    literal = all(part.startswith("typing.Literal") for part in parts)
    choices = [re.sub(r"typing\.Literal\[(.*)\]", r"\1", part) for part in parts]
    return ("one of " if literal else "") + " or ".join(choices)


def _elsewhere(key: str, task: str) -> str:
    """What to say about an unknown key: that it belongs to another task, or the nearest one."""
    for other in TASKS:
        if key in _known_keys(other) and key not in _known_keys(task):
            return (
                f" with task: {task}, but there is with task: {other}. Write 'task: {other}' in "
                f"the configuration, or give --task {other}"
            )
    return f". {_nearest(key, task)}"


def _nearest(key: str, task: str) -> str:
    known = _known_keys(task)
    group, _, leaf = key.rpartition(".")
    siblings = {name.rpartition(".")[2]: name for name in known if name.startswith(f"{group}.")}
    anywhere = {name.rpartition(".")[2]: name for name in known}
    for names in (siblings if group else {}, {name: name for name in known}, anywhere):
        wanted = key if names.keys() == set(known) else leaf
        near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.8)
        if near:
            return f"Did you mean '{names[near[0]]}'?"
    return "See 'pdesolve train fit --help'"


def _known_keys(task: str) -> list[str]:
    import inspect

    groups: dict[str, Any] = {
        "model": TASKS[task][0],
        "data": TASKS[task][1],
        "trainer": lightning.Trainer,
    }
    keys = ["config", "task", "out", "overwrite", "ckpt_path", "seed_everything"]
    for group, owner in groups.items():
        names = [name for name in inspect.signature(owner).parameters if name != "self"]
        keys += [group, *(f"{group}.{name}" for name in names)]
    for model in MODELS:
        names = [name for name in inspect.signature(get_model(model)).parameters if name != "self"]
        keys += [f"model.model.{name}" for name in ("name", *names)]
    return keys


def _check_paths(words: Sequence[str]) -> None:
    from pdesolve.command_line.parsing import existing_file, read_config

    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("--config", "-c", "--ckpt_path"):
            given = value if equals else (list(words) + [""])[index + 1]
            if name == "--ckpt_path":
                existing_file(given, name)
            else:
                read_config(given)


def _prepare(out: Path, *, resumed: bool, overwrite: bool) -> None:
    """Do not lose an earlier run's results."""
    left = [out / name for name in ("best.ckpt", "last.ckpt", "metrics.csv")]
    if resumed:
        log = out / "metrics.csv"
        if log.exists():
            kept = len(list(out.glob("metrics_before_resume_*.csv")))
            log.rename(out / f"metrics_before_resume_{kept + 1}.csv")
        return
    found = [path for path in left if path.exists()]
    if found and not overwrite:
        raise InputError(
            f"'{out}' holds an earlier run ({found[0].name}); give another --out, resume with "
            "--ckpt_path, or replace it with --overwrite"
        )
    for path in found:
        path.unlink()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's remarks on hardware and loaders."""
    names = ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero", "lightning_fabric")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for pattern in (
            ".*does not have many workers.*",
            ".*args parameter is intended to run from within Python.*",
            ".*no `val_dataloader`.*",
            ".*`val_dataloader` returned 0.*",
            ".*val_dataloader.*length is 0.*",
            ".*Checkpoint directory .* exists and is not empty.*",
            ".*Total length of `list` across ranks is zero.*",
            r"\s*By default only one JsonargparseDeprecationWarning",
            r"\s*``instantiate_classes`` was deprecated",
            ".*logs directory .* exists and is not empty.*",
            "The dirpath has changed from .*",
            ".*isinstance.treespec, LeafSpec.*",
            ".*callbacks used to create the checkpoint need to be provided.*",
        ):
            warnings.filterwarnings("ignore", message=pattern)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
