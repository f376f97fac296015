"""The command `evaluate` with its tables and figures."""

import json
import sys

import numpy as np
import pytest

from electrolyte_ml import load
from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.cli import main
from electrolyte_ml.reference import LabelStore, get, preset_named
from electrolyte_ml.structures import pack, read_configurations, smiles, write_configurations


def test_sites_as_text_and_as_json(run, potential, labelled):
    text = run("evaluate", potential, labelled, "--sites")
    assert "by site" in text and "carbonyl C" in text
    groups = json.loads(run("evaluate", potential, labelled, "--sites", "--json"))["groups"]
    assert groups["molecules"] == {"EC": 6} and groups["unrecognised"] == {}
    assert {row["name"]: row["atoms"] for row in groups["sites"]} == {
        "CH2": 12, "H of CH2": 24, "carbonyl C": 6, "carbonyl O": 6, "ether O": 12,
    }  # fmt: skip
    assert all(row["rmse"] < 1e-6 for row in groups["sites"])  # the potential labelled them itself


def test_figures_in_a_folder_and_by_name(run, tmp_path, potential, labelled):
    run("evaluate", potential, labelled, "--figure", tmp_path / "charts")
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == ["parity.png", "sites.png"]
    printed = run("evaluate", potential, labelled, "--figure", tmp_path / "errors.png", "--train", labelled)
    for name in ("errors.png", "errors_sites.png", "errors_grades.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert f"Figure: {tmp_path / name}" in printed


def test_an_active_set_beside_the_potential_is_used_if_it_is_its_own(run, tmp_path, potential, labelled, capsys):
    configurations = read_configurations(labelled)
    ActiveSet.build(load(potential), configurations, "neighbourhood").save(tmp_path / "active_set.npz")
    run("evaluate", potential, labelled, "--figure", tmp_path / "first")
    assert (tmp_path / "first" / "grades.png").exists()
    other = tmp_path / "other.mtp"
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 9, "-o", other)
    assert main(["evaluate", str(other), str(labelled), "--figure", str(tmp_path / "second")]) == 0
    assert "no grades are drawn" in capsys.readouterr().err
    assert not (tmp_path / "second" / "grades.png").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--train", "x.xyz"], "--figure"),
        (["--molecule", "A=C"], "--sites, --split or --figure"),
        (["--reference", "gfn1-xtb"], "--reference needs --split"),
        (["--set", "cutoff=800"], "--set needs --split"),
        (["--jobs", "2"], "--jobs needs --split"),
        (["--store", "elsewhere"], "--store needs --split"),
        (["--split"], "do not contain the name of their reference: name it with --reference"),
        (["--figure", "errors.gif"], "folder or a PNG"),
    ],
)
def test_options_without_effect_are_refused(potential, labelled, capsys, options, message):
    assert main(["evaluate", str(potential), str(labelled), *options]) == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def ensemble(tmp_path, run, potential):
    other = tmp_path / "other.mtp"
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 9, "-o", other)
    return potential, other


@pytest.fixture
def mixtures(tmp_path):
    """Three boxes labelled by GFN1-xTB, one with a molecule that lost a hydrogen."""
    boxes = [pack({"EC": 2}, 0.9), pack({"EC": 1, "EMC": 1}, 0.9), pack({"EC": 2}, 0.9, seed=1)]
    del boxes[2][[int(k) for k in np.flatnonzero(boxes[2].numbers == 1)[:2]]]
    store = LabelStore(tmp_path / "made_with")
    path = tmp_path / "mixtures.xyz"
    write_configurations(path, [store.label(atoms, get("gfn1-xtb")) for atoms in boxes])
    return path


def test_an_ensemble_has_a_mean_and_a_spread(run, labelled, ensemble):
    text = run("evaluate", *ensemble, labelled, "--sites")
    assert "mean ± standard deviation over 2 potentials" in text
    found = json.loads(run("evaluate", *ensemble, labelled, "--sites", "--json"))
    errors = [found[str(path)]["force_rmse"] for path in ensemble]
    alone = [json.loads(run("evaluate", path, labelled, "--json"))["force_rmse"] for path in ensemble]
    assert errors == pytest.approx(alone)
    (molecule,) = found["groups"]["species"]
    assert molecule["rmse"] == pytest.approx(np.mean(errors)) and molecule["spread"] == pytest.approx(
        np.std(errors, ddof=1)
    )


def test_the_split_labels_each_molecule_once(run, tmp_path, mixtures, potential, ensemble):
    store = tmp_path / "molecules"
    options = ("--split", "--store", store)
    text = run("evaluate", *ensemble, mixtures, *options)
    assert "1 of 3 configurations left out, as they hold broken, fused or unknown molecules: 1 C3H2O3" in text
    for name in ("EC", "1EC:1EMC", "all", "intramolecular", "intermolecular"):
        assert name in text
    kept = {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}
    assert len(kept) == 4
    found = json.loads(run("evaluate", *ensemble, mixtures, *options, "--json"))["split"]
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.json")} == kept
    assert list(found["compositions"]) == ["EC", "1EC:1EMC"] and found["potentials"] == 2
    parts = found["overall"]["parts"]
    whole = [k for k, atoms in enumerate(read_configurations(mixtures)) if k < 2]
    labels = [read_configurations(mixtures)[k] for k in whole]
    errors = np.concatenate([load(potential).evaluate(atoms).forces - atoms.get_forces() for atoms in labels])
    assert parts["total"]["forces"][0] == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_figures_of_parts_and_maps(run, tmp_path, mixtures, potential):
    pytest.importorskip("rdkit")
    options = ("--split", "--sites", "--store", tmp_path / "molecules", "--figure", tmp_path / "errors.png")
    printed = run("evaluate", potential, mixtures, *options)
    for name in ("errors.png", "errors_sites.png", "errors_parts.png", "errors_maps.png"):
        assert f"Figure: {tmp_path / name}" in printed


def test_without_rdkit_the_maps_alone_are_missing(tmp_path, labelled, potential, capsys, monkeypatch):
    smiles.rdkit_package.cache_clear()
    for name in ("rdkit", "rdkit.Chem", "rdkit.Chem.AllChem"):
        monkeypatch.setitem(sys.modules, name, None)
    words = ["evaluate", potential, labelled, "--sites", "--figure", tmp_path / "charts"]
    assert main([str(word) for word in words]) == 0
    assert "no maps are drawn: drawings of molecules need RDKit, which is not installed: pip" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "charts").iterdir()) == ["parity.png", "sites.png"]


def test_labels_and_reference_of_the_split_belong_together(tmp_path, mixtures, potential, capsys):
    words = ["evaluate", potential, mixtures, "--split", "--store", tmp_path / "molecules", "--reference", "gfn2-xtb"]
    assert main([str(word) for word in words]) == 1
    assert "configuration 1 was labelled by GFN1-xTB; GFN2-xTB cannot label its molecules" in capsys.readouterr().err


def test_presets_are_found_by_the_name_in_their_labels():
    assert preset_named("GFN1-xTB") == "gfn1-xtb"
    assert preset_named("SevenNet-l3i5 + D3(0), a PBE-D3(0) surrogate") == "sevennet-l3i5-d3zero"
    assert preset_named("PBE-D3(0), VASP") == "vasp-pbe-d3"
    assert preset_named("B3LYP") is None


def test_another_reference_than_that_of_the_potential_is_named(run, tmp_path, labelled, capsys):
    """The errors are then the differences of the two levels of theory, too."""
    for name in ("one", "two"):
        configurations = read_configurations(labelled)
        for atoms in configurations:
            atoms.info["reference"] = f"level {name}"
        write_configurations(tmp_path / f"{name}.xyz", configurations)
    trained = tmp_path / "trained.pot"
    run("train", tmp_path / "one.xyz", "--level", 2, "--max-iterations", 1, "-o", trained)
    corrected = tmp_path / "corrected.pot"
    words = ["--on-top-of", trained, "--level", 2, "--max-iterations", 1]
    run("train", tmp_path / "two.xyz", *words, "-o", corrected)
    capsys.readouterr()
    for potential, own, other in ((trained, "one", "two"), (corrected, "two", "one")):
        for name in (own, other):
            assert main(["evaluate", str(potential), str(tmp_path / f"{name}.xyz")]) == 0
            text = f"was trained on labels of level {own}, {tmp_path / f'{name}.xyz'} has labels of level {name}:"
            assert (text in capsys.readouterr().err) == (name == other)
