"""Results that ship with the source tree follow from what ships beside them: sets, potentials, labels."""

import json
import re

import numpy as np
import pytest
from ase.units import GPa

from electrolyte_ml.active_learning.mixing import count_origins
from electrolyte_ml.analysis import analyse_set
from electrolyte_ml.analysis.audit import molecular_pressure
from electrolyte_ml.paper.ion_pair_validation import IonPairErrors, ion_pair_errors
from electrolyte_ml.paper.places import checkout
from electrolyte_ml.paper.results import shipped_result
from electrolyte_ml.paper.scales import STANDARD
from electrolyte_ml.paper.validation import ValidationErrors, validation_cells
from electrolyte_ml.potentials import load
from electrolyte_ml.potentials.shipped import find_shipped
from electrolyte_ml.structures import density, pack, parse_composition, read_configurations
from electrolyte_ml.structures.composition import atoms_in
from electrolyte_ml.training import evaluate_errors, train


def species_counts(atoms):
    return atoms.symbols.formula.count()


ALL_FITS = sorted((checkout() / "data" / "results" / "standard" / "mixtures").glob("fits_*/*/fit.json"))
FITS = [path for path in ALL_FITS if "Li" not in load(next(path.parent.glob("potential.*"))).species]  # of mixtures
ION_FITS = [path for path in ALL_FITS if path not in FITS]


@pytest.fixture(scope="module")
def mixture_set():
    return read_configurations(find_shipped("ec-emc").training_set, labelled=True)


def test_origins_are_those_of_the_shipped_set(mixture_set):
    assert count_origins(mixture_set) == shipped_result("mixture_training", "standard")["origins"]


def pure_solvent(solvent, seed):
    """Training set and potential of a pure solvent."""
    folder = checkout() / "data" / "results" / "standard" / "pure_solvents" / f"{solvent}_seed{seed}"
    return read_configurations(folder / "training_set.extxyz.xz", labelled=True), load(folder / "potential.mtp")


@pytest.mark.parametrize("seed", STANDARD.pure_solvents.seeds)
@pytest.mark.parametrize("solvent", ["EC", "EMC"])
def test_pure_solvents_of_all_seeds_are_sets_that_their_potentials_fit(solvent, seed):
    training, potential = pure_solvent(solvent, seed)
    about = find_shipped(solvent.lower())
    assert {atoms.info["reference"] for atoms in training} == {about.reference} == {potential.reference}
    errors = evaluate_errors(potential, training)
    assert errors.force_rmse == pytest.approx(about.force_error, rel=0.2)  # that of an earlier run


@pytest.mark.parametrize("solvent", ["EC", "EMC"])
def test_the_diagram_of_a_pure_solvent_is_that_of_its_first_set(solvent):
    entry, (training, _) = shipped_result("pure_solvents", "standard")["solvents"][solvent], pure_solvent(solvent, 0)
    energies = [atoms.get_potential_energy() / len(atoms) for atoms in training]
    np.testing.assert_allclose(entry["set_energies"], energies, rtol=1e-12)
    np.testing.assert_allclose(entry["set_densities"], [density(atoms) for atoms in training], rtol=1e-6)
    assert entry["set_iterations"] == [atoms.info["iteration"] for atoms in training]
    assert len(entry["members"]) + len(entry["failed"]) == len(STANDARD.pure_solvents.seeds)


def test_every_kind_and_seed_of_the_standard_scale_ships():
    protocol = STANDARD.mixture_density
    kinds = {f"{kind.name}_seed{seed}" for kind in protocol.kinds for seed in protocol.seeds}
    assert {path.parent.name for path in FITS} == kinds


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.parent.name)
def test_stated_errors_of_a_fit_are_those_of_its_potential(path, mixture_set):
    (file,) = path.parent.glob("potential.*")
    errors, stated = evaluate_errors(load(file), mixture_set), json.loads(path.read_text())["errors"]
    assert stated["n_configurations"] == len(mixture_set)
    for name in ("energy_rmse", "force_rmse", "stress_rmse", "pressure_bias"):
        assert getattr(errors, name) == pytest.approx(stated[name], rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize("path", ION_FITS, ids=lambda path: path.parent.name)
def test_stated_errors_of_a_fit_with_ions_are_those_of_its_potential(path):
    training = read_configurations(find_shipped("lipf6-ec-emc").training_set, labelled=True)
    test_stated_errors_of_a_fit_are_those_of_its_potential(path, training)


@pytest.fixture(scope="module")
def validation_set():
    return read_configurations(checkout() / "data" / "sets" / "ec_emc_validation.extxyz.xz", labelled=True)


def test_validation_sets_are_those_of_the_protocol(validation_set):
    protocol = STANDARD.intermolecular_errors
    cells = [species_counts(atoms) for atoms in validation_set[:: protocol.configurations]]
    assert len(validation_set) == len(cells) * protocol.configurations
    expected = [pack(parse_composition(cell), 0.5) for cell in validation_cells(protocol)]
    assert cells == [species_counts(atoms) for atoms in expected]


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.parent.name)
def test_stored_errors_on_the_validation_sets_are_those_of_the_shipped_potentials(path, validation_set):
    """The totals; the labels of single molecules, which the parts need, do not ship."""
    kind, _, seed = path.parent.name.partition("_seed")
    place = STANDARD.intermolecular_errors.seeds.index(int(seed))
    stored = ValidationErrors.from_dict(shipped_result("intermolecular_errors", "standard"))
    potential, count = load(next(path.parent.glob("potential.*"))), STANDARD.intermolecular_errors.configurations
    assert stored.parameters[kind] == potential.n_parameters
    for number, composition in enumerate(stored.kinds[kind].compositions.values()):
        assert composition.configurations == count
        row = composition.parts["total"]
        energies, forces = [], []
        for atoms in validation_set[number * count : (number + 1) * count]:
            result = potential.evaluate(atoms)
            energies.append(1000 * (result.energy - atoms.get_potential_energy()) / len(atoms))
            forces.append(result.forces - atoms.get_forces())
        assert row.energies[place] == pytest.approx(np.sqrt(np.mean(np.square(energies))), rel=1e-6)
        assert row.offsets[place] == pytest.approx(np.mean(energies), rel=1e-6)
        assert row.forces[place] == pytest.approx(np.sqrt(np.mean(np.square(np.concatenate(forces)))), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ec-emc", "ec_emc_validation"),
        ("lipf6-ec-emc", "lipf6_validation"),
        ("lipf6-ec-emc-qrd", "lipf6_validation"),
    ],
)
def test_stated_errors_of_a_potential_outside_its_set_are_right(name, file):
    about = find_shipped(name)
    outside = read_configurations(checkout() / "data" / "sets" / f"{file}.extxyz.xz", labelled=True)
    assert {atoms.info["reference"] for atoms in outside} == {about.reference}
    own = {atoms.info["label_hash"] for atoms in read_configurations(about.training_set)}
    assert not own & {atoms.info["label_hash"] for atoms in outside}
    errors = evaluate_errors(load(name), outside)
    assert f"{1000 * errors.energy_rmse:.1f} meV/atom and {errors.force_rmse:.3f} eV/Å" in about.good_for


@pytest.mark.parametrize("name", ["lipf6-ec-emc", "lipf6-ec-emc-qrd"])
def test_stated_errors_on_aggregates_are_right(name):
    """They are those of all steps of the dynamics that the potential has not learnt."""
    about = find_shipped(name)
    own = {atoms.info["label_hash"] for atoms in read_configurations(about.training_set)}
    dynamics = read_configurations(checkout() / "data" / "sets" / "lipf6_aggregates.extxyz.xz", labelled=True)
    outside = [atoms for atoms in dynamics if atoms.info["label_hash"] not in own]
    assert len(dynamics) - len(outside) == 1 and {atoms.symbols.count("Li") for atoms in outside} == {2}
    errors = evaluate_errors(load(name), outside)
    stated = f"outside its set: {1000 * errors.energy_rmse:.1f} meV/atom and {errors.force_rmse:.3f} eV/Å"
    assert f"on aggregates {stated}" in about.good_for


def test_the_end_of_a_collapse_is_in_the_set_with_charges_and_no_hole_any_more():
    """The former potential, which fell into it, was too low by 27 eV there."""
    about = find_shipped("lipf6-ec-emc-qrd")
    configurations = read_configurations(about.training_set, labelled=True)
    hot = [atoms for atoms in configurations if atoms.info["parent"].startswith("hot/")]
    assert len(hot) == 67 and {atoms.info["reference"] for atoms in hot} == {about.reference}
    collapse = {atoms.info["parent"]: atoms for atoms in hot if atoms.info["parent"].startswith("hot/hole/")}
    potential = load("lipf6-ec-emc-qrd")
    errors = {
        parent: potential.evaluate(atoms).energy - atoms.get_potential_energy() for parent, atoms in collapse.items()
    }
    assert len(errors) == 8 and errors.pop("hot/hole/0") > -6
    assert min(errors.values()) > -2.5


def test_each_potential_is_too_low_in_the_frames_of_its_own_runs():
    frames = read_configurations(checkout() / "data" / "sets" / "lipf6_runs.extxyz.xz", labelled=True)
    assert len(frames) == 80 and {len(atoms) for atoms in frames} == {286}
    charged = np.array([atoms.info["parent"].startswith("qrd/") for atoms in frames])
    for name, *stated in (("lipf6-ec-emc", -1.2, -0.3), ("lipf6-ec-emc-qrd", 0.2, -0.8)):
        about = find_shipped(name)
        assert {atoms.info["reference"] for atoms in frames} == {about.reference}
        learnt = {atoms.info["label_hash"] for atoms in read_configurations(about.training_set)}
        assert not learnt & {atoms.info["label_hash"] for atoms in frames}
        potential = load(name)
        errors = np.array([potential.evaluate(atoms).energy - atoms.get_potential_energy() for atoms in frames])
        assert (errors[~charged].mean(), errors[charged].mean()) == pytest.approx(tuple(stated), abs=0.05)


def mean_pressure_errors(potential, configurations):
    """Return the mean errors of the pressure of the atoms and of the molecules, GPa."""
    errors = []
    for atoms in configurations:
        found = atoms.copy()
        found.calc = potential.calculator()
        pressure = -(found.get_stress() - atoms.get_stress())[:3].mean() / GPa
        errors.append((pressure, molecular_pressure(found) - molecular_pressure(atoms)))
    return np.mean(errors, axis=0)


def corrected_by(training):
    """Return `lipf6-ec-emc`, corrected to labels as at the standard scale."""
    base, protocol = load("lipf6-ec-emc"), STANDARD.correction.learning
    weights = {f"{name}_weight": getattr(protocol.fit, f"{name}_weight") for name in ("energy", "force", "stress")}
    start = protocol.model.random(base.species, 0)
    return train(training, start, on_top_of=base, max_iterations=300, progress=False, **weights).potential


@pytest.fixture(scope="module")
def pbe_labels():
    return read_configurations(find_shipped("lipf6-ec-emc-pbe").training_set, labelled=True)


def test_the_shipped_labels_correct_a_potential_in_cells_that_another_program_labelled(pbe_labels):
    """CP2K made the labels of the set, PySCF those of the cells. Much of the remaining error is that of the base."""
    assert {atoms.info["reference"] for atoms in pbe_labels} == {"PBE-D3(0), CP2K"}
    others = read_configurations(checkout() / "data" / "pbe_cells.extxyz", labelled=True)
    base, corrected = load("lipf6-ec-emc"), corrected_by(pbe_labels)
    assert evaluate_errors(corrected, others).force_rmse < 0.8 * evaluate_errors(base, others).force_rmse
    atoms, molecules = np.abs(mean_pressure_errors(corrected, others)) / np.abs(mean_pressure_errors(base, others))
    assert atoms < 0.3 and molecules < 0.5


def test_a_correction_is_biased_in_its_own_liquid_until_it_learns_frames_of_it(pbe_labels):
    own = [atoms for atoms in pbe_labels if atoms.info.get("parent", "").startswith("own/")]
    others = [atoms for atoms in pbe_labels if atoms not in own]
    assert (len(own), len(others)) == (12, 79)
    before = corrected_by(others)
    assert abs(mean_pressure_errors(before, others)[1]) < 0.1 < 0.15 < -mean_pressure_errors(before, own)[1]
    assert abs(mean_pressure_errors(load("lipf6-ec-emc-pbe"), own)[1]) < 0.1


def test_stated_charges_of_lithium_and_its_anion_are_right():
    potential, limits = load("lipf6-ec-emc-qrd"), find_shipped("lipf6-ec-emc-qrd").limits
    stated = re.search(r"Li has ([+-][\d.]+) e in place of \+1, PF6 ([+-][\d.]+) e", limits)
    outside = read_configurations(checkout() / "data" / "sets" / "lipf6_validation.extxyz.xz")
    for atoms in outside[:: len(outside) // 3]:
        charges, symbols = potential.evaluate(atoms).charges, atoms.symbols
        lithium, anion = charges[symbols == "Li"].sum(), charges[(symbols == "P") | (symbols == "F")].sum()
        assert [float(value) for value in stated.groups()] == pytest.approx([lithium, anion], abs=0.01)


def test_stored_contents_of_the_set_of_lipf6_are_right():
    stored, training = (shipped_result(name, "standard") for name in ("ion_pair_set", "ion_pair_training"))
    shipped = read_configurations(find_shipped("lipf6-ec-emc").training_set)
    assert training["configurations"] == len(shipped) == training["stages"]["aggregates"]["sizes"][-1]
    found = analyse_set(shipped).solvation
    for kind, entry in stored["solvation"]["ion_pairs"].items():
        assert entry["value"] == pytest.approx(found.ion_pairs[kind].value, rel=1e-9)


def test_the_validation_set_of_lipf6_is_that_of_the_protocol():
    protocol = STANDARD.ion_pair_training
    outside = read_configurations(checkout() / "data" / "sets" / "lipf6_validation.extxyz.xz")
    assert len(outside) == protocol.validation_configurations
    share = len(outside) // len(protocol.cells)
    assert [len(atoms) for atoms in outside[::share]] == [atoms_in(cell) for cell in protocol.cells]


def test_stored_errors_by_site_are_those_of_the_potentials_of_lipf6():
    stored = IonPairErrors.from_dict(shipped_result("ion_pair_errors", "standard"))
    potentials = {"MTP16": {0: load("lipf6-ec-emc")}, "MTP16-QRd": {0: load("lipf6-ec-emc-qrd")}}
    outside = read_configurations(checkout() / "data" / "sets" / "lipf6_validation.extxyz.xz", labelled=True)
    found = ion_pair_errors(outside, potentials, potentials["MTP16"][0].reference)
    assert stored.reference == found.reference
    for name in potentials:
        assert stored.parameters[name] == found.parameters[name]
        for row, again in zip(stored.kinds[name].sites, found.kinds[name].sites, strict=True):
            assert (row.species, row.name, row.atoms) == (again.species, again.name, again.atoms)
            assert (row.rmse, row.size) == pytest.approx((again.rmse, again.size), rel=1e-6)
    for cell, charges in found.charges["MTP16-QRd"].items():
        for symbol, values in charges.items():
            assert stored.charges["MTP16-QRd"][cell][symbol] == pytest.approx(values, abs=1e-6)


def test_densities_are_means_of_the_shipped_traces():
    stored, window = shipped_result("mixture_density", "standard"), STANDARD.mixture_density.density.average_last_ps
    completed = 0
    for liquid, kinds in stored["runs"].items():
        for kind, members in kinds.items():
            for seed, run in members.items():
                times, densities = map(np.array, stored["traces"][liquid][kind][seed])
                if "mean" in run:
                    completed += 1
                    late = times > times[-1] - window
                    # Traces are means over a picosecond, so that the ends of the two windows differ.
                    assert densities[late].mean() == pytest.approx(run["mean"], abs=5e-4)
                else:
                    assert times[-1] < STANDARD.mixture_density.density.run.time_ps - 1
    assert completed > 0
