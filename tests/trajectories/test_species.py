"""Elements, molecules and species of the atoms of a trajectory."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES
from electrolyte_ml.trajectories import Role, open_trajectory
from electrolyte_ml.trajectories.species import find_species


def test_what_is_not_known_must_be_named(frames):
    ring = Atoms(
        "C2H4O",
        [[0, 0, 0], [1.47, 0, 0], [-0.6, 0.9, 0], [-0.6, -0.9, 0], [2.1, 0.9, 0], [2.1, -0.9, 0], [0.7, 0, 1.2]],
    )
    ring.positions += 5
    other = Atoms("Li", [[1, 1, 1]], cell=[20] * 3, pbc=True) + ring
    with pytest.raises(InputError, match=r"molecule 2 \(C2H4O, 1 with this formula, first atom 2\) is not one of"):
        open_trajectory(other)
    named = open_trajectory(other, roles={"oxirane": "element O"})
    assert {kind: atoms.tolist() for kind, atoms in named.roles["oxirane"].donors.items()} == {"ether": [7]}
    with pytest.raises(InputError, match="finds no atom"):
        open_trajectory(other, roles={"oxirane": "element S"})
    with pytest.raises(InputError, match="cannot select"):
        open_trajectory(other, roles={"oxirane": "elephant"})
    with pytest.raises(InputError, match="that belong to a"):
        open_trajectory(other, roles={"a": "element O", "b": "element C"})
    with pytest.raises(InputError, match="different formulas"):
        open_trajectory(other, roles={"a": "element O Li"})
    with pytest.raises(InputError, match="none of its atoms as nitrile donors"):
        open_trajectory(other, roles={"oxirane": Role("element O", donors={"nitrile": "element Li"})})
    with pytest.raises(InputError, match="kind must be one of"):
        open_trajectory(other, roles={"oxirane": Role("element O", kind="glass")})
    with pytest.raises(InputError, match=r"sum to \+1 e, not to 0 \(1 Li of \+1\)"):
        named.require_neutral()


def test_molecules_are_selected_by_their_formula(frames):
    trajectory = open_trajectory(frames)
    for formula, name in (("F6P", "PF6"), ("PF6", "PF6"), ("C3H4O3", "EC"), ("C4H8O3", "EMC"), ("Li", "Li")):
        np.testing.assert_array_equal(
            trajectory.select(f"formula {formula}"), np.sort(trajectory.roles[name].atoms.ravel())
        )
    assert open_trajectory(frames, roles={"carbonate": "formula C3H4O3"}).roles["carbonate"].formula == "C3H4O3"
    with pytest.raises(InputError, match="finds no atom"):
        open_trajectory(frames, roles={"X": "formula C3H4O4"})
    with pytest.raises(InputError, match="cannot select"):
        open_trajectory(frames, roles={"X": "formula water"})


@pytest.mark.parametrize("residues", ["of molecules", "one"])
def test_elements_are_guessed_from_the_names_of_force_fields(tmp_path, liquid, residues):
    """Names of OPLS, GAFF, CHARMM and LigParGen; "C0" is no calcium and "CS" no caesium in a molecule."""
    other = {"C": ["C0", "CS", "CT1", "C00", "CA"], "O": ["O01", "OS", "O=", "OY"], "H": ["HC", "H5'", "HA", "H04"]}
    seen = {symbol: 0 for symbol in other}
    lines = []
    molecule = open_trajectory(liquid).molecule
    for i, (symbol, x) in enumerate(zip(liquid.symbols, 0.1 * liquid.positions)):
        name = symbol.upper()
        if symbol in other:
            name = other[symbol][seen[symbol] % len(other[symbol])]
            seen[symbol] += 1
        residue = molecule[i] + 1 if residues == "of molecules" else 1
        lines.append(f"{residue:5d}RES  {name:>5}{i + 1:5d}{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}\n")
    (a, _, _), (bx, b, _), (cx, cy, c) = 0.1 * liquid.cell.array
    box = f"{a:.5f} {b:.5f} {c:.5f} 0 0 {bx:.5f} 0 {cx:.5f} {cy:.5f}\n"
    (tmp_path / "box.gro").write_text(f"liquid\n{len(liquid)}\n{''.join(lines)}{box}")
    found = open_trajectory(tmp_path / "box.gro")
    np.testing.assert_array_equal(found.numbers, liquid.numbers)
    assert set(found.roles) == {"Li", "PF6", "EC", "EMC"}


def test_isomers_are_not_taken_for_carbonates():
    """Two molecules of EMC's formula: EMC itself, whatever the order of its atoms, and one with another chain."""
    emc = MOLECULES["EMC"]
    numbers = emc.atoms().numbers
    order = np.random.default_rng(0).permutation(len(numbers))
    bonds = np.argsort(order)[np.array(emc.bonds)]
    found = find_species(numbers[order], bonds, np.zeros(len(numbers), int))
    assert list(found) == ["EMC"]
    wrong = bonds.copy()
    where = np.argsort(order)
    wrong[(wrong == [where[5], where[6]]).all(axis=1)] = [where[4], where[6]]  # the end of the ethyl on the methyl
    with pytest.raises(InputError, match="C4H8O3"):
        find_species(numbers[order], wrong, np.zeros(len(numbers), int))
