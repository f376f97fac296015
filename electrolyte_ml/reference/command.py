"""References from any program: a command that reads an extxyz file and writes a labelled one."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.io import write

from electrolyte_ml.commands import change_path, change_paths, split_option
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Reference, one_line
from electrolyte_ml.reference.contents import content_of, known_by_content
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.program import run_program
from electrolyte_ml.structures.charge import bare_configuration, total_charge
from electrolyte_ml.structures.configurations import read_extxyz

_MOVED = 1e-3  # Å, largest accepted change of a position; more than the rounding of any file format


class CommandReference(Reference):
    """Reference from a command such as ``my_dft {input}.extxyz {output}.extxyz``, run once per configuration.

    The input is one configuration, with its total charge in e as ``charge=`` in the comment line. The output must
    contain the same atoms in the same order with energy (eV), forces (eV/Å) and, for a periodic cell, stress (eV/Å³)
    under ASE's keys. The command runs without a shell in an empty temporary folder; words that name files, also as
    ``--option=file``, are made absolute. The contents of these files, and of the program if it is a script or named by
    its path, are part of the level of theory, and their places are not: after an edit, labels from the old version are
    not used. A file that the program writes should therefore be in its folder, such as ``{output}.log``.

    Parameters
    ----------
    command
        Command with both placeholders.
    name
        Name of the level of theory in figures; by default the name of the program.
    version
        Version of the program; labels of different versions are stored separately.

    Raises
    ------
    InputError
        A placeholder or the program is missing.
    """

    charged_molecules = True
    charged_cells = True

    def __init__(self, command: str, *, name: str | None = None, version: str = "") -> None:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"command {command!r}: {error}") from None
        for placeholder in ("{input}", "{output}"):
            if not any(placeholder in word for word in words):
                raise InputError(f"command {command!r} has no {placeholder}: my_dft {{input}}.extxyz {{output}}.extxyz")
        program = shutil.which(words[0])
        if program is None:
            raise InputError(f"command {command!r}: there is no program {words[0]!r}")
        self.name = name or Path(words[0]).name
        self.version = version
        self._words = [str(Path(program).absolute()), *(change_path(word, _absolute) for word in words[1:])]
        contents = [content_of(Path(program))] if os.sep in words[0] or _is_script(program) else []
        for word in words[1:]:
            known_by_content(split_option(word)[1], contents)
        self.settings = {"command": change_paths(command, _without_folder)}
        if contents:
            self.settings["contents"] = contents

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        with tempfile.TemporaryDirectory(prefix="electrolyte-ml-") as folder:
            stems = {"{input}": f"{folder}/input", "{output}": f"{folder}/output"}
            words = self._words
            for placeholder, stem in stems.items():
                words = [word.replace(placeholder, stem) for word in words]
            bare = bare_configuration(atoms)
            bare.info["charge"] = total_charge(atoms)
            write(_path_in(words, stems["{input}"]), bare, format="extxyz")
            run_program(words, Path(folder))
            return _read_label(_path_in(words, stems["{output}"]), atoms, Path(self._words[0]).name)


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if os.path.isfile(path) else path


def _without_folder(path: str) -> str:
    return Path(path).name if os.path.isfile(path) else path


def _is_script(program: str) -> bool:
    with open(program, "rb") as stream:
        return stream.read(2) == b"#!"


def _path_in(words: list[str], stem: str) -> Path:
    """Return the path, with its suffix, of the file that replaced a placeholder in the command."""
    word = next(word for word in words if stem in word)
    return Path(word[word.index(stem) :])


def _read_label(path: Path, atoms: Atoms, program: str) -> Label:
    if not path.exists():
        raise LabelError(f"{program} wrote no {path.name}")
    try:
        frames = list(read_extxyz(path))
    except InputError as error:
        reason = one_line(error).removeprefix(f"{path}, ")
        raise LabelError(f"{program} wrote a {path.name} that is not an extxyz file ({reason})") from error
    if len(frames) != 1:
        raise LabelError(f"{program} wrote {len(frames)} configurations instead of one")
    labelled = frames[0]
    if len(labelled) != len(atoms):
        raise LabelError(f"{program} wrote {len(labelled)} atoms instead of {len(atoms)}")
    if (labelled.numbers != atoms.numbers).any():
        raise LabelError(f"{program} changed the order of the atoms")
    moved = find_mic(labelled.positions - atoms.positions, atoms.cell, atoms.pbc)[1].max()
    if not moved < _MOVED:
        raise LabelError(f"{program} moved the atoms, by up to {moved:.3g} Å")
    results = {} if labelled.calc is None else labelled.calc.results
    for quantity in ("energy", "forces"):
        if quantity not in results:
            raise LabelError(f"{program} wrote no {quantity} to {path.name}")
    stress = results.get("stress") if atoms.pbc.all() else None
    try:
        return Label(float(results["energy"]), np.array(results["forces"], dtype=float), stress)
    except (TypeError, ValueError) as error:
        raise LabelError(f"{program} wrote an energy or forces that are not numbers ({one_line(error)})") from error
