"""What the tests of the commands share: a way to run one, a random potential, a box, a labelled set."""

import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml import load
from electrolyte_ml.cli import main
from electrolyte_ml.structures import pack, write_configurations


@pytest.fixture
def run(capsys):
    """Run a command that must succeed, and return what it printed: `run("info", path)`."""

    def call(*words):
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return call


@pytest.fixture
def run_fails(capsys):
    """Run a command that must fail with one clear line, and return that."""

    def call(*words):
        assert main([str(word) for word in words]) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        return line

    return call


@pytest.fixture
def potential(tmp_path, run):
    path = tmp_path / "random.mtp"
    run("new", "--level", 4, "--species", "H", "C", "O", "--seed", 3, "-o", path)
    return path


@pytest.fixture
def box(tmp_path):
    path = tmp_path / "box.xyz"
    write_configurations(path, [pack({"EC": 2}, 1.2)])
    return path


@pytest.fixture
def labelled(tmp_path, potential):
    """Six configurations labelled by the random potential itself: a fit can reach them."""
    configurations = []
    calculator = load(potential).calculator()
    for seed in range(6):
        atoms = pack({"EC": 1}, 0.8, seed=seed)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = calculator
        atoms.get_potential_energy()
        kept = {name: calculator.results[name] for name in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **kept)
        configurations.append(atoms)
    path = tmp_path / "labelled.xyz"
    write_configurations(path, configurations)
    return path
