"""Making trained modules from checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from meshes.errors import InputError
from neural.models.registry import build_model
from neural.training.checkpoints import check_weights, metadata_of, read_checkpoint
from operators.failures import CheckpointError

if TYPE_CHECKING:
    from neural.surrogate import Surrogate
    from neural.trajectory_surrogate import TrajectorySurrogate

Module = TypeVar("Module", bound=nn.Module)


def restore(
    path: str | Path,
    kind: str,
    build: Callable[[nn.Module, Mapping[str, Any]], Module],
    prefix: str = "",
) -> tuple[Module, dict[str, Any]]:
    """A module with the weights of a checkpoint, and the description in it.

    Parameters
    ----------
    path
        The checkpoint. It is read as tensors and plain values; nothing in it is run.
    kind
        ``"steady"`` or ``"trajectory"``.
    build
        Makes the module, with room for the weights, of model and description.
    prefix
        Of the module's weights among those of the training module. Weights of a loss are
        left out in any case.

    Raises
    ------
    InputError
        If there is no such file.
    CheckpointError
        If the file is damaged, holds pickled objects, comes from elsewhere, a newer
        release or another kind of training, or its weights do not fit its description.
    """
    content = read_checkpoint(path)
    metadata = metadata_of(content, path, kind)
    try:
        model = build_model(metadata["model"]["name"], metadata["model"]["options"])
        module = build(model, metadata)
    except (InputError, KeyError, TypeError) as error:
        raise CheckpointError(f"'{path}' describes no model known here: {error}") from error
    weights = {
        name.removeprefix(prefix): value
        for name, value in content["state_dict"].items()
        if name.startswith(prefix) and not name.startswith("loss.")
    }
    check_weights(module.state_dict(), weights, path)
    module.load_state_dict(weights)
    return module, metadata


def load_surrogate(path: str | Path, *, device: str = "cpu") -> Surrogate | TrajectorySurrogate:
    """Read a checkpoint of any task.

    Parameters
    ----------
    path
        Written by ``pdesolve train``.
    device
        Where to compute.

    Returns
    -------
    Surrogate or TrajectorySurrogate
        By what the checkpoint says.

    Raises
    ------
    InputError, CheckpointError
        As :func:`restore`.

    Examples
    --------
    >>> load_surrogate("best.ckpt").family  # doctest: +SKIP
    'darcy2d'
    """
    from neural.surrogate import Surrogate
    from neural.trajectory_surrogate import TrajectorySurrogate

    described = metadata_of(read_checkpoint(path), path, "any")
    if described.get("kind", "steady") == "trajectory":
        return TrajectorySurrogate.load(path, device=device)
    return Surrogate.load(path, device=device)


def range_remark(name: str, smallest: float, largest: float, trained: tuple[float, float]) -> str:
    """What to say about values outside the range of the training data; nothing inside.

    Examples
    --------
    >>> range_remark("coefficient", 3.0, 40.0, (3.0, 12.0))
    "'coefficient' ranges from 3 to 40, the training data from 3 to 12"
    """
    low, high = trained
    slack = 1e-6 * max(abs(low), abs(high), high - low)
    if smallest >= low - slack and largest <= high + slack:
        return ""
    return (
        f"'{name}' ranges from {smallest:.4g} to {largest:.4g}, the training data from "
        f"{low:.4g} to {high:.4g}"
    )
