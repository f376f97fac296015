"""A small electrolyte, and its frames written in many formats."""

import warnings

import numpy as np
import pytest
from ase.io import write

from electrolyte_ml.dynamics.trajectory import encode_frame, encode_topology
from electrolyte_ml.structures import pack

N_FRAMES = 5


@pytest.fixture(scope="session")
def liquid():
    """A small electrolyte in a skewed cell, with velocities, wrapped atom by atom."""
    atoms = pack({"EC": 2, "EMC": 1, "Li": 1, "PF6": 1}, density=0.9, seed=3)
    atoms.set_cell(np.array([[1, 0, 0], [0.1, 1, 0], [-0.1, 0.2, 1]]) @ atoms.cell.array, scale_atoms=False)
    rng = np.random.default_rng(0)
    atoms.set_momenta(rng.normal(size=(len(atoms), 3)))
    return atoms


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def write_with_mdanalysis():
    """Return the function that writes frames in any format of MDAnalysis."""
    return _write_with_mdanalysis


@pytest.fixture(scope="session")
def write_dump():
    """Return the function that writes a LAMMPS dump."""
    return _write_dump


@pytest.fixture
def written(tmp_path, frames):
    """Return a function that writes the frames in a format and opens them again."""

    def build(kind, some=None, **options):
        some = some or frames
        topology = tmp_path / "topology.pdb"
        topology.write_text(encode_topology(some[0], np.eye(3)))
        path = tmp_path / f"run.{kind}"
        if kind in ("xtc", "trr", "dcd", "ncdf", "trz"):
            writer_options = {"dcd": {"dt": 0.5}, "ncdf": {"velocities": True}}
            _write_with_mdanalysis(path, some, **writer_options.get(kind, {}))
            options = {"topology": topology} | options
        elif kind == "dump":
            _write_dump(path, some)
            options = {"timestep_ps": 0.5, "lammps_units": "metal"} | options
        elif kind in WRITERS:
            WRITERS[kind](path, some)
            options = {"topology": topology, "timestep_ps": 0.5} | options
        elif kind == "pdb":
            _write_with_mdanalysis(path, some)
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


def _universe_of(frames):
    import MDAnalysis

    n = len(frames[0])
    return MDAnalysis.Universe.empty(n, trajectory=True, velocities=True)


def _write_with_mdanalysis(path, frames, **options):
    import MDAnalysis

    universe = _universe_of(frames)
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


def _write_dump(path, frames, *, shuffle=True, columns="id type element xs ys zs vx vy vz", steps=None, units=""):
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


def _write_mdcrd(path, frames):
    """AMBER's formatted trajectory: ten numbers in a line, and a line of the box, which can only be orthorhombic."""
    lines = ["made by a test"]
    for frame in frames:
        numbers = [f"{x:8.3f}" for x in frame.positions.ravel()]
        lines += ["".join(numbers[k : k + 10]) for k in range(0, len(numbers), 10)]
        lines.append("".join(f"{x:8.3f}" for x in frame.cell.lengths()))
    path.write_text("\n".join(lines) + "\n")


def _write_arc(path, frames):
    """Tinker's archive."""
    lines = []
    for frame in frames:
        lines += [f"{len(frame):6d} made by a test", "".join(f"{x:12.6f}" for x in frame.cell.cellpar())]
        for k, atom in enumerate(frame):
            lines.append(f"{k + 1:6d} {atom.symbol:3s}{atom.x:12.6f}{atom.y:12.6f}{atom.z:12.6f}{atom.number:6d}")
    path.write_text("\n".join(lines) + "\n")


def _write_history(path, frames):
    """DL_POLY's HISTORY."""
    lines = ["made by a test", f"{0:10d}{3:10d}{len(frames[0]):10d}"]
    for k, frame in enumerate(frames):
        lines.append(f"timestep{k:10d}{len(frame):10d}{0:10d}{3:10d}{0.001:12.6f}{frame.info['time_ps']:12.6f}")
        lines += ["".join(f"{x:20.10f}" for x in vector) for vector in frame.cell.array]
        for number, atom in enumerate(frame, start=1):
            lines.append(f"{atom.symbol:8s}{number:10d}{atom.mass:12.6f}{0.0:12.6f}")
            lines.append("".join(f"{x:20.10f}" for x in atom.position))
    path.write_text("\n".join(lines) + "\n")


WRITERS = {"mdcrd": _write_mdcrd, "arc": _write_arc, "history": _write_history}
