"""Shells of frames that were built by hand, and of random ones against counting by brute force."""

import json

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis import analyse_networks, analyse_solvation, find_shells
from electrolyte_ml.analysis.shells import _encoded
from electrolyte_ml.errors import InputError, TrajectoryWarning
from electrolyte_ml.trajectories import Role, open_trajectory
from electrolyte_ml.trajectories.static_frames import displaced, known_frames, shell

KNOWN = known_frames()
SKEWED = np.array([[62.0, 0, 0], [14.0, 58.0, 0], [-9.0, 11.0, 55.0]])


def cutoffs_of(trajectory):
    return {name: 2.6 for name, species in trajectory.roles.items() if species.donors}


def values(estimates):
    return {key: e.value for key, e in estimates.items() if e.value > 0}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("place", ["middle", "corner", "triclinic"])
def test_hand_built_frames(name, place):
    known = KNOWN[name]
    if place == "corner":
        known = displaced(known, 0.5 * known.atoms.cell.lengths() + 0.3)
    elif place == "triclinic":
        known = displaced(known, (31.0, -17.0, 29.0), cell=SKEWED)
    trajectory = open_trajectory(known.atoms)
    found = find_shells([trajectory], cutoffs=cutoffs_of(trajectory))
    s = found.shells[0][0]
    assert tuple(("SSIP", "CIP", "AGG")[k] for k in s.pairing[0]) == known.pairing
    assert tuple(s.coordination[0].sum(axis=1)) == known.coordination
    result = analyse_solvation(trajectory, shells=found)
    for kind in ("SSIP", "CIP", "AGG"):
        assert result.ion_pairs[kind].value == pytest.approx(known.pairing.count(kind) / len(known.pairing))
    total = {}
    for (species, _), count in known.denticity.items():
        total[species] = total.get(species, 0) + count
    for (species, dentate), count in known.denticity.items():
        assert result.denticity[species][dentate].value == pytest.approx(count / total[species])
    sizes = analyse_networks(trajectory, shells=found).sizes
    separated = [size for size in known.network if size]
    expected = {size: separated.count(size) / len(separated) for size in set(separated)}
    assert values(sizes) == pytest.approx(expected)


def test_no_other_donor_is_near():
    """The cutoff does not matter between the bond and what is clear of it."""
    from electrolyte_ml.trajectories.static_frames import BOND, CLEAR

    for known in KNOWN.values():
        atoms = known.atoms
        donors = np.flatnonzero(np.isin(atoms.numbers, (8, 9)))
        for li in np.flatnonzero(atoms.numbers == 3):
            d = atoms.get_distances(li, donors, mic=True)
            near = d < CLEAR
            if len(known.coordination) == 1 and max(n for _, n in known.denticity) > 1:
                near = d < 2.6  # a bidentate ligand has more atoms just behind
            assert np.allclose(d[near], BOND, atol=1e-6)


def test_bridging_donors():
    both = analyse_networks(open_trajectory(KNOWN["network of 4"].atoms), cutoffs={"EC": 2.6})
    assert values(both.bridges) == {"EC": 1.0}
    assert values(both.bridge_donors["EC"]) == {"carbonyl+ether": 1.0}
    assert values(both.links_per_bridge) == {2: 1.0}
    one = analyse_networks(open_trajectory(KNOWN["EC bridges with one oxygen"].atoms), cutoffs={"EC": 2.6})
    assert values(one.bridge_donors["EC"]) == {"carbonyl": 1.0}
    assert len(both.largest.ions) == 4
    assert len(both.largest.bridges) == 3


def test_an_anion_takes_a_cation_out_of_its_network():
    """Three Li in a row; PF6 on the last leaves a network of two."""
    row = KNOWN["network of 3"].atoms
    li = row.positions[2]
    anion = shell(["PF6"]).atoms
    anion.translate(li - anion.positions[0])
    del anion[0]
    anion.rotate(90, "z", center=li)
    result = analyse_networks(open_trajectory(row + anion), cutoffs={"EC": 2.6, "PF6": 2.6})
    assert result.ssip.value == pytest.approx(2 / 3)
    assert values(result.sizes) == {2: 1.0}


def test_shells_of_isolated_and_networked_cations_differ():
    atoms = KNOWN["network of 2"].atoms.copy()
    single = shell(["EMC", "EMC", "EMC"]).atoms
    single.translate([20, 20, 20])
    result = analyse_networks(open_trajectory(atoms + single), cutoffs={"EC": 2.6, "EMC": 2.6})
    assert result.networked.value == pytest.approx(2 / 3)
    assert result.ligands["network"]["EC"].value == 1.0
    assert result.ligands["isolated"]["EC"].value == 0.0
    assert result.ligands["isolated"]["EMC"].value == 3.0
    assert values(result.coordination_distribution["network"]) == {1: 1.0}
    assert values(result.coordination_distribution["isolated"]) == {3: 1.0}


@st.composite
def ions_and_anions(draw):
    seed = draw(st.integers(0, 10**6))
    n_li, n_pf6, n_o = draw(st.integers(1, 5)), draw(st.integers(0, 4)), draw(st.integers(0, 3))
    side = draw(st.floats(11.0, 16.0))
    skew = draw(st.floats(0.0, 0.3))
    rng = np.random.default_rng(seed)
    return seed, n_li, n_pf6, n_o, side * (np.eye(3) + skew * np.tril(rng.uniform(-1, 1, (3, 3)), -1))


@settings(max_examples=25, deadline=None)
@given(ions_and_anions())
def test_counts_are_those_of_brute_force(system):
    """Whole molecules at random places that do not overlap, wrapped; everything counted again atom by atom."""
    from electrolyte_ml.structures import molecule

    seed, n_li, n_pf6, n_ec, cell = system
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=cell, pbc=True)
    owner = []
    for index, name in enumerate(["Li"] * n_li + ["PF6"] * n_pf6 + ["EC"] * n_ec):
        for _ in range(60):
            new = molecule(name)
            new.euler_rotate(*rng.uniform(0, 360, 3))
            new.translate(rng.uniform(0, 1, 3) @ cell)
            both = atoms + new
            n = len(atoms)
            if (
                not n or min(both.get_distances(k, range(n), mic=True).min() for k in range(n, len(both))) > 2.2
            ):  # Å, no bond
                atoms, owner = both, owner + [index] * len(new)
                break
    atoms.wrap()
    owner = np.array(owner)
    cutoff = 3.0
    trajectory = open_trajectory(atoms)
    if not any(species.donors for species in trajectory.roles.values()):
        return
    found = find_shells([trajectory], cutoffs={k: cutoff for k in cutoffs_of(trajectory)})
    s = found.shells[0][0]
    li = np.flatnonzero(atoms.numbers == 3)
    donors = np.flatnonzero(np.isin(atoms.numbers, (8, 9)))
    ionic = {ion: set() for ion in li.tolist()}
    shells_of = {}
    for k, ion in enumerate(li.tolist()):
        d = atoms.get_distances(ion, donors, mic=True)
        near = donors[d < cutoff]
        assert s.coordination[0, k].sum() == len(near)
        shells_of[ion] = set(owner[near].tolist())
        assert s.ligands[0, k].sum() == len(shells_of[ion])
        for anion in set(owner[near[atoms.numbers[near] == 9]].tolist()):
            ionic[ion].add(-1 - anion)
            ionic.setdefault(-1 - anion, set()).add(ion)
    separated = [ion for ion in li.tolist() if not ionic[ion]]
    shared = {a: {b for b in separated if a != b and shells_of[a] & shells_of[b]} for a in separated}
    for k, ion in enumerate(li.tolist()):
        assert s.pairing[0, k] == min(len(reached(ionic, ion)) - 1, 2)
    sizes = {}
    for ion in separated:
        size = len(reached(shared, ion))
        sizes[size] = sizes.get(size, 0) + 1 / len(separated)
    assert values(analyse_networks(trajectory, shells=found).sizes) == pytest.approx(sizes)


def reached(graph, start):
    """Everything connected to the start, itself included."""
    seen, queue = {start}, [start]
    while queue:
        for other in graph[queue.pop()] - seen:
            seen.add(other)
            queue.append(other)
    return seen


def test_band_is_what_other_cutoffs_give():
    rng = np.random.default_rng(3)
    frames = []
    base = shell(["EC", "EC", "EMC", "PF6"]).atoms
    for _ in range(40):
        moved = base.copy()
        moved.positions[0] += rng.normal(0, 0.45, 3)
        frames.append(moved)
    trajectory = open_trajectory(frames, timestep_ps=0.1)
    middle, less, more = (
        analyse_solvation(trajectory, cutoffs={k: c for k in ("EC", "EMC", "PF6")}) for c in (2.4, 2.2, 2.6)
    )
    for name in ("EC", "EMC", "PF6", "all"):
        assert middle.coordination[name].band == pytest.approx(
            (less.coordination[name].value, more.coordination[name].value)
        )
    assert less.coordination["all"].value < middle.coordination["all"].value < more.coordination["all"].value
    assert middle.residence["EC"].continuous.band[0] == pytest.approx(less.residence["EC"].continuous.value)
    json.dumps(middle.to_dict(), allow_nan=False)
    assert "cutoff" in str(middle)


def test_one_frame_has_counts_but_no_errors():
    result = analyse_solvation(open_trajectory(KNOWN["CIP"].atoms), cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6})
    assert result.coordination["all"].value == 4.0
    assert np.isnan(result.coordination["all"].error)
    assert not result.converged
    assert result.residence == {}
    assert "no errors" in str(result)


def test_what_was_seen_once_has_no_error():
    """A network in one frame of six: its shells are known, how much they vary is not."""
    joined, apart = KNOWN["network of 2"].atoms, KNOWN["network of 2"].atoms.copy()
    apart.positions[0] -= [9.0, 0.0, 0.0]
    trajectory = open_trajectory([joined, *[apart] * 5], timestep_ps=1.0)
    result = analyse_networks(trajectory, cutoffs={"EC": 2.6})
    assert result.ligands["network"]["EC"].value == 1.0
    assert np.isnan(result.ligands["network"]["EC"].error)
    assert np.isnan(result.ligands["isolated"]["EC"].error)  # the same in five frames: nothing fluctuated
    low, high = result.coordination_distribution["network"][1].interval
    assert low < 1.0 == high  # of two ions, by the rule of three


def test_trajectories_of_mixed_lengths_weigh_as_their_frames():
    contact, separated = (open_trajectory([KNOWN[k].atoms] * n) for k, n in (("CIP", 10), ("CIP", 30)))
    away = KNOWN["CIP"].atoms.copy()
    fluorine = away.numbers == 9
    away.positions[fluorine | (away.numbers == 15)] += [8.0, 0, 0]
    separated = open_trajectory([away] * 30)
    result = analyse_solvation([contact, separated], cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6})
    assert result.ion_pairs["CIP"].value == pytest.approx(0.25)


def test_shells_of_a_single_frame_end_by_radii_with_a_warning():
    with pytest.warns(
        TrajectoryWarning,
        match=r"no first minimum.*cutoffs from the radii of the atoms are used: PF6 2.79 Å, EC 2.85 Å",
    ):
        result = analyse_solvation(open_trajectory(KNOWN["CIP"].atoms))
    assert result.ion_pairs["CIP"].value == 1.0
    assert {name: (round(c.value, 2), c.source) for name, c in result.cutoffs.items()} == {
        "EC": (2.85, "radii of cation and donor"),
        "EMC": (2.85, "radii of cation and donor"),
        "PF6": (2.79, "radii of cation and donor"),
    }


def test_without_a_minimum_or_a_radius_the_cutoffs_must_be_given():
    rubidium = KNOWN["CIP"].atoms.copy()
    rubidium.numbers[rubidium.numbers == 3] = 37
    trajectory = open_trajectory(rubidium, roles={"Rb": Role("element Rb", kind="cation", charge=1)})
    with pytest.raises(InputError, match="no first minimum beyond noise: give the cutoffs"):
        analyse_solvation(trajectory)


def test_bad_input():
    trajectory = open_trajectory(KNOWN["CIP"].atoms)
    with pytest.raises(InputError, match="no cutoff is given for EMC"):
        analyse_solvation(trajectory, cutoffs={"EC": 2.6, "PF6": 2.6})
    with pytest.raises(InputError, match="no donors of 'PC'"):
        analyse_solvation(trajectory, cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6, "PC": 2.0})
    with pytest.raises(InputError, match="must be a distance"):
        analyse_solvation(trajectory, cutoffs={"EC": float("nan"), "EMC": 2.6, "PF6": 2.6})
    with pytest.raises(InputError, match=r"cutoff of EMC, 16 Å, is above half of the cell, 15 Å"):
        analyse_solvation(trajectory, cutoffs={"EC": 2.6, "EMC": 16.0, "PF6": 2.6})
    no_li = KNOWN["CIP"].atoms.copy()
    del no_li[0]
    with pytest.raises(InputError, match=r"has no cations \(PF6, EC, EMC\)"):
        analyse_solvation(open_trajectory(no_li))
    with pytest.raises(InputError, match="does not hold the molecules"):
        analyse_solvation([trajectory, open_trajectory(KNOWN["SSIP"].atoms)])
    with pytest.raises(InputError, match="no trajectory"):
        analyse_solvation([])
    near, far = (open_trajectory([KNOWN["CIP"].atoms] * 6, timestep_ps=dt) for dt in (1.0, 2.0))
    with pytest.raises(InputError, match="2 ps apart"):
        analyse_solvation([near, far], cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6})


def beside(known, symbol, place, distance=2.2):
    """The frame with another ion beside an atom, on the side away from Li."""
    atoms = known.atoms.copy()
    lithium = atoms.positions[[atom.symbol == "Li" for atom in atoms]][0]
    away = atoms.positions[place] - lithium
    return atoms + Atoms(symbol, [atoms.positions[place] + distance * away / np.linalg.norm(away)])


@pytest.mark.parametrize("symbol", ["Na", "K", "Mg"])
def test_a_further_kind_of_cation_on_the_anion_makes_an_aggregate(symbol):
    pair = shell(["PF6"])
    fluorine = np.flatnonzero(pair.atoms.numbers == 9)
    lithium = pair.atoms.positions[pair.atoms.numbers == 3][0]
    far = fluorine[np.argmax(np.linalg.norm(pair.atoms.positions[fluorine] - lithium, axis=1))]
    for atoms, expected in (
        (pair.atoms, "CIP"),
        (beside(pair, symbol, far), "AGG"),
        (beside(pair, symbol, far, 9.0), "CIP"),
    ):
        trajectory = open_trajectory(atoms)
        for cation in ("Li",) if expected == "CIP" else ("Li", symbol):
            pairs = analyse_solvation(trajectory, cation=cation, cutoffs={"PF6": 2.6}).ion_pairs
            assert pairs[expected].value == 1.0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 4), kinds=st.integers(1, 3))
def test_clusters_of_several_cations_by_brute_force(seed, frames, kinds):
    from electrolyte_ml.analysis.shells import Pairs, _clusters

    rng = np.random.default_rng(seed)
    n_ions = int(rng.integers(1, 6))
    pairs = []
    for kind in range(kinds):
        count = int(rng.integers(0, 8))
        ions = n_ions if kind == 0 else 4
        pairs.append(
            Pairs(np.sort(rng.integers(0, frames, count)), rng.integers(0, ions, count), rng.integers(0, 5, count))
        )
    pairing, cations, anions = _clusters(pairs, frames, n_ions)
    for frame in range(frames):
        edges = [
            ((kind, int(ion)), int(anion))
            for kind, table in enumerate(pairs)
            for at, ion, anion in zip(*table, strict=True)
            if at == frame
        ]
        for ion in range(n_ions):
            inside, bound, grown = {(0, ion)}, set(), True
            while grown:
                before = len(inside) + len(bound)
                bound |= {anion for cation, anion in edges if cation in inside}
                inside |= {cation for cation, anion in edges if anion in bound}
                grown = len(inside) + len(bound) > before
            assert (cations[frame, ion], anions[frame, ion]) == (len(inside), len(bound))
            size = (len(bound), len(inside))
            assert pairing[frame, ion] == (0 if size[0] == 0 else 1 if size == (1, 1) else 2)


def test_shells_beyond_the_codes_are_refused():
    """Of sixteen ligands on, a shell would be counted as another one."""
    counts = np.zeros((1, 1, 2), dtype=int)
    counts[..., 0] = 15
    assert _encoded(counts, ("EC", "EMC"), "ligands").item() == 15
    counts[..., 0] = 16
    with pytest.raises(InputError, match=r"16 ligands \(EC\), more than 15: choose a shorter cutoff"):
        _encoded(counts, ("EC", "EMC"), "ligands")
    names = [f"S{k}" for k in range(18)]
    many = np.zeros((1, 18), dtype=int)
    many[0, 14] = 3
    assert _encoded(many, names, "ligands").item() == 3 * 16**14
    many[0, 17] = 1
    with pytest.raises(InputError, match="18 kinds of ligands"):
        _encoded(many, names, "ligands")
