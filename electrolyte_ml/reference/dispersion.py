"""The dispersion energy D3 of Grimme with zero damping for PBE, through the package `dftd3`."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from electrolyte_ml.reference.base import one_line
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.packages import load


def add_dispersion(label: Label, atoms: Atoms, install: str) -> Label:
    """Return a PBE label with D3(0) added [1]_: pairwise terms alone, as in VASP (IVDW = 11) and CP2K.

    Parameters
    ----------
    label
        Energy, forces and, for a cell, stress without dispersion. A label without a stress stays without one.
    atoms
        Its configuration.
    install
        What to install where `dftd3` is missing.

    Raises
    ------
    InputError
        If `dftd3` is not installed.
    LabelError
        If it fails.

    References
    ----------
    .. [1] S. Grimme, J. Antony, S. Ehrlich, H. Krieg, J. Chem. Phys. 132, 154104 (2010).
    """
    # Whether the three-body term (ATM) is there by default depends on the version of dftd3.
    calculator = load("dftd3.ase", install).DFTD3(damping="d3zero", params_tweaks={"method": "PBE", "atm": False})
    try:
        calculator.calculate(atoms, ["energy", "forces", "stress"])
    except Exception as error:  # ASE's own exceptions, and those of the library
        raise LabelError(f"D3(0): {one_line(error)}") from error
    added = calculator.results
    stress = None if label.stress is None else label.stress + np.asarray(added["stress"])
    return Label(label.energy + added["energy"], label.forces + added["forces"], stress)
