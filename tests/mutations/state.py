"""Single files in which the package keeps its own state: fits, labels, results."""

import json
from unittest import mock

import numpy as np

from electrolyte_ml.errors import InputError
from tests.mutations.files import labelled, potential, small
from tests.mutations.registry import FORMATS, finite, format_of


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


@format_of("fit.npz", text=False)
def _(path):
    """The checkpoint of an interrupted fit."""
    from electrolyte_ml.training import train
    from electrolyte_ml.training.loss import Loss

    def fit(checkpoint):
        options = {"max_iterations": 8, "threads": 1, "progress": False}
        return train(labelled(), potential(), checkpoint=checkpoint, **options)

    original, count = Loss.__call__, [0]

    def interrupted(loss, parameters):
        count[0] += 1
        if count[0] == 6:
            raise KeyboardInterrupt
        return original(loss, parameters)

    with mock.patch.object(Loss, "__call__", interrupted):
        try:
            fit(path)
        except KeyboardInterrupt:
            pass

    def read(damaged):
        found = fit(damaged)
        finite(found.potential.parameters, [numbers for numbers in found.history])
        assert [k for k, _, _ in found.history] == list(range(len(found.history)))
        assert all(seconds >= 0 for _, _, seconds in found.history)

    return read


def _register_arrays(name):
    """Register the arrays of an archive as text: damage to their numbers, which an archive's checksums would find."""

    def make(path):
        archive = path.with_suffix(".npz")
        read = FORMATS[name][0](archive)
        with np.load(archive) as arrays:
            path.write_text(json.dumps({key: [str(a.dtype), a.tolist()] for key, a in arrays.items()}))

        def read_arrays(damaged):
            try:
                stored = json.loads(damaged.read_bytes())
                arrays = {key: np.array(values, dtype) for key, (dtype, values) in stored.items()}
            except Exception as error:
                raise InputError(f"{damaged}: no arrays") from error
            np.savez(archive, **arrays)
            read(archive)

        return read_arrays

    FORMATS[name.replace(".npz", ".arrays")] = (make, True)


for _name in ("active_set.npz", "fit.npz"):
    _register_arrays(_name)


@format_of("density_log.csv")
def _(path):
    from electrolyte_ml.analysis import mean_density

    rows = [f"{k},{0.1 * k:.10g},300,{1.2 + 0.01 * np.sin(k):.10g},-3,1,0,-2,nan\n" for k in range(60)]
    columns = "step,time_ps,temperature_K,density_g_cm3,potential_energy_eV,kinetic_energy_eV,pressure_bar"
    path.write_text(f"{columns},conserved_energy_eV,grade\n{''.join(rows)}")

    def read(damaged):
        found = mean_density(damaged)
        finite(found.mean, found.error, found.drift, found.drift_error)
        assert found.mean > 0

    return read


@format_of("result.json")
def _(path):
    """A result of the paper's runs, and the audit that is shipped."""
    from electrolyte_ml.paper import results

    path.write_text(json.dumps({"a": {"value": 1.5, "error": 0.1}, "seeds": [1, 2, 3], "name": "x"}))

    def read(damaged):
        with mock.patch.object(results, "result_path", lambda name, scale: damaged):
            assert isinstance(results.load_result("any", None), dict)

    return read


@format_of("about.toml")
def _(path):
    from electrolyte_ml.potentials import shipped

    folder = path.parent / "shipped" / "one"
    folder.mkdir(parents=True, exist_ok=True)
    original = next(iter(sorted(shipped._folder().glob("*/about.toml"))))
    path.write_bytes(original.read_bytes())

    def read(damaged):
        (folder / "about.toml").write_bytes(damaged.read_bytes())
        with mock.patch.object(shipped, "_folder", lambda: folder.parent):
            for found in shipped.shipped_potentials():
                str(found)
                finite(found.energy_error, found.force_error)
                assert found.configurations >= 0 and found.energy_error >= 0 and found.force_error >= 0

    return read
