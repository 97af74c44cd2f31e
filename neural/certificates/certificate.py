"""The answer of an a posteriori estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from meshes.errors import InputError

Kind = Literal["guaranteed", "estimate", "none"]


@dataclass(frozen=True)
class Certificate:
    """How large a prediction's error can be, from its residual.

    Parameters
    ----------
    kind
        ``"guaranteed"``: `upper` bounds what `statement` names. ``"estimate"``: it is
        equivalent to it up to constants that are not known. ``"none"``: there is a
        residual at most.
    backend
        The discretisation whose equations were used: ``"grid"``, ``"fem"`` or
        ``"spectral"``.
    norm
        Name of the norm.
    upper, lower
        Bounds on the error in that norm over the norm of the prediction; NaN where there is
        none.
    residual
        Relative residual of the discrete equations, NaN where there are none.
    statement
        In words: what is bounded, or why nothing is.
    seconds
        Wall-clock time of the certificate.

    Examples
    --------
    >>> found = Certificate("guaranteed", "grid", "energy", 0.02, 0.01, 0.5, "of A u = b")
    >>> round(found.effectivity(0.016), 2)
    1.25
    """

    kind: Kind
    backend: str
    norm: str
    upper: float = float("nan")
    lower: float = float("nan")
    residual: float = float("nan")
    statement: str = ""
    seconds: float = 0.0

    @classmethod
    def nothing(
        cls, backend: str, reason: str, *, residual: float = float("nan"), seconds: float = 0.0
    ) -> Certificate:
        """That no bound is known, and why."""
        return cls("none", backend, "", residual=residual, statement=reason, seconds=seconds)

    @property
    def estimate(self) -> float:
        """The upper bound, or what stands for it."""
        return self.upper

    def effectivity(self, true_error: float) -> float:
        """The estimate over a true error in the same norm, relative to the prediction's.

        Raises
        ------
        InputError
            If there is no estimate.
        """
        if self.kind == "none":
            raise InputError(f"there is no estimate to compare: {self.statement}")
        return self.upper / true_error if true_error > 0 else math.inf

    def rows(self) -> list[tuple[str, str]]:
        """Name and text, for tables."""
        found = []
        if math.isfinite(self.residual):
            found.append(("relative residual", f"{self.residual:.2e}"))
        if self.kind == "none":
            return [*found, ("error", f"not known: {self.statement}")]
        if math.isfinite(self.lower):
            text = f"{_percent(self.lower)} to {_percent(self.upper)}"
        elif self.kind == "guaranteed":
            text = f"at most {_percent(self.upper)}"
        else:
            text = f"about {_percent(self.upper)}"
        return [*found, (f"error in the {self.norm} norm", text), ("", self.statement)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _percent(share: float) -> str:
    """Two digits, without an exponent."""
    return f"{100 * float(f'{share:.2g}'):g} %"
