"""What multiple time steps change: paired runs of one liquid, with single steps twice and with multiple steps once.

    python benchmarks/multiple_steps.py ec-emc npt/last.xyz -o paired --pairs 4 --time 300

START is a liquid at its density. With several of them the pairs take them in turn: ion pairs live so long that one box
is one sample. Each pair has a start of its own, from 20 ps with single steps. From there three runs at constant volume
have other velocities: single steps, single steps once more, and multiple steps. The differences of the second from the
first are chance; those of the third count if they are larger. If there are ions, conductivities and ion pairs of the
three kinds of runs follow. The same command resumes all runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols
from ase.io import read

from electrolyte_ml.analysis import (
    RadialDistribution,
    analyse_solvation,
    measure_conductivity,
    radial_distributions,
)
from electrolyte_ml.dynamics import MolecularForceField, distil, load_inner, mean_and_error, run_md, sample
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import Potential, load
from electrolyte_ml.trajectories import Trajectory, open_trajectory, read_ions

SETTLING_PS = 20.0
LAGS_PS = (0.3, 0.6, 3.0, 30.0)
FRAMES_FS = 300.0
BINS = 0.25  # Å, of the radial distributions that are compared
FEW = 0.05  # g(r) below which a bin has too few pairs
METHODS = ("einstein-helfand", "nernst-einstein")  # frames are too far apart for Green-Kubo
SINGLE, AGAIN, MULTIPLE = "single", "single again", "multiple"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all pairs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("potential", help="name or file of the potential of the outer steps")
    parser.add_argument("start", type=Path, nargs="+", help="files whose last configurations are the starts")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--pairs", type=int, default=4, help="number of pairs, at least 2 (default 4)")
    parser.add_argument("--time", type=float, default=300.0, help="length of a run, ps (default 300)")
    parser.add_argument("--temperature", type=float, default=300.0, help="temperature, K (default 300)")
    parser.add_argument("--timestep", type=float, default=3.0, help="outer step, fs (default 3)")
    parser.add_argument("--inner-steps", type=int, help="number of inner steps (default: of at most 1 fs)")
    parser.add_argument(
        "--inner", type=Path, help="inner potential (default: fitted to the potential on the first START)"
    )
    parser.add_argument("--jobs", type=int, help="number of runs at a time (default: one per core)")
    args = parser.parse_args(arguments)
    if args.pairs < 2:
        parser.error("--pairs needs 2 or more: differences between pairs give the error")
    starts, potential = [read(path, index=-1) for path in args.start], load(args.potential)
    inner = load_inner(args.inner) if args.inner else _distilled(potential, starts[0], args)
    steps: dict[str, dict[str, Any]] = {
        SINGLE: {"timestep_fs": 1.0},
        AGAIN: {"timestep_fs": 1.0},
        MULTIPLE: {"timestep_fs": args.timestep, "inner": inner, "inner_steps": args.inner_steps},
    }

    def pair(number: int) -> dict[str, Path]:
        common = {"ensemble": "nvt", "temperature": args.temperature, "progress": False}
        settling = args.output / f"start_{number}"
        start = starts[number % len(starts)]
        settled = run_md(start, potential, time_ps=SETTLING_PS, seed=number, directory=settling, **common)
        settled.atoms.arrays.pop("momenta", None)
        folders = {}
        for place, (name, options) in enumerate(steps.items(), start=1):
            folder = folders[name] = args.output / f"{name.replace(' ', '_')}_{number}"
            seed = place * args.pairs + number
            result = run_md(
                settled.atoms, potential, time_ps=args.time, frame_interval_fs=FRAMES_FS, seed=seed, directory=folder,
                **common, **options,
            )  # fmt: skip
            if not result.completed:
                raise SystemExit(f"{folder} ended early: {result.detail}")
        return folders

    folders = map_progress(pair, range(args.pairs), args.jobs, "pairs")
    runs = {name: [open_trajectory(folder[name]) for folder in folders] for name in steps}
    print(f"{args.pairs} x {args.time:g} ps of {len(starts[0])} atoms, {args.potential}, {args.temperature:g} K")
    print(table({name: [motion(run) for run in group] for name, group in runs.items()}))
    for name in (AGAIN, MULTIPLE):
        print(f"{name}: {structure(runs[SINGLE], runs[name])}")
    if any(species.charge for species in runs[SINGLE][0].roles.values()):
        for name, group in runs.items():
            print(f"\n{name}:\n{ions(group, args.temperature)}")


def _distilled(potential: Potential, start: Atoms, args: argparse.Namespace) -> MolecularForceField | Potential:
    folder = args.output / "distillation"
    distilled = distil(
        potential, sample(potential, start, temperature=args.temperature, directory=folder / "sample"), directory=folder
    )
    print(distilled)
    return distilled.inner


def motion(run: Trajectory) -> dict[str, float]:
    """Return temperatures (K) of elements and molecules' centres, and squared displacements (Å²) of molecules."""
    masses, weights = run.masses, run.molecule_weights()
    freedom = 1.0 - 1.0 / len(masses)  # the centre of mass of the system is at rest

    def centres(values: np.ndarray) -> np.ndarray:
        return np.stack([weights @ frame for frame in values])

    velocities = np.array([frame.velocities.copy() for frame in run.universe().trajectory])  # Å/ps
    scale = 1.0 / (units.fs * 1e3) ** 2 / (3.0 * units.kB)
    kinetic = masses * np.mean(np.sum(velocities**2, axis=-1), axis=0) * scale
    rows = {
        f"T({chemical_symbols[number]}), K": float(kinetic[run.numbers == number].mean() / freedom)
        for number in np.unique(run.numbers)
    }
    molecular_masses = np.bincount(run.molecule, masses)
    moving = molecular_masses * np.mean(np.sum(centres(velocities) ** 2, axis=-1), axis=0) * scale
    rows["T(centres), K"] = float(moving.mean() * len(molecular_masses) / (len(molecular_masses) - 1))
    paths = np.concatenate([centres(chunk) for chunk in run.unwrapped()])
    paths -= (np.einsum("m,fmc->fc", molecular_masses, paths) / molecular_masses.sum())[:, None]
    step = run.require_times()
    for lag in LAGS_PS:
        n = max(1, round(lag / step))
        if 2 * n < len(paths):
            rows[f"MSD({n * step:g} ps), Å²"] = float(np.mean(np.sum((paths[n:] - paths[:-n]) ** 2, axis=-1)))
    return rows


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Return means with standard errors over runs, and the relative differences of pairs from single steps."""
    names = list(rows[SINGLE][0])
    heads = [f"{name:>20}" for name in rows] + [f"{name:>18}" for name in (AGAIN, MULTIPLE)]
    lines = [" " * 18 + "".join(heads)]
    for name in names:
        values = {kind: [run[name] for run in group] for kind, group in rows.items()}
        line = f"{name:<18}"
        for kind in rows:
            mean, error = mean_and_error(values[kind])
            line += f"{f'{mean:.4g} ± {error:.2g}':>20}"
        for kind in (AGAIN, MULTIPLE):
            ratios = [100 * (other / one - 1) for other, one in zip(values[kind], values[SINGLE], strict=True)]
            mean, error = mean_and_error(ratios)
            line += f"{f'{mean:+.1f} ± {error:.1f} %':>18}"
        lines.append(line)
    return "\n".join(lines)


def structure(ours: Sequence[Trajectory], others: Sequence[Trajectory]) -> str:
    """Return how far the radial distributions between molecules differ, in units of the errors over runs."""
    elements = sorted({chemical_symbols[number] for number in ours[0].numbers})
    pairs = {f"{a}-{b}": (f"element {a}", f"element {b}") for k, a in enumerate(elements) for b in elements[k:]}
    found = {}
    for name, group in (("ours", ours), ("others", others)):
        curves = [radial_distributions(run, pairs) for run in group]
        found[name] = np.array([[_binned(curve[pair]) for pair in pairs] for curve in curves])
    means = {name: values.mean(axis=0) for name, values in found.items()}
    square = sum(values.var(axis=0, ddof=1) / len(values) for values in found.values())
    full = means["ours"] > FEW
    scores = (means["others"] - means["ours"])[full] / np.sqrt(square[full])
    return (
        f"{scores.size} values of g(r) of {', '.join(pairs)} differ by {np.sqrt(np.mean(scores**2)):.2f} errors (root "
        f"mean square), at most by {np.abs(scores).max():.1f}"
    )


def ions(runs: Sequence[Trajectory], temperature: float) -> str:
    """Return conductivity, diffusion and ion pairs of runs at a temperature (K)."""
    moving = measure_conductivity([read_ions(run) for run in runs], temperature, methods=METHODS)
    pairs = analyse_solvation(runs).ion_pairs
    shares = ", ".join(f"{name} {share.value:.2f} ± {share.error:.2f}" for name, share in pairs.items())
    return f"{moving.report()}\nshares of the cations: {shares}"


def _binned(curve: RadialDistribution) -> np.ndarray:
    width = max(1, round(BINS / (curve.r[1] - curve.r[0])))
    count = len(curve.g) // width
    return curve.g[: count * width].reshape(count, width).mean(axis=1)


if __name__ == "__main__":
    main()
