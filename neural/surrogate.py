"""Predictions of a trained model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from neural.restoring import range_remark, restore
from neural.trained_family import check_options, trained_families, trained_family
from neural.training.normalizers import GaussianNormalizer
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.problems.base import Problem, ProblemFamily


class Surrogate:
    """A trained model together with what it was trained on.

    A prediction is an approximation without a tolerance; :func:`pdesolve.solve` with
    ``accelerate`` uses it as an initial guess and so keeps the solver's tolerance.

    Parameters
    ----------
    model
        Maps normalised inputs to normalised outputs.
    input_normalizer, output_normalizer
        Fitted.
    metadata
        As stored in a checkpoint.
    device
        Where to compute.

    Attributes
    ----------
    metadata
        Family, channels, box, grid, ranges and data that it was trained on.

    Examples
    --------
    >>> surrogate = Surrogate.load("best.ckpt")  # doctest: +SKIP
    >>> surrogate.predict(problem, problem.grid(85)).values.shape  # doctest: +SKIP
    (1, 85, 85)
    """

    def __init__(
        self,
        model: nn.Module,
        input_normalizer: GaussianNormalizer,
        output_normalizer: GaussianNormalizer,
        metadata: Mapping[str, Any],
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = checked_device(device)
        self.model = model.to(self.device).eval()
        self.input_normalizer = input_normalizer.to(self.device)
        self.output_normalizer = output_normalizer.to(self.device)
        self.metadata = dict(metadata)

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device = "cpu") -> Surrogate:
        """Read a checkpoint written by ``pdesolve train``.

        Parameters
        ----------
        path
            The checkpoint. It is read as tensors and plain values; nothing in it is run.
        device
            Where to compute, such as ``"cpu"`` or ``"cuda"``.

        Raises
        ------
        InputError
            If there is no such file or device.
        CheckpointError
            If the file is damaged, holds pickled objects, comes from elsewhere or a newer
            release, or its weights do not fit its description.
        """
        parts, metadata = restore(path, "steady", _parts)
        normalizers = [
            cast("GaussianNormalizer", parts[name])
            for name in ("input_normalizer", "output_normalizer")
        ]
        return cls(parts["model"], normalizers[0], normalizers[1], metadata, device=device)

    @property
    def family(self) -> str:
        """Name of the family it was trained on; of several the first."""
        return str(self.metadata["family"])

    @property
    def families(self) -> tuple[str, ...]:
        """Names of all families that it was trained on."""
        return tuple(trained_families(self.metadata))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input channels."""
        return tuple(self.metadata["inputs"])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output channels."""
        return tuple(self.metadata["outputs"])

    @property
    def distribution(self) -> str:
        """How the training data were made, where it is not by the family; else nothing."""
        return str(self.metadata["data"].get("distribution", ""))

    def check(self, problem: Problem, mesh: StructuredGrid, *, strict: bool = False) -> Field:
        """Check that a problem on a grid is of the kind trained on.

        Parameters
        ----------
        problem
            A problem of a family that it was trained on.
        mesh
            A grid of that family's box.
        strict
            Refuse values outside the range seen in training, instead of warning.

        Returns
        -------
        Field
            The input fields on the grid; for a model of several families that were labelled,
            with the labels of the problem's family.

        Raises
        ------
        CheckpointError
            If family, dimension, channels, box or kind of grid differ, or the resolution
            differs and the model has a fixed one.
        InputError
            If `strict` holds and a value is out of range, or the grid is too coarse for
            the model.

        Warns
        -----
        SurrogateWarning
            If a value is outside the range seen in training, or the training data did not
            follow the family's distribution.
        """
        member = trained_family(self.metadata, problem.name, "the problem is of")
        self.check_grid(mesh, problem.name)
        for corner in ("lower", "upper"):
            if not np.allclose(getattr(problem, corner), getattr(member, corner)):
                raise CheckpointError(
                    f"the problem's box has {corner} corner {getattr(problem, corner)}, the "
                    f"surrogate was trained with {getattr(member, corner)}"
                )
        fields = with_labels(problem.input_fields(mesh), member.labels)
        made = self.distribution
        if made and fields.names != self.inputs:
            raise CheckpointError(
                f"the surrogate's training data were {made}. It takes the channels {self.inputs}, "
                f"the family's problem has {fields.names}; train one on data of the family "
                "(strategy='independent')"
            )
        if made:
            self._extrapolate(f"the training data were {made}", strict)
        if fields.names != self.inputs:
            raise CheckpointError(
                f"the surrogate takes the channels {self.inputs} in this order, the problem has "
                f"{fields.names}"
            )
        self._check_ranges(fields, strict)
        return fields

    def check_family(self, family: ProblemFamily, *, strict: bool = False) -> None:
        """Check the numbers of a family that are no input of the model, such as a source.

        Parameters
        ----------
        family
            The family that problems are drawn from.
        strict
            Refuse other numbers than those trained with, instead of warning.

        Raises
        ------
        CheckpointError
            If it is another family.
        InputError
            If `strict` holds and a number differs.

        Warns
        -----
        SurrogateWarning
            If a number differs.
        """
        check_options(self.metadata, family, strict=strict)

    def other_options(self, options: Mapping[str, Any], family: str | None = None) -> str:
        """What to say about options of a family that are not those trained with, if any."""
        return trained_family(self.metadata, family or self.family, "this is").differing(options)

    def check_grid(self, grid: StructuredGrid, family: str | None = None) -> None:
        """Check dimension, box, kind and, for models of one resolution, size of a grid.

        Parameters
        ----------
        grid
            Where fields are to be predicted.
        family
            Whose box it should have, for models of several families; else the one trained on.

        Raises
        ------
        CheckpointError
            If they differ from those trained with.
        """
        member = trained_family(self.metadata, family or self.family, "this is")
        trained = self.metadata
        if not isinstance(grid, StructuredGrid) or grid.dimension != len(trained["shape"]):
            kind = (
                f"{grid.dimension}D"
                if isinstance(grid, StructuredGrid)
                else f"a {type(grid).__name__}"
            )
            raise CheckpointError(
                f"the surrogate works on {len(trained['shape'])}D structured grids; this is {kind}"
            )
        for corner in ("lower", "upper"):
            if not np.allclose(getattr(grid, corner), getattr(member, corner), rtol=1e-12):
                raise CheckpointError(
                    f"the grid's box has {corner} corner {getattr(grid, corner)}, the surrogate "
                    f"was trained with {getattr(member, corner)}"
                )
        if grid.location != trained["location"]:
            raise CheckpointError(
                f"the surrogate was trained with values at each {trained['location']}, the grid "
                f"has them at each {grid.location}; predict on a {trained['location']} grid and "
                "resample the field"
            )
        other_size = list(grid.shape) != list(trained["shape"])
        if other_size and not getattr(self.model, "resolution_invariant", True):
            name = trained["model"]["name"]
            raise CheckpointError(
                f"a '{name}' has the one resolution that it was trained at, "
                f"{tuple(trained['shape'])}, the grid has {grid.shape}; predict there and "
                "resample, or train a model that transfers, such as 'fno'"
            )
        fixed = "point" in (self.input_normalizer.statistics, self.output_normalizer.statistics)
        if fixed and other_size:
            raise CheckpointError(
                f"the surrogate has one resolution, {tuple(trained['shape'])} (its statistics are "
                f"those of each point), the grid has {grid.shape}; predict there and resample, or "
                "train with statistics='channel'"
            )

    def predict(self, problem: Problem, mesh: StructuredGrid, *, strict: bool = False) -> Field:
        """Predict the solution of a problem on a grid.

        Parameters
        ----------
        problem, mesh, strict
            As in :meth:`check`.

        Returns
        -------
        Field
            One channel an output; float64 values of float32 accuracy.
        """
        fields = self.check(problem, mesh, strict=strict)
        values = self.predict_batch(fields.values[None])[0]
        return Field(mesh, values, self.outputs)

    def predict_batch(self, inputs: npt.ArrayLike) -> FloatArray:
        """Outputs ``(batch, channel, *space)`` of input arrays of that shape, unchecked.

        Raises
        ------
        InputError
            If the number of channels or axes is wrong, or a result is not finite.
        """
        values = torch.as_tensor(np.array(inputs, dtype=np.float64))
        result = self._evaluate(values.to(self.input_normalizer.mean.dtype).to(self.device))
        array: FloatArray = result.to("cpu").double().numpy()
        if not np.isfinite(array).all():
            raise InputError(
                "the prediction is not finite: the inputs are not, or are far outside the "
                "range of the training data"
            )
        return array

    @torch.inference_mode()
    def _evaluate(self, values: Tensor) -> Tensor:
        normalised = self.model(self.input_normalizer(values))
        return self.output_normalizer.inverse(normalised)

    def _check_ranges(self, fields: Field, strict: bool) -> None:
        for name in fields.names:
            low, high = self.metadata["parameter_ranges"][name]
            values = fields[name]
            remark = range_remark(name, float(values.min()), float(values.max()), (low, high))
            if remark:
                self._extrapolate(remark, strict, stacklevel=5)

    def _extrapolate(self, reason: str, strict: bool, stacklevel: int = 4) -> None:
        """Warn of an input unlike the training data, or refuse it."""
        message = f"{reason}: the prediction is an extrapolation"
        if strict:
            raise InputError(f"{message}, which strict=True refuses")
        warnings.warn(message, SurrogateWarning, stacklevel=stacklevel)


def with_labels(fields: Field, labels: Mapping[str, float]) -> Field:
    """Fields on a grid with further channels that are constant.

    Examples
    --------
    >>> from meshes import StructuredGrid
    >>> field = Field(StructuredGrid(4), np.ones(4), ("coefficient",))
    >>> with_labels(field, {"family_darcy1d": 1.0}).names
    ('coefficient', 'family_darcy1d')
    """
    if not labels:
        return fields
    shape = fields.values.shape[1:]
    added = [np.full((1, *shape), value) for value in labels.values()]
    values = np.concatenate([fields.values, *added])
    return Field(fields.mesh, values, (*fields.names, *labels))


def _parts(model: nn.Module, metadata: Mapping[str, Any]) -> nn.ModuleDict:
    parts = {"model": model}
    for name in ("input_normalizer", "output_normalizer"):
        parts[name] = GaussianNormalizer.from_state(metadata[name])
    return nn.ModuleDict(parts)


def checked_device(device: str | torch.device) -> torch.device:
    """The device, if it is there.

    Raises
    ------
    InputError
        If it is unknown, or a GPU that is absent.

    Examples
    --------
    >>> checked_device("cpu")
    device(type='cpu')
    """
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device={device!r} is unknown; use 'cpu' or 'cuda'") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device='cuda', but torch finds no CUDA device here; use 'cpu'")
    return chosen
