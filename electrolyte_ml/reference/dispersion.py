"""D3 dispersion with zero damping for PBE, through the package `dftd3`."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from electrolyte_ml.reference.base import one_line
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.packages import load


def add_dispersion(label: Label, atoms: Atoms, install: str) -> Label:
    """Return a PBE label with D3(0) added [1]_: only pairwise terms, as in VASP (IVDW = 11) and CP2K.

    Parameters
    ----------
    label
        Energy, forces and, for a cell, stress without dispersion. A label without a stress stays without one.
    atoms
        Configuration of the label.
    install
        Installation command for the message if `dftd3` is missing.

    Raises
    ------
    InputError
        `dftd3` is not installed.
    LabelError
        The calculation fails.

    References
    ----------
    .. [1] S. Grimme, J. Antony, S. Ehrlich, H. Krieg, J. Chem. Phys. 132, 154104 (2010).
    """
    # The default of the three-body term (ATM) depends on the version of dftd3.
    calculator = load("dftd3.ase", install).DFTD3(damping="d3zero", params_tweaks={"method": "PBE", "atm": False})
    try:
        calculator.calculate(atoms, ["energy", "forces", "stress"])
    except Exception as error:  # ASE and the library raise exceptions of many types
        raise LabelError(f"D3(0): {one_line(error)}") from error
    added = calculator.results
    stress = None if label.stress is None else label.stress + np.asarray(added["stress"])
    return Label(label.energy + added["energy"], label.forces + added["forces"], stress)
