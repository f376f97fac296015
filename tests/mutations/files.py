"""Files of users: configurations, molecules, potentials, trajectories, tables and settings."""

import functools
import gzip
import lzma
import os
from dataclasses import replace
from unittest import mock

import numpy as np

from tests.mutations.registry import FORMATS, finite, format_of

# --- sets of configurations -----------------------------------------------------------------------------------------


@functools.cache
def liquid():
    from electrolyte_ml.structures import pack

    return pack({"EC": 2, "Li": 1, "PF6": 1}, 0.9, seed=3)


@functools.cache
def small():
    from electrolyte_ml.structures import pack

    return pack({"H2O": 2}, 0.5, seed=3)


def labelled(count=3):
    from ase.calculators.singlepoint import SinglePointCalculator

    rng, made = np.random.default_rng(1), []
    for _ in range(count):
        atoms = small().copy()
        atoms.rattle(0.05, rng=rng)
        atoms.calc = SinglePointCalculator(
            atoms, energy=-1.0, forces=rng.normal(size=(len(atoms), 3)), stress=rng.normal(size=6)
        )
        made.append(atoms)
    return made


def read_labelled(path, **options):
    from electrolyte_ml.structures import read_configurations

    for atoms in read_configurations(path, labelled=True, **options):
        assert len(atoms) > 0
        finite(atoms.positions, atoms.cell.array, atoms.get_potential_energy(), atoms.get_forces())


@format_of("set.extxyz")
def _(path):
    from electrolyte_ml.structures import write_configurations

    write_configurations(path, labelled())
    return read_labelled


@format_of("set.extxyz.gz", text=False)
def _(path):
    from electrolyte_ml.structures import write_configurations

    write_configurations(path.with_suffix(""), labelled())
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    return read_labelled


@format_of("set.extxyz.xz", text=False)
def _(path):
    from electrolyte_ml.structures import write_configurations

    write_configurations(path.with_suffix(""), labelled())
    path.write_bytes(lzma.compress(path.with_suffix("").read_bytes()))
    return read_labelled


@format_of("set.cfg")
def _(path):
    from electrolyte_ml.structures import write_configurations

    write_configurations(path, labelled(), species=("H", "O"))
    return functools.partial(read_labelled, species=("H", "O"))


# --- molecules ------------------------------------------------------------------------------------------------------


def _molecule(path):
    from electrolyte_ml.structures.molecule_files import read_molecule

    molecule = read_molecule(path)
    finite(molecule.atoms().positions, molecule.charge)


@format_of("molecule.xyz")
def _(path):
    from electrolyte_ml.structures.library import MOLECULES
    from electrolyte_ml.structures.molecule_files import write_molecule

    write_molecule(path, MOLECULES["EC"])
    return _molecule


@format_of("molecule.mol")
def _(path):
    from rdkit import Chem
    from rdkit.Chem import AllChem

    made = Chem.AddHs(Chem.MolFromSmiles("C1COC(=O)O1"))
    AllChem.EmbedMolecule(made, randomSeed=1)
    path.write_text(Chem.MolToMolBlock(made))
    return _molecule


# --- potentials -----------------------------------------------------------------------------------------------------


def _potential(path):
    from electrolyte_ml.potentials import load

    found = load(path)
    finite(found.parameters)
    found.evaluate(small(), 1)  # an energy that overflows is refused where it is used


@functools.cache
def potential(kind="mtp"):
    from electrolyte_ml.potentials import ModelSpec

    charges = "qrd" if kind == "pot" else None
    return ModelSpec(level=4, charges=charges).random(("H", "O"), 1)


@format_of("random.mtp")
def _(path):
    potential().save(path)
    return _potential


@format_of("random.pot")
def _(path):
    potential("pot").save(path)
    return _potential


@format_of("untrained.mtp")
def _(path):
    from electrolyte_ml.potentials import load

    lines = potential().to_text().splitlines()
    begin = next(k for k, line in enumerate(lines) if line.strip() == "radial_coeffs")
    end = next(k for k, line in enumerate(lines) if line.startswith("alpha_moments_count"))
    kept = [line for line in lines if not line.startswith(("species_coeffs", "moment_coeffs"))]
    path.write_text("\n".join(line for line in kept if line not in lines[begin:end]) + "\n")

    def read(damaged):
        found = load(damaged, species=("H", "O"), seed=1)
        finite(found.parameters)
        found.evaluate(small(), 1)

    return read


@format_of("pot.almtp", text=False)
def _(path):
    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import load
    from tests.potentials.test_mlip3 import section

    known = ActiveSet.build(potential(), labelled(), "neighbourhood")
    spanned = known.result.index >= 0
    matrix = np.where(spanned[:, None], known.result.matrix, 1e-6 * np.eye(len(spanned)))
    potential().save(path.with_suffix(".mtp"))
    path.write_bytes(path.with_suffix(".mtp").read_bytes() + section(matrix, np.where(spanned, 0, -1)))

    def read(damaged):
        found = load(damaged)
        active = ActiveSet.load(damaged, found)
        finite(found.parameters, active.result.matrix, active.grade(small()))
        assert (active.result.index >= -1).all()

    return read


# --- trajectories ---------------------------------------------------------------------------------------------------


def trajectory_frames():
    rng, made = np.random.default_rng(1), []
    atoms = liquid().copy()
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)))
    for k in range(4):
        frame = atoms.copy()
        frame.positions += 0.02 * k * rng.normal(size=(len(frame), 3))
        frame.wrap()
        frame.info = {"time_ps": 0.5 * k}
        made.append(frame)
    return made


def read_frames(path, topology=None, **options):
    from electrolyte_ml.trajectories import open_trajectory, read_ions

    ions = read_ions(open_trajectory(path, topology=topology, **options))
    finite(ions.positions, ions.timestep_ps, ions.masses, ions.charges)


def _register_trajectory(kind, text):
    from tests.trajectories.conftest import WRITERS, _write_dump, _write_with_mdanalysis

    def make(path):
        from ase.io import write

        from electrolyte_ml.dynamics.trajectory import encode_topology

        frames = trajectory_frames()
        topology = path.parent / "topology.pdb"
        topology.write_text(encode_topology(frames[0], np.eye(3)))
        if kind == "dump":
            _write_dump(path, frames)
            return functools.partial(read_frames, timestep_ps=0.5, lammps_units="metal")
        if kind.startswith("extxyz"):
            write(path.parent / "run.extxyz", frames, format="extxyz")
            if kind.endswith(".gz"):
                path.write_bytes(gzip.compress((path.parent / "run.extxyz").read_bytes()))
            return read_frames
        if kind in WRITERS:
            WRITERS[kind](path, frames)
            return functools.partial(read_frames, topology=topology, timestep_ps=0.5)
        _write_with_mdanalysis(path, frames, **({"dt": 0.5} if kind == "dcd" else {}))
        return functools.partial(read_frames, topology=topology, **({"timestep_ps": 0.5} if kind == "pdb" else {}))

    FORMATS[f"run.{kind}"] = (make, text)


for _kind, _text in {"trr": False, "xtc": False, "dcd": False, "ncdf": False, "extxyz": True, "extxyz.gz": False,
                     "trz": False, "dump": True,
                     "pdb": True, "mdcrd": True, "arc": True, "history": True}.items():  # fmt: skip
    _register_trajectory(_kind, _text)


@format_of("topology.pdb")
def _(path):
    from electrolyte_ml.dynamics.trajectory import encode_topology
    from tests.trajectories.conftest import _write_with_mdanalysis

    frames = trajectory_frames()
    path.write_text(encode_topology(frames[0], np.eye(3)))
    _write_with_mdanalysis(path.parent / "run.trr", frames)
    return lambda topology: read_frames(path.parent / "run.trr", topology)


def _register_topology(kind):
    def make(path):
        from ase.io import write

        from tests.trajectories.conftest import _write_with_mdanalysis

        frames = trajectory_frames()
        if kind != "gro":
            write(path, frames[0], format={"poscar": "vasp"}.get(kind, kind))
        else:
            _write_with_mdanalysis(path, frames[:1])
        _write_with_mdanalysis(path.parent / "run.trr", frames)
        return lambda topology: read_frames(path.parent / "run.trr", topology)

    FORMATS[f"topology.{kind}"] = (make, kind != "traj")


for _kind in ("cif", "poscar", "traj", "gro"):
    _register_topology(_kind)


@format_of("topology.data")
def _(path):
    from ase.io import write

    from tests.trajectories.conftest import _write_dump

    frames = trajectory_frames()
    write(path, frames[0], format="lammps-data", masses=True, atom_style="full")
    _write_dump(path.parent / "run.dump", frames, columns="id type xs ys zs")
    options = {"timestep_ps": 0.5, "lammps_units": "metal"}
    return lambda topology: read_frames(path.parent / "run.dump", topology, **options)


# --- tables and outputs of other programs --------------------------------------------------------------------------


def _register_pressures(name, header, **options):
    def make(path):
        from electrolyte_ml.trajectories import read_stress_table

        values = 100 * np.random.default_rng(0).normal(size=(30, 6))
        path.write_text(header + "".join(f"{0.1 * k:.3f} {' '.join(map(str, row))}\n" for k, row in enumerate(values)))

        def read(damaged):
            found = read_stress_table(damaged, 5000.0, **options)
            finite(found.interval_ps, found.pressures)
            assert found.interval_ps > 0 and len(found.pressures) > 1

        return read

    FORMATS[name] = (make, True)


_register_pressures(
    "energy.xvg",
    '@    yaxis  label "(bar)"\n' + "".join(
        f'@ s{k} legend "Pres-{name}"\n' for k, name in enumerate(("XX", "YY", "ZZ", "YZ", "XZ", "XY"))
    ),
)  # fmt: skip
_register_pressures("thermo.dat", "# time_ps Pxx Pyy Pzz Pyz Pxz Pxy\n", unit="atm")


@format_of("output.extxyz")
def _(path):
    """What the program of a ``command:`` reference writes."""
    from ase.io import write

    from electrolyte_ml.reference.command import _read_label
    from electrolyte_ml.reference.label import LabelError, verify

    atoms = labelled(1)[0]
    atoms.calc.results["forces"] -= atoms.calc.results["forces"].mean(axis=0)
    atoms.calc.results["stress"] *= 1e-3
    write(path, atoms, format="extxyz")

    def read(damaged):
        try:
            label = verify(_read_label(damaged, atoms, "the program"), atoms)
        except LabelError as error:  # of a configuration, which is named where it is labelled
            raise LabelError(f"{damaged}: {error}") from error
        finite(label.energy, label.forces, *([] if label.stress is None else [label.stress]))

    return read


@format_of("cp2k.out")
def _(path):
    from electrolyte_ml.errors import ElectrolyteError
    from electrolyte_ml.reference.cp2k import parse_output
    from electrolyte_ml.reference.label import verify
    from tests.reference.test_cp2k import OUTPUT, oh

    path.write_text(OUTPUT)

    def read(damaged):
        try:
            label = verify(parse_output(damaged.read_text(errors="replace"), 2), oh())
        except ElectrolyteError as error:
            raise type(error)(f"{damaged}: {error}") from error
        finite(label.energy, label.forces, label.stress)

    return read


# --- settings -------------------------------------------------------------------------------------------------------


@format_of("learning.toml")
def _(path):
    from electrolyte_ml.active_learning import ActiveLearningSettings

    path.write_text(ActiveLearningSettings(composition=("EC=8",), density=(1.15, 1.25)).to_toml())
    return ActiveLearningSettings.from_toml


@format_of("production.toml")
def _(path):
    from electrolyte_ml.production import ProductionSettings

    path.write_text(ProductionSettings(potential="a.mtp", composition="EC=8 LiPF6=1", density=1.2).to_toml())
    return ProductionSettings.from_toml


@format_of("cluster.toml")
def _(path):
    from electrolyte_ml.clusters import VARIABLE, cluster_settings, environment_lines

    path.write_text(
        'nodes = 4\ncores_per_node = 32\ncores_per_worker = 2\nwalltime = "04:00:00"\npartition = "long"\n'
        'account = "chem-1"\nmemory_per_node = 64\nscheduler_options = ["#SBATCH --constraint=zen4"]\n'
        'worker_init = ["module load cp2k"]\nretries = 5\nworker_timeout = 30\nlogs = "logs"\n'
    )

    def read(damaged):
        with mock.patch.dict(os.environ, {VARIABLE: str(damaged)}):
            found = cluster_settings()
        assert min(found.nodes, found.cores_per_worker) > 0 and found.retries >= 0 and found.worker_timeout > 0
        finite(found.worker_timeout)
        environment_lines(found)

    return read


@format_of("molecules.toml")
def _(path):
    from electrolyte_ml.active_learning import ActiveLearningSettings
    from electrolyte_ml.structures.library import MOLECULES
    from electrolyte_ml.structures.molecule_files import write_molecule

    write_molecule(path.parent / "own.xyz", replace(MOLECULES["EMC"], name="OWN"))
    path.write_text(
        'composition = "THF=2 OWN=1"\ndensity = 1.0\n[molecules.THF]\nsmiles = "C1CCOC1"\n'
        '[molecules.OWN]\nfile = "own.xyz"\ncharge = 0\n'
    )

    def read(damaged):
        for made in ActiveLearningSettings.from_toml(damaged).own_molecules().values():
            finite(made.atoms().positions, made.charge)

    return read
