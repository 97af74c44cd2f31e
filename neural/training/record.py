"""What a training module keeps for its checkpoint: where data come from, and seconds spent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any


class TrainingRecord:
    """Description of the training data, and a clock that goes on over resumed runs.

    Attributes
    ----------
    described
        What :func:`neural.training.description.describe_data` gave; empty before the first
        training.

    Examples
    --------
    >>> record = TrainingRecord()
    >>> record.restore({"family": "darcy2d", "training_seconds": 60.0}, ["family", "units"])
    >>> record.described, record.seconds
    ({'family': 'darcy2d'}, 60.0)
    """

    def __init__(self) -> None:
        self.described: dict[str, Any] = {}
        self._spent, self._since = 0.0, 0.0

    def start(self) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stop the clock."""
        self._spent, self._since = self.seconds, 0.0

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training so far."""
        return self._spent + (time.perf_counter() - self._since if self._since else 0.0)

    def entries(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return {"training_seconds": self.seconds, **self.described}

    def restore(self, stored: Mapping[str, Any], keys: Sequence[str]) -> None:
        """Take over what a checkpoint says under these keys, where it does."""
        self.described = {key: stored[key] for key in keys if key in stored}
        self._spent = float(stored.get("training_seconds", 0.0))
