"""Force errors drawn on molecules, and errors within and between molecules."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from electrolyte_ml.analysis import Liquid, group_atoms, split_errors, split_potential
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import part_errors, site_maps, snapshot_map
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import MOLECULES, pack, smiles
from electrolyte_ml.structures.drawing import draw
from electrolyte_ml.structures.sites import site_names

SAID = {"reference": "GFN1-xTB", "scale": "quick"}
MAP = {"title": "Force errors", "quantity": "length of the error (eV/Å)", **SAID}

pytest.importorskip("rdkit")


def of_sites(*names):
    """A different value for every site of some molecules."""
    found = {}
    for name in names:
        molecule = MOLECULES[name]
        for site in site_names(molecule.numbers, np.array(molecule.bonds)):
            found.setdefault((name, site), 0.1 + 0.01 * len(found))
    return found


def numbers(axes):
    return [text.get_text() for text in axes.texts if text.get_text().lstrip("+-").replace(".", "").isdigit()]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.mark.parametrize("name", ["EC", "EMC", "PF6", "VC", "AN", "Li"])
def test_drawings_have_the_bonds_of_the_molecule_and_no_atoms_on_each_other(name):
    molecule = MOLECULES[name]
    drawing = draw(molecule)
    assert {(min(i, j), max(i, j)) for i, j, _ in drawing.bonds} == set(molecule.bonds)
    between = np.linalg.norm(drawing.positions[:, None] - drawing.positions[None], axis=-1)
    for i, j, _ in drawing.bonds:
        assert between[i, j] == pytest.approx(1.5, abs=0.01)
    assert between[np.triu_indices(len(between), 1)].min(initial=9.0) > 1.0
    plain = draw(replace(molecule, smiles=""))  # the same atoms without a SMILES
    assert {(min(i, j), max(i, j)) for i, j, _ in plain.bonds} == set(molecule.bonds)
    assert {order for *_, order in plain.bonds} <= {1.0}


def test_only_the_carbonyl_bond_is_double():
    molecule = MOLECULES["EMC"]
    (double,) = [(i, j) for i, j, order in draw(molecule).bonds if order == 2.0]
    sites = site_names(molecule.numbers, np.array(molecule.bonds))
    assert {sites[atom] for atom in double} == {"carbonyl C", "carbonyl O"}


def test_every_atom_carries_the_number_of_its_site(check_figures):
    values = of_sites("EC", "EMC", "Li")
    figure = site_maps({"MTP12": values, "QRd12": {k: 2 * v for k, v in values.items()}}, **MAP)
    check_figures({"site_maps": figure})
    panels = [axes for axes in figure.axes if numbers(axes)]
    assert [len(numbers(axes)) for axes in panels] == [10, 10, 15, 15]  # all atoms, H too; the ion Li+ is left out
    text = f"{values['EC', 'ether O']:.2f}"
    assert numbers(panels[0]).count(text) == 2
    assert numbers(panels[1]).count(f"{2 * values['EC', 'H of CH2']:.2f}") == 4
    assert "length of the error (eV/Å)" in words(figure)


def test_differences_have_signs():
    values = {site: (-1) ** k * 0.123 for k, site in enumerate(of_sites("EC"))}
    shown = numbers(site_maps({"MTP − QRd": values}, signed=True, **MAP).axes[0])
    assert set(shown) == {"+0.12", "-0.12"}


def test_one_configuration_is_drawn_molecule_by_molecule(check_figures):
    atoms = pack({"EC": 1, "EMC": 2, "Li": 1}, 1.0, seed=1, charge=1)
    order = np.random.default_rng(0).permutation(len(atoms))
    atoms = atoms[order]
    groups = group_atoms([atoms])
    lengths = np.full(len(atoms), 0.05)
    (carbonyl,) = np.flatnonzero((groups.species == "EC") & (groups.sites == "carbonyl C"))
    lengths[carbonyl] = 1.23
    figure = snapshot_map(groups, lengths, **SAID)
    check_figures({"snapshot_map": figure})
    assert [axes.get_title("left") for axes in figure.axes[:3]] == ["EC", "EMC", "EMC"]  # the worst first
    shown = [(text.get_position(), text.get_text()) for text in figure.axes[0].texts]
    molecule = MOLECULES["EC"]
    atom = site_names(molecule.numbers, np.array(molecule.bonds)).index("carbonyl C")
    (place,) = [place for place, text in shown if text == "1.23"]
    assert np.linalg.norm(np.array(place) - draw(molecule).positions[atom]) < 0.3


def test_parts_by_composition_and_kind(check_figures):
    liquid = Liquid.of([pack({"EC": 2}, 0.9), pack({"EC": 1, "EMC": 1}, 0.9)])
    splits = [split_potential(liquid, ModelSpec(level=2).random(["H", "C", "O"], seed)) for seed in range(3)]
    errors = {"MTP2": split_errors(liquid, splits[0], splits[1:]), "QRd2": split_errors(liquid, splits[0], splits)}
    figure = part_errors(errors, **SAID)
    check_figures({"part_errors": figure})
    assert [axes.get_title() for axes in figure.axes[:2]] == ["EC\n1 configurations", "1EC:1EMC\n1 configurations"]
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    found = [kind.compositions["EC"].parts[part].energy_rmse for kind in errors.values()
             for part in ("total", "intramolecular", "intermolecular")]  # fmt: skip
    assert heights == pytest.approx(found)
    for text in ("meV/atom", "eV/Å", "intermolecular", "QRd2", "Dots: the 2 or 3 potentials"):
        assert text in words(figure)


@pytest.mark.parametrize(
    ("draw_it", "message"),
    [
        (lambda: site_maps({}, **MAP), "no values"),
        (
            lambda: site_maps({"a": of_sites("EC")}, molecules=["EC", "XY"], **MAP),
            "XY is not a molecule",
        ),
        (lambda: site_maps({"a": of_sites("EC")}, molecules=["EMC"], **MAP), "a: there is no value of the"),
        (lambda: snapshot_map(group_atoms([MOLECULES["EC"].atoms()]), np.ones(3), **SAID), "3 force errors for 10"),
        (lambda: snapshot_map(group_atoms([MOLECULES["Li"].atoms()]), np.ones(1), **SAID), "no known molecule"),
        (lambda: part_errors({}, **SAID), "no errors"),
    ],
)
def test_bad_input(draw_it, message):
    with pytest.raises(InputError, match=message):
        draw_it()


def test_without_rdkit_the_message_says_what_to_install(monkeypatch):
    smiles.rdkit_package.cache_clear()
    monkeypatch.setitem(sys.modules, "rdkit", None)
    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)
    monkeypatch.setitem(sys.modules, "rdkit.Chem.AllChem", None)
    with pytest.raises(
        InputError, match=r"drawings of molecules need RDKit.*pip install '\.\[molecules\]' in the source tree"
    ):
        site_maps({"MTP12": of_sites("EC")}, **MAP)
