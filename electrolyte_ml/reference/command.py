"""References from any program: a command that reads an extxyz file and writes a labelled one."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.io import read, write

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Reference, one_line
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.program import run_program
from electrolyte_ml.structures.charge import bare_configuration, total_charge

_MOVED = 1e-3  # Å, largest accepted change of a position; more than the rounding of any file format


class CommandReference(Reference):
    """Reference from a command such as ``my_dft {input}.extxyz {output}.extxyz``, run once per configuration.

    The input is one configuration, with its total charge in e as ``charge=`` in the comment line. The output must
    contain the same atoms in the same order with energy (eV), forces (eV/Å) and, for a periodic cell, stress (eV/Å³)
    under ASE's keys. The command runs without a shell in an empty temporary folder; words that name files are made
    absolute. The contents of these files, and of the program if it is a script, are part of the level of theory: after
    an edit, labels from the old version are not used.

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
        self._words = [str(Path(program).absolute())]
        self._words += [str(Path(word).absolute()) if Path(word).is_file() else word for word in words[1:]]
        self.settings = {"command": command}
        if contents := _digests([program, *words[1:]], words):
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


def _digests(paths: list[str], words: list[str]) -> dict[str, str]:
    """Return a hash of each file among the words of a command; the program is included only if it is a script."""
    digests = {}
    for position, (path, word) in enumerate(zip(paths, words, strict=True)):
        if Path(path).is_file():
            content = Path(path).read_bytes()
            if position > 0 or content.startswith(b"#!"):
                digests[word] = hashlib.blake2b(content, digest_size=16).hexdigest()
    return digests


def _path_in(words: list[str], stem: str) -> Path:
    """Return the path, with its suffix, of the file that replaced a placeholder in the command."""
    word = next(word for word in words if stem in word)
    return Path(word[word.index(stem) :])


def _read_label(path: Path, atoms: Atoms, program: str) -> Label:
    if not path.exists():
        raise LabelError(f"{program} wrote no {path.name}")
    try:
        frames: Any = read(path, index=":", format="extxyz")
    except Exception as error:  # ASE raises exceptions of many types for a broken file
        raise LabelError(f"{program} wrote a {path.name} that is not an extxyz file ({one_line(error)})") from error
    if len(frames) != 1:
        raise LabelError(f"{program} wrote {len(frames)} configurations instead of one")
    labelled: Atoms = frames[0]
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
    return Label(float(results["energy"]), np.array(results["forces"], dtype=float), stress)
