"""Trajectories that solvation-analysis ships, and how to open them; charges for the programs that sum them."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures import pack
from electrolyte_ml.trajectories import Role, open_trajectory

EAX_BOX = {"ea": 45.760393, "eaf": 47.844380, "fea": 48.358954, "feaf": 50.023129}  # Å, missing in the files


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The folder of the data that solvation-analysis ships."""
    spec = find_spec("solvation_analysis")
    if spec is None:
        pytest.skip("solvation-analysis is not installed")
    return Path(spec.origin).parent / "tests" / "data"


@pytest.fixture(scope="session")
def bn_fec(shipped):
    """49 LiPF6 in butyronitrile and FEC, ten frames; its donors are all atoms, as solvation-analysis counts them."""
    return open_bn_fec(shipped, "wrap")


@pytest.fixture(scope="session")
def bn_fec_unwrapped(shipped):
    """The same with positions that no boundary wraps."""
    return open_bn_fec(shipped, "unwrap")


def open_bn_fec(shipped, which):
    folder = shipped / "bn_fec_data"
    return open_trajectory(
        folder / f"bn_fec_short_{which}.dcd",
        topology=folder / "bn_fec.data",
        roles={
            "PF6": Role("type 20", kind="anion", donors={"any": "byres type 20"}),
            "BN": Role("type 5", donors={"any": "byres type 5"}),
            "FEC": Role("type 19", donors={"any": "byres type 19"}),
        },
    )


@pytest.fixture(scope="session")
def eax(shipped):
    """LiPF6 in (fluorinated) ethyl acetates with FEC, ten frames each; all atoms are donors."""

    def open_one(name):
        import MDAnalysis

        folder = shipped / "eax_data" / name
        files = [folder / "topology.pdb", folder / "trajectory_equil.dcd"]
        if name == "ea_fec":
            files = [shipped / "ea_fec_data" / f"ea_fec.{suffix}" for suffix in ("pdb", "dcd")]
        sizes = [len(residue.atoms) for residue in MDAnalysis.Universe(files[0]).residues]
        solvent = " ".join(str(k) for k, size in enumerate(sizes) if size == 14)
        carbonate = " ".join(str(k) for k, size in enumerate(sizes) if size == 10)
        return open_trajectory(
            files[1],
            topology=files[0],
            cell=EAX_BOX.get(name),
            roles={
                "PF6": Role("element P", kind="anion", donors={"any": "byres element P"}),
                "EAx": Role(f"resindex {solvent}", donors={"any": f"resindex {solvent}"}),
                "FEC": Role(f"resindex {carbonate}", donors={"any": f"resindex {carbonate}"}),
            },
        )

    return open_one


@pytest.fixture(scope="session")
def ours():
    """Sum charges with a solver of the package: `ours(solver, atoms, charges)`."""

    def add(solver, atoms, charges):
        symbols = tuple(sorted(set(atoms.get_chemical_symbols())))
        return solver.solve(Geometry.of(atoms, symbols, 5.0), charges)

    return add


@pytest.fixture(scope="session")
def ions(liquid):
    """Name -> 40 random ions in a cell whose first vector is along x and whose second is in the x-y plane.

    All programs take such cells. They are not more skewed because OpenMM (8.3, 8.6) then misses pairs of small cells.
    """
    kinds = {  # total charge in e, and what the second and third vector have beside their own axis, in Å
        "neutral": (0.0, (0, 0, 0)),
        "charged": (3.0, (0, 0, 0)),
        "skewed": (0.0, (3, -3, 2)),
        "skewed and charged": (-2.0, (-3, 2, 3)),
    }
    systems = {}
    for seed, (name, (total, tilt)) in enumerate(kinds.items()):
        atoms = liquid(40, ("Li",), seed, side=12.0)
        cell = np.diag([11.0, 12.0, 13.0])
        cell[1, 0], cell[2, 0], cell[2, 1] = tilt
        atoms.set_cell(cell, scale_atoms=True)
        atoms.wrap()
        charges = np.random.default_rng(seed).uniform(-1, 1, 40)
        systems[name] = atoms, charges + (total - charges.sum()) / 40
    return systems


@pytest.fixture(scope="session")
def electrolyte():
    """A box of LiPF6 in EC and EMC, and a random potential with charge redistribution."""
    potential = ModelSpec(level=4, charges="qrd").random(("H", "C", "O", "Li", "P", "F"), 1)
    return pack({"LiPF6": 1, "EC": 3, "EMC": 7}, 1.1, seed=1), potential
