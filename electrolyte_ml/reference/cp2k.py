"""PBE-D3(0) through CP2K's plain input and output files, one process per label."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.units import Bohr, GPa, Hartree

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Cost, Reference, electron_count, one_line, require_known_settings
from electrolyte_ml.reference.gth import VALENCES, cutoff_of
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.program import run_program, tail
from electrolyte_ml.structures.charge import total_charge

_PROGRAMS = ("cp2k", "cp2k.psmp", "cp2k.ssmp", "cp2k.popt", "cp2k.sopt")
_INSTALL = "install it (on Debian and Ubuntu: apt install cp2k) or give program='/path/to/cp2k'"
# A first density on a coarse grid takes 40 s for 33 atoms, and leaves 8 of 17 steps of 15 s at 1200 Ry.
_COARSE = {"cutoff": (min, 300), "rel_cutoff": (min, 40), "eps_default": (max, 1e-10), "eps_scf": (max, 1e-4)}
_VOIGT = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]

_INPUT = """\
&GLOBAL
  PROJECT label
  RUN_TYPE {task}
  PRINT_LEVEL MEDIUM
&END GLOBAL
&FORCE_EVAL
  METHOD QUICKSTEP
  STRESS_TENSOR ANALYTICAL
  &DFT
    BASIS_SET_FILE_NAME BASIS_MOLOPT
    POTENTIAL_FILE_NAME GTH_POTENTIALS
    CHARGE {charge}
    UKS {open_shell}
    MULTIPLICITY {multiplicity}
    &MGRID
      CUTOFF [Ry] {cutoff:g}
      REL_CUTOFF [Ry] {rel_cutoff:g}
    &END MGRID
    &QS
      METHOD GPW
      EPS_DEFAULT {eps_default:g}
    &END QS
    &SCF
      SCF_GUESS {guess}
      EPS_SCF {eps_scf:g}
      MAX_SCF {max_scf:.0f}
      &DIAGONALIZATION
        ALGORITHM STANDARD
      &END DIAGONALIZATION
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA {mixing:g}
        NBROYDEN 8
      &END MIXING
      &PRINT
        &RESTART {restart}
        &END RESTART
      &END PRINT
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL
      &VDW_POTENTIAL
        POTENTIAL_TYPE PAIR_POTENTIAL
        &PAIR_POTENTIAL
          TYPE DFTD3
          PARAMETER_FILE_NAME dftd3.dat
          REFERENCE_FUNCTIONAL PBE
          R_CUTOFF [angstrom] {dispersion_cutoff:g}
        &END PAIR_POTENTIAL
      &END VDW_POTENTIAL
    &END XC
  &END DFT
  &SUBSYS
    &CELL
      A [angstrom] {cell[0]}
      B [angstrom] {cell[1]}
      C [angstrom] {cell[2]}
      PERIODIC XYZ
    &END CELL
    &COORD
{coordinates}
    &END COORD
{kinds}
  &END SUBSYS
  &PRINT
    &FORCES ON
      NDIGITS 12
    &END FORCES
    &STRESS_TENSOR ON
    &END STRESS_TENSOR
  &END PRINT
&END FORCE_EVAL
"""

_KIND = """\
    &KIND {symbol}
      BASIS_SET DZVP-MOLOPT-SR-GTH
      POTENTIAL GTH-PBE-q{valence}
    &END KIND"""


class CP2KReference(Reference):
    """PBE with zero-damped D3 dispersion in mixed Gaussians and plane waves (GPW) [1]_ at the Γ point.

    DZVP-MOLOPT-SR-GTH basis, GTH pseudopotentials, analytical stress; diagonalisation with Broyden mixing. A charged
    cell is neutralised by a uniform background. Self-consistency starts from a density of a coarser grid, which saves
    time and does not change the result.

    Parameters
    ----------
    program
        Path of CP2K; by default CP2K is found on the search path.
    **settings
        Settings that replace the defaults: ``cutoff`` (Ry; the default depends on the elements, see `cutoff_of`),
        ``rel_cutoff`` (60 Ry), ``eps_default`` (1e-12), ``eps_scf`` (1e-6), ``max_scf`` (80), ``mixing`` (0.4),
        ``dispersion_cutoff`` (12 Å; CP2K includes pairs up to twice this distance).

    Raises
    ------
    InputError
        CP2K is not installed, or a setting does not exist.

    References
    ----------
    .. [1] T. D. Kühne et al., J. Chem. Phys. 152, 194103 (2020).
    """

    name = "PBE-D3(0), CP2K"
    elements = frozenset(VALENCES)
    molecules = partial_cells = False
    charged_cells = True
    cost = Cost(270, 1.35)  # of cells with LiPF6, at 1200 Ry; others take less
    # Smaller mixing steps lead to the same self-consistent density.
    safer: ClassVar[Mapping[str, Any]] = {"mixing": 0.1, "max_scf": 400}

    def __init__(self, program: str | None = None, **settings: float) -> None:
        defaults = {
            "rel_cutoff": 60,
            "eps_default": 1e-12,
            "eps_scf": 1e-6,
            "max_scf": 80,
            "mixing": 0.4,
            "dispersion_cutoff": 12,
        }
        require_known_settings(settings, {"cutoff": None, **defaults}, self.name)
        self.settings = defaults | settings
        self._program = _find(program)
        self.version = _version(self._program)

    def settings_of(self, atoms: Atoms) -> Mapping[str, Any]:
        """Return the settings; a cutoff (Ry) that is not given is chosen by the elements."""
        return {"cutoff": cutoff_of(atoms), **self.settings}

    def input(self, atoms: Atoms, *, coarse: bool = False, **settings: float) -> str:
        """Return the CP2K input for one configuration; `settings` replace those of the reference.

        With `coarse`, it is the input of the calculation before, of the first density on a coarse grid.
        """
        odd = electron_count(atoms) % 2
        settings = {**self.settings_of(atoms), **settings}
        if coarse:
            settings |= {name: coarser(settings[name], value) for name, (coarser, value) in _COARSE.items()}
        return _INPUT.format(
            task="ENERGY" if coarse else "ENERGY_FORCE",
            guess="ATOMIC" if coarse else "RESTART",
            restart="ON" if coarse else "OFF",
            charge=total_charge(atoms),
            open_shell=".TRUE." if odd else ".FALSE.",
            multiplicity=1 + odd,
            cell=[_vector(vector) for vector in atoms.cell.array],
            coordinates="\n".join(f"      {atom.symbol} {_vector(atom.position)}" for atom in atoms),
            kinds="\n".join(
                _KIND.format(symbol=symbol, valence=VALENCES[symbol]) for symbol in sorted(set(atoms.symbols))
            ),
            **settings,
        )

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        with tempfile.TemporaryDirectory(prefix="electrolyte-ml-cp2k-") as folder:
            command = [self._program, "-i", "label.inp"]
            (Path(folder) / "label.inp").write_text(self.input(atoms, coarse=True, **safer))
            with suppress(LabelError):  # without a first density, CP2K begins with that of free atoms
                run_program(command, Path(folder))
            (Path(folder) / "label.inp").write_text(self.input(atoms, **safer))
            return parse_output(run_program(command, Path(folder), _abort_message), len(atoms))


def parse_output(text: str, n_atoms: int) -> Label:
    """Read energy, forces and stress from the output of CP2K.

    Raises
    ------
    LabelError
        The self-consistency did not converge, or the output is incomplete.
    """
    if re.search(r"SCF run NOT converged", text):
        raise LabelError("CP2K: the self-consistency did not converge")
    energy = re.findall(r"ENERGY\| Total FORCE_EVAL \( QS \) energy \[a\.u\.\]:\s+(\S+)", text)
    forces = re.findall(r"^\s+\d+\s+\d+\s+[A-Z][a-z]?((?:\s+[-+]?\d+\.\d+(?:E[-+]\d+)?){3})\s*$", text, re.MULTILINE)
    stress = re.findall(r"^ STRESS\|\s+[xyz]((?:\s+[-+]?\d+\.\d+(?:E[-+]\d+)?){3})\s*$", text, re.MULTILINE)
    if not energy or len(forces) < n_atoms or len(stress) < 3 or "PROGRAM ENDED AT" not in text:
        raise LabelError(f"the output of CP2K is incomplete: {tail(text)}")
    try:
        total = float(energy[-1]) * Hartree
    except ValueError:
        raise LabelError(f"CP2K: the energy {energy[-1][:40]!r} is not a number") from None
    tensor = np.array([row.split() for row in stress[:3]], dtype=float)  # (3, 3) GPa, compression positive
    return Label(
        total,
        np.array([row.split() for row in forces[-n_atoms:]], dtype=float) * Hartree / Bohr,
        np.array([-tensor[index] for index in _VOIGT]) * GPa,
    )


def _abort_message(output: str, errors: str) -> str:
    """Return the message in the abort box of CP2K."""
    box = re.search(r"\[ABORT\].*?\n(.*?)\n\s*\*{40}", output, re.DOTALL)
    if box is None:
        return ""
    words = [re.sub(r"[*|\\/]+|\bO/|___", " ", line) for line in box[1].splitlines()]
    return one_line(" ".join(words))


def _vector(values: np.ndarray) -> str:
    return " ".join(f"{value:.10f}" for value in values)


def _find(program: str | None) -> str:
    for name in _PROGRAMS if program is None else (program,):
        found = shutil.which(name)
        if found:
            return str(Path(found).absolute())
    missing = "there is no CP2K on the search path" if program is None else f"there is no program {program!r}"
    raise InputError(f"{missing}: {_INSTALL}")


def _version(program: str) -> str:
    try:
        first = run_program([program, "--version"], Path.cwd())
    except (LabelError, OSError) as error:
        raise InputError(f"{program} does not start ({error}): {_INSTALL}") from error
    match = re.search(r"CP2K version (\S+)", first)
    if match is None:
        raise InputError(f"{program} prints no version of CP2K: {_INSTALL}")
    return f"CP2K {match[1]}"
