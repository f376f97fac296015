"""Write hessians.npz: second derivatives of the energy of every molecule of the library, eV/Å², by GFN1-xTB.

python tests/structures/data/make_hessians.py
"""

from pathlib import Path

import numpy as np
from tblite.ase import TBLite

from electrolyte_ml.structures import MOLECULES, molecule

STEP = 0.01  # Å


def hessian(name):
    """(3N, 3N) by central differences of the forces."""
    atoms, charge = molecule(name), MOLECULES[name].charge
    atoms.set_initial_charges([charge / len(atoms)] * len(atoms))
    atoms.calc = TBLite(method="GFN1-xTB", verbosity=0, charge=charge)
    start, rows = atoms.positions.copy(), []
    for k in range(3 * len(atoms)):
        forces = []
        for sign in (1, -1):
            atoms.positions = start
            atoms.positions[k // 3, k % 3] += sign * STEP
            forces.append(atoms.get_forces().ravel())
        rows.append((forces[1] - forces[0]) / (2 * STEP))
    return 0.5 * (np.array(rows) + np.transpose(rows))


if __name__ == "__main__":
    found = {name: hessian(name).astype(np.float16) for name, known in MOLECULES.items() if len(known.symbols) > 2}
    np.savez_compressed(Path(__file__).with_name("hessians.npz"), **found)
