"""Viscosity from the files of runs whose pressure has a known memory."""

import json

import numpy as np
import pytest
from scipy.signal import lfilter

from electrolyte_ml.analysis import run_viscosity
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import has_stress_record, read_stress_record
from electrolyte_ml.trajectories.stress_record import STRESS_FILE, encode_pressures

STEP, TAU, SIZE, VOLUME, TEMPERATURE = 0.01, 0.2, 3000.0, 8000.0, 300.0  # ps, ps, bar, Å³, K


def write_run(folder, seed, *, frames=40_000, volume=VOLUME, interval=STEP):
    """Write the record of a run whose traceless pressure is an isotropic Ornstein-Uhlenbeck process."""
    rng, decay = np.random.default_rng(seed), np.exp(-interval / TAU)
    noise = rng.normal(size=(frames, 5)) * SIZE * np.sqrt(1 - decay**2)
    noise[0] /= np.sqrt(1 - decay**2)
    xy, xz, yz, minus, z = lfilter([1.0], [1.0, -decay], noise, axis=0).T
    zz = 2 * z / np.sqrt(3)
    pressures = np.stack([minus - zz / 2, -minus - zz / 2, zz, yz, xz, xy], axis=1)
    pressures[:, :3] += 500.0  # the mean pressure, which must not count
    folder.mkdir()
    (folder / STRESS_FILE).write_bytes(b"".join(encode_pressures(row) for row in pressures))
    header = {"interval_ps": interval, "volume": volume, "components": []}
    (folder / STRESS_FILE).with_suffix(".json").write_text(json.dumps(header))
    return folder


def test_known_viscosity_is_found_within_its_interval(tmp_path):
    folders = [write_run(tmp_path / str(k), k) for k in range(5)]
    records = [read_stress_record(folder) for folder in folders]
    exact = (SIZE * 1e5) ** 2 * TAU * 1e-12 * VOLUME * 1e-30 / (1.380649e-23 * TEMPERATURE) * 1e3  # mPa s
    for window, limit in ((None, 0.3), ((1.0, 2.0), 0.05)):  # ps: found from the data, and five to ten memories
        found = run_viscosity(records, TEMPERATURE, window_ps=window)
        assert found.unit == "mPa s" and found.low < exact < found.high
        assert found.value == pytest.approx(exact, rel=limit)
        assert 0 < found.error < 0.1 * exact


def test_frame_that_was_cut_short_is_left_out(tmp_path):
    folder = write_run(tmp_path / "run", 0, frames=50)
    with open(folder / STRESS_FILE, "ab") as stream:
        stream.write(b"half a frame")
    assert read_stress_record(folder).pressures.shape == (50, 6)


def test_other_runs_and_missing_records_are_refused(tmp_path):
    records = [
        read_stress_record(write_run(tmp_path / "a", 0, frames=50)),
        read_stress_record(write_run(tmp_path / "b", 1, frames=50, volume=9000.0)),
    ]
    with pytest.raises(InputError, match="another interval or another volume"):
        run_viscosity(records, TEMPERATURE)
    with pytest.raises(InputError, match="no record"):
        run_viscosity([], TEMPERATURE)
    assert not has_stress_record(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_stress_record(tmp_path)
    (tmp_path / "a" / STRESS_FILE).with_suffix(".json").write_text("{}")
    with pytest.raises(InputError, match="pressure.json is damaged"):
        read_stress_record(tmp_path / "a")
