"""State files of the package that were damaged: one error that names the file, whichever byte is wrong."""

import json
import math
import zipfile

import numpy as np
import pytest

from electrolyte_ml.active_learning.records import once
from electrolyte_ml.active_learning.status import IterationStatus
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, read_arrays, read_json
from electrolyte_ml.paper import results
from electrolyte_ml.production.places import run_record
from electrolyte_ml.training.trials import read_trial

DAMAGED = {
    "empty": b"",
    "cut": b'{"a": [1, 2',
    "latin-1": '{"a": "für"}'.encode("latin-1"),
    "no object": b"[1, 2]",
    "a number": b"3",
    "zeros": bytes(100),
    "deep": b"[" * 200_000,
    "long integer": b'{"a": ' + b"9" * 5000 + b"}",
    "large number": b'{"a": 1.5e3076}',
}
STATUS = {
    "iteration": 1, "saved": 3, "selected": 2, "failed": 0, "size": 12, "max_grade": 2.5, "energy_rmse": 1.0,
    "force_rmse": 0.1, "seconds": 3.0, "stops": {"completed": 2}, "ranks": {"mtp": [3, 4]},
}  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("read", [read_json, IterationStatus.read, lambda path: once(path, dict), read_trial])
def test_damaged_json_is_named(tmp_path, content, read):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"state\.json"):
        read(path)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_records_of_runs_and_results_are_named(tmp_path, content, monkeypatch):
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(InputError, match=r"result\.json"):
        run_record(tmp_path)
    monkeypatch.setattr(results, "result_path", lambda name, scale: tmp_path / "result.json")
    with pytest.raises(InputError, match=r"result\.json"):
        results.load_result("any", None)


def test_a_key_that_is_missing_is_named_wherever_it_is_read(tmp_path):
    path = tmp_path / "fit.json"
    path.write_text('{"loss": 1.0}')
    record = once(path, dict)
    assert record["loss"] == 1.0 and record.get("seconds") is None
    with pytest.raises(InputError, match=r"fit\.json is damaged: it has no 'seconds'"):
        record["seconds"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("saved", -1), ("size", 2.5), ("size", True), ("energy_rmse", "1"), ("stops", 3), ("ranks", {"mtp": [1]}),
     ("ranks", {"mtp": ["1", 2]}), ("seconds", None), ("seconds", math.inf), ("nonsense", 1), ("undetermined", [3])],
)  # fmt: skip
def test_a_status_that_makes_no_sense_is_refused(tmp_path, key, value):
    path = tmp_path / "status.json"
    path.write_text(json.dumps(STATUS))
    assert IterationStatus.read(path).size == 12
    path.write_text(json.dumps(STATUS | {key: value}))
    with pytest.raises(InputError, match="status.json is damaged"):
        IterationStatus.read(path)


def test_archives_survive_no_damage(tmp_path):
    """Every cut, and bytes changed at random: the arrays come out as they went in, or an error names the file."""
    path = tmp_path / "set.npz"
    arrays = {"matrix": np.arange(12.0).reshape(3, 4), "name": np.array("x")}
    np.savez(path, **arrays)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for k in range(400):
        damaged = bytearray(whole)
        if k % 2:
            damaged = damaged[: int(rng.integers(len(whole)))]
        else:
            for at in rng.integers(len(whole), size=3):
                damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            found = read_arrays(path, ["matrix", "name"])
        except InputError as error:
            refused += 1
            assert "set.npz is damaged" in str(error)
        else:
            assert set(arrays) <= set(found)
    assert refused > 300


def test_an_archive_with_pickled_objects_is_refused(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, matrix=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="set.npz is damaged"):
        read_arrays(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("matrix.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10")
    with pytest.raises(InputError, match="set.npz is damaged"):
        read_arrays(path)
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")


def test_json_has_no_numbers_that_json_has_not():
    text = as_json_text({"a": float("inf"), "b": [1.0, float("nan")], "c": {"d": -float("inf")}, "e": (1, "x", None)})
    assert json.loads(text) == {"a": None, "b": [1.0, None], "c": {"d": None}, "e": [1, "x", None]}
