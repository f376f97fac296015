"""Molecules that change during a run, first frames that are bad, and bonds that do not fit."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from electrolyte_ml.analysis import analyse_solvation
from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.structures import molecule
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.species import Role

PF5 = {"PF5": Role("formula F5P"), "F": Role("formula F", "anion", -1)}


def electrolyte(*, apart=2.0):
    """Li on a fluorine of PF6, and EC beside them."""
    anion = molecule("PF6")
    lithium = Atoms("Li", [anion.positions[1] * (1 + apart / np.linalg.norm(anion.positions[1]))])
    solvent = molecule("EC")
    solvent.translate([-8.0, 0, 0])
    atoms = lithium + anion + solvent
    atoms.set_cell([24.0] * 3)
    atoms.pbc = True
    atoms.positions += 12.0
    atoms.info.clear()
    return atoms


def run(n, change, at):
    """n frames of thermal motion; the atoms are changed from frame `at` on."""
    rng = np.random.default_rng(3)
    frames = []
    for k in range(n):
        atoms = electrolyte()
        if k >= at:
            change(atoms)
        atoms.positions += rng.normal(scale=0.02, size=atoms.positions.shape)
        atoms.info["time_ps"] = 0.1 * k
        frames.append(atoms)
    return frames


def lose_fluoride(atoms):
    """PF6 -> PF5 + F, which goes away with the Li."""
    axis = (atoms.positions[2] - atoms.positions[1]) / np.linalg.norm(atoms.positions[2] - atoms.positions[1])
    atoms.positions[[0, 2]] += 3.0 * axis


def open_ring(atoms):
    """A C-O bond of EC opens: the alkyl C with its two H turns away."""
    ring = np.flatnonzero([a.symbol == "C" and a.index > 7 for a in atoms])
    away = atoms.positions[ring].mean(axis=0)
    for carbon in ring:
        hydrogens = [i for i in range(8, len(atoms)) if atoms.symbols[i] == "H" and atoms.get_distance(i, carbon) < 1.3]
        if hydrogens:
            group = [carbon, *hydrogens]
            out = atoms.positions[carbon] - away
            atoms.positions[group] += 3.0 * out / np.linalg.norm(out)
            return


@pytest.mark.parametrize(("n", "at"), [(60, 30), (7, 6), (450, 401)])
def test_frames_before_a_change_count_and_the_change_is_told(n, at):
    with pytest.warns(TrajectoryWarning, match=rf"molecules change in frame {at + 1}: broken bond P2-F3 of PF6"):
        trajectory = open_trajectory(run(n, lose_fluoride, at))
    assert trajectory.n_frames == at
    whole = open_trajectory(run(at, lose_fluoride, at))
    cutoffs = {"PF6": 2.6, "EC": 2.6}
    found, expected = (analyse_solvation(t, cutoffs=cutoffs).ion_pairs["CIP"].value for t in (trajectory, whole))
    assert found == expected == 1.0


def test_later_frames_are_read_with_their_own_molecules():
    trajectory = open_trajectory(run(60, lose_fluoride, 30), roles=PF5, chosen=slice(30, None))
    assert {name: species.formula for name, species in trajectory.roles.items()} == {
        "Li": "Li", "F": "F", "PF5": "F5P", "EC": "C3H4O3"
    }  # fmt: skip
    with pytest.raises(InputError, match=r"molecule 2 \(F5P"):
        open_trajectory(run(60, lose_fluoride, 30), chosen=slice(30, None))


def test_solvents_that_open_their_rings_are_seen():
    with pytest.warns(TrajectoryWarning, match="frame 11: broken bond"):
        assert open_trajectory(run(20, open_ring, 10)).n_frames == 10


def test_association_is_seen_and_molecules_that_touch_are_not_taken_for_it():
    frames = [Atoms("C2H6", cell=[15.0] * 3, pbc=True) for _ in range(10)]
    shape = np.array([[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [-0.63, 0.63, -0.63]]) + 5.0
    for k, frame in enumerate(frames):
        gap = 4.0 if k < 5 else 1.5
        second = (2 * shape[0] - shape) + [gap / 3**0.5, -gap / 3**0.5, -gap / 3**0.5]
        frame.positions[[0, 2, 3, 4]], frame.positions[[1, 5, 6, 7]] = shape, second
    with pytest.warns(TrajectoryWarning, match="frame 6: new bond C1-C2"):
        assert open_trajectory(frames, roles={"methyl": "formula CH3"}).n_frames == 5
    touching = run(10, lambda atoms: None, 10)
    for frame in touching[4:]:  # an H of EC within 1.0 Å of an F: both have their bonds
        hydrogen = int(np.flatnonzero(frame.numbers == 1)[0])
        frame.positions[8:] += frame.positions[3] + [1.0, 0, 0] - frame.positions[hydrogen]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_trajectory(touching)


def test_a_break_in_one_frame_is_an_error_that_names_the_frame():
    frames = run(400, lose_fluoride, 400)
    lose_fluoride(frames[201])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trajectory = open_trajectory(frames)  # frame 202 is not among those that are compared
    with pytest.raises(InputError, match=r"in frame 202 .* P2-F3 .* \(PF6\) is .* Å long; end before it \(--end 201\)"):
        list(trajectory.chunks())
    assert sum(len(chunk.positions) for chunk in trajectory[:201].chunks()) == 201


def test_molecules_come_from_the_first_of_the_frames_asked_for(tmp_path):
    frames = run(30, lose_fluoride, 30)
    hydrogens = np.flatnonzero(frames[0].numbers == 1)
    frames[0].positions[hydrogens[0]] = frames[0].positions[hydrogens[2]] + [0.3, 0, 0]
    with pytest.raises(InputError, match=r"frame 1, from which .* overlap \(0.3.* in frame 2 .*--begin 1\)"):
        open_trajectory(frames)
    assert open_trajectory(frames, chosen=slice(1, None)).n_frames == 29
    later = run(30, lose_fluoride, 30)
    later[4] = frames[0]
    trajectory = open_trajectory(later)[2:]
    assert trajectory.n_frames == 28
    with pytest.raises(InputError, match=r"frame 5, .* in frame 6 .*--begin 5\)"):
        trajectory[2:]


def test_a_spurious_bond_of_the_first_frame_is_named():
    frames = run(10, lose_fluoride, 10)
    solvent, fluorine = frames[0][8:], frames[0].positions[3]
    outwards = fluorine - frames[0].positions[1]
    solvent.rotate(solvent.positions[1] - solvent.get_center_of_mass(), -outwards)  # its carbonyl O
    solvent.positions += fluorine + 1.4 * outwards / np.linalg.norm(outwards) - solvent.positions[1]
    frames[0].positions[8:] = solvent.positions
    with pytest.raises(InputError, match=r"frame 1, from which .*F4 .*O10 .* 1.40 Å apart, as if they were bonded"):
        open_trajectory(frames)


@pytest.mark.parametrize(
    ("factor", "message"), [(0.62, "across the faces of the cell: check the cell"), (1.6, "span only")]
)
def test_a_wrong_cell_is_named(factor, message):
    from electrolyte_ml.structures import pack

    liquid = pack({"EC": 12, "Li": 1, "PF6": 1}, density=1.2, seed=2)
    liquid.wrap()
    with pytest.raises(InputError, match=message):
        open_trajectory(liquid, cell=(factor * liquid.cell.lengths()).tolist())


def test_bonds_of_a_topology_that_do_not_fit_are_refused(tmp_path):
    import MDAnalysis

    liquid = run(3, lose_fluoride, 3)
    order = np.random.default_rng(0).permutation(len(liquid[0]))
    universe = MDAnalysis.Universe.empty(len(order), trajectory=True)
    universe.add_TopologyAttr("elements", liquid[0].get_chemical_symbols())
    universe.add_TopologyAttr("masses", liquid[0].get_masses())
    bonds = open_trajectory(liquid).bonds
    universe.add_TopologyAttr("bonds", [tuple(int(k) for k in bond) for bond in bonds])
    universe.atoms.positions = liquid[0].positions
    universe.dimensions = [24.0, 24, 24, 90, 90, 90]
    assert set(open_trajectory(universe).roles) == {"Li", "PF6", "EC"}
    universe.atoms.positions = liquid[0].positions[order]
    with pytest.raises(InputError, match="frame 1 does not fit the bonds of its topology: the bond"):
        open_trajectory(universe)


def test_command_warns_and_counts(tmp_path, capsys):
    from electrolyte_ml.cli import main

    path = tmp_path / "reaction.extxyz"
    write(path, run(40, lose_fluoride, 20))
    assert main(["solvation", str(path), "--cutoff", "PF6=2.6", "EC=2.6"]) == 0
    printed = capsys.readouterr()
    assert "molecules change in frame 21" in printed.err and "1 Li in 20 frames" in printed.out
