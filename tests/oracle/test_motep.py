"""Energies, forces, stress, gradients and files against motep, an independent program."""

import numpy as np
import pytest

from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, load

motep_mtp = pytest.importorskip("motep.io.mlip.mtp", reason="motep, the oracle of the potential, is not installed")
motep_calculator = pytest.importorskip("motep.calculator", reason="motep's calculator needs its compiled engine")

SPECIES = ("H", "C", "O", "Li")


def same(value, expected, rel=1e-9):
    """Equal to within `rel` of the largest entry (of 1e-4 at least: forces may vanish by symmetry)."""
    return np.abs(value - expected).max() <= rel * np.abs(expected).max(initial=1e-4)


@pytest.fixture
def motep_of(tmp_path):
    """motep's calculator of one of our potentials, through a file."""
    from ase.data import atomic_numbers

    def read(potential, engine="cext", mode="run"):
        potential.save(tmp_path / "ours.mtp")
        data = motep_mtp.read_mtp(tmp_path / "ours.mtp")
        data.species = [atomic_numbers[s] for s in potential.species]
        return motep_calculator.MTP(data, engine=engine, mode=mode)

    return read


def agree(potential, atoms, calculator):
    result = potential.evaluate(atoms)
    calculator.calculate(atoms)
    theirs = calculator.results
    assert result.energy == pytest.approx(theirs["energy"], rel=1e-9)
    assert same(result.energies, theirs["energies"]) and same(result.forces, theirs["forces"])
    if result.stress is not None:
        assert same(result.stress, theirs["stress"])


@pytest.mark.parametrize("level", range(2, 22, 2))
@pytest.mark.parametrize("n_species", [1, 2, 3, 4])
def test_random_liquids(level, n_species, motep_of, liquid):
    species = SPECIES[:n_species]
    potential = MomentTensorPotential.random(level, species, seed=level, cutoff=4.5)
    agree(potential, liquid(13, species, seed=level + n_species, skew=0.1 * n_species), motep_of(potential))


@pytest.mark.parametrize("level", [8, 16])
@pytest.mark.parametrize(("n", "side", "skew"), [(1, 2.4, 0.3), (2, 2.6, 0.3), (3, 3.0, 0.4), (5, 4.0, 0.0)])
def test_small_cells(level, n, side, skew, motep_of, liquid):
    potential = MomentTensorPotential.random(level, SPECIES, seed=1)
    agree(potential, liquid(n, ("C", "Li", "H"), seed=n, side=side, skew=skew), motep_of(potential))


@pytest.mark.parametrize("pbc", [False, (True, True, False), (False, True, False)])
def test_open_boundaries(pbc, motep_of, liquid):
    potential = MomentTensorPotential.random(12, SPECIES, seed=3, cutoff=4.0)
    agree(potential, liquid(9, SPECIES, seed=3, pbc=pbc, skew=0.2), motep_of(potential))


def test_their_plain_engine(motep_of, liquid):
    potential = MomentTensorPotential.random(8, SPECIES, seed=4, radial_basis_size=5, min_distance=1.4, scaling=0.02)
    agree(potential, liquid(8, SPECIES, seed=4, skew=0.2), motep_of(potential, engine="numpy"))


@pytest.mark.parametrize("level", [2, 8, 14, 20])
def test_gradients_by_parameters(level, motep_of, liquid):
    """Site by site: the rows of MaxVol."""
    potential = MomentTensorPotential.random(level, SPECIES, seed=level, cutoff=4.5)
    atoms = liquid(9, ("C", "H", "O"), seed=level, skew=0.2)
    theirs = motep_of(potential, mode="train")
    theirs.calculate(atoms)
    jacobian = theirs.engine.jac_energies(atoms)
    n, rows = len(atoms), potential.site_energy_gradients(atoms)
    a, b = potential.radial.size, potential.radial.size + len(SPECIES)
    radial = np.moveaxis(np.asarray(jacobian.radial_coeffs), -1, 0).reshape(n, -1)
    assert same(rows[:, :a], radial)
    assert np.array_equal(rows[:, a:b], jacobian.species_coeffs.T)
    assert same(rows[:, b:], jacobian.moment_coeffs.T)


@pytest.mark.parametrize("level", [2, 10, 16])
@pytest.mark.parametrize("legacy", [True, False])
def test_their_files(level, legacy, motep_of, tmp_path, liquid):
    """A file that motep wrote, in either of its formats, is read to the same numbers."""
    potential = MomentTensorPotential.random(level, SPECIES[:3], seed=level)
    potential.save(tmp_path / "ours.mtp")
    data = motep_mtp.read_mtp(tmp_path / "ours.mtp")
    data.potential_tag = ""
    motep_mtp.write_mtp(tmp_path / "theirs.mtp", data, legacy=legacy)
    back = load(tmp_path / "theirs.mtp", species=SPECIES[:3])
    assert back.level == level
    assert back.parameters == pytest.approx(potential.parameters, rel=1e-12)
    agree(back, liquid(8, SPECIES[:3], seed=level), motep_of(potential))


def test_our_tag_survives_them(tmp_path):
    potential = MomentTensorPotential.random(4, ("Li", "O"))
    potential.reference = "GFN1-xTB"
    potential.save(tmp_path / "ours.mtp")
    motep_mtp.write_mtp(tmp_path / "theirs.mtp", motep_mtp.read_mtp(tmp_path / "ours.mtp"))
    back = load(tmp_path / "theirs.mtp")
    assert back.species == ("Li", "O") and back.reference == "GFN1-xTB"


def test_they_refuse_our_own_format(tmp_path):
    """Its first line is that of no `.mtp` file: a sum is never read as its first term alone."""
    potential = ModelSpec(level=4, repulsion="zbl").random(("Li", "O"))
    potential.save(tmp_path / "both.mtp")
    with pytest.raises(Exception):  # noqa: B017 - motep has no error class for this
        motep_mtp.read_mtp(tmp_path / "both.mtp")
    potential.terms[0].save(tmp_path / "alone.mtp")
    assert motep_mtp.read_mtp(tmp_path / "alone.mtp").species_count == 2
