"""The total charge: where it is read, when it is refused, and that it survives files and copies."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import read_configurations, write_configurations
from electrolyte_ml.structures.charge import bare_configuration, states_charge, total_charge, with_charge

COLUMNS = "Properties=species:S:1:pos:R:3"
FEATURES = """\
BEGIN_CFG
 Size
    1
 AtomData:  id type cartes_x cartes_y cartes_z
    1 0 0.0 0.0 0.0
{features}
END_CFG
"""


@pytest.fixture
def lithium(tmp_path):
    """Write a file of single Li atoms, one for each comment line, and return its path."""

    def make(*comments, row="Li 0 0 0", name="li.xyz"):
        path = tmp_path / name
        path.write_text("".join(f"1\n{comment}\n{row}\n" for comment in comments))
        return path

    return make


# --- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "comment", ["charge=1", "charge=1.0", "charge=+1", 'charge="1"', "total_charge=1", "charge=1 total_charge=1.0"]
)
def test_usual_names(lithium, comment):
    (atoms,) = read_configurations(lithium(comment))
    assert atoms.info == {"charge": 1}
    assert type(atoms.info["charge"]) is int


def test_without_a_charge_nothing_is_added(lithium):
    (atoms,) = read_configurations(lithium("energy=1.0"))
    assert atoms.info == {}
    assert total_charge(atoms) == 0


@pytest.mark.parametrize("name", ["tot_charge", "Charge", "net_charge", "system_charge", "TOTAL_CHARGE", "q_Charge"])
def test_any_other_name_is_an_error_until_it_is_given(lithium, name):
    path = lithium("charge=1", f"{name}=-2")
    with pytest.raises(InputError) as caught:
        read_configurations(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, configuration 2: '{name}' = -2 would not be read")
    assert f"charge_key='{name}', --charge-key {name}" in message
    assert "\n" not in message
    (atoms,) = read_configurations(lithium(f"{name}=-2"), charge_key=name)
    assert atoms.info == {"charge": -2}


def test_all_unread_names_are_in_the_message(lithium):
    with pytest.raises(InputError, match="'net_charge' = 1 and 'max_charge' = 0.4 would not be read"):
        read_configurations(lithium("charge=1 net_charge=1 max_charge=0.4"))


def test_a_named_charge_settles_the_others(lithium):
    path = lithium("charge=1 max_charge=0.4")
    (atoms,) = read_configurations(path, charge_key="charge")
    assert atoms.info == {"charge": 1}
    with pytest.raises(InputError, match="two total charges: 'q' gives 2 and 'charge' gives 1"):
        read_configurations(lithium("charge=1 q=2"), charge_key="q")


def test_a_name_that_no_configuration_has_is_an_error(lithium):
    """Though another entry states the charge: what was asked for is not there."""
    with pytest.raises(InputError, match="no configuration has a charge under the name 'q'"):
        read_configurations(lithium("charge=1"), charge_key="q")


def test_a_named_charge_must_be_there(lithium):
    path = lithium("q=1", "total_charge=-1", "energy=0.0")
    with pytest.raises(InputError, match=re.escape(f"{path}, configuration 3: no charge under the name 'q'")):
        read_configurations(path, charge_key="q")
    assert [a.info["charge"] for a in read_configurations(lithium("q=1", "charge=-1"), charge_key="q")] == [1, -1]
    with pytest.raises(InputError, match="no charge under the name 'netcharge'; is it 'net_charge'?"):
        read_configurations(lithium("net_charge=1"), charge_key="netcharge")


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("charge=0.5", "charge = 0.5: the total charge is not a whole number"),
        ("total_charge=nan", "total_charge = 'nan': the total charge is not a number"),
        ("charge=-inf", "is not a number"),
        ("charge=1+", "charge = '1+': the total charge is not a number"),
        ("charge=T", "charge = 'True': the total charge is not a number"),
        ("charge", "charge = 'True': the total charge is not a number"),
        ('charge="1 2"', "charge = '[1 2]': the total charge is not a number"),
        ("charge=0 total_charge=1", "two total charges: 'charge' gives 0 and 'total_charge' gives 1"),
        ("net_charge=1+", "'net_charge' = 1+ would not be read"),
        ("charged=T", "'charged' = True would not be read"),
    ],
)
def test_what_is_no_charge_is_named(lithium, comment, message):
    path = lithium("charge=1", comment)
    with pytest.raises(InputError, match=re.escape(f"{path}, configuration 2: ") + ".*" + re.escape(message)):
        read_configurations(path)


def test_formal_charges_are_summed_and_compared(lithium):
    columns = f"{COLUMNS}:initial_charges:R:1"
    (atoms,) = read_configurations(lithium(columns, row="Li 0 0 0 1.0"))
    assert atoms.info["charge"] == 1
    with pytest.raises(InputError, match="two total charges: 'charge' gives 0 and 'initial_charges' gives 1"):
        read_configurations(lithium(f"{columns} charge=0", row="Li 0 0 0 1.0"))
    with pytest.raises(InputError, match="the sum of initial_charges = 0.7: the total charge is not a whole number"):
        read_configurations(lithium(columns, row="Li 0 0 0 0.7"))


def test_other_charges_of_atoms_and_words_stay(lithium):
    columns = f"{COLUMNS}:mulliken_charge:R:1"
    path = lithium(f'{columns} bader_charges="0.1 0.2 0.3" charge_method=ddec6', row="Li 0 0 0 0.7")
    (atoms,) = read_configurations(path)
    assert atoms.arrays["mulliken_charge"].tolist() == [0.7]
    assert atoms.info.keys() == {"bader_charges", "charge_method"}
    assert total_charge(atoms) == 0


@pytest.mark.parametrize("name", ["formal_charge", "charges", "initial_charges"])
def test_a_column_may_be_named(lithium, name):
    (atoms,) = read_configurations(lithium(f"{COLUMNS}:{name}:R:1", row="Li 0 0 0 1.0"), charge_key=name)
    assert atoms.info["charge"] == 1


def test_features_of_cfg(tmp_path):
    path = tmp_path / "li.cfg"

    def read(features, **options):
        path.write_text(FEATURES.format(features=features))
        return read_configurations(path, species=["Li"], **options)[0].info

    assert read(" Feature   charge\t1") == {"charge": 1}
    assert read(" Feature total_charge 1.0") == {"charge": 1}
    assert read(" Feature   q\t-1", charge_key="q") == {"charge": -1}
    with pytest.raises(InputError, match=r"li.cfg, configuration 1: 'tot_charge' = 1 would not be read"):
        read(" Feature   tot_charge\t1")


def test_other_formats(tmp_path):
    atoms = Atoms("Li", info={"total_charge": 1})
    write(tmp_path / "li.traj", atoms)
    assert read_configurations(tmp_path / "li.traj")[0].info == {"charge": 1}


# --- writing ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    charges=st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=1, max_size=4),
    place=st.sampled_from(["charge", "total_charge", "initial_charges"]),
    periodic=st.booleans(),
    labelled=st.booleans(),
    suffix=st.sampled_from(["xyz", "extxyz", "cfg"]),
)
def test_round_trip(tmp_path_factory, charges, place, periodic, labelled, suffix):
    configurations = []
    for charge in charges:
        atoms = Atoms("LiF", [[0, 0, 0], [0, 0, 1.6]], cell=[9, 9, 9] if periodic else None, pbc=periodic)
        if charge is not None and place == "initial_charges":
            atoms.set_initial_charges([charge / 3, charge * 2 / 3])
        elif charge is not None:
            atoms.info[place] = charge
        if labelled:
            atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.ones((2, 3)))
        configurations.append(atoms)
    path = tmp_path_factory.mktemp("charges") / f"set.{suffix}"
    write_configurations(path, configurations)
    again = read_configurations(path)
    assert [atoms.info.get("charge") for atoms in again] == charges
    assert all(atoms.info.keys() <= {"charge"} for atoms in again)
    assert all((atoms.calc is not None) == labelled for atoms in again)
    write_configurations(path.with_name(f"again.{suffix}"), again)
    assert path.with_name(f"again.{suffix}").read_text() == path.read_text()
    if place != "initial_charges":
        assert [atoms.info.get(place) for atoms in configurations] == charges  # what was written is not changed


def test_how_it_is_written(tmp_path):
    atoms = [Atoms("Li", info={"total_charge": 1.0}), Atoms("Li"), Atoms("Li", info={"charge": 0})]
    write_configurations(tmp_path / "li.xyz", atoms)
    comments = (tmp_path / "li.xyz").read_text().splitlines()[1::3]
    assert [re.findall(r"\S*charge\S*", comment) for comment in comments] == [["charge=1"], [], ["charge=0"]]
    write_configurations(tmp_path / "li.cfg", atoms)
    features = [line for line in (tmp_path / "li.cfg").read_text().splitlines() if "charge" in line]
    assert features == [" Feature   charge\t1", " Feature   charge\t0"]


@pytest.mark.parametrize("suffix", ["xyz", "cfg"])
def test_an_unusable_charge_is_not_written(tmp_path, suffix):
    path = tmp_path / f"li.{suffix}"
    with pytest.raises(InputError, match=f"li.{suffix}.*configuration 2.*not a whole number"):
        write_configurations(path, [Atoms("Li"), Atoms("Li", info={"charge": 0.5})])
    assert not path.exists()


# --- in memory ----------------------------------------------------------------------------------------------------


def test_the_total_charge_in_memory():
    assert total_charge(Atoms("Li", info={"charge": np.int64(1)})) == 1
    assert total_charge(Atoms("Li", info={"total_charge": "1"})) == 1
    assert total_charge(Atoms("Li", info={"charge": None})) == 0
    assert total_charge(Atoms("LiF", charges=[1, -1])) == 0
    assert total_charge(Atoms("Li", info={"charge": 1, "max_charge": 0.4})) == 1
    with pytest.raises(InputError, match=r"configuration 3: info\['net_charge'\] = 1 is not read .* set info\['charge"):
        total_charge(Atoms("Li", info={"net_charge": 1}), "configuration 3")
    with pytest.raises(InputError, match="configuration 3: two total charges"):
        total_charge(Atoms("Li", charges=[1], info={"charge": 2}), "configuration 3")


def test_whether_it_is_stated():
    assert not states_charge(Atoms("Li"))
    assert states_charge(Atoms("Li", info={"charge": 0}))
    assert states_charge(Atoms("Li", charges=[0]))


def test_with_charge_copies_only_if_needed():
    plain, settled = Atoms("Li"), Atoms("Li", info={"charge": 1})
    assert with_charge(plain) is plain
    assert with_charge(settled) is settled
    other = Atoms("Li", info={"total_charge": 1, "note": "a"})
    other.calc = SinglePointCalculator(other, energy=1.0)
    copy = with_charge(other)
    assert copy.info == {"charge": 1, "note": "a"}
    assert copy.calc is other.calc
    assert "total_charge" in other.info


def test_a_bare_configuration_holds_what_the_energy_depends_on():
    atoms = Atoms(
        "LiF",
        [[0, 0, 0], [0, 0, 1.6]],
        cell=[5, 6, 7],
        pbc=[True, False, True],
        magmoms=[1, 0],
        tags=[1, 2],
        info={"total_charge": 1, "note": "a"},
        constraint=FixAtoms([0]),
    )
    atoms.set_masses([6.0, 19.0])
    atoms.set_momenta([[1, 0, 0], [0, 0, 0]], apply_constraint=False)
    atoms.calc = SinglePointCalculator(atoms, energy=1.0)
    bare = bare_configuration(atoms)
    assert bare.info == {"charge": 1}
    assert bare.arrays.keys() == {"numbers", "positions", "initial_magmoms"}
    assert np.array_equal(bare.cell.array, atoms.cell.array)
    assert np.array_equal(bare.pbc, atoms.pbc)
    assert bare.calc is None
    assert not bare.constraints
    bare.positions += 1
    assert atoms.positions[0].tolist() == [0, 0, 0]
    moving = bare_configuration(atoms, masses=True, momenta=True)
    assert moving.get_masses().tolist() == [6.0, 19.0]
    assert moving.get_momenta()[0].tolist() == [1, 0, 0]
    assert bare_configuration(Atoms("Li"), masses=True, momenta=True).arrays.keys() == {"numbers", "positions"}
    assert bare_configuration(Atoms("Li")).info == {}
