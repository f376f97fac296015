"""The repulsion of Ziegler, Biersack and Littmark: the published formula, and nothing where potentials are trained."""

import math

import numpy as np
import pytest
from ase import Atoms, units
from ase.data import atomic_numbers, covalent_radii

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, Sum
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.structures import MOLECULES, molecule, pack

SPECIES = ("H", "Li", "C", "O", "F", "P", "Si", "Au")


def universal(symbols, r):
    """The universal potential as it is published, in ASE's units: eV at a distance r in Å.

    With the screening length 0.8854 a0 / (Z1^0.23 + Z2^0.23), a0 being Bohr's radius, and e^2 = 1 Hartree a0.
    """
    z1, z2 = (atomic_numbers[symbol] for symbol in symbols)
    x = r / (0.8854 * units.Bohr / (z1**0.23 + z2**0.23))
    screening = (
        0.1818 * math.exp(-3.2 * x)
        + 0.5099 * math.exp(-0.9423 * x)
        + 0.2802 * math.exp(-0.4029 * x)
        + 0.02817 * math.exp(-0.2016 * x)
    )
    return units.Hartree * units.Bohr * z1 * z2 / r * screening


def by_hand(symbols, r, reach=0.75):
    """Energy of two atoms, digit by digit."""
    z1, z2 = (atomic_numbers[symbol] for symbol in symbols)
    x = r * (z1**0.23 + z2**0.23) / 0.4685
    terms = [(0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162)]
    energy = 14.3996454 * z1 * z2 / r * sum(weight * math.exp(-decay * x) for weight, decay in terms)
    outer = reach * (covalent_radii[z1] + covalent_radii[z2])
    t = (r - outer / 2) / (outer / 2)
    if t <= 0:
        return energy
    return energy * (1 - 10 * t**3 + 15 * t**4 - 6 * t**5) if t < 1 else 0.0


def dimer(symbols, r, **options):
    atoms = Atoms(list(symbols), [[0, 0, 0], [0, 0, r]])
    return ZBL(SPECIES, **options).evaluate(atoms)


def outer_radius(symbols, reach=0.75):
    return reach * sum(covalent_radii[atomic_numbers[symbol]] for symbol in symbols)


PAIRS = [("C", "O"), ("H", "C"), ("Si", "Si"), ("P", "F"), ("Li", "Au"), ("H", "H")]


@pytest.mark.parametrize("symbols", PAIRS)
def test_two_atoms_by_hand(symbols):
    outer = outer_radius(symbols)
    for r in (0.31, 0.45 * outer, 0.6 * outer, 0.8 * outer, 0.99 * outer):
        if r < 0.3:
            continue
        result = dimer(symbols, r)
        assert result.energy == pytest.approx(by_hand(symbols, r), rel=1e-12)
        assert result.energies == pytest.approx([result.energy / 2] * 2, rel=1e-14)
        near, far = ((by_hand(symbols, r + h) - by_hand(symbols, r - h)) / (2 * h) for h in (1e-4, 2e-4))
        assert result.forces[1, 2] == pytest.approx((far - 4 * near) / 3, rel=1e-6, abs=1e-8)
        assert result.forces[0] == pytest.approx(-result.forces[1], rel=1e-14)


@pytest.mark.parametrize("symbols", PAIRS)
def test_the_published_universal_potential(symbols):
    """Where nothing is cut off, to the four digits of the constants that are published."""
    for r in (0.31, 0.5, 1.0, 2.0):
        assert dimer(symbols, r, reach=10.0).energy == pytest.approx(universal(symbols, r), rel=1e-3)


def test_the_screening_at_known_places():
    """Bare nuclei at contact; two fifths of it one screening length apart."""
    from electrolyte_ml.potentials.pairwise import zbl

    assert zbl.WEIGHTS.sum() == pytest.approx(1.0, abs=1e-12)
    r = zbl.SCREENING / (2 * 79**0.23)
    phi = ZBL(("Au",), reach=10.0).pair_energy(np.array([r]), np.zeros(1, int), np.zeros(1, int))[0][0]
    assert phi / (units.Hartree * units.Bohr * 79**2 / r) == pytest.approx(0.4164, abs=1e-4)


@pytest.mark.parametrize("symbols", PAIRS)
def test_nothing_from_the_outer_radius_on(symbols):
    outer = outer_radius(symbols)
    for r in (outer, outer + 1e-9, 1.5 * outer, 3.0):
        result = dimer(symbols, r)
        assert result.energy == 0 and not result.forces.any() and not result.virial.any()
    assert dimer(symbols, 0.999 * outer).energy > 0


@pytest.mark.parametrize("reach", [0.75, 1.3])
@pytest.mark.parametrize("symbols", PAIRS)
def test_two_continuous_derivatives_at_both_radii(symbols, reach):
    potential = ZBL(SPECIES, reach=reach)
    a, b = (np.array([SPECIES.index(symbol)]) for symbol in symbols)
    outer = outer_radius(symbols, reach)

    def at(r):
        energy, slope = potential.pair_energy(np.array([r]), a, b)
        return np.array([energy[0], slope[0]])

    # In between the derivatives are of the size of the values at the inner radius over powers of the width.
    scale = np.array([at(0.5 * outer)[0] / (0.5 * outer) ** k for k in range(3)])
    for radius in (0.5 * outer, outer):
        jumps = []
        for h in (1e-4, 1e-5):
            below, here, above = at(radius - h), at(radius), at(radius + h)
            curvature = [(here[1] - below[1]) / h, (above[1] - here[1]) / h]
            jumps.append(np.abs([above[0] - below[0], above[1] - below[1], curvature[1] - curvature[0]]) / scale)
        # Without jumps of their own all three differences shrink with the distance.
        assert (jumps[1] < 0.2 * jumps[0] + 1e-9).all() and (jumps[1] < 1e-2).all()


def test_it_only_pushes_and_falls():
    potential = ZBL(("C", "O"))
    r = np.linspace(0.3, 1.2, 2000)
    energy, slope = potential.pair_energy(r, np.zeros(2000, int), np.ones(2000, int))
    assert (energy >= 0).all() and (slope <= 0).all() and (np.diff(energy) <= 0).all() and energy[0] > 100


@pytest.mark.parametrize("name", MOLECULES)
def test_no_force_at_the_bond_lengths_of_the_library(name):
    atoms = molecule(name)
    result = ZBL(tuple(sorted(set(atoms.symbols)))).evaluate(atoms)
    assert result.energy == 0 and not result.forces.any() and not result.virial.any()


def test_no_force_in_liquid_ethylene_carbonate_even_with_bonds_a_tenth_shorter():
    box = pack({"EC": 4}, density=1.2, seed=0)
    potential = ZBL(("H", "C", "O"))
    assert potential.evaluate(box).energy == 0 and not potential.evaluate(box).forces.any()
    ring = molecule("EC")
    ring.positions *= 0.9
    assert potential.evaluate(ring).energy == 0


def test_it_keeps_atoms_apart_that_nothing_else_keeps_apart():
    """Two atoms on the way to each other turn round, with their energy conserved, where alone they would overlap."""
    nothing = MomentTensorPotential.random(2, ("Ar",), cutoff=4.0)
    nothing = nothing.with_parameters(np.zeros(nothing.n_parameters))
    atoms = Atoms("Ar3", [[0, 0, 0], [5, 5, 5], [8, 5, 5]], cell=[12] * 3, pbc=True)
    velocity = 0.01 / units.fs  # Å
    atoms.set_velocities([[0, 0, 0], [velocity, 0, 0], [-velocity, 0, 0]])
    options = {"ensemble": "nve", "time_ps": 0.3, "timestep_fs": 0.2, "progress": False, "frame_interval_fs": 2}
    assert run_md(atoms, nothing, **options).reason == "calculator"
    result = run_md(atoms, Sum((nothing, ZBL(("Ar",)))), **options)
    assert result.completed
    apart = [frame.get_distance(1, 2) for frame in result.frames()]
    assert 0.7 < min(apart) < outer_radius(("Ar", "Ar")) and apart[-1] > 3
    assert np.ptp(result.conserved_energies) < 1e-3 * result.kinetic_energies[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"species": ()}, "distinct chemical symbols"),
        ({"species": ("H", "H")}, "distinct chemical symbols"),
        ({"species": ("H", "X")}, "distinct chemical symbols"),
        ({"species": ("H", "Qq")}, "distinct chemical symbols"),
        ({"species": ("H",), "reach": 0.0}, "reach of the ZBL repulsion must be positive"),
        ({"species": ("H",), "reach": np.nan}, "reach of the ZBL repulsion must be positive"),
        ({"species": ("H",), "reach": np.inf}, "reach of the ZBL repulsion must be positive"),
    ],
)
def test_impossible_repulsions(arguments, message):
    with pytest.raises(InputError, match=message):
        ZBL(**arguments)
