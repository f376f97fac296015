"""The commands `grade` and `select`."""

import json

import numpy as np
import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.structures import Topology, pack, read_configurations, write_configurations


@pytest.fixture
def charged(tmp_path, run):
    """A random potential with charges."""
    path = tmp_path / "charged.pot"
    run("new", "--level", 4, "--species", "H", "C", "O", "--charges", "qrd", "--seed", 3, "-o", path)
    return path


@pytest.fixture
def ion(tmp_path, labelled):
    """The second configuration of the training set with a total charge."""
    atoms = read_configurations(labelled)[1]
    atoms.info["charge"] = 1
    path = tmp_path / "ion.xyz"
    write_configurations(path, [atoms])
    return path


def test_grade_is_one_inside_and_larger_outside(run, tmp_path, potential, labelled, box):
    grades = json.loads(run("grade", potential, labelled, "--train", labelled, "--json"))["grades"]
    assert len(grades) == 6
    assert max(grades) == pytest.approx(1.0, abs=2e-3)
    outside = json.loads(run("grade", potential, box, "--train", labelled, "--json"))
    assert outside["max"] > 2.0
    assert f"{outside['max']:.4g}" in run("grade", potential, box, "--train", labelled)


def test_grade_names_the_least_certain_atom(run, tmp_path, potential, labelled):
    """One hydrogen that is pushed away from its carbon in a configuration of the training set."""
    atoms = read_configurations(labelled)[0]
    topology = Topology.of(atoms)
    hydrogen = int(np.flatnonzero(atoms.numbers == 1)[-1])
    (carbon,) = {int(a) for bond in topology.bonds for a in bond if hydrogen in bond} - {hydrogen}
    atoms.positions[hydrogen] += 0.15 * (atoms.positions[hydrogen] - atoms.positions[carbon])
    write_configurations(tmp_path / "pushed.xyz", [atoms])
    words = ("grade", potential, tmp_path / "pushed.xyz", "--train", labelled)
    values = json.loads(run(*words, "--json"))
    (place,) = values["least_certain"]
    assert place["atom"] - 1 in (hydrogen, carbon) and place["element"] == atoms.symbols[place["atom"] - 1]
    assert place["molecule"] == "EC" and place["number"] == 1 and place["grade"] == values["max"] > 1.01
    assert f"{place['element']}{place['atom']} of EC (molecule 1)\n" in run(*words)
    whole = json.loads(run(*words, "--mode", "configuration", "--json"))
    assert whole["least_certain"] == [None]


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_grade_says_which_rows_it_has(run, charged, labelled, ion, mode):
    options = ("--train", labelled, "--mode", mode)
    every, blind = (
        json.loads(run("grade", charged, ion, *options, *terms, "--json")) for terms in ((), ("--terms", "mtp"))
    )
    assert (every["mode"], every["terms"], blind["terms"]) == (mode, ["mtp", "qrd"], ["mtp"])
    assert every["max"] > 1000 and blind["max"] == pytest.approx(1.0, abs=2e-3)
    assert run("grade", charged, ion, *options).startswith(f"grades of mode {mode}, rows of mtp, qrd\n")
    assert run("grade", charged, ion, *options, "--terms", "mtp").startswith(f"grades of mode {mode}, rows of mtp\n")


def test_select_writes_what_is_new(run, tmp_path, potential, labelled):
    pool, chosen = tmp_path / "pool.xyz", tmp_path / "chosen.xyz"
    known = read_configurations(labelled)[2]
    strange = pack({"EC": 1}, 1.1, seed=9)
    write_configurations(pool, [known, strange])
    assert run("select", potential, pool, "--train", labelled, "-o", chosen) == f"1 of 2 configurations, 2: {chosen}\n"
    (written,) = read_configurations(chosen)
    assert written.positions == pytest.approx(strange.positions, abs=1e-7)


def test_select_by_some_terms(run, tmp_path, charged, labelled, ion):
    chosen = tmp_path / "chosen.xyz"
    options = ("--train", labelled, "--mode", "neighbourhood", "-o", chosen)
    assert run("select", charged, ion, *options, "--terms", "mtp").startswith("none of 1 configurations is new to")
    assert not chosen.exists()
    run("select", charged, ion, *options)
    (written,) = read_configurations(chosen)
    assert written.info["charge"] == 1


def test_select_a_number_before_any_fit(run, tmp_path, potential, labelled):
    """From the configurations alone, by a random model; or beside a training set."""
    pool, chosen = tmp_path / "pool.xyz", tmp_path / "chosen.xyz"
    known = read_configurations(labelled)
    strange = pack({"EC": 1}, 1.1, seed=9)
    write_configurations(pool, [known[2], known[2], strange])
    run("select", potential, pool, "--count", 2, "--mode", "neighbourhood", "-o", chosen)
    found = sorted(atoms.cell.volume for atoms in read_configurations(chosen))
    assert found == pytest.approx(sorted([known[2].cell.volume, strange.cell.volume]))
    options = ("--train", labelled, "--count", 1)
    assert run("select", potential, pool, *options, "-o", chosen) == f"1 of 3 configurations, 3: {chosen}\n"
    assert "configurations, " in run("select", potential, pool, "-o", chosen)


def test_select_refuses_what_has_no_effect(tmp_path, potential, labelled, capsys):
    words = ("select", potential, labelled, "--count", 2, "--threshold", 2, "-o", tmp_path / "chosen.xyz")
    assert main([str(word) for word in words]) == 1
    assert "--threshold and --count exclude each other" in capsys.readouterr().err


def test_a_set_that_spans_few_directions_says_so(tmp_path, potential, labelled, capsys):
    """One configuration of ten atoms gives ten rows at most."""
    write_configurations(tmp_path / "one.xyz", read_configurations(labelled)[:1])
    assert main(["grade", str(potential), str(labelled), "--train", str(tmp_path / "one.xyz")]) == 0
    captured = capsys.readouterr()
    (line,) = [line for line in captured.out.splitlines() if line.startswith("the training set spans")]
    rank, most = int(line.split()[4]), int(line.split()[6])
    assert rank <= 10 < most
    assert "the training set spans too few directions" in captured.err
