"""Charge redistribution as a potential."""

import json

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import conformance
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, Sum, load
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.training import Ensemble, train
from electrolyte_ml.units import COULOMB

SPECIES = ("H", "C", "O")
ALL = ("H", "C", "O", "Li", "P", "F")


def by_hand(b, s, species, total):
    """Eq. (8), atom by atom."""
    excess = total - sum(b[symbol] for symbol in species)
    weight = sum(s[symbol] for symbol in species)
    return [b[symbol] + s[symbol] * excess / weight for symbol in species]


def raw(species=SPECIES, seed=1):
    """A raw model whose pole is far away: all weights are positive."""
    drawn = QRd.random(species, seed, form="raw")
    return QRd(drawn.species, drawn.b, np.abs(drawn.s) + 0.2, "raw")


# -- what the paper says -----------------------------------------------------------------------------------------------


def test_parameters_of_level_16_with_charges_are_those_of_the_paper():
    potential = ModelSpec(level=16, charges="qrd").random(("H", "C", "O"))
    assert isinstance(potential, Sum) and potential.n_parameters == 389
    assert [block.name for block in potential.blocks][-2:] == ["qrd.b", "qrd.s"]


@pytest.mark.parametrize("form", ["positive", "raw"])
@pytest.mark.parametrize("total", [0, 1, -2])
def test_charges_and_energy_of_a_molecule_are_eqs_7_and_8(form, total):
    b, s = {"H": 0.3, "C": 0.1, "O": -0.4}, {"H": 0.7, "C": 1.5, "O": 0.4}
    atoms = molecule("EC")
    atoms.info["charge"] = total
    result = QRd.from_values(SPECIES, b, s, form).evaluate(atoms)
    charges = np.array(by_hand(b, s, atoms.get_chemical_symbols(), total))
    np.testing.assert_allclose(result.charges, charges, atol=1e-14)
    distances = atoms.get_all_distances()
    np.fill_diagonal(distances, np.inf)
    assert result.energy == pytest.approx(0.5 * COULOMB * charges @ (1 / distances) @ charges, rel=1e-12)


def test_an_isolated_ion_has_its_charge_and_no_energy():
    result = QRd.random(("Li",)).evaluate(Atoms("Li", info={"charge": 1}))
    assert (result.energy, result.charges.tolist()) == (0.0, [1.0])


def test_rock_salt_has_madelungs_energy():
    """Any two parameters give 1:1 salt opposite charges; with charges of 1 e it is Madelung's constant."""
    salt = Atoms("NaCl", scaled_positions=[[0, 0, 0], [0.5] * 3], cell=2.82 * (np.ones((3, 3)) - np.eye(3)), pbc=True)
    model = QRd.from_values(("Na", "Cl"), {"Na": 1.5, "Cl": -0.5}, {"Na": 1.0, "Cl": 1.0})
    assert model.evaluate(salt).energy == pytest.approx(-1.747564594633182 * COULOMB / 2.82, rel=1e-7)


# -- gauge, sign, pole -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["positive", "raw"])
def test_moving_along_a_gauge_direction_changes_no_energy(form):
    model = QRd.random(ALL, 2) if form == "positive" else raw(ALL)
    boxes = [pack({"LiPF6": 1, "EC": 2}, 1.0, seed=1), molecule("EMC"), Atoms("Li", info={"charge": 1})]
    energies = [model.evaluate(box).energy for box in boxes]
    for direction in model.gauge_directions:
        for step in (-0.5, 0.5, 3.0):
            moved = model.with_parameters(model.parameters + step * direction)
            for box, energy in zip(boxes, energies, strict=True):
                assert moved.evaluate(box).energy == pytest.approx(energy, abs=1e-10)


def test_starts_are_gauge_fixed_and_have_the_sign_of_the_convention():
    for seed in range(20):
        for species, symbol, sign in ((ALL, "Li", 1), (SPECIES, "O", -1), (("Na", "Cl"), "Na", 1)):
            model = QRd.random(species, seed)
            assert abs(model.b.sum()) < 1e-14 and abs(model.s.sum()) < 1e-14
            assert sign * model.type_charges(dict.fromkeys(species, 1))[symbol] > 0


def test_raw_starts_are_drawn_as_in_the_paper():
    draws = np.array([QRd.random(ALL, seed, form="raw").parameters for seed in range(300)])
    assert -1 <= draws.min() < -0.98 and 0.98 < draws.max() <= 1
    assert abs(draws.mean()) < 0.03 and abs(draws.std() - 1 / np.sqrt(3)) < 0.02


def test_a_pole_is_refused_and_its_sum_named():
    model = QRd(("H", "O"), [0.3, -0.2], [0.5, -1.0], form="raw")
    for refused in (lambda: model.evaluate(molecule_of("HHO")), lambda: model.type_charges({"H": 4, "O": 2})):
        with pytest.raises(InputError, match=r"pole: the sum of s .* is zero, \d x 0.5 \(H\) \+ \d x -1 \(O\)"):
            refused()
    assert np.isfinite(model.evaluate(molecule_of("HO")).energy)
    assert QRd(("H", "O"), [0.3, -0.2], [0.5, -1.0]).evaluate(molecule_of("HHO")).charges.sum() == pytest.approx(0.0)


def test_a_fit_of_neutral_configurations_ends_with_the_sign_of_the_convention():
    model = QRd.from_values(SPECIES, {"H": 0.2, "C": 0.3, "O": -0.6}, {"H": 1.0, "C": 1.0, "O": 1.0})
    boxes = [conformance._labelled(model, conformance.configuration(model, 8, seed=k, side=5.0)) for k in range(8)]
    wrong = model.with_parameters(np.concatenate([-model.b, model.s]) + np.repeat([1.0, 0.3], 3))
    result = train(boxes, wrong, max_iterations=60, progress=False)
    assert result.errors.force_rmse < 1e-3
    assert abs(result.potential.parameters[:3].sum()) < 1e-12  # its gauge is fixed
    for box in boxes:
        np.testing.assert_allclose(result.potential.evaluate(box).charges, model.evaluate(box).charges, atol=1e-2)


def test_an_ensemble_has_charges_of_one_sign():
    ensemble = Ensemble(tuple(ModelSpec(level=2, charges="qrd").random(SPECIES, seed) for seed in range(3)))
    charges = ensemble.evaluate(molecule("EC")).charges
    assert charges.mean.sum() == pytest.approx(0.0, abs=1e-12) and (charges.std > 0).all()
    without = Ensemble(tuple(ModelSpec(level=2).random(SPECIES, seed) for seed in range(3)))
    assert without.evaluate(molecule("EC")).charges is None


# -- derivatives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "promise",
    [
        conformance.check_forces,
        conformance.check_gradients,
        conformance.check_gauge,
        conformance.check_charges,
        conformance.check_training_term,
        conformance.check_files,
    ],
    ids=lambda promise: promise.__name__,
)
@pytest.mark.parametrize("name", ["raw", "gaussian", "raw in a sum"])
def test_other_forms_keep_the_promises_too(name, promise):
    models = {
        "raw": raw(),
        "gaussian": QRd(SPECIES, *np.random.default_rng(0).uniform(-1, 1, (2, 3)), width=1.0),
        "raw in a sum": Sum((ModelSpec(level=2, cutoff=3.0, scaling=1e-3).random(SPECIES), raw())),
    }
    promise(models[name])


@pytest.mark.parametrize("charge", [-1, 2])
@pytest.mark.parametrize("periodic", [True, False])
def test_derivatives_of_charged_configurations(charge, periodic):
    model = QRd.random(SPECIES, 4)
    atoms = conformance.configuration(model, seed=2, periodic=periodic)
    atoms.info["charge"] = charge
    rng, n, theta = np.random.default_rng(5), len(atoms), model.parameters
    by_energies, by_forces, by_virial = rng.normal(size=n), rng.normal(size=(n, 3)), rng.normal(size=(3, 3))
    by_virial += by_virial.T

    def mixed(moved):
        result = model.with_parameters(moved).evaluate(atoms)
        return result.energies @ by_energies + (result.forces * by_forces).sum() + (result.virial * by_virial).sum()

    pulled = model.pullback(atoms, by_energies, by_forces, by_virial)
    row = model.energy_gradient(atoms)
    for k, step in enumerate(1e-4 * np.eye(len(theta))):
        assert pulled[k] == pytest.approx((mixed(theta + step) - mixed(theta - step)) / 2e-4, rel=1e-6, abs=1e-5)
        energies = [model.with_parameters(theta + sign * step).evaluate(atoms).energy for sign in (1, -1)]
        assert row[k] == pytest.approx((energies[0] - energies[1]) / 2e-4, rel=1e-6, abs=1e-6)


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"b": {"H": 1.0, "C": 0.0, "Xx": 0.0}}, "b of O is missing"),
        ({"b": {"H": 1.0, "C": 0.0, "O": 0.0, "F": 1.0}}, "b of F is given, but the model has no such species"),
        ({"s": {"H": 1.0, "C": 0.0, "O": 1.0}}, "s of C is 0; weights must be positive"),
        ({"s": {"H": 1.0, "C": 1.0, "O": -2.0}}, "s of O is -2; weights must be positive"),
        ({"b": {"H": np.nan, "C": 0.0, "O": 0.0}}, "b needs one finite number for each of the species H C O"),
        ({"form": "plain"}, "no form of charge redistribution 'plain'; there are positive, raw"),
        ({"species": ("H", "C", "O", "O")}, "distinct chemical symbols"),
    ],
)
def test_values_that_make_no_model_are_refused(arguments, message):
    ones = dict.fromkeys(SPECIES, 1.0)
    with pytest.raises(InputError, match=message):
        QRd.from_values(**{"species": SPECIES, "b": ones, "s": ones, **arguments})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": [0.1, 0.2]}, "b needs one finite number for each of the species H C O"),
        ({"species": ["H", "C", "Xx"]}, "distinct chemical symbols"),
        ({"s": "none"}, "s = 'none' is not a list of numbers"),
        ({"width": -1.0}, "width of the charges must be positive"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_name(tmp_path, change, message):
    path = tmp_path / "a.pot"
    model = QRd.random(SPECIES)
    model.save(path)
    text = model.to_text()
    faulty = json.dumps({**json.loads(text), **change}, indent=1) + "\n"
    content = path.read_text().replace(text, faulty)
    count = len(text.splitlines())
    path.write_text(content.replace(f"{count} lines", f"{len(faulty.splitlines())} lines"))
    with pytest.raises(InputError, match=f"a.pot, term qrd from line .*{message}"):
        load(path)


def test_a_slab_is_refused():
    atoms = conformance.configuration(QRd.random(SPECIES))
    atoms.pbc = [True, True, False]
    with pytest.raises(InputError, match="periodic along a and b only"):
        QRd.random(SPECIES).evaluate(atoms)


def test_an_unknown_model_of_charges_is_refused():
    with pytest.raises(InputError, match="charges = 'qdr': unknown kind of potential 'qdr': did you mean 'qrd'"):
        ModelSpec(charges="qdr").random(SPECIES)


def molecule_of(symbols):
    """Atoms in a row, 1 Å apart."""
    return Atoms(symbols, [[k, 0.0, 0.0] for k in range(len(symbols))])


# -- the checks of every potential -------------------------------------------------------------------------------------


class Wrong(QRd):
    """Charges that do not add up, and a gauge direction that is none."""

    kind = "wrong charges"

    def charges(self, geometry):
        return super().charges(geometry) + 1e-6

    @property
    def gauge_directions(self):
        return np.eye(len(self.parameters))[:1]


def test_broken_promises_are_found():
    model = Wrong(SPECIES, [0.1, 0.2, -0.3], [0.0, 0.3, 0.1])
    with pytest.raises(AssertionError, match="the sum of the charges: differs by"):
        conformance.check_charges(model)
    with pytest.raises(AssertionError, match="a row along gauge direction 1"):
        conformance.check_gauge(model)
