"""Look-up of references by name: presets, commands and ASE calculators."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from electrolyte_ml.commands import PREFIX
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Cost, Reference

DEFAULT = "gfn1-xtb"
PRESETS = {  # name -> module, class, first arguments
    "gfn1-xtb": ("xtb", "XTBReference", ("GFN1-xTB",)),
    "gfn2-xtb": ("xtb", "XTBReference", ("GFN2-xTB",)),
    "pyscf-pbe-d3": ("pyscf", "PySCFReference", ()),
    "sevennet-l3i5-d3zero": ("sevennet", "SevenNetReference", ()),
    "cp2k-pbe-d3": ("cp2k", "CP2KReference", ()),
    "vasp-pbe-d3": ("vasp", "VASPReference", ()),
}


def get(reference: Any = DEFAULT, **settings: Any) -> Reference:
    """Return a reference from its name, a command, or an ASE calculator.

    Parameters
    ----------
    reference
        One of `PRESETS`; ``"command:my_dft {input}.extxyz {output}.extxyz"``; the name of an ASE calculator ("emt",
        "lj", ...); an ASE calculator; or a `Reference`, which is returned unchanged.
    **settings
        Settings of the preset, of the command (`name`, `version`) or of the class of the ASE calculator. For a
        calculator object they identify its labels.

    Raises
    ------
    InputError
        The reference or a setting does not exist, or its program or package is missing (the message says what to
        install).
    """
    if isinstance(reference, Reference):
        if settings:
            raise InputError(f"{reference.name} is already a reference; give its name to change settings")
        return reference
    if not isinstance(reference, str):
        if not hasattr(reference, "get_potential_energy"):
            raise InputError(f"a reference is a name or an ASE calculator, not {reference!r}")
        from electrolyte_ml.reference.ase_calculator import ASEReference

        return ASEReference(reference, **settings)
    if reference.startswith(PREFIX):
        from electrolyte_ml.reference.command import CommandReference

        if unknown := settings.keys() - {"name", "version"}:
            raise InputError(f"a command has no setting {min(unknown)!r}; it has name, version")
        return CommandReference(reference.removeprefix(PREFIX), **settings)
    return _by_name(reference.strip().lower(), reference, settings)


def cost_of(reference: Any = DEFAULT, **settings: Any) -> Cost | None:
    """Return the measured cost of a label, or None if it is unknown; a preset's program need not be installed.

    Parameters
    ----------
    reference, **settings
        As for `get`.

    Raises
    ------
    InputError
        As for `get`, if the reference is not a preset.
    """
    if isinstance(reference, str) and (name := reference.strip().lower()) in PRESETS:
        kind, arguments = _class_of(name)
        return kind.cost_with(*arguments, **settings)
    return get(reference, **settings).cost


def preset_named(level: str) -> str | None:
    """Return the name of the preset for a level of theory, or None if there is none.

    Parameters
    ----------
    level
        Name such as "GFN1-xTB": the entry `reference` of a labelled configuration.
    """
    for preset in PRESETS:
        kind, arguments = _class_of(preset)
        if level == (arguments[0] if arguments else kind.name):
            return preset
    return None


def _similar_names(name: str, calculators: Sequence[str]) -> list[str]:
    """Return presets that contain a name; if there are none, similar names of presets, then of ASE's calculators."""

    def plain(text: str) -> str:
        return "".join(character for character in text.lower() if character.isalnum())

    parts = [preset for preset in PRESETS if plain(name) and plain(name) in plain(preset)]
    near = difflib.get_close_matches(name, list(PRESETS), n=2, cutoff=0.6)
    return parts or near or difflib.get_close_matches(name, calculators, n=1, cutoff=0.75)


def _class_of(preset: str) -> tuple[type[Reference], tuple[str, ...]]:
    """Return the class of a preset and its first arguments."""
    module, class_name, arguments = PRESETS[preset]
    return getattr(import_module(f"electrolyte_ml.reference.{module}"), class_name), arguments


def _by_name(name: str, given: str, settings: dict[str, Any]) -> Reference:
    if name in PRESETS:
        kind, arguments = _class_of(name)
        return kind(*arguments, **settings)
    from ase.calculators.calculator import external_calculators, names

    if name in names or name in external_calculators:
        from electrolyte_ml.reference.ase_calculator import ASEReference

        return ASEReference.by_name(name, **settings)
    suggestions = _similar_names(name, names)
    hint = f"did you mean {' or '.join(map(repr, suggestions))}? " if suggestions else ""
    raise InputError(
        f"no reference {given[:80]!r}; {hint}presets are {', '.join(PRESETS)}; a command is written "
        f"'command:my_dft {{input}}.extxyz {{output}}.extxyz', and ASE calculators are given by name"
    )
