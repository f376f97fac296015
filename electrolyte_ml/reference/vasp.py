"""PBE-D3(0) in plane waves, the paper's level of theory, by VASP through ASE."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ase
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.ase_calculator import compute_with
from electrolyte_ml.reference.base import Reference, one_line, require_known_settings
from electrolyte_ml.reference.contents import content_of
from electrolyte_ml.reference.label import Label, LabelError

if TYPE_CHECKING:
    from ase.calculators.vasp import Vasp

# Valence electrons. Li needs its 1s electrons (Li_sv); all others have their standard sets.
VALENCES = {"H": 1, "Li": 3, "C": 4, "O": 6, "F": 7, "P": 5}
_SETUPS = {"Li": "_sv"}
_COMMANDS = ("ASE_VASP_COMMAND", "VASP_COMMAND", "VASP_SCRIPT")
_INSTALL = (
    "VASP needs a licence; if you have it, set ASE_VASP_COMMAND to the command that runs it "
    "and VASP_PP_PATH to the folder that holds potpaw_PBE"
)


class VASPReference(Reference):
    """PBE with zero-damped D3 dispersion (IVDW = 11) at the Γ point, EDIFF 1e-6 eV, as in the paper's section 4.5.

    Parameters
    ----------
    **settings
        Settings that replace the defaults: ``encut`` (550 eV, the paper's value for pure solvents and their mixtures;
        750 for LiPF6 solutions), ``ediff`` (1e-6 eV), ``nelm`` (100).

    Raises
    ------
    InputError
        A setting does not exist.
    """

    name = "PBE-D3(0), VASP"
    version = "VASP"
    elements = frozenset(VALENCES)
    molecules = partial_cells = False
    charge_advice = "add counter-ions"
    # Linear mixing with small steps (recommended in the VASP manual if convergence fails), and more steps.
    safer: ClassVar[Mapping[str, Any]] = {"algo": "Normal", "amix": 0.1, "bmix": 0.0001, "nelm": 400}

    def __init__(self, **settings: float) -> None:
        defaults = {"encut": 550, "ediff": 1e-6, "nelm": 100}
        require_known_settings(settings, defaults, self.name)
        self.settings = defaults | settings

    def settings_of(self, atoms: Atoms) -> Mapping[str, Any]:
        """Return the settings, with the pseudopotentials of the elements where VASP_PP_PATH is set."""
        folder = os.environ.get("VASP_PP_PATH")
        if not folder:
            return self.settings
        setups = [symbol + _SETUPS.get(symbol, "") for symbol in sorted(set(atoms.symbols))]
        files = [path for setup in setups for path in sorted(Path(folder, "potpaw_PBE", setup).glob("POTCAR*"))]
        return {**self.settings, "pseudopotentials": [[path.parent.name, *content_of(path)] for path in files]}

    def require(self) -> None:
        """Raise `InputError` if the command or the pseudopotentials are missing."""
        command = next((os.environ[name] for name in _COMMANDS if os.environ.get(name)), None)
        if command is None and ase.config.cfg.parser.has_section("vasp"):
            command = ase.config.cfg.parser["vasp"].get("command")
        if not command:
            raise InputError(f"{self.name}: the command that runs VASP is not set. {_INSTALL}")
        if shutil.which(command.split()[0]) is None:
            raise InputError(f"{self.name}: there is no program {command.split()[0]!r}. {_INSTALL}")
        potentials = os.environ.get("VASP_PP_PATH")
        if not potentials or not Path(potentials).is_dir():
            raise InputError(f"{self.name}: VASP_PP_PATH is not a folder of pseudopotentials. {_INSTALL}")

    def write_inputs(self, atoms: Atoms, directory: str | os.PathLike) -> None:
        """Write POSCAR, INCAR and KPOINTS, and POTCAR if VASP_PP_PATH is set, without running VASP.

        Raises
        ------
        InputError
            The configuration cannot be labelled, or a pseudopotential is missing in VASP_PP_PATH.
        """
        from ase.io.vasp import write_vasp

        self.check(atoms)
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        calculator = self._calculator({})
        has_potentials = "VASP_PP_PATH" in os.environ
        try:
            calculator.initialize(atoms)
        except RuntimeError as error:  # ASE reads the pseudopotentials last: all else is set up
            if has_potentials:
                raise InputError(f"{self.name}: {one_line(error)}") from error
        write_vasp(folder / "POSCAR", calculator.atoms_sorted, symbol_count=calculator.symbol_count)
        calculator.write_incar(atoms, directory=str(folder))
        calculator.write_kpoints(atoms=atoms, directory=str(folder))
        if has_potentials:
            calculator.write_potcar(directory=str(folder))

    def _calculator(self, safer: Mapping[str, Any]) -> Vasp:
        from ase.calculators.vasp import Vasp

        return Vasp(
            xc="PBE",
            setups=_SETUPS,
            ivdw=11,  # D3, zero damping
            kpts=(1, 1, 1),
            gamma=True,
            ismear=0,  # the liquids are insulators: the smearing only helps convergence
            sigma=0.05,
            isym=0,
            ibrion=-1,
            nsw=0,
            isif=2,  # the stress, at a fixed cell
            ispin=1,
            lwave=False,
            lcharg=False,
            **{**self.settings, **safer},
        )

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        self.require()
        calculator = self._calculator(safer)
        label = compute_with(calculator, atoms, self.name)
        if not calculator.converged:
            raise LabelError(f"{self.name}: the self-consistency did not converge")
        return label
