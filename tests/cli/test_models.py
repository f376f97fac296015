"""The commands `new` and `info`."""

import json

import pytest


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
