"""Every way into a trajectory, and every way in which it can be wrong."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from electrolyte_ml.dynamics.trajectory import encode_frame, encode_topology
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import pack
from electrolyte_ml.trajectories import Role, open_trajectory, read_ions
from electrolyte_ml.trajectories.frames import open_frames

N_FRAMES = 5


@pytest.fixture(scope="module")
def liquid():
    """A small electrolyte in a skewed cell, with velocities, wrapped atom by atom."""
    atoms = pack({"EC": 2, "EMC": 1, "Li": 1, "PF6": 1}, density=0.9, seed=3)
    atoms.set_cell(np.array([[1, 0, 0], [0.1, 1, 0], [-0.1, 0.2, 1]]) @ atoms.cell.array, scale_atoms=False)
    rng = np.random.default_rng(0)
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)))
    return atoms


@pytest.fixture(scope="module")
def frames(liquid):
    rng = np.random.default_rng(1)
    made = []
    for k in range(N_FRAMES):
        frame = liquid.copy()
        frame.positions += 0.02 * k * rng.normal(size=(len(frame), 3)) + [0.9 * k, 0.5 * k, -0.7 * k]
        frame.wrap()
        frame.info = {"time_ps": 0.5 * k}
        made.append(frame)
    return made


def universe_of(frames):
    import MDAnalysis

    n = len(frames[0])
    return MDAnalysis.Universe.empty(n, trajectory=True, velocities=True)


def write_with_mdanalysis(path, frames, **options):
    import MDAnalysis

    universe = universe_of(frames)
    universe.add_TopologyAttr("names", frames[0].get_chemical_symbols())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with MDAnalysis.Writer(str(path), len(frames[0]), **options) as writer:
            for k, frame in enumerate(frames):
                step = universe.trajectory.ts
                step.positions, step.dimensions = frame.positions, frame.cell.cellpar()
                step.velocities = frame.get_velocities()
                step.frame, step.time = k, frame.info["time_ps"]
                step.data["time"] = frame.info["time_ps"]
                writer.write(universe)


def write_dump(path, frames, *, shuffle=True, columns="id type element xs ys zs vx vy vz", steps=None, units=""):
    rng = np.random.default_rng(2)
    lines = []
    for k, frame in enumerate(frames):
        (a, _, _), (xy, b, _), (xz, yz, c) = frame.cell.array
        n = len(frame)
        low_x, high_x = min(0, xy, xz, xy + xz), a + max(0, xy, xz, xy + xz)
        lines += ["ITEM: UNITS", units] if units and k == 0 else []
        lines += ["ITEM: TIME", str(1000 * frame.info["time_ps"])] if units == "real" else []
        lines += ["ITEM: TIMESTEP", str((steps or range(0, 10**6, 100))[k]), "ITEM: NUMBER OF ATOMS", str(n)]
        lines += ["ITEM: BOX BOUNDS xy xz yz pp pp pp", f"{low_x} {high_x} {xy}"]
        lines += [f"{min(0, yz)} {b + max(0, yz)} {xz}", f"0 {c} {yz}", f"ITEM: ATOMS {columns}"]
        scaled, v = frame.get_scaled_positions(), frame.get_velocities()
        for i in rng.permutation(n) if shuffle else range(n):
            row = {"id": i + 1, "type": frame.numbers[i], "element": frame.symbols[i]}
            row |= dict(zip(("xs", "ys", "zs"), scaled[i])) | dict(zip(("vx", "vy", "vz"), v[i]))
            unscaled = frame.cell.scaled_positions(frame.positions[i])
            row |= dict(zip(("ix", "iy", "iz"), np.floor(unscaled).astype(int)))
            row |= dict(zip(("xu", "yu", "zu"), frame.positions[i]))
            lines.append(" ".join(str(row[name]) for name in columns.split()))
    path.write_text("\n".join(lines) + "\n")


def write_mdcrd(path, frames):
    """AMBER's formatted trajectory: ten numbers in a line, and a line of the box, which can only be orthorhombic."""
    lines = ["made by a test"]
    for frame in frames:
        numbers = [f"{x:8.3f}" for x in frame.positions.ravel()]
        lines += ["".join(numbers[k : k + 10]) for k in range(0, len(numbers), 10)]
        lines.append("".join(f"{x:8.3f}" for x in frame.cell.lengths()))
    path.write_text("\n".join(lines) + "\n")


def write_arc(path, frames):
    """Tinker's archive."""
    lines = []
    for frame in frames:
        lines += [f"{len(frame):6d} made by a test", "".join(f"{x:12.6f}" for x in frame.cell.cellpar())]
        for k, atom in enumerate(frame):
            lines.append(f"{k + 1:6d} {atom.symbol:3s}{atom.x:12.6f}{atom.y:12.6f}{atom.z:12.6f}{atom.number:6d}")
    path.write_text("\n".join(lines) + "\n")


def write_history(path, frames):
    """DL_POLY's HISTORY."""
    lines = ["made by a test", f"{0:10d}{3:10d}{len(frames[0]):10d}"]
    for k, frame in enumerate(frames):
        lines.append(f"timestep{k:10d}{len(frame):10d}{0:10d}{3:10d}{0.001:12.6f}{frame.info['time_ps']:12.6f}")
        lines += ["".join(f"{x:20.10f}" for x in vector) for vector in frame.cell.array]
        for number, atom in enumerate(frame, start=1):
            lines.append(f"{atom.symbol:8s}{number:10d}{atom.mass:12.6f}{0.0:12.6f}")
            lines.append("".join(f"{x:20.10f}" for x in atom.position))
    path.write_text("\n".join(lines) + "\n")


WRITERS = {"mdcrd": write_mdcrd, "arc": write_arc, "history": write_history}


@pytest.fixture
def written(tmp_path, frames):
    """Return a function that writes the frames in a format and opens them again."""

    def build(kind, some=None, **options):
        some = some or frames
        topology = tmp_path / "topology.pdb"
        topology.write_text(encode_topology(some[0], np.eye(3)))
        path = tmp_path / f"run.{kind}"
        if kind in ("xtc", "trr", "dcd", "ncdf", "trz"):
            said = {"dcd": {"dt": 0.5}, "ncdf": {"velocities": True}}
            write_with_mdanalysis(path, some, **said.get(kind, {}))
            options = {"topology": topology} | options
        elif kind == "dump":
            write_dump(path, some)
            options = {"timestep_ps": 0.5, "lammps_units": "metal"} | options
        elif kind in WRITERS:
            WRITERS[kind](path, some)
            options = {"topology": topology, "timestep_ps": 0.5} | options
        elif kind == "pdb":
            write_with_mdanalysis(path, some)
            options = {"topology": topology, "timestep_ps": 0.5} | options
        elif kind == "extxyz":
            write(path, some, format="extxyz")
        elif kind == "folder":
            path.mkdir()
            (path / "topology.pdb").write_text(encode_topology(some[0], np.eye(3)))
            content = b"".join(encode_frame(a, k, a.info["time_ps"], np.eye(3)) for k, a in enumerate(some))
            (path / "trajectory.trr").write_bytes(content)
        return path, options

    return build


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "ncdf", "dump", "extxyz", "folder"])
def test_every_format_tells_the_same(kind, written, frames):
    path, options = written(kind)
    trajectory = open_trajectory(path, **options)
    assert (trajectory.n_frames, trajectory.n_atoms, trajectory.n_molecules) == (N_FRAMES, len(frames[0]), 5)
    assert {name: len(species) for name, species in trajectory.roles.items()} == {"Li": 1, "PF6": 1, "EC": 2, "EMC": 1}
    assert trajectory.timestep_ps == pytest.approx(0.5, rel=1e-6)
    np.testing.assert_allclose(trajectory.times_ps, 0.5 * np.arange(N_FRAMES), atol=1e-5)
    got = list(trajectory.chunks(2))
    assert [len(chunk.positions) for chunk in got] == [2, 2, 1]
    inverse = np.linalg.inv(frames[0].cell.array)
    for k, frame in enumerate(frames):
        chunk, row = got[k // 2], k % 2
        np.testing.assert_allclose(chunk.cells[row], frame.cell.array, atol=2e-3)
        apart = (chunk.positions[row] - frame.positions) @ inverse  # a dump may choose another image
        assert np.abs(apart - np.rint(apart)).max() * frame.cell.lengths().max() < 0.02  # XTC rounds to 0.01 Å
        if kind in ("trr", "ncdf", "dump", "extxyz", "folder"):
            expected = frame.get_velocities() * (1.0 if kind in ("trr", "ncdf", "dump") else 98.22694788)
            np.testing.assert_allclose(chunk.velocities[row], expected, rtol=1e-4, atol=1e-4)
    assert trajectory.has_velocities == (kind in ("trr", "ncdf", "dump", "extxyz", "folder"))


@pytest.mark.parametrize("kind", ["xtc", "trr", "dcd", "ncdf", "trz", "pdb", "dump", "extxyz", "folder"])
def test_a_truncated_file_says_what_was_read(kind, written):
    path, options = written(kind)
    file = path / "trajectory.trr" if kind == "folder" else path
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.warns(
        UserWarning, match=rf"ends within .*; {N_FRAMES - 1} whole frames before it are used, up to 1.5 ps"
    ):
        trajectory = open_trajectory(path, **options)
    assert sum(len(chunk.positions) for chunk in trajectory.chunks()) == N_FRAMES - 1
    file.write_bytes(file.read_bytes()[:90])
    with pytest.raises(InputError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")  # a half-opened reader that fails in its destructor would warn here
        open_trajectory(path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["xtc", "trr", "dcd", "ncdf", "trz", "mdcrd", "arc", "history", "pdb", "dump", "extxyz"]
)
def test_wherever_a_file_ends_its_whole_frames_are_read_as_they_were(kind, written):
    path, options = written(kind)
    topology, content = options.get("topology"), path.read_bytes()
    whole = open_frames(path, topology)
    frames = [whole.read(k) for k in range(whole.n_frames)]
    assert (len(frames), whole.cut_short) == (N_FRAMES, "")
    unsaid = 0
    for cut in [*range(1, 90, 3), *range(90, len(content) * 3 // 5, len(content) // 40)]:
        path.write_bytes(content[:-cut])
        for offsets in path.parent.glob(".*"):
            offsets.unlink()  # MDAnalysis's, of the longer file
        some = open_frames(path, topology)
        assert N_FRAMES * (1 - cut / len(content)) - 2.2 < some.n_frames <= N_FRAMES
        for k in range(some.n_frames):
            for got, expected in zip(some.read(k), frames[k], strict=True):
                np.testing.assert_array_equal(got, expected)
        unsaid += some.n_frames < N_FRAMES and not some.cut_short
    assert unsaid <= 2  # where it happens to end with a frame


@pytest.mark.parametrize("kind", ["xtc", "trr"])
def test_one_whole_frame_that_cannot_be_read_is_said(kind, written, frames):
    path, options = written(kind, frames[:2])
    content = path.read_bytes()
    path.write_bytes(content[:-60])
    with pytest.raises(InputError, match="within frame 2, only the first is whole"):
        open_trajectory(path, **options)
    path.write_bytes(content[: len(content) // 4])
    with pytest.raises(InputError, match="cannot be read"):
        open_trajectory(path, **options)


def test_several_frames_in_one_gro_are_refused(tmp_path, frames):
    path = tmp_path / "run.gro"
    write_with_mdanalysis(path, frames[:1])
    assert open_frames(path, frames[0]).n_frames == 1
    path.write_text(2 * path.read_text())
    with pytest.raises(InputError, match="of several frames in one .gro only the first"):
        open_frames(path, frames[0])


def test_units_of_netcdf_are_heeded(written):
    path, options = written("ncdf")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\x0apicosecond\0\0", b"\x0bfemtosecond\0"))
    assert open_trajectory(path, **options).timestep_ps == pytest.approx(0.0005)
    path.write_bytes(content.replace(b"angstrom", b"nanometr"))
    with pytest.raises(InputError, match="is 'nanometr', not angstrom"):
        open_trajectory(path, **options)


def test_atoms_of_a_netcdf_file_are_sorted_by_the_ids_that_lammps_writes(tmp_path, frames):
    from scipy.io import netcdf_file

    n, rng = len(frames[0]), np.random.default_rng(4)
    with netcdf_file(tmp_path / "run.nc", "w", version=2) as file:
        for name, length in (("frame", None), ("spatial", 3), ("atom", n)):
            file.createDimension(name, length)
        coordinates = file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))
        velocities = file.createVariable("velocities", "f4", ("frame", "atom", "spatial"))
        ids = file.createVariable("id", "i4", ("frame", "atom"))
        coordinates.units, velocities.units = "Angstrom", "Angstrom/femtosecond"
        for k, frame in enumerate(frames):
            order = rng.permutation(n)
            ids[k], coordinates[k] = order + 1, frame.positions[order]
            velocities[k] = 0.001 * frame.get_velocities()[order]
    read = open_frames(tmp_path / "run.nc", frames[0])
    for k, frame in enumerate(frames):
        np.testing.assert_allclose(read.read(k).positions, frame.positions, rtol=1e-6)
        np.testing.assert_allclose(read.read(k).velocities, frame.get_velocities(), rtol=1e-5)
        assert read.read(k).cell is None


def test_unwrapped_molecules_are_whole_and_move_as_they_did(frames):
    trajectory = open_trajectory(frames)
    weights = trajectory.molecule_weights()
    moved = np.array([weights @ frame for chunk in trajectory.unwrapped(2) for frame in chunk])
    steps = np.diff(moved, axis=0)
    expected = np.broadcast_to([0.9, 0.5, -0.7], steps.shape)
    np.testing.assert_allclose(steps, expected, atol=0.25)  # but for the noise of a single ion
    for positions in trajectory.unwrapped():
        for i, j in trajectory.bonds:
            assert np.linalg.norm(positions[:, i] - positions[:, j], axis=1).max() < 2.2


def test_frames_too_far_apart_are_refused(frames, liquid):
    far = [liquid.copy(), liquid.copy()]
    far[1].positions += 0.45 * liquid.cell.array[0]
    far[1].wrap()
    trajectory = open_trajectory(far, timestep_ps=10.0)
    with pytest.raises(InputError, match=r"frames 1 and 2: they are too far apart \(10 ps\)"):
        list(trajectory.unwrapped())


def test_a_cell_that_changes_is_refused_for_displacements(frames):
    changed = [frame.copy() for frame in frames]
    for k, frame in enumerate(changed):
        frame.set_cell(frame.cell.array * (1 + 0.002 * k), scale_atoms=True)
    trajectory = open_trajectory(changed)
    assert len(list(trajectory.chunks())) == 1
    with pytest.raises(InputError, match="displacements are not diffusion"):
        trajectory.require_constant_cell()
    changed[2:] = [changed[0].copy() for _ in changed[2:]]
    changed[4].info = changed[3].info = changed[2].info = {}
    with pytest.raises(InputError, match="displacements are not diffusion"):
        list(open_trajectory([a for a in changed], timestep_ps=1.0).unwrapped())


def test_uneven_times_are_refused(frames):
    uneven = [frame.copy() for frame in frames]
    uneven[-1].info["time_ps"] = 9.0
    with pytest.raises(InputError, match="not evenly spaced in time"):
        open_trajectory(uneven)
    uneven[-1].info["time_ps"], uneven[2].info["time_ps"] = 2.0, 1.3
    with pytest.raises(InputError, match="frame 3 is at 1.3, not 1"):
        list(open_trajectory(uneven).chunks())


def test_unsorted_ids_are_sorted_and_none_are_refused(tmp_path, frames):
    path = tmp_path / "no_ids.dump"
    write_dump(path, frames, columns="type element xs ys zs")
    with pytest.raises(InputError, match="have no id"):
        open_trajectory(path, timestep_ps=0.5)
    path = tmp_path / "types.dump"
    write_dump(path, frames, columns="id type xs ys zs")
    with pytest.raises(InputError, match="what element"):
        open_trajectory(path, timestep_ps=0.5)
    elements = {str(z): s for z, s in zip(frames[0].numbers, frames[0].get_chemical_symbols())}
    assert set(open_trajectory(path, elements=elements).roles) == {"Li", "PF6", "EC", "EMC"}
    with pytest.raises(InputError, match="no element is given for type"):
        open_trajectory(path, elements={"6": "C"})
    uneven = tmp_path / "uneven.dump"
    write_dump(uneven, frames, steps=[0, 100, 200, 350, 400])
    with pytest.raises(InputError, match="not evenly spaced"):
        list(open_trajectory(uneven, timestep_ps=0.5).chunks())


@pytest.mark.parametrize("columns", ["xs ys zs ix iy iz", "xu yu zu", "xs ys zs xu yu zu"])
def test_image_flags_and_unwrapped_positions_are_followed_however_far_they_go(tmp_path, liquid, columns):
    far = [liquid.copy() for _ in range(3)]
    for k, frame in enumerate(far):
        frame.positions += k * np.array([1.45, -0.5, 2.2]) @ frame.cell.array
        frame.info["time_ps"] = 100.0 * k
    write_dump(tmp_path / "far.dump", far, columns=f"id type element {columns}")
    trajectory = open_trajectory(tmp_path / "far.dump", timestep_ps=100.0)
    moved = np.concatenate(list(trajectory.unwrapped()))
    np.testing.assert_allclose(moved[2] - moved[0], far[2].positions - far[0].positions, atol=1e-6)
    write_dump(tmp_path / "far.dump", far, columns="id type element xs ys zs")
    with pytest.raises(InputError, match="too far apart"):
        list(open_trajectory(tmp_path / "far.dump", timestep_ps=100.0).unwrapped())


def test_velocities_of_a_dump_need_units(tmp_path, frames):
    path = tmp_path / "run.dump"
    write_dump(path, frames)
    with pytest.raises(InputError, match="--lammps-units, says what they are in"):
        read_ions(open_trajectory(path, timestep_ps=0.5)).current()
    write_dump(path, frames, units="real")
    real = open_trajectory(path)
    assert real.timestep_ps == pytest.approx(0.5)
    got = next(real.chunks()).velocities[0]
    np.testing.assert_allclose(got, 1000.0 * frames[0].get_velocities(), rtol=1e-4, atol=1e-2)
    write_dump(path, frames)
    with pytest.raises(InputError, match="must be one of metal, real"):
        open_trajectory(path, timestep_ps=0.5, lammps_units="lj")


def test_a_universe_is_read_as_its_file_is(tmp_path, frames):
    import MDAnalysis

    path, topology = tmp_path / "run.lammpstrj", tmp_path / "topology.pdb"
    write_dump(path, frames)
    topology.write_text(encode_topology(frames[0], np.eye(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(str(topology), str(path), format="LAMMPSDUMP")
    assert not open_trajectory(universe, timestep_ps=0.5).has_velocities  # in which unit, nobody has said
    for units, factor in (("metal", 1.0), ("real", 1000.0)):
        found = open_trajectory(universe, timestep_ps=0.5, lammps_units=units)
        assert set(found.roles) == {"Li", "PF6", "EC", "EMC"}
        got = next(found.chunks())
        np.testing.assert_allclose(got.velocities[0], factor * frames[0].get_velocities(), rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(got.positions[2], frames[2].positions, atol=1e-3)


def test_unknown_times(frames):
    still = [frame.copy() for frame in frames]
    for frame in still:
        frame.info = {}
    trajectory = open_trajectory(still)
    assert trajectory.timestep_ps is None
    with pytest.raises(InputError, match="give the time step"):
        trajectory.require_times()
    assert open_trajectory(still, timestep_ps=2.0).times_ps[-1] == 8.0
    with pytest.raises(InputError, match="1 frame, 2 are needed"):
        open_trajectory(still[0], timestep_ps=2.0).require_times()
    with pytest.raises(InputError, match="positive number of ps"):
        open_trajectory(still, timestep_ps=-1.0)


def test_slices(frames):
    trajectory = open_trajectory(frames)
    part = trajectory[1::2]
    assert (len(part), part.timestep_ps) == (2, 1.0)
    np.testing.assert_allclose(part.times_ps, [0.5, 1.5])
    np.testing.assert_allclose(next(part.chunks()).positions[1], frames[3].positions)
    with pytest.raises(InputError, match="no frames are left"):
        trajectory[7:]


def test_parts_of_a_run_join_without_the_frame_that_both_have(written, tmp_path, frames):
    paths = []
    for name, some in (("one", frames[:3]), ("two", frames[2:])):
        path = tmp_path / f"{name}.trr"
        write_with_mdanalysis(path, some)
        paths.append(path)
    topology = tmp_path / "t.pdb"
    topology.write_text(encode_topology(frames[0], np.eye(3)))
    joined = open_trajectory(paths, topology=topology)
    np.testing.assert_allclose(joined.times_ps, 0.5 * np.arange(N_FRAMES))
    with pytest.raises(InputError, match="before the part in front of it ends"):
        open_trajectory(paths[::-1], topology=topology)


def test_what_is_not_known_must_be_named(frames):
    ring = Atoms(
        "C2H4O",
        [[0, 0, 0], [1.47, 0, 0], [-0.6, 0.9, 0], [-0.6, -0.9, 0], [2.1, 0.9, 0], [2.1, -0.9, 0], [0.7, 0, 1.2]],
    )
    ring.positions += 5
    other = Atoms("Li", [[1, 1, 1]], cell=[20] * 3, pbc=True) + ring
    with pytest.raises(InputError, match=r"molecule 2 \(C2H4O, 1 alike, its first atom is 2\) is not one of"):
        open_trajectory(other)
    named = open_trajectory(other, roles={"oxirane": "element O"})
    assert {kind: atoms.tolist() for kind, atoms in named.roles["oxirane"].donors.items()} == {"ether": [7]}
    with pytest.raises(InputError, match="finds no atom"):
        open_trajectory(other, roles={"oxirane": "element S"})
    with pytest.raises(InputError, match="cannot select"):
        open_trajectory(other, roles={"oxirane": "elephant"})
    with pytest.raises(InputError, match="that a has already"):
        open_trajectory(other, roles={"a": "element O", "b": "element C"})
    with pytest.raises(InputError, match="not of one formula"):
        open_trajectory(other, roles={"a": "element O Li"})
    with pytest.raises(InputError, match="no atom of it is a nitrile donor"):
        open_trajectory(other, roles={"oxirane": Role("element O", donors={"nitrile": "element Li"})})
    with pytest.raises(InputError, match="kind must be one of"):
        open_trajectory(other, roles={"oxirane": Role("element O", kind="glass")})
    with pytest.raises(InputError, match=r"sum to \+1 e, not to 0 \(1 Li of \+1\)"):
        named.require_neutral()


def test_molecules_are_selected_by_their_formula(frames):
    trajectory = open_trajectory(frames)
    for formula, name in (("F6P", "PF6"), ("PF6", "PF6"), ("C3H4O3", "EC"), ("C4H8O3", "EMC"), ("Li", "Li")):
        np.testing.assert_array_equal(
            trajectory.select(f"formula {formula}"), np.sort(trajectory.roles[name].atoms.ravel())
        )
    assert open_trajectory(frames, roles={"carbonate": "formula C3H4O3"}).roles["carbonate"].formula == "C3H4O3"
    with pytest.raises(InputError, match="finds no atom"):
        open_trajectory(frames, roles={"X": "formula C3H4O4"})
    with pytest.raises(InputError, match="cannot select"):
        open_trajectory(frames, roles={"X": "formula water"})


def test_elements_are_guessed_from_the_names_of_force_fields(tmp_path, liquid):
    """Names of OPLS, GAFF, CHARMM and LigParGen; "C0" is no calcium and "CS" no caesium in a molecule."""
    other = {"C": ["C0", "CS", "CT1", "C00", "CA"], "O": ["O01", "OS", "O=", "OY"], "H": ["HC", "H5'", "HA", "H04"]}
    seen = {symbol: 0 for symbol in other}
    lines = []
    molecule = open_trajectory(liquid).molecule
    for i, (symbol, x) in enumerate(zip(liquid.symbols, 0.1 * liquid.positions)):
        name = symbol.upper()
        if symbol in other:
            name = other[symbol][seen[symbol] % len(other[symbol])]
            seen[symbol] += 1
        lines.append(f"{molecule[i] + 1:5d}RES  {name:>5}{i + 1:5d}{x[0]:8.3f}{x[1]:8.3f}{x[2]:8.3f}\n")
    (a, _, _), (bx, b, _), (cx, cy, c) = 0.1 * liquid.cell.array
    box = f"{a:.5f} {b:.5f} {c:.5f} 0 0 {bx:.5f} 0 {cx:.5f} {cy:.5f}\n"
    (tmp_path / "box.gro").write_text(f"liquid\n{len(liquid)}\n{''.join(lines)}{box}")
    found = open_trajectory(tmp_path / "box.gro")
    np.testing.assert_array_equal(found.numbers, liquid.numbers)
    assert set(found.roles) == {"Li", "PF6", "EC", "EMC"}


def test_one_cell_above_the_models_of_a_pdb_is_that_of_all(tmp_path, frames):
    text = encode_topology(frames[0], np.eye(3))
    atoms = [line for line in text.splitlines() if line.startswith(("ATOM", "HETATM"))]
    a, b, c, alpha, beta, gamma = frames[0].cell.cellpar()
    cell = f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1           1\n"
    models = [f"MODEL     {k}\n" + "\n".join(atoms) + "\nENDMDL\n" for k in (1, 2, 3)]
    (tmp_path / "run.pdb").write_text(cell + "".join(models) + "END\n")
    found = open_trajectory(tmp_path / "run.pdb", timestep_ps=1.0)
    assert found.n_frames == 3
    np.testing.assert_allclose(found.require_constant_cell(), frames[0].cell.array, atol=5e-3)


def test_isomers_are_not_taken_for_carbonates():
    """Two molecules of EMC's formula: EMC itself, whatever the order of its atoms, and one with another chain."""
    from electrolyte_ml.structures.molecules import MOLECULES
    from electrolyte_ml.trajectories.species import find_species

    emc = MOLECULES["EMC"]
    numbers = emc.atoms().numbers
    order = np.random.default_rng(0).permutation(len(numbers))
    bonds = np.argsort(order)[np.array(emc.bonds)]
    found = find_species(numbers[order], bonds, np.zeros(len(numbers), int))
    assert list(found) == ["EMC"]
    wrong = bonds.copy()
    where = np.argsort(order)
    wrong[(wrong == [where[5], where[6]]).all(axis=1)] = [where[4], where[6]]  # the end of the ethyl on the methyl
    with pytest.raises(InputError, match="C4H8O3"):
        find_species(numbers[order], wrong, np.zeros(len(numbers), int))


# Formulas and numbers of bonds as a chemist counts them.
@pytest.mark.parametrize(
    ("name", "kind", "formula", "bonds"),
    [
        ("DMC", "solvent", "C3H6O3", 11),
        ("DEC", "solvent", "C5H10O3", 17),
        ("PC", "solvent", "C4H6O3", 13),
        ("FEC", "solvent", "C3H3FO3", 10),
        ("VC", "solvent", "C3H2O3", 8),
        ("DME", "solvent", "C4H10O2", 15),
        ("DOL", "solvent", "C3H6O2", 11),
        ("Na", "cation", "Na", 0),
        ("K", "cation", "K", 0),
        ("BF4", "anion", "BF4", 4),
        ("ClO4", "anion", "ClO4", 4),
        ("FSI", "anion", "F2NO4S2", 8),
        ("TFSI", "anion", "C2F6NO4S2", 14),
    ],
)
def test_other_molecules_are_known(name, kind, formula, bonds):
    from electrolyte_ml.trajectories.species import _graph, find_species

    symbols, pairs = _graph(name)
    assert len(pairs) == bonds
    order = np.random.default_rng(0).permutation(len(symbols))
    numbers = Atoms(symbols).numbers[order]
    (found,) = find_species(numbers, np.argsort(order)[pairs], np.zeros(len(numbers), int)).values()
    assert (found.name, found.kind, found.formula) == (name, kind, formula)


def test_files_that_are_not_there_or_not_trajectories(tmp_path, frames):
    with pytest.raises(InputError, match="no such file"):
        open_trajectory(tmp_path / "none.xtc")
    (tmp_path / "empty.xtc").touch()
    with pytest.raises(InputError, match="is empty"):
        open_trajectory(tmp_path / "empty.xtc")
    (tmp_path / "text.xyz").write_text("no frames here\n")
    with pytest.raises(InputError, match="frame 1 does not begin with a number"):
        open_trajectory(tmp_path / "text.xyz")
    (tmp_path / "text.dcd").write_text("no frames here\n")
    with pytest.raises(InputError):
        open_trajectory(tmp_path / "text.dcd")
    with pytest.raises(InputError, match="no cell"):
        loose = frames[0].copy()
        loose.cell = None
        open_trajectory(loose)
    assert open_trajectory(Atoms("Li", pbc=True), cell=12.0).frame(0).cell.lengths().tolist() == [12.0] * 3
    with pytest.raises(InputError, match="a cell is one length"):
        open_trajectory(Atoms("Li"), cell=[1, 2])
    broken = frames[0].copy()
    broken.positions[4] = np.nan
    with pytest.raises(InputError, match="frame 2: the position of atom 5 is not finite"):
        list(open_trajectory([frames[0], broken], timestep_ps=1.0).chunks())
    with pytest.raises(InputError, match="not those of frame 1"):
        list(open_trajectory([frames[0], frames[0][::-1]], timestep_ps=1.0).chunks())
