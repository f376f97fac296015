"""The commands `new` and `info`."""

import json

import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.potentials import System, shipped_potentials
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.structures import molecule


@pytest.mark.parametrize(("level", "functions", "parameters"), [(12, 29, 248), (16, 92, 383)])
def test_info_of_a_level(run, level, functions, parameters):
    facts = json.loads(run("info", "--level", level, "--species", "H", "C", "O", "--json"))
    assert (facts["basis_functions"], facts["parameters"]) == (functions, parameters)
    assert str(parameters) in run("info", "--level", level, "--species", "H", "C", "O")


def test_info_of_a_level_with_charges(run):
    options = ("info", "--level", 16, "--species", "H", "C", "O", "--charges", "qrd")
    facts = json.loads(run(*options, "--json"))
    assert (facts["parameters"], [term["parameters"] for term in facts["terms"]]) == (389, [383, 6])
    assert "389" in run(*options)


def test_info_of_a_file(run, potential):
    facts = json.loads(run("info", potential, "--json"))
    assert facts["species"] == ["H", "C", "O"]
    assert facts["level"] == 4


def test_new_is_determined_by_its_seed(run, tmp_path, potential):
    again, other = tmp_path / "again.mtp", tmp_path / "other.mtp"
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 3, "-o", again)
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 4, "-o", other)
    assert again.read_text() == potential.read_text() != other.read_text()


def test_a_repulsive_floor_is_a_second_term(run, tmp_path):
    path = tmp_path / "sum.pot"
    run("new", "--level", 4, "--species", "H", "C", "O", "--repulsion", "zbl", "-o", path)
    facts = json.loads(run("info", path, "--json"))
    assert [term["kind"] for term in facts["terms"]] == ["mtp", "zbl"]
    assert facts["parameters"] == sum(term["parameters"] for term in facts["terms"])
    assert "zbl" in run("info", path)


def test_charges_are_another_term_and_stay_in_the_file(run, tmp_path):
    path = tmp_path / "charged.pot"
    run("new", "--level", 4, "--species", "H", "C", "O", "--charges", "qrd", "--repulsion", "zbl", "-o", path)
    facts = json.loads(run("info", path, "--json"))
    assert [term["kind"] for term in facts["terms"]] == ["mtp", "qrd", "zbl"]
    assert facts["terms"][1]["form"] == "positive"


def test_a_file_that_is_not_of_mlip_should_not_be_named_so(tmp_path, capsys):
    words = ["new", "--level", "4", "--species", "H", "C", "O", "-o"]
    charged = ["--charges", "qrd"]
    for name, options, warned in (("a.mtp", [], False), ("b.pot", charged, False), ("c.mtp", charged, True)):
        assert main([*words, str(tmp_path / name), *options]) == 0
        assert ("name it .pot" in capsys.readouterr().err) == warned


def test_info_without_a_name_lists_the_potentials_of_the_package(run):
    assert run("info").strip() == str(shipped_potentials())
    assert [potential["name"] for potential in json.loads(run("info", "--json"))] == [
        p.name for p in shipped_potentials()
    ]


def test_form_and_width_of_the_charges(run, tmp_path):
    path = tmp_path / "charged.pot"
    options = ("--charges", "qrd", "--charge-form", "raw", "--charge-width", 0.8)
    run("new", "--level", 4, "--species", "H", "C", "O", *options, "-o", path)
    facts = json.loads(run("info", path, "--json"))["terms"][1]
    assert (facts["form"], facts["width"]) == ("raw", 0.8)


@pytest.mark.parametrize(("weights", "caveats"), [([1.5, -1.0, 0.2], 1), ([1.5, 0.0, 0.2], 1), ([-1.0, -0.2, -0.3], 0)])
def test_raw_weights_without_a_common_sign_are_said_to_have_a_pole(run, tmp_path, weights, caveats):
    path = tmp_path / "raw.pot"
    QRd(("H", "C", "O"), [0.1, 0.2, -0.3], weights, "raw").save(path)
    assert run("info", path).count("the charges have a pole at some compositions") == caveats


def test_info_tells_what_the_training_set_fixes(run, tmp_path):
    path = tmp_path / "charged.pot"
    ec = System.of(molecule("EC"), ("H", "C", "O"))
    QRd.random(("H", "C", "O")).trained_on([ec]).save(path)
    printed = run("info", path)
    assert "2 of 4" in printed and "C3H4O3" in printed
    assert "the difference O - H of ln s" in printed
