"""References that label configurations: presets, any ASE calculator, any command; and the store of their labels.

>>> from electrolyte_ml import reference
>>> gfn1 = reference.get()                                  # GFN1-xTB, the default
>>> dft = reference.get("cp2k-pbe-d3", cutoff=800)          # a preset with a setting of its own
>>> mine = reference.get("command:my_dft {input}.extxyz {output}.extxyz", name="PBE0")
"""

from __future__ import annotations

import difflib
from typing import Any

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Label, LabelError, Reference
from electrolyte_ml.reference.labels import Failure, LabelResult, LabelStore, label_file

__all__ = [
    "DEFAULT",
    "PRESETS",
    "Failure",
    "Label",
    "LabelError",
    "LabelResult",
    "LabelStore",
    "Reference",
    "get",
    "label_file",
]

DEFAULT = "gfn1-xtb"
PRESETS = ("gfn1-xtb", "gfn2-xtb", "cp2k-pbe-d3", "vasp-pbe-d3")
_COMMAND = "command:"


def get(reference: Any = DEFAULT, **settings: Any) -> Reference:
    """Return a reference from its name, a command, or an ASE calculator.

    Parameters
    ----------
    reference
        One of `PRESETS`; ``"command:my_dft {input}.extxyz {output}.extxyz"``; the name of an ASE calculator
        ("emt", "lj", ...); an ASE calculator; or a `Reference`, which is returned as it is.
    **settings
        Go to the preset, the command (`name`, `version`) or the ASE calculator's class; for a calculator object they
        are recorded as what identifies it.

    Raises
    ------
    InputError
        If there is no such reference, its program or package is missing (with what to install), or a setting is
        unknown.
    """
    if isinstance(reference, Reference):
        if settings:
            raise InputError(f"{reference.name} is already a reference; settings go to its name")
        return reference
    if not isinstance(reference, str):
        if not hasattr(reference, "get_potential_energy"):
            raise InputError(f"a reference is a name or an ASE calculator, not {reference!r}")
        from electrolyte_ml.reference.ase_calculator import ASEReference

        return ASEReference(reference, **settings)
    if reference.startswith(_COMMAND):
        from electrolyte_ml.reference.command import CommandReference

        return CommandReference(reference.removeprefix(_COMMAND), **settings)
    return _by_name(reference.strip().lower(), reference, settings)


def _by_name(name: str, given: str, settings: dict[str, Any]) -> Reference:
    if name in ("gfn1-xtb", "gfn2-xtb"):
        from electrolyte_ml.reference.xtb import XTBReference

        return XTBReference(name.replace("gfn", "GFN").replace("xtb", "xTB"), **settings)
    if name == "cp2k-pbe-d3":
        from electrolyte_ml.reference.cp2k import CP2KReference

        return CP2KReference(**settings)
    if name == "vasp-pbe-d3":
        from electrolyte_ml.reference.vasp import VASPReference

        return VASPReference(**settings)
    from ase.calculators.calculator import external_calculators, names

    if name in names or name in external_calculators:
        from electrolyte_ml.reference.ase_calculator import ASEReference

        return ASEReference.by_name(name, **settings)
    close = difflib.get_close_matches(name, [*PRESETS, *names], n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(
        f"no reference {given!r}; {hint}presets are {', '.join(PRESETS)}; a command is written "
        f"'command:my_dft {{input}}.extxyz {{output}}.extxyz', and any ASE calculator goes by its name"
    )
