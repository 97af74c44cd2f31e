"""PETSc's time integrators that the backend ``grid`` offers, and how they are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from petsc4py import PETSc

from meshes.errors import InputError, suggest
from pdesolve._petsc_options import SolverOptions, flatten
from pdesolve.grid._petsc_stability import step_coefficient
from pdesolve.grid.systems import GridEvolution
from pdesolve.stepping import SteppingSettings

Kind = Literal["explicit", "imex", "implicit"]

# methods that begin every step with the state alone, which is what a checkpoint holds
SUBTYPES = {
    "euler": "",
    "rk": "ts_rk_type",
    "ssp": "ts_ssp_type",
    "arkimex": "ts_arkimex_type",
    "rosw": "ts_rosw_type",
    "beuler": "",
    "cn": "",
    "theta": "",
}
_DEFAULT_SUBTYPES = {
    "rk": "3bs",
    "ssp": "rks2",
    "arkimex": "3",
    "rosw": "ra34pw2",
}
_EXPLICIT = ("euler", "rk", "ssp")
_ADAPTIVE = ("rk", "arkimex", "rosw")
_WITHOUT_ESTIMATE = {
    "rk": ("1fe", "2b", "3", "4"),
    "arkimex": ("ars122", "prssp2", "bpr3", "ars443"),
    "rosw": ("theta1", "theta2"),
}
_TAKEN = ("ts_max_time", "ts_max_steps", "ts_init_time", "ts_exact_final_time", "ts_time_span")
_CHOOSING = ("ts_ssp_nstages",)

# where the problem says nothing: any operator, on any number of processes
_SOLVER = {"ksp_type": "gmres", "ksp_rtol": 1e-8, "pc_type": "bjacobi"}
_NEWTON = {"snes_rtol": 1e-8, "snes_max_it": 20}


@dataclass(frozen=True)
class Method:
    """One time integrator.

    Parameters
    ----------
    type, subtype
        PETSc's names, such as ``arkimex`` and ``3``.
    kind
        Which parts of the rate it takes implicitly: none, the stiff one, both.
    adaptive
        Whether it controls its step.
    coefficient
        By which a stable step of forward Euler is multiplied; infinity where there is no
        limit.
    """

    type: str
    subtype: str
    kind: Kind
    adaptive: bool
    coefficient: float

    @property
    def name(self) -> str:
        """As in records, such as ``"arkimex 3"``."""
        return f"{self.type} {self.subtype}".strip()


def method_options(evolution: GridEvolution, settings: SteppingSettings) -> SolverOptions:
    """The caller's options with the defaults for problem and method.

    Raises
    ------
    InputError
        If the method is unknown, or an option is one that the arguments fix.
    """
    chosen = dict(evolution.method or {"ts_type": "rk"})
    if settings.method is not None:
        if not isinstance(settings.method, str):
            raise InputError(f"method={settings.method!r} must be the name of a PETSc TS type")
        kind, _, subtype = settings.method.partition(" ")
        if kind not in SUBTYPES:
            raise InputError(
                f"method='{settings.method}' is not offered. {suggest(kind, SUBTYPES)}"
            )
        if subtype and not SUBTYPES[kind]:
            raise InputError(f"method='{settings.method}': '{kind}' has no kinds")
        if kind != chosen.get("ts_type") or subtype:
            chosen = {key: value for key, value in chosen.items() if not key.startswith("ts_")}
            chosen["ts_type"] = kind
            if subtype:
                chosen[SUBTYPES[kind]] = subtype
    defaults = {**_NEWTON, **_SOLVER, **chosen}
    given = flatten(settings.solver_parameters)
    if "ts_dt" in given:  # PETSc's older name
        given["ts_time_step"] = given.pop("ts_dt")
    options = SolverOptions(defaults, given, settings.options_prefix)
    database = PETSc.Options(options.prefix)
    for name in _TAKEN:
        if name in options.given or database.hasName(name):
            raise InputError(f"-{name} cannot be given; say times=... (--times) instead")
    return options


def chosen_method(evolution: GridEvolution, options: SolverOptions) -> Method:
    """The integrator that the options in PETSc's database choose.

    Raises
    ------
    InputError
        If it is not offered, or needs a Jacobian that the problem does not give.
    """
    database = PETSc.Options(options.prefix)
    kind = database.getString("ts_type")
    if kind not in SUBTYPES:
        raise InputError(f"ts_type '{kind}' is not offered. {suggest(kind, SUBTYPES)}")
    key = SUBTYPES[kind]
    subtype = database.getString(key, _DEFAULT_SUBTYPES[kind]) if key else ""
    names = {"ts_type": kind}
    if key:
        names[key] = subtype
    for name in _CHOOSING:
        if kind in name and database.hasName(name):
            names[name] = database.getString(name)
    parts = _parts(evolution, kind, database)
    estimate = kind in _ADAPTIVE and subtype not in _WITHOUT_ESTIMATE[kind]
    adapt = database.getString("ts_adapt_type", "basic" if estimate else "none")
    if adapt != "none" and not estimate:
        raise InputError(
            f"'{kind} {subtype}' estimates no error, so ts_adapt_type '{adapt}' cannot be used; "
            "use rk 3bs, rk 5dp or arkimex 3"
        )
    coefficient = float("inf")
    if parts != "implicit":
        try:
            coefficient = step_coefficient(names, evolution.spectrum)
        except PETSc.Error as error:
            raise refused(error) from error
        if coefficient < 0.05 and evolution.spectrum == "imaginary":
            raise InputError(
                f"'{kind} {subtype}' is unstable for waves whatever the step; use rk 4, "
                "ssp rk104 or cn"
            )
    return Method(kind, subtype, parts, adapt != "none", coefficient)


def _parts(evolution: GridEvolution, kind: str, database: Any) -> Kind:
    if kind in _EXPLICIT:
        return "explicit"
    all_implicit = evolution.jacobian is not None or (
        evolution.rate is None and evolution.stiff_jacobian is not None
    )
    if kind == "arkimex" and not database.getBool("ts_arkimex_fully_implicit", False):
        if evolution.stiff_jacobian is not None and evolution.rate is not None:
            return "imex"
        if not all_implicit:
            return "explicit"
    if not all_implicit:
        raise InputError(
            f"'{kind}' takes the whole rate implicitly, and the problem gives no Jacobian of it; "
            "use an explicit method (rk, ssp) or an IMEX one (arkimex)"
        )
    return "implicit"


def refused(error: Exception) -> InputError:
    """What to say when PETSc does not take the options."""
    text = str(error).strip().splitlines()[-1].strip()
    return InputError(f"PETSc refused the solver's options: {text}")


def checked_rtol(rtol: object) -> float:
    """A tolerance between 0 and 1, or an error."""
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 < rtol < 1:
        raise InputError(f"rtol={rtol!r} must be a number between 0 and 1")
    return float(rtol)
