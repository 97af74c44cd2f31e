"""The names of problem families."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

from meshes.errors import InputError, suggest
from pdesolve.problems.base import ProblemFamily

FAMILIES: dict[str, str] = {
    "advection1d": "pdesolve.problems.advection:advection1d",
    "advection2d": "pdesolve.problems.advection:advection2d",
    "allen_cahn1d": "pdesolve.problems.allen_cahn:allen_cahn1d",
    "allen_cahn2d": "pdesolve.problems.allen_cahn:allen_cahn2d",
    "bratu2d": "pdesolve.problems.nonlinear_elliptic:bratu2d",
    "burgers1d": "pdesolve.problems.burgers:burgers1d",
    "burgers1d_inviscid": "pdesolve.problems.burgers:burgers1d_inviscid",
    "burgers2d": "pdesolve.problems.burgers:burgers2d",
    "convection_diffusion1d": "pdesolve.problems.convection_diffusion:convection_diffusion1d",
    "convection_diffusion2d": "pdesolve.problems.convection_diffusion:convection_diffusion2d",
    "convection_diffusion3d": "pdesolve.problems.convection_diffusion:convection_diffusion3d",
    "cylinder_flow": "pdesolve.problems.cylinder_flow:cylinder_flow",
    "cylinder_flow_steady": "pdesolve.problems.navier_stokes:cylinder_flow_steady",
    "darcy1d": "pdesolve.problems.darcy:darcy1d",
    "darcy1d_lognormal": "pdesolve.problems.darcy:darcy1d_lognormal",
    "darcy2d": "pdesolve.problems.darcy:darcy2d",
    "darcy2d_lognormal": "pdesolve.problems.darcy:darcy2d_lognormal",
    "darcy3d": "pdesolve.problems.darcy:darcy3d",
    "darcy3d_lognormal": "pdesolve.problems.darcy:darcy3d_lognormal",
    "decaying_turbulence2d": "pdesolve.problems.vorticity:decaying_turbulence2d",
    "elasticity2d": "pdesolve.problems.elasticity:elasticity2d",
    "elasticity3d": "pdesolve.problems.elasticity:elasticity3d",
    "gray_scott2d": "pdesolve.problems.gray_scott:gray_scott2d",
    "heat1d": "pdesolve.problems.heat:heat1d",
    "heat2d": "pdesolve.problems.heat:heat2d",
    "heat3d": "pdesolve.problems.heat:heat3d",
    "helmholtz1d": "pdesolve.problems.helmholtz:helmholtz1d",
    "helmholtz2d": "pdesolve.problems.helmholtz:helmholtz2d",
    "helmholtz2d_random": "pdesolve.problems.helmholtz:helmholtz2d_random",
    "helmholtz3d_random": "pdesolve.problems.helmholtz:helmholtz3d_random",
    "korteweg_de_vries": "pdesolve.problems.korteweg_de_vries:korteweg_de_vries",
    "kuramoto_sivashinsky": "pdesolve.problems.kuramoto_sivashinsky:kuramoto_sivashinsky",
    "lid_driven_cavity": "pdesolve.problems.navier_stokes:lid_driven_cavity",
    "navier_stokes2d": "pdesolve.problems.vorticity:navier_stokes2d",
    "navier_stokes_channel": "pdesolve.problems.navier_stokes:navier_stokes_channel",
    "neo_hookean2d": "pdesolve.problems.elasticity:neo_hookean2d",
    "neo_hookean3d": "pdesolve.problems.elasticity:neo_hookean3d",
    "one_sided_reaction2d": "pdesolve.problems.nonlinear_elliptic:one_sided_reaction2d",
    "p_laplacian2d": "pdesolve.problems.nonlinear_elliptic:p_laplacian2d",
    "poisson1d": "pdesolve.problems.poisson:poisson1d",
    "poisson2d": "pdesolve.problems.poisson:poisson2d",
    "poisson3d": "pdesolve.problems.poisson:poisson3d",
    "quasi_geostrophic": "pdesolve.problems.quasi_geostrophic:quasi_geostrophic",
    "slit_plate": "pdesolve.problems.slit_plate:slit_plate",
    "stokes_channel": "pdesolve.problems.stokes:stokes_channel",
    "taylor_green2d": "pdesolve.problems.vorticity:taylor_green2d",
    "wave1d": "pdesolve.problems.wave:wave1d",
    "wave2d": "pdesolve.problems.wave:wave2d",
}


def get_family(name: str, /, **options: Any) -> ProblemFamily:
    """A family by its name, or from the user's own file.

    Parameters
    ----------
    name
        A name of :data:`FAMILIES`, or ``path/to/file.py:ClassName``. The file is run, so
        a name may come from the person at the keyboard, never from a data file.
    options
        Given to the family.

    Raises
    ------
    InputError
        For unknown names and options.

    Examples
    --------
    >>> get_family("darcy2d", above=4.0).dimension
    2
    """
    if ".py:" in name:
        factory = _from_file(name)
    elif name in FAMILIES:
        module, _, attribute = FAMILIES[name].partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    else:
        raise InputError(f"there is no problem family '{name}'. {suggest(name, FAMILIES)}")
    try:
        family = factory(**options)
    except TypeError as error:
        for key in options:
            if f"multiple values for argument '{key}'" in str(error):
                raise InputError(
                    f"family '{name}' fixes '{key}'; leave it out, or choose another family. "
                    f"{suggest(name, FAMILIES)}"
                ) from error
        options_of = factory if inspect.isclass(factory) else type(factory())
        known = [key for key in inspect.signature(options_of).parameters if key != "name"]
        unknown = [key for key in options if key not in known]
        if not unknown:
            given = ", ".join(f"{key}={value!r}" for key, value in options.items())
            raise InputError(
                f"family '{name}' cannot be made with {given or 'no options'}: {error}"
            ) from error
        raise InputError(
            f"family '{name}' has no option '{unknown[0]}'. {suggest(unknown[0], known)}"
        ) from error
    if not isinstance(family, ProblemFamily):
        raise InputError(f"'{name}' is a {type(family).__name__}, not a ProblemFamily")
    return family


def _from_file(name: str) -> Any:
    path, _, attribute = name.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no file '{path}'")
    spec = importlib.util.spec_from_file_location(f"pdesolve_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, attribute):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise InputError(f"'{path}' defines no '{attribute}'. {suggest(attribute, public)}")
    return getattr(module, attribute)
