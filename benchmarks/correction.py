"""Is a correction cheaper than learning anew? Errors against a better reference, by the number of its labels.

    electrolyte-ml label data/ec_emc_ratios.extxyz --reference gfn2-xtb -o better.extxyz
    python benchmarks/correction.py data/ec_emc_ratios.extxyz better.extxyz -o results
    python benchmarks/correction.py data/ec_emc_ratios.extxyz better.extxyz -o results --report

Both files hold the same configurations, labelled by the cheap reference and by the better one, with a `part` in their
info: "train", and others to test on, such as "held out" and "unseen". A base is fitted to all cheap labels to train on.
Then N better ones, chosen by MaxVol or at random, give a correction to it and, learnt outright, a potential of their
own. All are tested on the better labels of the other parts. With `--densities` each kind of potential (of most labels,
by MaxVol, from the first seed) runs at constant pressure from a configuration of each composition, and the mean density
is printed.

Every fit is a file in the folder, named by what it is, its settings and a hash of the data. The same command after an
interrupt goes on where it was; `--report` prints what there is. `correction.json` holds all results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning import choose
from electrolyte_ml.analysis import mean_density
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import ModelSpec, Potential, correction_on, load
from electrolyte_ml.structures import read_configurations, species_of
from electrolyte_ml.training import evaluate_errors, train

WAYS = ("maxvol", "random")


@dataclass(frozen=True)
class Labels:
    """The same configurations with the labels of two references.

    Attributes
    ----------
    cheap, better : dict of str to list of Atoms
        By part.
    digest : str
        Hash of both files.
    """

    cheap: Mapping[str, list[Atoms]]
    better: Mapping[str, list[Atoms]]
    digest: str

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols, by atomic number."""
        return species_of(self.cheap["train"])


def read_labels(cheap: Path, better: Path) -> Labels:
    """Read two files of labels and check that they hold the same configurations.

    Raises
    ------
    InputError
        They do not, or there is nothing to train or to test on.
    """
    both = [read_configurations(path, labelled=True) for path in (cheap, better)]
    if len(both[0]) != len(both[1]):
        raise InputError(f"{cheap} holds {len(both[0])} configurations, {better} {len(both[1])}")
    parts: tuple[dict[str, list[Atoms]], ...] = ({}, {})
    for number, (a, b) in enumerate(zip(*both, strict=True), start=1):
        if not np.array_equal(a.numbers, b.numbers) or not np.allclose(a.positions, b.positions, atol=1e-6):
            raise InputError(f"{better}: configuration {number} is not that of {cheap}")
        for part, atoms in zip(parts, (a, b), strict=True):
            part.setdefault(a.info.get("part", "train"), []).append(atoms)
    if "train" not in parts[0] or len(parts[0]) < 2:
        raise InputError(f"{cheap}: its configurations need a part, train or another")
    digest = hashlib.blake2b(cheap.read_bytes() + better.read_bytes(), digest_size=4).hexdigest()
    return Labels(*parts, digest)


@dataclass(frozen=True)
class Fit:
    """One fit.

    Attributes
    ----------
    kind : {"base", "correction", "outright"}
    level, seed, iterations : int
    base : str or None
        Name of the base of a correction.
    count : int or None
        Better labels; None for the base, which has all cheap ones.
    way : str or None
        How they were chosen.
    """

    kind: str
    level: int
    seed: int
    iterations: int
    base: str | None = None
    count: int | None = None
    way: str | None = None

    @property
    def name(self) -> str:
        """Name of the fit's files, without the hash of the data."""
        chosen = [] if self.count is None else [str(self.count), str(self.way)]
        return "_".join([self.kind, str(self.level), *chosen, str(self.seed), str(self.iterations)])


def fit(job: Fit, labels: Labels, directory: Path) -> dict[str, Any]:
    """Train, test on every part, and write the result and the potential, unless that is done."""
    record = _record(job, labels, directory)
    if record.exists():
        return json.loads(record.read_text())
    began = time.perf_counter()
    start: Potential = ModelSpec(level=job.level).random(labels.species, job.seed)
    if job.base is not None:
        start = correction_on(load(directory / f"{job.base}_{labels.digest}.pot"), start)
    frames = labels.cheap["train"] if job.count is None else _chosen(job, start, labels.better["train"])
    weights = {"stress_weight": 0.1, "max_iterations": job.iterations}
    trained = train(frames, start, **weights, threads=1, checkpoint=record.with_suffix(".npz"), progress=False)
    result = {
        **asdict(job),
        "parameters": start.n_parameters,
        "message": trained.message,
        "seconds": time.perf_counter() - began,
        "training": asdict(trained.errors),
        "errors": {
            part: asdict(evaluate_errors(trained.potential, frames))
            for part, frames in labels.better.items()
            if part != "train"
        },
    }
    trained.potential.save(record.with_suffix(".pot"))
    atomic_write(record, json.dumps(result, indent=1))
    return result


def _record(job: Fit, labels: Labels, directory: Path) -> Path:
    return directory / f"{job.name}_{labels.digest}.json"


def _chosen(job: Fit, start: Potential, frames: Sequence[Atoms]) -> list[Atoms]:
    """Return the labels that a fit may see."""
    assert job.count is not None
    if job.way == "maxvol":
        order = choose(start, frames, job.count)
    else:
        order = np.random.default_rng(job.seed).permutation(len(frames))[: job.count]
    return [frames[k] for k in order]


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return mean errors over the seeds as text, a line for each kind of fit."""
    parts = dict.fromkeys(part for result in results for part in result["errors"])
    lines = [f"{'':34}" + "".join(f"{part:>44}" for part in parts)]
    lines.append(
        f"{'fit':10}{'level':>6}{'labels':>8} {'chosen':9}" + f"{'meV/atom':>15}{'eV/Å':>15}{'GPa':>14}" * len(parts)
    )
    for key in dict.fromkeys((r["kind"], r["level"], r["count"], r["way"]) for r in results):
        alike = [r for r in results if (r["kind"], r["level"], r["count"], r["way"]) == key]
        cells = []
        for part in parts:
            errors = [result["errors"][part] for result in alike]
            for name, factor, form in (
                ("energy_rmse", 1e3, ".1f"),
                ("force_rmse", 1, ".3f"),
                ("pressure_bias", 1, "+.2f"),
            ):
                values = [factor * error[name] for error in errors]
                spread = f" ± {np.std(values, ddof=1):{form.lstrip('+')}}" if len(values) > 1 else ""
                cells.append(f"{np.mean(values):{form}}{spread}")
        kind, level, count, way = key
        line = f"{kind:10}{level:6}{'cheap' if count is None else count:>8} {way or 'all':9}"
        lines.append(line + "".join(f"{cell:>15}" for cell in cells))
    lines.append("RMSE of energies and forces, bias of the pressure; mean ± standard deviation over the seeds.")
    return "\n".join(lines)


def densities(
    jobs: Sequence[Fit], labels: Labels, directory: Path, time_ps: float, temperature: float
) -> dict[str, Any]:
    """Run each potential at constant pressure: the mean densities by composition and name, g/cm³."""
    frames = [atoms for part in labels.better.values() for atoms in part if "composition" in atoms.info]
    starts = {str(atoms.info["composition"]): atoms for atoms in frames}
    found: dict[str, Any] = {}
    for (composition, atoms), job in product(starts.items(), jobs):
        record = _record(job, labels, directory)
        name = f"{job.name}_{composition.replace(' ', '_')}_{temperature:g}K_{time_ps:g}ps"
        run = run_md(
            Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True),
            load(record.with_suffix(".pot")),
            ensemble="npt",
            temperature=temperature,
            time_ps=time_ps,
            directory=directory / f"{name}_{labels.digest}",
        )
        density = mean_density(run) if run.reason == "completed" else None
        value = None if density is None else [density.mean, density.error]
        found.setdefault(composition, {})[job.name] = value
        text = run.detail if density is None else f"{density.mean:.3f} ± {density.error:.3f} g/cm³"
        print(f"{composition}, {job.name}: {text}", flush=True)
    return found


def main() -> None:
    """Read the arguments, fit what is missing, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cheap", type=Path, help="configurations labelled by the cheap reference")
    parser.add_argument("better", type=Path, help="the same labelled by the better one")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--base-level", type=int, default=12)
    parser.add_argument("--levels", type=int, nargs="+", default=[6], help="of the correction")
    parser.add_argument("--outright-levels", type=int, nargs="+", default=[8, 12], help="of potentials learnt outright")
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 20, 40], help="better labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=300, help="of each fit, at most")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once, each on one thread")
    parser.add_argument("--densities", type=float, metavar="PS", help="run each kind of potential so long, too")
    parser.add_argument("--temperature", type=float, default=300.0, help="of these runs, K (default 300)")
    parser.add_argument("--report", action="store_true", help="print what there is and compute nothing")
    options = parser.parse_args()

    labels = read_labels(options.cheap, options.better)
    base = Fit("base", options.base_level, 0, options.iterations)
    kinds = [("correction", level, base.name) for level in options.levels]
    kinds += [("outright", level, None) for level in options.outright_levels]
    fits = [
        Fit(kind, level, seed, options.iterations, on, count, way)
        for seed, count, way, (kind, level, on) in product(options.seeds, options.counts, WAYS, kinds)
    ]
    if not options.report:
        options.output.mkdir(parents=True, exist_ok=True)
        fit(base, labels, options.output)
        missing = [job for job in fits if not _record(job, labels, options.output).exists()]
        work = [(job, labels, options.output) for job in missing]
        map_progress(_fit, work, options.jobs, "fits")
    records = [_record(job, labels, options.output) for job in (base, *fits)]
    results = [json.loads(record.read_text()) for record in records if record.exists()]
    print(f"{len(results)} of {len(records)} fits are done")
    order = sorted(results, key=lambda r: (r["kind"], r["level"], r["way"] or "", r["count"] or 0))
    print(table(order))
    written: dict[str, Any] = {
        "references": [_reference(part) for part in (labels.cheap, labels.better)],
        "fits": order,
    }
    if options.densities and not options.report:
        shown = [
            base,
            *(j for j in fits if (j.count, j.way, j.seed) == (max(options.counts), "maxvol", options.seeds[0])),
        ]
        written["densities"] = densities(shown, labels, options.output, options.densities, options.temperature)
    atomic_write(options.output / "correction.json", json.dumps(written, indent=1))


def _reference(parts: Mapping[str, list[Atoms]]) -> list[str]:
    return sorted({str(atoms.info.get("reference", "not stated")) for part in parts.values() for atoms in part})


def _fit(work: tuple[Fit, Labels, Path]) -> dict[str, Any]:
    return fit(*work)


if __name__ == "__main__":
    main()
