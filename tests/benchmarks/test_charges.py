"""The comparison of models without and with charges: split, resumption, and the statistics of its table."""

import json
import subprocess
import sys

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml import reference
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.structures import density, read_configurations, write_configurations


@pytest.fixture(scope="module")
def charges(script):
    return script("charges")


@pytest.fixture(scope="module")
def labelled(liquid):
    """Sixteen liquids of twelve atoms, labelled by a random potential with charges."""
    potential = ModelSpec(level=4, charges="qrd").random(("C", "H", "O"), 3)
    frames = []
    for seed in range(16):
        atoms = liquid(12 + seed % 2, seed=seed)
        result = potential.evaluate(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces, stress=result.stress)
        frames.append(atoms)
    return frames


@pytest.mark.slow
def test_the_program_fits_in_two_processes(root, labelled, tmp_path):
    file, output = tmp_path / "liquid.extxyz", tmp_path / "results"
    write_configurations(file, labelled)
    arguments = [file, "-o", output, "--levels", "2", "--seeds", "0", "--iterations", "2", "--jobs", "2"]
    command = [sys.executable, root / "benchmarks" / "charges.py", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 fits are done" in done.stdout


def test_fits_are_kept_and_summarised(charges, labelled, tmp_path, monkeypatch, capsys):
    file, output = tmp_path / "liquid.extxyz", tmp_path / "results"
    write_configurations(file, labelled)
    arguments = ["charges.py", f"small={file}", "-o", str(output), "--levels", "2", "--seeds", "0", "1"]
    arguments += ["--iterations", "5", "--jobs", "1", "--reference", "a random potential"]
    monkeypatch.setattr(sys, "argv", arguments)
    charges.main()
    printed = capsys.readouterr().out
    assert "[4/4" in printed and "4 of 4 fits are done" in printed
    assert len(list(output.glob("small_*.json"))) == 4 and (output / "charges.png").exists()

    written = json.loads((output / "charges.json").read_text())
    assert written["reference"] == {"small": "a random potential"}
    row = next(row for row in written["summary"] if row["part"] == "held out")
    values = {
        model: np.array([f["errors"]["held out"]["force_rmse"] for f in written["fits"] if f["model"] == model])
        for model in charges.MODELS
    }
    for model, found in values.items():
        assert row[model]["force_rmse"]["mean"] == pytest.approx(found.mean())
        assert row[model]["force_rmse"]["std"] == pytest.approx(abs(found[0] - found[1]) / np.sqrt(2))
    change = row["difference"]["force_rmse"]
    assert change["mean"] == pytest.approx(values["MTP-QRd"].mean() - values["MTP"].mean())
    assert change["std"] == pytest.approx(np.sqrt(sum(v.var(ddof=1) / 2 for v in values.values())))
    assert f"{change['mean']:+.4f} ± {change['std']:.4f}" in printed
    (fit,) = [f for f in written["fits"] if f["model"] == "MTP-QRd" and f["seed"] == 1]
    assert fit["parameters"] == next(f for f in written["fits"] if f["model"] == "MTP")["parameters"] + 6

    monkeypatch.setattr(charges, "train", lambda *_, **__: pytest.fail("a fit that is on disk was computed again"))
    charges.main()
    assert charges.table(written["summary"]) in capsys.readouterr().out


def test_parts_of_a_file_are_respected(charges, labelled, tmp_path):
    file = tmp_path / "parts.extxyz"
    frames = [atoms.copy() for atoms in labelled]
    for number, (atoms, before) in enumerate(zip(frames, labelled, strict=True)):
        atoms.calc = before.calc
        atoms.info |= {
            "number": number,
            "part": ("train", "train", "held out", "unseen")[number % 4],
            "composition": "X",
        }
    write_configurations(file, frames)
    parts = charges.read_data("parts", file, most=65).parts
    numbers = {name: [atoms.info["number"] % 4 for atoms in part] for name, part in parts.items()}
    assert len(numbers["train"]) == 5 and set(numbers["train"]) <= {0, 1}
    assert numbers["held out"] == [2] * 4 and numbers["unseen X"] == [3] * 4

    del frames[1].info["part"]
    write_configurations(file, frames)
    with pytest.raises(InputError, match="configuration 2 is of no part"):
        charges.read_data("parts", file, most=65)


def test_random_parts_share_no_frame(charges, labelled, tmp_path):
    file = tmp_path / "liquid.extxyz"
    write_configurations(file, labelled)
    parts = charges.read_data("random", file, most=1000).parts
    energies = {name: {atoms.get_potential_energy() for atoms in part} for name, part in parts.items()}
    assert len(energies["train"]) == 12 and len(energies["held out"]) == 4
    assert not energies["train"] & energies["held out"]


def test_a_mixture_is_sampled_and_split_by_trajectory(script, tmp_path, monkeypatch):
    mixtures = script("mixtures")
    monkeypatch.setattr(mixtures, "FRAME_FS", 1.0)
    mixture = mixtures.Mixture(
        seen={"EC=1": 0.6},
        unseen={"EC=1": 0.4},
        trajectories=4,
        unseen_trajectories=1,
        dynamics=mixtures.PotentialDynamics(
            seeds={"EC=1": 0.6},
            seeding=mixtures.SeedingSettings(time_ps=0.004, trajectories=1, configurations=4),
            first_trajectories=1,
            level=4,
            iterations=40,
            times_ps=(0.002, 0.004),
        ),
    )
    label = mixtures.Labeller(reference.get(), LabelStore(tmp_path / "labels"), jobs=1)
    made = mixtures.make(mixture, label)
    assert [atoms.info["part"] for atoms in made] == ["train"] * 6 + ["held out"] * 2 + ["unseen"] * 2
    boxes = {(atoms.info["part"], round(density(atoms), 3)) for atoms in made}
    assert boxes == {("train", 0.51), ("train", 0.57), ("train", 0.63), ("held out", 0.51), ("unseen", 0.34)}
    assert all(atoms.info["composition"] == "EC=1" and atoms.info["reference"] == "GFN1-xTB" for atoms in made)
    again = mixtures.make(mixture, label)
    assert [a.info["label_hash"] for a in again] == [a.info["label_hash"] for a in made]

    file = tmp_path / "made.extxyz"
    write_configurations(file, made)
    assert [atoms.info["part"] for atoms in read_configurations(file, labelled=True)] == [a.info["part"] for a in made]


def test_a_mixture_is_sampled_by_the_reference(script, tmp_path):
    mixtures = script("mixtures")
    mixture = mixtures.Mixture(
        seen={"LiPF6=1": 0.4},
        unseen={"EC=1": 0.4},
        trajectories=9,
        unseen_trajectories=3,
        dynamics=mixtures.ReferenceDynamics(time_ps=0.002, frames=2),
    )
    made = mixtures.make(mixture, mixtures.Labeller(reference.get(), LabelStore(tmp_path / "labels"), jobs=1))
    assert [atoms.info["part"] for atoms in made] == (["train"] * 6 + ["held out"] * 2) * 2 + ["train"] * 2 + [
        "unseen"
    ] * 6
    assert {atoms.info["composition"] for atoms in made} == {"LiPF6=1", "EC=1"}
    assert len({atoms.get_volume() for atoms in made}) == 6
