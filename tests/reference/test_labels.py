"""The label store: never twice, never lost, never half of one."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from electrolyte_ml import files, reference
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.reference import Label, LabelError, LabelStore, label_file
from electrolyte_ml.reference.labels import label_hash

LJ = {"epsilon": 0.01, "sigma": 3.0, "rc": 8.0}


@pytest.fixture
def lj():
    return reference.get("lj", **LJ)


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "labels")


def entries(store):
    return sorted(store.directory.glob("*/*.json"))


# --- what a label is named by ---------------------------------------------------------------------------------------


def test_the_hash_knows_every_part_of_the_structure(lj):
    atoms = Atoms("CO", [[0, 0, 0], [0, 0, 1.2]], cell=[5, 5, 5], pbc=True)
    variants = [atoms.copy() for _ in range(7)]
    variants[0].positions[1, 2] += 1e-6
    variants[1].numbers[0] = 7
    variants[2].cell[0, 0] = 5.001
    variants[3].pbc = False
    variants[4].info["charge"] = 1
    variants[5].set_initial_magnetic_moments([1, 0])
    variants[6] = variants[6][[1, 0]]
    names = {label_hash(atoms, lj)} | {label_hash(variant, lj) for variant in variants}
    assert len(names) == 8
    assert label_hash(atoms, reference.get("lj", **{**LJ, "rc": 9.0})) not in names
    assert label_hash(atoms, reference.get("emt")) not in names


def test_the_hash_forgets_what_a_label_does_not_depend_on(lj):
    atoms = Atoms("CO", [[0, 0, 0.0], [0, 0, 1.2]])
    other = atoms.copy()
    other.info["note"] = "from somewhere"
    other.set_velocities(np.ones((2, 3)))
    other.cell = [9, 9, 9]  # around a cluster
    other.positions[0, 0] = -0.0
    other.positions[1, 1] = -1e-10
    assert label_hash(other, lj) == label_hash(atoms, lj)


def test_a_configuration_that_went_through_a_file_finds_its_label(lj, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(50):
        atoms = Atoms("C8", rng.uniform(-20, 20, (8, 3)), cell=rng.uniform(-2, 2, (3, 3)) + 20 * np.eye(3), pbc=True)
        write(tmp_path / "a.extxyz", atoms)
        assert label_hash(read(tmp_path / "a.extxyz"), lj) == label_hash(atoms, lj), number


# --- computing once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_label_is_computed_once(spring, pairs, spring_energy, store, jobs):
    springs = spring()
    asked = [*pairs[:4], pairs[1], pairs[0]]
    result = store.label_all(asked, springs, jobs=jobs, progress=False)
    assert (result.computed, result.reused, result.failed) == (4, 2, [])
    for atoms, labelled in zip(asked, result.labelled):
        assert labelled.get_potential_energy() == pytest.approx(spring_energy(atoms), abs=1e-7)
        assert labelled.get_forces() == pytest.approx(-atoms.positions, abs=1e-7)
        assert labelled.info["reference"] == "springs"
        assert labelled.info["label_hash"] == label_hash(atoms, springs)
        assert atoms.calc is None
    again = LabelStore(store.directory).label_all(asked + pairs[4:6], springs, jobs=jobs, progress=False)
    assert (again.computed, again.reused) == (2, 6)
    assert len(spring.calls()) == 6
    assert store.get(pairs[0], springs).get_potential_energy() == result.labelled[0].get_potential_energy()
    assert store.get(pairs[9], springs) is None


def test_labels_survive_the_store_to_the_last_bit(store, lj):
    rng = np.random.default_rng(0)
    atoms = Atoms("CO", [[0, 0, 0], [0, 0, 1.2]], cell=[5, 5, 5], pbc=True)
    label = Label(-rng.random() * 1e4, rng.normal(size=(2, 3)), rng.normal(size=6))
    store.put(atoms, lj, label)
    found = store.get(atoms, lj).calc.results
    assert found["energy"] == label.energy
    assert (found["forces"] == label.forces).all()
    assert (found["stress"] == label.stress).all()


def test_foreign_labels_do_not_stay_beside_the_new_ones(store, spring, pairs):
    atoms = pairs[0]
    atoms.info |= {"virial": np.eye(3), "energy": 1.0, "config_type": "liquid"}
    atoms.arrays["forces"] = np.ones((2, 3))
    labelled = store.label_all([atoms], spring(), progress=False).labelled[0]
    assert labelled.info["config_type"] == "liquid"
    assert not {"virial", "energy"} & set(labelled.info)
    assert "forces" not in labelled.arrays


RACE = """
    import sys
    from ase import Atoms
    from electrolyte_ml import reference
    from electrolyte_ml.reference import LabelStore
    command, folder, jobs = sys.argv[1:]
    pairs = [Atoms("CO", [[0.1 * i, 0, -0.75], [-0.1 * i, 0, 0.75]]) for i in range(1, 11)]
    result = LabelStore(folder).label_all(pairs, reference.get(command, name="springs"), int(jobs), progress=False)
    print(result.computed, result.reused, len(result.failed))
"""


def race(spring, store, jobs, extra):
    """Start a process that labels the ten pairs."""
    spring(extra)
    command = spring.command
    arguments = [sys.executable, "-c", textwrap.dedent(RACE), command, str(store.directory), str(jobs)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_share_the_work(spring, store):
    racers = [race(spring, store, jobs, "time.sleep(0.1)") for jobs in (1, 2)]
    told = []
    for racer in racers:
        output, errors = racer.communicate(timeout=120)
        assert racer.returncode == 0, errors
        told.append([int(word) for word in output.split()])
    assert len(spring.calls()) == 10
    assert sum(computed for computed, _, _ in told) == 10
    assert all(sum(counts) == 10 for counts in told)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_it_goes_on_where_it_was(spring, store, jobs, number):
    rng = np.random.default_rng(jobs)
    for _ in range(2):
        racer = race(spring, store, jobs, "time.sleep(0.05)")
        before = len(spring.calls())
        deadline = time.monotonic() + 60
        while len(spring.calls()) == before and racer.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        racer.send_signal(number)
        racer.communicate(timeout=60)
        time.sleep(0.5)  # workers end within a moment of their parent
        calls = len(spring.calls())
        kept = len(entries(store))
        time.sleep(0.2)
        assert len(spring.calls()) == calls  # nobody goes on computing
        assert calls - kept <= 2 * jobs  # lost is what was being computed, twice
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no entry is damaged
        last = race(spring, store, jobs, "time.sleep(0.05)")  # another program would have labels of its own
        output, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors
    assert "damaged" not in errors
    assert output.split() == [str(10 - kept), str(kept), "0"]
    assert len(entries(store)) == 10


# --- failures and damage --------------------------------------------------------------------------------------------

FAIL_THIRD = "abs(r[0][0] - 0.3) < 1e-6 and sys.exit('no convergence')"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_set_aside_with_its_reason(spring, pairs, store, jobs):
    springs = spring(FAIL_THIRD)
    asked = [pairs[2], *pairs[:4]]
    result = store.label_all(asked, springs, jobs=jobs, progress=False)
    assert [atoms is None for atoms in result.labelled] == [True, False, False, True, False]
    assert (result.computed, result.reused) == (3, 0)
    assert [failure.index for failure in result.failed] == [0, 3]
    assert "no convergence" in result.failed[0].reason
    assert "no convergence" in store.failure(pairs[2], springs)
    assert store.failure(pairs[0], springs) is None
    assert store.get(pairs[2], springs) is None
    assert len(spring.calls()) == 4

    store.label_all(asked, springs, progress=False)
    assert len(spring.calls()) == 4  # neither again nor for ever
    spring()  # the program has been mended
    again = LabelStore(store.directory, retry_failed=True)
    result = again.label_all(asked, springs, progress=False)
    assert (result.computed, result.reused, result.failed) == (1, 4, [])
    assert store.failure(pairs[2], springs) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b'"energy": ', b'"energy": 1'),
        lambda data: b"\0" * len(data),
        lambda data: data[:-10],
    ],
)
def test_a_damaged_entry_is_computed_again_with_a_warning(spring, pairs, store, damage):
    springs = spring()
    store.label_all(pairs[:2], springs, progress=False)
    path = entries(store)[0]
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.warns(UserWarning, match="is damaged; its label will be computed again") as caught:
        result = store.label_all(pairs[:2], springs, progress=False)
    assert str(path) in str(caught[0].message)
    assert (result.computed, result.reused) == (1, 1)
    assert path.read_bytes() == whole


def test_a_full_disk_is_told_and_costs_nothing(spring, pairs, store, monkeypatch):
    springs = spring()
    store.label_all(pairs[:2], springs, progress=False)
    before = {path: path.read_bytes() for path in entries(store)}
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ElectrolyteError, match=r"cannot store a label in .*: No space left on device; .* are kept"):
        store.label_all(pairs[:5], springs, progress=False)
    assert calls
    assert {path: path.read_bytes() for path in entries(store)} == before
    assert not list(store.directory.glob("*/.*"))
    monkeypatch.undo()
    result = store.label_all(pairs[:5], springs, progress=False)
    assert (result.computed, result.reused) == (3, 2)


def test_bad_configurations_stop_before_anything_is_computed(spring, pairs, store):
    pairs[4].positions[1] = pairs[4].positions[0]
    with pytest.raises(InputError, match=r"configuration 5: atoms 1 \(C\) and 2 \(O\) overlap"):
        store.label_all(pairs, spring(), progress=False)
    assert spring.calls() == []


def test_a_store_that_is_a_file(tmp_path):
    (tmp_path / "labels").write_text("")
    with pytest.raises(InputError, match="labels is not a folder"):
        LabelStore(tmp_path / "labels")


def test_an_entry_can_be_read_without_this_package(spring, pairs, store, spring_energy):
    springs = spring()
    store.label_all(pairs[:1], springs, progress=False)
    record = json.loads(entries(store)[0].read_text().splitlines()[0])
    assert record["reference"] == "springs"
    assert record["energy"] == pytest.approx(spring_energy(pairs[0]), abs=1e-7)
    assert record["numbers"] == [6, 8]


def test_the_progress_line_tells_what_is_known(spring, pairs, store, capsys):
    springs = spring()
    store.label_all(pairs[:3], springs)
    store.label_all(pairs[:5], springs)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("springs labels (3 known): 2/2, ")


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_is_labelled(spring, pairs, tmp_path, spring_energy):
    write(tmp_path / "in.xyz", pairs, format="extxyz")
    springs = spring(FAIL_THIRD)
    path, result = label_file(tmp_path / "in.xyz", None, springs, 1, tmp_path / "labels", progress=False)
    assert path == tmp_path / "in.labelled.extxyz"
    assert (result.computed, [failure.index for failure in result.failed]) == (9, [2])
    labelled = read(path, index=":")
    rest = pairs[:2] + pairs[3:]
    assert [atoms.get_potential_energy() for atoms in labelled] == pytest.approx(list(map(spring_energy, rest)))
    assert labelled[0].info["reference"] == "springs"
    _, again = label_file(tmp_path / "in.xyz", tmp_path / "out.xyz", springs, 1, tmp_path / "labels", progress=False)
    assert (again.computed, again.reused) == (0, 9)
    assert len(spring.calls()) == 10


@pytest.mark.parametrize(
    ("output", "message"),
    [("out.txt", "must end in .xyz, .extxyz or .cfg"), ("nowhere/out.xyz", "cannot be written")],
)
def test_a_place_that_cannot_hold_the_output_is_told_first(spring, pairs, tmp_path, output, message):
    write(tmp_path / "in.xyz", pairs, format="extxyz")
    with pytest.raises(InputError, match=message):
        label_file(tmp_path / "in.xyz", tmp_path / output, spring(), store=tmp_path / "labels", progress=False)
    assert spring.calls() == []


def test_a_set_is_complete_or_an_error(store, lj):
    good = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]], cell=[20.0] * 3, pbc=True)
    assert len(store.label_all([good, good], lj, progress=False).complete("argon")) == 2
    result = reference.LabelResult([None, good], 1, 0, [reference.Failure(0, "out of memory")])
    with pytest.raises(ElectrolyteError, match="argon: 1 of 2 configurations were not labelled, the first: out of"):
        result.complete("argon")


@pytest.fixture
def hopeless(monkeypatch):
    """Three failures in place of twenty, so that a test need not wait for so many."""
    monkeypatch.setattr("electrolyte_ml.reference.labels._HOPELESS", 3)


def test_labels_that_all_fail_are_not_tried_to_the_last(spring, store, pairs, hopeless):
    failing = spring("sys.exit('licence expired')")
    with pytest.raises(LabelError, match="first 3 of 5 labels failed, the last one: .*licence expired; the others"):
        store.label_all(pairs[:5], failing, progress=False)
    assert len(spring.calls()) == 3
    result = store.label_all(pairs[:5], failing, progress=False)  # the rest: fewer than are needed to judge
    assert len(spring.calls()) == 5 and len(result.failed) == 5


def test_one_label_among_the_first_is_enough_to_go_on(spring, store, pairs, hopeless):
    result = store.label_all(pairs[:5], spring("abs(r[0][0] - 0.3) > 1e-6 and sys.exit(1)"), progress=False)
    assert result.computed == 1 and len(result.failed) == 4
