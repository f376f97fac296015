"""Wrong bytes in every format that is read: how files are made, damaged and read, and what may come of it.

``python -m tests.mutations FORMAT FOLDER FIRST COUNT`` reads so many damaged copies, one after the other, in a process
whose memory and time are limited, and prints the number of each before it is read: after a crash the last one is the
culprit.
"""

import faulthandler
import functools
import gzip
import json
import lzma
import re
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

MEMORY = 2 << 30  # bytes
SECONDS = 20
WORDS = [
    b"nan",
    b"inf",
    b"-1",
    b"0",
    b"1e999",
    b"1e308",
    b"-7.5",
    b"9" * 12,
    b"9" * 400,
    b"abc",
    b"",
    b"2.5",
    b'"',
    b"]",
    b"\xff",
]
FORMATS = {}


def format_of(name, text=True):
    """Register a format: a function that makes the file of this name, and returns how one is read and checked."""

    def register(make):
        FORMATS[name] = (make, text)
        return make

    return register


def mutated(whole, rng, text):
    """Return bytes with one to three faults: changed, lost, doubled, cut, or a number replaced by another.

    Half of the faults of a binary file are near its beginning: the headers there are few bytes among many numbers.
    """
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, 4))):
        length, kind = max(1, len(content)), rng.random()
        at = int(rng.integers(length))
        if not text and rng.random() < 0.5:
            at = int(length ** rng.random()) - 1
        if text and kind < 0.4:
            words = list(re.finditer(rb"[-+]?\d[-+\w.]*", bytes(content[at : at + 400])))
            if words:
                word = words[int(rng.integers(len(words)))]
                content[at + word.start() : at + word.end()] = WORDS[int(rng.integers(len(WORDS)))]
        elif kind < 0.6:
            content[at : at + 1] = bytes([int(rng.integers(256))])
        elif kind < 0.7:
            del content[at : at + int(rng.integers(1, 30))]
        elif kind < 0.8:
            content[at : at + 1] = b"9" * int(rng.integers(1, 6))
        elif kind < 0.9 and not text:
            content[at - at % 4 : at - at % 4 + 4] = int(rng.choice([-1, 0, 1, 2**31 - 1])).to_bytes(
                4, rng.choice(["big", "little"]), signed=True
            )
        elif kind < 0.95:
            content[at:at] = content[at : at + int(rng.integers(1, 60))]
        else:
            del content[at:]
    return bytes(content)


def finite(*values):
    """Check that all numbers are finite."""
    for value in values:
        array = np.asarray(value, float)
        assert np.isfinite(array).all(), f"not finite: {array.ravel()[~np.isfinite(array.ravel())][:3]}"


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
        if kind == "extxyz":
            write(path, frames, format="extxyz")
            return read_frames
        if kind in WRITERS:
            WRITERS[kind](path, frames)
            return functools.partial(read_frames, topology=topology, timestep_ps=0.5)
        _write_with_mdanalysis(path, frames, **({"dt": 0.5} if kind == "dcd" else {}))
        return functools.partial(read_frames, topology=topology, **({"timestep_ps": 0.5} if kind == "pdb" else {}))

    FORMATS[f"run.{kind}"] = (make, text)


for _kind, _text in {"trr": False, "xtc": False, "dcd": False, "ncdf": False, "extxyz": True, "dump": True,
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


@format_of("topology.data")
def _(path):
    from ase.io import write

    from tests.trajectories.conftest import _write_dump

    frames = trajectory_frames()
    write(path, frames[0], format="lammps-data", masses=True, atom_style="full")
    _write_dump(path.parent / "run.dump", frames, columns="id type xs ys zs")
    options = {"timestep_ps": 0.5, "lammps_units": "metal"}
    return lambda topology: read_frames(path.parent / "run.dump", topology, **options)


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


# --- our own state --------------------------------------------------------------------------------------------------


@format_of("active_set.npz", text=False)
def _(path):
    from electrolyte_ml.active_learning import ActiveSet

    ActiveSet.build(potential(), labelled(), mode="neighbourhood").save(path)

    def read(damaged):
        found = ActiveSet.load(damaged, potential())
        finite(found.result.matrix, found.grade(small()))

    return read


@format_of("status.json")
def _(path):
    from electrolyte_ml.active_learning.status import IterationStatus, StatusTable
    from tests.test_state_files import STATUS

    path.write_text(json.dumps(STATUS))

    def read(damaged):
        row = IterationStatus.read(damaged)
        assert row.size >= 0 and row.saved >= 0 and row.selected >= 0
        StatusTable.line(row)

    return read


@format_of("label.json")
def _(path):
    """The entry of a label store: its checksum finds damage, except where the checksum itself is made anew."""
    import hashlib

    from electrolyte_ml.reference import LabelStore, get
    from electrolyte_ml.reference.label import Label
    from electrolyte_ml.reference.labels import label_hash

    atoms, reference = small(), get("lj")
    store = LabelStore(path.parent / "store")
    store.put(atoms, reference, Label(-1.0, np.full((len(atoms), 3), 0.1), np.zeros(6)))
    entry = store._path(label_hash(atoms, reference))
    path.write_bytes(entry.read_bytes().partition(b"\n")[0])

    def read(damaged):
        payload = damaged.read_bytes().replace(b"\n", b" ")
        entry.write_bytes(payload + b"\n" + hashlib.sha256(payload).hexdigest().encode() + b"\n")
        try:
            found = store.get(atoms, reference)
        except ValueError as error:
            raise type(error)(str(error).replace(str(entry), str(damaged))) from error
        if found is not None:
            finite(found.get_potential_energy(), found.get_forces())

    return read


@functools.cache
def run_folder(folder):
    from electrolyte_ml import run_md
    from electrolyte_ml.dynamics import IonRecorder, StressRecorder

    atoms = liquid()
    from ase.calculators.lj import LennardJones

    recorders = [IonRecorder(atoms, 1), StressRecorder(1)]
    run_md(atoms, LennardJones(epsilon=1e-5, sigma=0.5, rc=2.0), directory=folder, time_ps=0.004, timestep_fs=0.5,
           ensemble="nvt", temperature=10.0, relax=0, recorders=recorders, progress=False)  # fmt: skip
    return folder


def _register_run_file(name, text):
    def make(path):
        from ase.calculators.lj import LennardJones

        from electrolyte_ml import run_md
        from electrolyte_ml.dynamics import IonRecorder, StressRecorder
        from electrolyte_ml.trajectories import read_ion_record
        from electrolyte_ml.trajectories.stress_record import read_stress_record

        folder = run_folder(path.parent / "run")
        path.write_bytes((folder / name).read_bytes())

        def again():
            atoms = liquid()
            recorders = [IonRecorder(atoms, 1), StressRecorder(1)]
            result = run_md(atoms, LennardJones(epsilon=1e-5, sigma=0.5, rc=2.0), directory=folder, time_ps=0.004,
                            timestep_fs=0.5, ensemble="nvt", temperature=10.0, relax=0, recorders=recorders,
                            progress=False)  # fmt: skip
            finite(result.atoms.positions, result.energies, result.temperatures)
            result.frames()

        def ions():
            found = read_ion_record(folder)
            finite(found.positions, found.timestep_ps, found.volume, found.masses, found.charges)

        def stress():
            found = read_stress_record(folder)
            finite(found.interval_ps, found.volume)

        def read(damaged):
            whole = {one: one.read_bytes() for one in folder.iterdir() if one.is_file()}
            (folder / name).write_bytes(damaged.read_bytes())
            try:
                stress() if name.startswith("pressure") else ions() if name.startswith("ions") else again()
            except ValueError as error:
                assert str(folder) in str(error), f"the folder is not named: {error}"
                raise type(error)(f"{damaged}: {error}") from error
            finally:
                for one, content in whole.items():
                    one.write_bytes(content)

        return read

    FORMATS[f"md_{name}"] = (make, text)


for _name, _text in {"restart.npz": False, "log.csv": True, "trajectory.trr": False, "ions.json": True,
                     "ions.trr": False, "pressure.json": True}.items():  # fmt: skip
    _register_run_file(_name, _text)


@format_of("trial.json")
def _(path):
    from dataclasses import asdict

    from electrolyte_ml.training import evaluate_errors
    from electrolyte_ml.training.trials import TrialResult, read_trial

    errors = evaluate_errors(potential(), labelled())
    result = TrialResult(errors=errors, iterations=3, converged=True, seconds=1.0)
    numbers = asdict(result)
    path.write_text(json.dumps({"result": json.loads(json.dumps(numbers, default=lambda x: np.asarray(x).tolist()))}))

    def read(damaged):
        found = read_trial(damaged)
        assert found.iterations >= 0
        finite(found.seconds)

    return read


# --- the process that reads them ------------------------------------------------------------------------------------


class TooLong(BaseException):
    pass


def _too_long(number, frame):
    raise TooLong


def read_damaged(name, folder, first, count, told=lambda number: None):
    """Read damaged copies of a file of a format, and return the faults of the readers, a line each."""
    from electrolyte_ml.errors import ElectrolyteError

    make, text = FORMATS[name]
    path = Path(folder) / name
    read = make(path)
    read(path)  # the whole file must pass, or nothing is tested
    whole, before = path.read_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    damaged = path.with_name("damaged." + name.removeprefix("md_"))
    faults, refused, handler = [], 0, signal.signal(signal.SIGALRM, _too_long)
    for k in range(first, first + count):
        told(k)
        damaged.write_bytes(mutated(whole, np.random.default_rng(k), text))
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(damaged)
        except (ElectrolyteError, OSError) as error:
            refused += 1
            message = " ".join(str(error).split())
            if str(folder) not in message:  # a wrong topology may be told as a trajectory that does not fit it
                faults.append(f"{name} {k}: the file is not named: {message[:300]}")
        except (Exception, TooLong) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            faults.append(f"{name} {k}: {type(error).__name__} ({where}): {' '.join(str(error).split())[:200]}")
        finally:
            signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if (peak - before) * 1024 > MEMORY:
            faults.append(f"{name} {k}: {peak >> 20} GB of memory")
            before = peak
    signal.signal(signal.SIGALRM, handler)
    return faults, refused


def main(name, folder, first, count):
    """Read damaged files in a process of its own, and return the exit code."""
    faulthandler.enable()
    faults, refused = read_damaged(name, folder, first, count, lambda number: print(number, end=" ", flush=True))
    print("\n" + "\n".join([*faults, f"{name}: {count} read, {refused} refused, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
