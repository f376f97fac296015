"""Compositions as they are typed: names, salts, SMILES, and charges that must cancel."""

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, elements_of, name_molecule, parse_composition
from electrolyte_ml.structures.composition import molecules_of, require_charge

IONS = {role: [name for name, record in MOLECULES.items() if record.role == role] for role in ("cation", "anion")}


def names(composition):
    return [molecule.name for molecule in molecules_of(composition)]


def test_compositions_are_read_as_typed():
    assert parse_composition(["EC=16", "EMC=2"]) == {"EC": 16, "EMC": 2}
    assert list(parse_composition("EMC=1 LiPF6=3").items()) == [("EMC", 1), ("LiPF6", 3)]


def test_a_smiles_may_hold_equals_signs_and_brackets():
    pytest.importorskip("rdkit")
    assert parse_composition(["C1COC(=O)O1=8", "LiTFSI=1"]) == {"C1COC(=O)O1": 8, "LiTFSI": 1}
    assert parse_composition("CC=C=2") == {"CC=C": 2}
    assert names({"C1COC(=O)O1": 1, "CC=C": 1}) == ["EC", "CC=C"]


@pytest.mark.parametrize("cation", IONS["cation"])
@pytest.mark.parametrize("anion", IONS["anion"])
def test_every_salt_of_the_library_is_neutral(cation, anion):
    salt = f"Mg({anion})2" if cation == "Mg" else cation + anion
    ions = names({salt: 3})
    assert ions == [cation] * 3 + [anion] * (6 if cation == "Mg" else 3)
    require_charge({salt: 3})


def test_ions_of_ones_own_make_salts_too():
    pytest.importorskip("rdkit")
    own = {"OAc": name_molecule("OAc", "CC(=O)[O-]"), "Ca": name_molecule("Ca", "[Ca+2]")}
    assert [one.name for one in molecules_of({"Ca(OAc)2": 1, "LiOAc": 1}, own)] == ["Ca", "OAc", "OAc", "Li", "OAc"]
    require_charge({"Ca(OAc)2": 1}, 0, own)
    assert elements_of({"Ca(OAc)2": 1}, own) == {"Ca", "C", "H", "O"}


def test_full_names_and_their_case_are_understood():
    assert names({"sulfolane": 1, "Acetonitrile": 1, "water": 2}) == ["SL", "AN", "H2O", "H2O"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["EC"], "cannot read 'EC' as a composition"),
        (["EC=two"], "cannot read 'EC=two'"),
        (["EC=-1"], "cannot read"),
        (["EC=1.5"], "cannot read"),
        (["=3"], "cannot read '=3'"),
        (["EC=1", "EC=2"], "EC is given twice"),
        (["XYZ=1"], "no molecule 'XYZ'; there are AN, .* LiPF6, any SMILES"),
        (["ECM=1"], "no molecule or salt 'ECM'; did you mean .*EMC"),
        (["LiPF=1"], "did you mean .*LiPF6"),
        (["litfsi=1"], "did you mean .*LiTFSI"),
        (["MgPF6=1"], r"charges of MgPF6 do not cancel \(1 Mg of \+2, 1 PF6 of -1\): write Mg\(PF6\)2"),
        (["Li2PF6=1"], r"charges of Li2PF6 do not cancel .*: write LiPF6"),
        (["Li(PF6)2=1"], r"charges of Li\(PF6\)2 do not cancel"),
        (["MgTFSI2=1"], r"did you mean .*Mg\(TFSI\)2"),
        ([], "empty"),
        (["EC=0"], "empty"),
        (["absent.xyz=1"], "absent.xyz"),
    ],
)
def test_mistyped_compositions_are_refused_in_one_line(parts, message):
    with pytest.raises((InputError, OSError), match=message) as caught:
        parse_composition(parts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("composition", "charge", "message"),
    [
        ({"EC": 4, "Li": 1}, 0, r"EC=4 Li=1: the charges sum to \+1 e \(Li \+1\), not to 0: .*the total charge, 1"),
        ({"Li": 2, "PF6": 1}, 0, r"sum to \+1 e \(Li \+2, PF6 -1\)"),
        ({"LiPF6": 2, "PF6": 1}, 0, r"sum to -1 e \(Li \+2, PF6 -3\), not to 0: .*the total charge, -1"),
        ({"EC": 1}, 1, r"sum to 0 e \(no ions\), not to \+1"),
    ],
)
def test_charges_that_do_not_sum_to_what_is_stated_are_refused(composition, charge, message):
    with pytest.raises(InputError, match=message):
        require_charge(composition, charge)
    require_charge(composition, sum(one.charge for one in molecules_of(composition)))
