"""PETSc options for one solver: nested dictionaries in, unused names out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError, suggest


def flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join nested names with underscores, as Firedrake users write them.

    Examples
    --------
    >>> flatten({"pc_type": "fieldsplit", "fieldsplit_0": {"ksp_type": "cg"}})
    {'pc_type': 'fieldsplit', 'fieldsplit_0_ksp_type': 'cg'}
    """
    if not isinstance(parameters, Mapping):
        raise InputError(
            f"solver_parameters={parameters!r} must map option names to values, such as "
            "{'ksp_type': 'cg'}"
        )
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if not isinstance(key, str) or not key or key.startswith("-"):
            raise InputError(
                f"option name {key!r} must be a PETSc name without the dash, such as 'ksp_type'"
            )
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key.rstrip('_')}_"))
        else:
            flat[prefix + key] = value
    return flat


def merged_options(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options over defaults, without those of a preconditioner that another one replaces.

    Examples
    --------
    >>> merged_options({"pc_type": "mg", "pc_mg_levels": 3, "ksp_type": "cg"}, {"pc_type": "lu"})
    {'pc_type': 'lu', 'ksp_type': 'cg'}
    """
    merged = {**defaults, **given}
    if merged.get("pc_type") == defaults.get("pc_type"):
        return merged
    return {
        key: value
        for key, value in merged.items()
        if key in given or not key.startswith(("pc_gamg", "pc_mg", "mg_", "sub_"))
    }


class SolverOptions:
    """Options that are in PETSc's database while a solver is set up and used.

    Options that the user put there under the same prefix (from a command line or
    ``PETSC_OPTIONS``) take precedence.

    Parameters
    ----------
    defaults
        Used where nothing else is said; not reported when unused.
    parameters
        The caller's, nested or flat; ``None`` stands for a flag without a value.
    prefix
        Options prefix, ending in an underscore.
    """

    def __init__(
        self, defaults: Mapping[str, Any], parameters: Mapping[str, Any] | None, prefix: str
    ) -> None:
        if not isinstance(prefix, str) or prefix.startswith("-"):
            raise InputError(f"options_prefix={prefix!r} must be a name without a dash in front")
        if prefix and not prefix.endswith("_"):
            prefix += "_"
        self.prefix = prefix
        given = flatten({} if parameters is None else parameters)
        self.given = given
        merged = merged_options(flatten(defaults), given)
        self.options = merged
        self._database = PETSc.Options(prefix)
        self._inserted: list[str] = []
        self._unread = set(given)

    def insert(self) -> None:
        """Put the options into the database."""
        for key, value in self.options.items():
            if not self._database.hasName(key):
                self._database.setValue(key, value)
                self._inserted.append(key)

    def unused(self) -> list[str]:
        """The caller's options that nothing has read, in this or an earlier solve."""
        self._unread = {
            key for key in self._unread if key in self._inserted and not self._database.used(key)
        }
        return [key for key in self.given if key in self._unread]

    def remove(self) -> None:
        """Take the options out again."""
        for key in self._inserted:
            self._database.delValue(key)
        self._inserted = []


def reason_name(reason: int) -> str:
    """PETSc's name of a Krylov method's reason for stopping."""
    names: dict[int, str] = {
        value: name
        for name, value in vars(PETSc.KSP.ConvergedReason).items()
        if isinstance(value, int) and name.startswith(("CONVERGED", "DIVERGED"))
    }
    # where petsc4py's names differ from PETSc's own
    names[int(PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT)] = "DIVERGED_ITS"
    names[int(PETSc.KSP.ConvergedReason.DIVERGED_PCSETUP_FAILED)] = "DIVERGED_PC_FAILED"
    return names.get(reason, f"reason {reason}")


def raise_input_error(error: Exception) -> None:
    """Raise what a solver or preconditioner written in Python refused, if that is the cause."""
    if isinstance(error.__cause__, InputError):
        raise error.__cause__


def abandon(*objects: Any) -> None:
    """Never free PETSc objects that an error left half used.

    PETSc unlocks vectors and drops borrowed ones at the end of a solve; an error in it skips
    that, and to use or free such a solver afterwards may end the process.
    """
    for item in objects:
        if item is not None and item.handle:
            item.incRef()


def unused_message(unused: list[str]) -> str:
    """What to say about options that nothing read."""
    return (
        f"PETSc did not use: {', '.join('-' + name for name in unused)}. Check the spelling, and "
        "whether the chosen solver has that option (-ksp_view lists what is in use). "
        + suggest(unused[0], ("ksp_type", "ksp_rtol", "ksp_max_it", "ksp_monitor", "pc_type"))
    )
