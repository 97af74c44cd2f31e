"""What measurements of training share: a folder, results that are kept, one run on Darcy flow."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from neural.command_line import main as train
from pdesolve import generate

SHAPE = (43, 43)
L2_AND_DIFFERENCES: Mapping[str, Any] = {
    "class_path": "neural.training.RelativeH1",
    "init_args": {"weight": 0.5},
}


@contextlib.contextmanager
def benchmark_folder() -> Iterator[Path]:
    """Where data and checkpoints go: PDESOLVE_BENCHMARK_FOLDER, or one that is removed."""
    named = os.environ.get("PDESOLVE_BENCHMARK_FOLDER")
    if named is not None:
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


class KeptResults:
    """Results by key, in a JSON file where one is named, so that a run can go on later.

    Parameters
    ----------
    path
        The file; in memory alone when left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._memory: dict[str, Any] = {}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """What is kept under the key, or what `make` gives, which is then kept."""
        if key not in self._known():
            found = make()
            print(key, found, flush=True)
            self._memory = {**self._known(), key: found}
            if self._path is not None:
                self._path.write_text(json.dumps(self._memory, indent=1))
        return self._known()[key]

    def _known(self) -> dict[str, Any]:
        if self._path is not None and self._path.exists():
            self._memory = json.loads(self._path.read_text())
        return self._memory


def quiet_trainer(**options: Any) -> Any:
    """A Lightning trainer that prints and writes nothing.

    Parameters
    ----------
    options
        Of the trainer.
    """
    import pytorch_lightning as lightning

    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return lightning.Trainer(**{**dict.fromkeys(quiet, False), **options})


def darcy_files(folder: Path, num_train: int, num_test: int) -> dict[str, Path]:
    """Training and test samples of darcy2d on 43², made where they are missing."""
    files = {}
    for split, count in (("train", num_train), ("test", num_test)):
        files[split] = folder / f"darcy_{split}_{count}.h5"
        if not files[split].exists():
            generate("darcy2d", count, shape=SHAPE, split=split, out=files[split])
    return files


def train_on_darcy(
    out: Path,
    files: Mapping[str, Path],
    model: Mapping[str, Any],
    seed: int,
    epochs: int,
    augment: str = "square symmetries",
) -> Path:
    """Train through the command line; the checkpoint after the last epoch.

    Parameters
    ----------
    out
        Folder of the run, made anew.
    files
        Data by name in the section ``data``, such as ``train`` and ``test``.
    model
        Entries of the section ``model`` that differ from the others: ``model`` itself,
        ``loss``, ``learning_rate`` (0.002 unless given), ``weight_decay``.
    seed
        Of weights and of the order of samples.
    epochs
        Passes over the data.
    augment
        Of the section ``data``.
    """
    configuration = {
        "seed_everything": seed,
        "model": {
            "inputs": ["coefficient"],
            "outputs": ["pressure"],
            "learning_rate": 2e-3,
            **model,
        },
        "data": {
            **{name: str(path) for name, path in files.items()},
            "batch_size": 20,
            "augment": augment,
            "seed": seed,
        },
        "trainer": {"max_epochs": epochs},
        "out": str(out),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stream:
        json.dump(configuration, stream)  # JSON is YAML
        stream.flush()
        with contextlib.redirect_stdout(io.StringIO()):
            train(["fit", "--config", stream.name, "--overwrite"])
    return out / "last.ckpt"
