"""Trajectories that solvation-analysis ships, and how to open them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

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
