"""The cost of the mesh grows as N log N: pairs and mesh points per atom stay the same, and memory with them."""

import json
import subprocess
import sys

import numpy as np
import pytest

from electrolyte_ml.potentials.coulomb import ParticleMesh
from electrolyte_ml.potentials.geometry import Geometry

CHARGES = 196  # of the cell that is repeated
COPIES = 8  # along each axis: 100 352 atoms
ACCURACY = 1e-3  # eV/Å

SHAPES = (np.eye(3), np.diag([0.7, 1.0, 1.4]), np.array([[1.0, 0, 0], [0.4, 1, 0], [-0.3, 0.3, 1]]))

LARGE = f"""
import json, sys
import numpy as np
from ase import Atoms
from electrolyte_ml._benchmarks.machine import most_memory
from electrolyte_ml.potentials.coulomb import Ewald, ParticleMesh
from electrolyte_ml.potentials.geometry import Geometry

given = json.load(sys.stdin)
atoms, charges = Atoms("Li{CHARGES}", given["positions"], cell=given["cell"], pbc=True), np.array(given["charges"])
single = Ewald(1e-10).solve(Geometry.of(atoms, ("Li",), 5.0), charges)
ParticleMesh({ACCURACY}).solve(Geometry.of(atoms, ("Li",), 5.0), charges)  # compiles: that has a memory of its own
before = most_memory()
large = Geometry.of(atoms.repeat({COPIES}), ("Li",), 5.0)
copies = {COPIES**3}
repeated = np.tile(charges, copies)
result = ParticleMesh({ACCURACY}).solve(large, repeated)
forces = result.forces.reshape(copies, -1, 3)
print(json.dumps({{
    "memory": most_memory() - before,
    "energy": result.energy / copies - single.energy,
    "virial": float(np.abs(result.virial / copies - single.virial).max()),
    "rms": float(np.sqrt(((forces - single.forces) ** 2).sum(2).mean())),
    "largest": float(np.abs(forces - single.forces).max()),
}}))
"""


@pytest.fixture(scope="module")
def cell(liquid):
    """A cell of charges of 1 e at the density of a liquid."""
    return liquid(CHARGES, ("Li",)), np.where(np.arange(CHARGES) % 2, 1.0, -1.0)


@pytest.mark.parametrize("accuracy", [1e-3, 1e-4])
def test_mesh_points_go_with_the_volume(accuracy):
    """From 1000 to 100 000 atoms of a liquid, in cells of any shape; numbers of points are rounded up to good ones."""
    densities = []
    for atoms in (1e3, 3e3, 1e4, 3e4, 1e5):
        charges = np.where(np.arange(int(atoms)) % 2, 1.0, -1.0)
        for shape in SHAPES:
            lattice = (10.0 * atoms) ** (1 / 3) * shape
            # The spacing along the vectors is what counts: a skewed cell has more points for its volume.
            mesh = ParticleMesh(accuracy).fixed_for(lattice, charges).splitting.shape
            densities.append(np.prod(mesh) / np.linalg.norm(lattice, axis=1).prod())
    assert max(densities) < 1.5 * min(densities)


def test_pairs_go_with_the_number_of_atoms(cell):
    atoms, _ = cell
    pairs = [len(Geometry.of(atoms.repeat(n), ("Li",), ParticleMesh.cutoff).near.other) / n**3 for n in (1, 2, 4)]
    assert pairs[0] == pairs[1] == pairs[2] > 20 * len(atoms)


@pytest.mark.slow
def test_a_hundred_thousand_atoms(cell):
    """Copies of a cell have its energy and its forces; pairs and mesh take less than 5 KB for each atom."""
    atoms, charges = cell
    given = {"positions": atoms.positions.tolist(), "cell": atoms.cell.tolist(), "charges": charges.tolist()}
    done = subprocess.run(
        [sys.executable, "-c", LARGE], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["rms"] < ACCURACY
    assert found["largest"] < 10 * ACCURACY
    assert abs(found["energy"]) < 50 * ACCURACY
    assert found["virial"] < 100 * ACCURACY
    assert found["memory"] < 5000 * CHARGES * COPIES**3  # bytes
