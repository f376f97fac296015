"""Store of labels: each label is computed once and kept.

Each label is one small file, named by the hash of structure, reference and settings, and written atomically with a
checksum at its end. Any number of processes may use a store at the same time. A lock for each label, which the system
releases when its process ends, ensures that a label is computed only once.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.errors import ElectrolyteError, InputError, first_line
from electrolyte_ml.executors import current_executor
from electrolyte_ml.files import atomic_write, parse_json
from electrolyte_ml.locks import hold_byte
from electrolyte_ml.parallel import map_progress, resolve_jobs
from electrolyte_ml.reference.base import Cost, duration, one_line
from electrolyte_ml.reference.label import Label, LabelError, net_force
from electrolyte_ml.structures.charge import total_charge, with_charge

if TYPE_CHECKING:
    from electrolyte_ml.reference.base import Reference

# Assumed growth of an unknown cost with the number of atoms, for the estimate of the remaining time.
_UNKNOWN_COST = Cost(1.0, 1.5)
# So many labels at the beginning that all fail are a fault of the program, not of the configurations.
_HOPELESS = 20
# Existing entries with these names are removed: readers would take them for labels of the reference.
_FOREIGN_LABELS = ("energy", "free_energy", "forces", "stress", "stresses", "virial", "virials")


@dataclass(frozen=True)
class Failure:
    """Configuration that the reference could not label: its index in the list (from 0) and the reason."""

    index: int
    reason: str


@dataclass(frozen=True)
class LabelResult:
    """Outcome of labelling a list of configurations; ``computed + reused + len(failed)`` is its length.

    Attributes
    ----------
    labelled
        Labelled copies in the order of the input; ``None`` if the reference failed.
    computed
        Number of labels computed by this call.
    reused
        Number of labels found in the store, including those of repeated configurations.
    failed
        Configurations that could not be labelled, in the order of the input.
    """

    labelled: list[Atoms | None]
    computed: int
    reused: int
    failed: list[Failure]

    @property
    def largest_net_force(self) -> float:
        """Largest length of the sum of forces of a label, eV/Å; NaN without labels."""
        return max((net_force(atoms.get_forces()) for atoms in self.labelled if atoms is not None), default=np.nan)

    def complete(self, what: str) -> list[Atoms]:
        """Return the labelled configurations if all were labelled.

        Parameters
        ----------
        what
            Name of the configurations in the error message.

        Raises
        ------
        LabelError
            Some were not labelled; the message gives their number and the first reason.
        """
        if self.failed:
            count = f"{len(self.failed)} of {len(self.labelled)}"
            raise LabelError(f"{what}: {count} configurations were not labelled, the first: {self.failed[0].reason}")
        return [atoms for atoms in self.labelled if atoms is not None]


@dataclass(frozen=True)
class _Entry:
    """Stored outcome for one structure and reference: a label, or the reason for the failure."""

    label: Label | None
    reason: str | None = None


def label_hash(atoms: Atoms, reference: Reference) -> str:
    """Return the name of a label: a hash of structure, reference and settings with 32 hexadecimal digits.

    Lengths are rounded to eight decimals in Å, as in extended XYZ files: the name does not change when a configuration
    is written to a file and read again.
    """
    magnetic = float(np.sum(atoms.get_initial_magnetic_moments()))
    structure = {
        "numbers": atoms.numbers.tolist(),
        "positions": _fixed(atoms.positions),
        "cell": _fixed(atoms.cell.array) if atoms.pbc.any() else None,  # the box of a cluster is ignored
        "pbc": atoms.pbc.tolist(),
        "charge": total_charge(atoms),
        "magnetic_moment": _fixed(np.array([magnetic])),
    }
    text = json.dumps([structure, reference.key_of(atoms)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _fixed(values: np.ndarray) -> list[str]:
    # Formatted instead of rounded: the decimals are exactly those in a file, except for the sign of zero.
    return [text if text != "-0.00000000" else "0.00000000" for text in (f"{value:.8f}" for value in values.ravel())]


class LabelStore:
    """Folder of labels.

    Parameters
    ----------
    directory
        Folder, created when the first label is written.
    retry_failed
        Compute labels that failed before this store was opened once more, for instance after the program has been
        repaired. By default their stored reasons are returned.

    Raises
    ------
    InputError
        The path is not a folder.
    """

    def __init__(self, directory: str | os.PathLike, *, retry_failed: bool = False) -> None:
        self.retry_failed = retry_failed
        self._opened = time.time()
        self.directory = Path(directory).absolute()
        if self.directory.exists() and not self.directory.is_dir():
            raise InputError(f"the label store {directory} is not a folder")

    def get(self, atoms: Atoms, reference: Reference) -> Atoms | None:
        """Return a labelled copy of a configuration, or ``None`` if its label is not in the store.

        A damaged entry (wrong checksum) counts as absent, with a warning.
        """
        name = label_hash(atoms, reference)
        entry = self._read(name)
        return None if entry is None or entry.label is None else _labelled(atoms, entry.label, reference, name)

    def failure(self, atoms: Atoms, reference: Reference) -> str | None:
        """Return the reason for a stored failure, or ``None`` if there is none in the store."""
        entry = self._read(label_hash(atoms, reference))
        return None if entry is None else entry.reason

    def put(self, atoms: Atoms, reference: Reference, label: Label) -> None:
        """Write a label; energy in eV, forces (n_atoms, 3) in eV/Å, stress (6,) in eV/Å³ or ``None``.

        Raises
        ------
        ElectrolyteError
            The label cannot be written, for instance because the disk is full; an older entry is kept.
        """
        self._write(label_hash(atoms, reference), atoms, reference, _Entry(label))

    def label(self, atoms: Atoms, reference: Reference) -> Atoms:
        """Return a labelled copy of one configuration; compute the label if it is not in the store.

        Raises
        ------
        LabelError
            The reference failed, now or in an earlier call.
        InputError, ElectrolyteError
            As for `label_all`.
        """
        result = self.label_all([atoms], reference, progress=False)
        labelled = result.labelled[0]
        if labelled is None:
            raise LabelError(result.failed[0].reason)
        return labelled

    def label_all(
        self,
        configurations: Sequence[Atoms],
        reference: Reference,
        jobs: int | None = 1,
        progress: bool = True,
    ) -> LabelResult:
        """Label configurations; compute only labels that are not in the store.

        Every label is stored as soon as it is computed: an interrupt loses only the calculations in progress.

        Parameters
        ----------
        configurations
            Any number; equal ones are labelled once.
        reference
            Reference that computes the labels.
        jobs
            Number of labels computed at the same time, each in a process with one thread. With 1 they are computed in
            this process, with ``None`` in one process per core.
        progress
            Show a progress line.

        Returns
        -------
        LabelResult
            Labelled copies carry a `SinglePointCalculator` and, in ``info``, `reference`, `reference_version`,
            `label_hash` and, if it was given, the total `charge`.

        Raises
        ------
        InputError
            A configuration cannot be labelled (the message gives its number and that of the atom, from 1), or a program
            is not installed. This is checked before any computation.
        LabelError
            The first twenty of more labels all fail.
        ElectrolyteError
            A label cannot be stored, or a worker process dies; labels stored earlier are kept.
        """
        configurations = list(configurations)
        _check_all(configurations, reference)
        names = [label_hash(atoms, reference) for atoms in configurations]
        entries = self._entries(names)
        missing = _first_of(names, entries)
        if progress:
            self._print_retries([names[index] for index in missing])
        known = len(configurations) - len(missing)
        computed = 0
        outcomes: list[tuple[_Entry, bool]] = []
        if missing:
            reasons: list[str | None] = []

            def stop_where_all_fail(_: int, outcome: tuple[_Entry, bool]) -> None:
                reasons.append(outcome[0].reason)
                if len(reasons) == _HOPELESS < len(missing) and None not in reasons:
                    raise LabelError(
                        f"{reference.name}: the first {_HOPELESS} of {len(missing)} labels failed, the last one: "
                        f"{reasons[-1]}; the others were not tried, the same call goes on with them"
                    )

            outcomes = map_progress(
                partial(_label_one, self, reference),
                [configurations[index] for index in missing],
                jobs,
                f"{reference.name} labels" + (f" ({known} known)" if known else ""),
                weights=[(reference.cost or _UNKNOWN_COST)(len(configurations[index])) for index in missing],
                on_result=stop_where_all_fail,
                progress=progress,
            )
        for index, (entry, fresh) in zip(missing, outcomes):
            entries[names[index]] = entry
            computed += fresh and entry.label is not None
        return _result(configurations, names, entries, reference, computed)

    def missing(self, configurations: Sequence[Atoms], reference: Reference) -> list[int]:
        """Return the indices of the configurations that `label_all` would compute; equal ones count once."""
        names = [label_hash(atoms, reference) for atoms in configurations]
        return _first_of(names, self._entries(names))

    def known(self, configurations: Sequence[Atoms], reference: Reference, new: int = 0) -> LabelResult:
        """Return what `label_all` would without computing anything: missing labels count as failed.

        Parameters
        ----------
        configurations, reference
            As for `label_all`.
        new
            Number of labels to report as computed.
        """
        names = [label_hash(atoms, reference) for atoms in configurations]
        absent = dict.fromkeys(names, _Entry(None, "there is no label yet"))
        return _result(configurations, names, absent | self._entries(names), reference, new)

    def take(self, others: Sequence[LabelStore], configurations: Sequence[Atoms], reference: Reference) -> int:
        """Copy labels of configurations, and reasons of failures, that this store lacks from other stores.

        Returns
        -------
        int
            Number of labels copied.
        """
        taken = 0
        for name in dict.fromkeys(label_hash(atoms, reference) for atoms in configurations):
            for other in others:
                own, entry = self._read(name), other._read(name)
                if entry is not None and (own is None or own.label is None):
                    atomic_write(self._path(name), other._path(name).read_bytes())
                    taken += entry.label is not None
        return taken

    def estimate(self, configurations: Sequence[Atoms], reference: Reference, jobs: int | None = 1) -> str:
        """Return one line with the limits of the reference and the estimated time for labels not in the store.

        Parameters
        ----------
        configurations, reference, jobs
            As for `label_all`.

        Raises
        ------
        InputError
            As for `label_all`.
        """
        _check_all(configurations, reference)
        names = [label_hash(atoms, reference) for atoms in configurations]
        missing = _first_of(names, self._entries(names))
        work = f"{len(missing)} label{'s' * (len(missing) != 1)} to compute"
        if missing and reference.cost is not None:
            seconds = [reference.cost(len(configurations[index])) for index in missing]
            workers = 1 if current_executor() is not None else min(resolve_jobs(jobs), len(missing))
            work += f", about {duration(max(sum(seconds) / workers, *seconds))}"
            work += f" on {workers} cores" if workers > 1 else " on one core"
        return f"{reference.limits()}; {work}"

    def _entries(self, names: Sequence[str]) -> dict[str, _Entry]:
        """Return the stored outcomes that can be used, by the names of the labels; failures to retry are left out."""
        stored = {name: self._read(name) for name in dict.fromkeys(names)}
        return {name: entry for name, entry in stored.items() if entry is not None and not self._to_retry(name, entry)}

    def _print_retries(self, names: Sequence[str]) -> None:
        failed = [entry for name in names if (entry := self._read(name)) is not None]
        if failed:
            reason = failed[0].reason
            print(f"{len(failed)} labels failed before and are computed again; the first: {reason}", file=sys.stderr)

    def _to_retry(self, name: str, entry: _Entry) -> bool:
        """Return whether a label failed before this store was opened and must be computed again."""
        return self.retry_failed and entry.label is None and self._path(name).stat().st_mtime < self._opened

    def _path(self, name: str) -> Path:
        return self.directory / name[:2] / f"{name}.json"

    def _read(self, name: str) -> _Entry | None:
        path = self._path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        payload, _, rest = data.partition(b"\n")
        if rest.strip() != hashlib.sha256(payload).hexdigest().encode():
            warnings.warn(f"{path} is damaged; its label will be computed again", stacklevel=3)
            return None
        try:
            record = parse_json(payload)
            if record["reason"] is not None:
                return _Entry(None, str(record["reason"]))
            stress = None if record["stress"] is None else np.array(record["stress"], dtype=float)
            forces = np.array(record["forces"], dtype=float)
            if forces.shape != (len(record["numbers"]), 3) or (stress is not None and stress.shape != (6,)):
                raise ValueError("its forces or its stress have a wrong shape")
            label = Label(float(record["energy"]), forces, stress, int(record["attempts"]))
            if not np.isfinite([label.energy, *forces.ravel(), *(() if stress is None else stress)]).all():
                raise ValueError("it is not finite")
            return _Entry(label)
        # The checksum is right, so that another program must have written the file.
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise InputError(f"{path} is not a label ({first_line(error)}): delete it to compute it again") from None

    def _write(self, name: str, atoms: Atoms, reference: Reference, entry: _Entry) -> None:
        label = entry.label
        record: dict[str, Any] = {
            **reference.key_of(atoms),
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.tolist(),
            "pbc": atoms.pbc.tolist(),
            "charge": total_charge(atoms),
            "reason": entry.reason,
        }
        if label is not None:
            record |= {
                "energy": float(label.energy),
                "forces": np.asarray(label.forces, dtype=float).tolist(),
                "stress": None if label.stress is None else np.asarray(label.stress, dtype=float).tolist(),
                "attempts": label.attempts,
            }
        payload = json.dumps(record)
        try:
            atomic_write(self._path(name), f"{payload}\n{hashlib.sha256(payload.encode()).hexdigest()}\n")
        except OSError as error:
            raise ElectrolyteError(
                f"cannot store a label in {self.directory}: {error.strerror or error}; "
                f"labels stored earlier are kept: repeat the same call to continue"
            ) from error

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Hold the lock of one label: one byte of the lock file of the store, far beyond its end.

        The system releases such a lock whenever its process ends, and no further lock files are created.
        """
        offset = int(name[:15], 16)  # below 2^60, inside a file offset
        with hold_byte(_lock_file(self.directory / ".lock"), offset):
            yield


def label_file(
    path: str | os.PathLike,
    output: str | os.PathLike | None = None,
    reference: Any = "gfn1-xtb",
    jobs: int | None = 1,
    store: str | os.PathLike = "labels",
    *,
    settings: Mapping[str, Any] | None = None,
    species: Sequence[str] | None = None,
    charge_key: str | None = None,
    retry_failed: bool = False,
    progress: bool = True,
) -> tuple[Path, LabelResult]:
    """Label every configuration of a file and write those that could be labelled.

    Parameters
    ----------
    path
        Configurations (.xyz, .extxyz, .cfg); existing labels are replaced.
    output
        File of the labelled configurations, with ASE's keys; by default in the folder of the input, ``in.xyz`` ->
        ``in.labelled.extxyz``.
    reference
        A name, a command or a calculator, as for `get`.
    jobs, retry_failed, progress
        As for `LabelStore.label_all`; `progress` also prints the limits of the reference and the estimated time first.
    store
        Folder of the labels; after an interrupt, the same call reuses the labels in it.
    settings
        Settings of the reference, as for `get`.
    species
        Elements of a ``.cfg``, in the order of its types.
    charge_key
        Name of the total charge in the file, as for `read_configurations`.

    Returns
    -------
    output : Path
        File with the labelled configurations; it is not written if there are none.
    result : LabelResult
        Labels that were computed, reused and failed.

    Raises
    ------
    InputError
        A file, a configuration or the reference cannot be used, or the output cannot be written. This is checked before
        any computation.
    """
    from electrolyte_ml.reference.presets import get
    from electrolyte_ml.structures import read_configurations

    chosen = get(reference, **(settings or {}))
    target = output_file(path, output)
    configurations = read_configurations(path, species=species, charge_key=charge_key)
    labels = LabelStore(store, retry_failed=retry_failed)
    if progress:
        print(labels.estimate(configurations, chosen, jobs), file=sys.stderr, flush=True)
    result = labels.label_all(configurations, chosen, jobs, progress)
    write_labelled(target, result)
    return target, result


def output_file(path: str | os.PathLike, output: str | os.PathLike | None) -> Path:
    """Return the file for labelled configurations, by default beside the input.

    Raises
    ------
    InputError
        It cannot be written.
    """
    target = Path(output) if output is not None else Path(path).with_suffix(".labelled.extxyz")
    if target.suffix not in (".xyz", ".extxyz", ".cfg"):
        raise InputError(f"{target}: the name must end in .xyz, .extxyz or .cfg")
    if target.is_dir() or not os.access(target.absolute().parent, os.W_OK):
        raise InputError(f"{target} cannot be written")
    return target


def write_labelled(path: Path, result: LabelResult) -> None:
    """Write the configurations that were labelled, if there are any."""
    from electrolyte_ml.structures import write_configurations

    labelled = [atoms for atoms in result.labelled if atoms is not None]
    if labelled:
        write_configurations(path, labelled)


def _first_of(names: Sequence[str], known: Container[str]) -> list[int]:
    """Return the index of the first occurrence of every unknown name, in ascending order."""
    first = {name: index for index, name in reversed(list(enumerate(names)))}
    return sorted(index for name, index in first.items() if name not in known)


def _check_all(configurations: Sequence[Atoms], reference: Reference) -> None:
    """Raise `InputError` if the program is not installed or a configuration cannot be labelled."""
    reference.require()
    for number, atoms in enumerate(configurations, start=1):
        reference.check(atoms, f"configuration {number}")


def _label_one(store: LabelStore, reference: Reference, atoms: Atoms) -> tuple[_Entry, bool]:
    """Return one label and whether this call computed it; another process may have stored it meanwhile."""
    name = label_hash(atoms, reference)
    with store._locked(name):
        entry = store._read(name)
        if entry is not None and not store._to_retry(name, entry):
            return entry, False
        try:
            entry = _Entry(reference.label(atoms))
        except LabelError as error:
            entry = _Entry(None, one_line(error))
        store._write(name, atoms, reference, entry)
    return entry, True


def _result(
    configurations: Sequence[Atoms],
    names: Sequence[str],
    entries: Mapping[str, _Entry],
    reference: Reference,
    computed: int,
) -> LabelResult:
    """Return labelled copies and failures, from the entries of all names."""
    labelled: list[Atoms | None] = []
    failed = []
    for index, (atoms, name) in enumerate(zip(configurations, names)):
        entry = entries[name]
        if entry.label is None:
            labelled.append(None)
            failed.append(Failure(index, entry.reason or "no reason is known"))
        else:
            labelled.append(_labelled(atoms, entry.label, reference, name))
    return LabelResult(labelled, computed, len(configurations) - computed - len(failed), failed)


def _labelled(atoms: Atoms, label: Label, reference: Reference, name: str) -> Atoms:
    copy = with_charge(atoms).copy()
    for foreign in _FOREIGN_LABELS:
        copy.info.pop(foreign, None)
        copy.arrays.pop(foreign, None)
    copy.info |= {"reference": reference.name, "reference_version": reference.version, "label_hash": name}
    results = {"energy": label.energy, "forces": label.forces.copy()}
    if label.stress is not None:
        results["stress"] = label.stress.copy()
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


_lock_files: dict[Path, int] = {}


def _lock_file(path: Path) -> int:
    """Return the only descriptor of a lock file in this process; closing a second one would release all its locks."""
    descriptor = _lock_files.get(path)
    if descriptor is None or os.fstat(descriptor).st_nlink == 0:  # not opened yet, or the store was deleted
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        _lock_files[path] = descriptor
    return descriptor
