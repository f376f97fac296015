import json
from dataclasses import replace

import numpy as np
import pytest
from ase.units import GPa, kcal, mol

from electrolyte_ml import reference
from electrolyte_ml.analysis import audit_reference, compare_labels
from electrolyte_ml.analysis.audit import molecular_pressure, sample
from electrolyte_ml.analysis.binding import binding_energy, complexes
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import reference_audit
from electrolyte_ml.reference import LabelStore
from electrolyte_ml.reference.labels import label_hash
from electrolyte_ml.structures import MOLECULES, at_volume, pack, read_configurations


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return LabelStore(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def boxes():
    return [pack({"H2O": 3}, density, seed=seed) for seed, density in enumerate((0.9, 1.0, 1.1))]


def labelled(boxes, store, name="gfn1-xtb"):
    return store.label_all(boxes, reference.get(name), progress=False).labelled


def test_molecular_pressure_is_a_derivative(boxes, store):
    moved = [at_volume(boxes[0], factor * boxes[0].get_volume()) for factor in (1.0003, 0.9997)]
    stretched, squeezed = labelled(moved, store)
    slope = (stretched.get_potential_energy() - squeezed.get_potential_energy()) / (
        stretched.get_volume() - squeezed.get_volume()
    )
    assert molecular_pressure(labelled(boxes[:1], store)[0]) == pytest.approx(-slope / GPa, rel=1e-3)


def test_sample_takes_formulas_in_turn(boxes):
    many = [*boxes, *(pack({"H2O": 2}, 0.9, seed=9) for _ in range(1))]
    chosen = sample(many, 3, seed=0)
    assert sorted(len(atoms) for atoms in chosen) == [6, 9, 9]
    assert len(sample(many, 100, seed=0)) == 4


def test_a_reference_against_itself(boxes, store):
    level = reference.get("gfn1-xtb")
    found = audit_reference(boxes, level, level, store, progress=False)
    assert found.force_rmse == 0 and found.pressure_bias.value == 0 and found.energy_rmse is None
    assert found.density_bias.value == 0 and found.bulk_modulus.value > 0
    assert not found.bindings and not found.left_out


def test_audit_of_two_methods(boxes, store):
    found = audit_reference(boxes, reference.get("gfn1-xtb"), reference.get("gfn2-xtb"), store, progress=False)
    theirs = labelled(boxes, store, "gfn2-xtb")
    ours = labelled(boxes, store)
    difference = np.concatenate([a.get_forces() - b.get_forces() for a, b in zip(ours, theirs, strict=True)])
    assert found.force_rmse == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert {row.name for row in found.forces.sites} == {"water O", "H of water O"}
    pressures = [molecular_pressure(a) - molecular_pressure(b) for a, b in zip(ours, theirs, strict=True)]
    assert found.molecular_pressure_bias.value == pytest.approx(np.mean(pressures))
    assert found.density_bias.value == pytest.approx(-np.mean(pressures) / found.bulk_modulus.value)
    text = str(found)
    assert "GFN1-xTB against GFN2-xTB, 3 configurations" in text and "GPa, of molecules" in text


def test_one_configuration_has_no_standard_error(boxes, store):
    level = reference.get("gfn1-xtb")
    text = str(audit_reference(boxes[:1], level, level, store, progress=False))
    assert "GFN1-xTB against GFN1-xTB, 1 configuration\n" in text and "nan" not in text
    assert "density error at this bulk modulus: -0.0 %" in text


def test_labels_from_files_are_compared_alike(boxes, store):
    chosen = sample(boxes, 3, seed=0)
    ours, theirs = labelled(chosen, store), labelled(chosen, store, "gfn2-xtb")
    found = compare_labels(ours, theirs, reference="GFN1-xTB", against="GFN2-xTB")
    whole = audit_reference(boxes, reference.get("gfn1-xtb"), reference.get("gfn2-xtb"), store, progress=False)
    assert str(found) == str(replace(whole, bulk_modulus=None, density_bias=None, seconds={}))
    swapped = compare_labels(theirs, ours, reference="GFN2-xTB", against="GFN1-xTB")
    assert swapped.pressure_bias.value == pytest.approx(-found.pressure_bias.value)
    with pytest.raises(InputError, match="configuration 1 is not the same"):
        compare_labels(ours, theirs[::-1], reference="A", against="B")
    with pytest.raises(InputError, match="3 and 2 configurations"):
        compare_labels(ours, theirs[:2], reference="A", against="B")


def test_labels_of_the_data_are_used(boxes, store, tmp_path, monkeypatch):
    ours = labelled(boxes, store)
    fresh, level = LabelStore(tmp_path / "fresh"), reference.get("gfn1-xtb")
    monkeypatch.setattr(type(level), "label", lambda *_: pytest.fail("a label was computed twice"))
    for atoms in ours:
        del atoms.calc.results["stress"]
    found = audit_reference(ours, level, level, fresh, progress=False)
    assert found.pressure_bias is None and found.force_rmse == 0 and not found.seconds


def test_charged_cells_are_refused_before_anything_runs(boxes, store):
    charged = boxes[0].copy()
    charged.info["charge"] = 1
    level = reference.get("gfn1-xtb")
    with pytest.raises(InputError, match="of the sample: GFN1-xTB labels neutral cells"):
        audit_reference([charged], level, level, store, progress=False)


def test_the_figure_shows_what_there_is(boxes, store):
    level = reference.get("gfn1-xtb")
    found = audit_reference(boxes, level, level, store, progress=False)
    assert len(reference_audit(found).axes) == 2
    assert len(reference_audit(replace(found, pressure_bias=None)).axes) == 1


@pytest.mark.slow
def test_shipped_audit_is_that_of_the_shipped_cells(root, store):
    cells = read_configurations(root / "data" / "pbe_cells.extxyz", labelled=True)
    groups = {"salt": [], "solvents": []}
    for atoms in cells:
        groups["salt" if "Li" in atoms.symbols else "solvents"].append(atoms)
    shipped = json.loads((root / "data" / "reference_audit.json").read_text())
    for name, theirs in groups.items():
        assert len(theirs) == 10
        found = compare_labels(labelled(theirs, store), theirs, reference="GFN1-xTB", against="PBE-D3(0), PySCF")
        expected = shipped[f"gfn1-xtb_{name}"]
        assert found.force_rmse == pytest.approx(expected["force_rmse"], rel=1e-3)
        bias = expected["molecular_pressure_bias"]["value"]
        assert found.molecular_pressure_bias.value == pytest.approx(bias, abs=5e-3)


@pytest.mark.slow
def test_shipped_bindings_are_those_of_relaxed_complexes(root, store):
    shipped = json.loads((root / "data" / "reference_audit.json").read_text())["gfn1-xtb_salt"]["bindings"]
    known = {binding["complex"]: binding for binding in shipped if binding["reference"] == "GFN1-xTB"}
    assert {"EC to Li+", "PF6 to Li+"} <= known.keys()
    assert known.keys() == {binding["complex"] for binding in shipped if binding["reference"] == "PBE-D3(0), PySCF"}
    for complex in complexes(MOLECULES[name] for name in ("Li", "EC", "PF6")):
        if expected := known.get(str(complex)):
            found, _ = binding_energy(complex, reference.get("gfn1-xtb"), store)
            assert found.energy == pytest.approx(expected["energy"], abs=0.01)
            assert found.distance == pytest.approx(expected["distance"], abs=0.02)
            assert found.denticity == expected["denticity"]


# PBE-D3(0) in the def2-TZVP basis, minimised by another program: energy in kcal/mol, and distance in Å. The programs
# differ by 0.9 kcal/mol for PF6, for a reason that is not known.
@pytest.mark.parametrize(
    ("complex", "energy", "bound", "distance"), [("EC to Li+", -50.2, 0.5, 1.74), ("PF6 to Li+", -139.6, 1.0, None)]
)
def test_shipped_bindings_are_those_of_another_program(root, complex, energy, bound, distance):
    shipped = json.loads((root / "data" / "reference_audit.json").read_text())["gfn1-xtb_salt"]["bindings"]
    better = next(b for b in shipped if b["complex"] == complex and b["reference"] == "PBE-D3(0), PySCF")
    assert better["energy"] / (kcal / mol) == pytest.approx(energy, abs=bound)
    assert distance is None or better["distance"] == pytest.approx(distance, abs=0.01)


def test_shipped_cells_are_audited_without_labels_of_the_better_reference(root, store):
    for package in ("pyscf", "dftd3"):  # whose versions are part of a label's name
        pytest.importorskip(package)
    cells = read_configurations(root / "data" / "pbe_cells.extxyz", labelled=True)
    better = reference.get("pyscf-pbe-d3")
    assert all(atoms.info["label_hash"] == label_hash(atoms, better) for atoms in cells)
