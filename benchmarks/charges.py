"""Does explicit electrostatics pay? Moment tensor potentials without and with charge redistribution on the same data.

    python benchmarks/mixtures.py solvents -o solvents.extxyz
    python benchmarks/charges.py solvents.extxyz one=train.xyz -o results
    python benchmarks/charges.py solvents.extxyz one=train.xyz -o results --report

Each argument is a file of labelled configurations, or NAME=FILE. Frames with a `part` in their info ("train",
"held out", "unseen", as `mixtures.py` writes it) are split by it, and those of "unseen" by their `composition`; of any
other file a quarter of the frames, chosen at random, is held out. Isolated atoms are left out, so that both models may
choose their energy shifts.

Every fit is a file in the folder, named by data, model, level, seed and a hash of data and settings. The same command
after an interrupt goes on where it was; `--report` prints what there is. `charges.json` holds all results but the
course of each fit, `charges.png` draws them: means over the seeds, and their standard deviation.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.formula import Formula

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import errors_by_level
from electrolyte_ml.files import atomic_write
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials import ModelSpec, Potential
from electrolyte_ml.potentials.charges import identifiability
from electrolyte_ml.structures import read_configurations, species_of
from electrolyte_ml.training import evaluate_errors, train

MODELS = {"MTP": None, "MTP-QRd": "qrd"}  # name -> kind of the charges
QUANTITIES = {  # key of Errors -> name, factor from its unit, unit
    "energy_rmse": ("energy RMSE", 1e3, "meV/atom"),
    "force_rmse": ("force RMSE", 1.0, "eV/Å"),
    "force_mae": ("force MAE", 1.0, "eV/Å"),
    "stress_rmse": ("stress RMSE", 1.0, "GPa"),
    "pressure_bias": ("pressure bias", 1.0, "GPa"),
}


@dataclass(frozen=True)
class Data:
    """Labelled configurations and their split.

    Attributes
    ----------
    name : str
    digest : str
        Hash of the file, and of how it is split.
    parts : dict of str to list of Atoms
        "train", "held out", and each unseen composition.
    """

    name: str
    digest: str
    parts: Mapping[str, list[Atoms]]

    @property
    def reference(self) -> str | None:
        """Name of the level of theory that labelled the frames, if they say it."""
        names = {atoms.info.get("reference") for frames in self.parts.values() for atoms in frames}
        return names.pop() if len(names) == 1 else None

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols of the training part, by atomic number."""
        return species_of(self.parts["train"])


def read_data(name: str, path: Path, most: int) -> Data:
    """Read a file of labelled configurations and split it.

    Parameters
    ----------
    name
    path
    most
        Largest number of atoms to train on, of all frames together.

    Raises
    ------
    InputError
        A frame without a part where others have one; too few frames.
    """
    frames = [atoms for atoms in read_configurations(path, labelled=True) if len(atoms) > 1]
    parts: dict[str, list[Atoms]] = {"train": [], "held out": []}
    if not any("part" in atoms.info for atoms in frames):
        order = np.random.default_rng(0).permutation(len(frames))
        quarter = len(frames) // 4
        parts["held out"] = [frames[k] for k in sorted(order[:quarter])]
        parts["train"] = [frames[k] for k in sorted(order[quarter:])]
    else:
        for number, atoms in enumerate(frames, start=1):
            part = atoms.info.get("part")
            if part not in ("train", "held out", "unseen"):
                raise InputError(f"{path}: configuration {number} is of no part, but others are")
            parts.setdefault(f"unseen {atoms.info['composition']}" if part == "unseen" else part, []).append(atoms)
    order = np.random.default_rng(1).permutation(len(parts["train"]))
    atoms = np.cumsum([len(parts["train"][k]) for k in order])
    parts["train"] = [parts["train"][k] for k in np.sort(order[atoms <= most])]
    if not parts["train"] or not parts["held out"]:
        raise InputError(f"{path}: too few configurations to train on some and hold others out")
    return Data(name, hashlib.blake2b(path.read_bytes() + str(most).encode(), digest_size=4).hexdigest(), parts)


@dataclass(frozen=True)
class Fit:
    """One fit: what is learnt from which data."""

    data: Data
    model: str
    level: int
    seed: int
    iterations: int

    @property
    def start(self) -> Potential:
        """The random start."""
        return ModelSpec(level=self.level, charges=MODELS[self.model]).random(self.data.species, self.seed)

    @property
    def name(self) -> str:
        """Name of the fit's files, with the hash of its data."""
        return f"{self.data.name}_{self.model}_{self.level}_{self.seed}_{self.iterations}_{self.data.digest}"

    @property
    def cost(self) -> float:
        """Expected relative time: the labels times the parameters."""
        return sum(map(len, self.data.parts["train"])) * self.start.n_parameters

    def result(self, directory: Path) -> dict[str, Any] | None:
        """Return the result on disk, None if there is none."""
        file = directory / f"{self.name}.json"
        return json.loads(file.read_text()) if file.exists() else None


def fit(job: Fit, directory: Path) -> dict[str, Any]:
    """Train, test on every part, and write the result and the potential; another process may have done it meanwhile."""
    if (found := job.result(directory)) is not None:
        return found
    parts = job.data.parts
    began = time.perf_counter(), time.process_time()
    trained = train(
        parts["train"],
        job.start,
        max_iterations=job.iterations,
        threads=1,
        checkpoint=directory / f"{job.name}.npz",
        progress=False,
    )
    potential = trained.potential
    result: dict[str, Any] = {
        "data": job.data.name,
        "model": job.model,
        "level": job.level,
        "seed": job.seed,
        "iterations": job.iterations,
        "parameters": potential.n_parameters,
        "loss": trained.history[-1][1],
        "history": trained.history[:: max(1, len(trained.history) // 100)],
        "message": trained.message,
        "seconds": time.perf_counter() - began[0],
        "processor_seconds": time.process_time() - began[1],
        "errors": {name: asdict(evaluate_errors(potential, frames)) for name, frames in parts.items()},
    }
    if MODELS[job.model] is not None:
        result["identifiability"] = str(identifiability(job.data.species, parts["train"]))
        result["charges"] = {}  # composition -> species -> e
        compositions = {_ratio(atoms): atoms for part in parts.values() for atoms in part}
        for composition, atoms in compositions.items():
            charges = potential.evaluate(atoms).charges
            assert charges is not None  # the model has them
            result["charges"][composition] = dict(zip(atoms.get_chemical_symbols(), charges.tolist(), strict=True))
    potential.save(directory / f"{job.name}{potential.suffix}")
    atomic_write(directory / f"{job.name}.json", json.dumps(result, indent=1))
    return result


def _ratio(atoms: Atoms) -> str:
    """Return the formula of the smallest cell with the same ratio of elements."""
    return Formula.from_dict(Formula(atoms.get_chemical_formula("all")).reduce()[0].count()).format("hill")


def summary(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each set, part and level: each model's errors over the seeds, and their difference.

    Returns
    -------
    list of dict
        `data`, `part`, `level`; under each model's name and quantity (`mean`, `std`, `seeds`); under
        "difference" and quantity (`mean`, `std`): MTP-QRd less MTP and its standard error. Spreads of a single seed are
        None.
    """
    rows = []
    keys = dict.fromkeys((r["data"], part, r["level"]) for r in results for part in r["errors"])
    for data, part, level in keys:
        row: dict[str, Any] = {"data": data, "part": part, "level": level, "difference": {}}
        chosen = [r for r in results if r["data"] == data and r["level"] == level]
        for model in MODELS:
            errors = [r["errors"][part] for r in chosen if r["model"] == model]
            row[model] = {
                key: _spread([factor * e[key] for e in errors]) for key, (_, factor, _) in QUANTITIES.items() if errors
            }
        if all(row[model] for model in MODELS):
            for key in QUANTITIES:
                without, with_charges = (row[model][key] for model in MODELS)
                variances = [s["std"] and s["std"] ** 2 / s["seeds"] for s in (without, with_charges)]
                row["difference"][key] = {
                    "mean": with_charges["mean"] - without["mean"],
                    "std": None if None in variances else float(np.sqrt(sum(variances))),
                }
        rows.append(row)
    return rows


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": std, "seeds": len(values)}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the rows of `summary` as text."""
    lines = [
        f"{'set, part':32}{'level':>6} {'model':9}" + "".join(f"{n + ', ' + u:>26}" for n, _, u in QUANTITIES.values())
    ]
    for row in rows:
        for model in MODELS:
            if row[model]:
                cells = [f"{_text(s, '.4f')} ({s['seeds']})" for s in row[model].values()]
                lines.append(_line(row, model, cells))
        if row["difference"]:
            lines.append(_line(row, "change", [_text(s, "+.4f") for s in row["difference"].values()]))
    lines.append("Mean ± standard deviation over (number of) seeds; change: MTP-QRd less MTP ± its standard error.")
    return "\n".join(lines)


def _text(spread: Mapping[str, Any], form: str) -> str:
    text = format(spread["mean"], form)
    return text if spread["std"] is None else f"{text} ± {format(spread['std'], form.lstrip('+'))}"


def _line(row: Mapping[str, Any], what: str, cells: Sequence[str]) -> str:
    return f"{row['data'] + ', ' + row['part']:32}{row['level']:6} {what:9}" + "".join(f"{cell:>26}" for cell in cells)


def charges_text(results: Sequence[Mapping[str, Any]]) -> str:
    """Return what each set fixes of the charges, and the fitted charges by composition, as text."""
    lines = []
    charged = [r for r in results if "charges" in r]
    for data, level in dict.fromkeys((r["data"], r["level"]) for r in charged):
        chosen = [r for r in charged if r["data"] == data and r["level"] == level]
        lines.append(f"{data}, level {level}: {chosen[0]['identifiability']}")
        for composition, charges in chosen[0]["charges"].items():
            spreads = {z: _spread([r["charges"][composition][z] for r in chosen]) for z in charges}
            values = ", ".join(f"{z} {_text(s, '+.3f')}" for z, s in sorted(spreads.items()))
            lines.append(f"  {composition}: {values} e")
    return "\n".join(lines)


def report(fits: Sequence[Fit], directory: Path, reference: str) -> None:
    """Print what there is, and write it to `charges.json` and `charges.png`."""
    results = [result for job in fits if (result := job.result(directory)) is not None]
    print(f"{len(results)} of {len(fits)} fits are done")
    if not results:
        return
    rows = summary(results)
    print(table(rows), charges_text(results), sep="\n")
    sets = {job.data.name: job.data for job in fits}.values()
    labels = {data.name: data.reference or reference for data in sets}
    short = [{key: value for key, value in result.items() if key != "history"} for result in results]
    written = {"reference": labels, "iterations": fits[0].iterations, "summary": rows, "fits": short}
    atomic_write(directory / "charges.json", json.dumps(written, indent=1))
    figure = errors_by_level(
        rows,
        reference="; ".join(f"{name}: {label}" for name, label in labels.items()),
        note=f"{fits[0].iterations} iterations; "
        + ", ".join(f"{len(data.parts['train'])} frames of {data.name}" for data in sets),
    )
    figure.savefig(directory / "charges.png", dpi=150)


class Clock:
    """Prints after each fit how many are done and how long the others will take at the pace so far."""

    def __init__(self, costs: Sequence[float]) -> None:
        self.costs, self.began = costs, time.perf_counter()
        self.done: list[int] = []

    def __call__(self, index: int, result: Mapping[str, Any]) -> None:
        """Take note of a fit that has ended."""
        self.done.append(index)
        elapsed = time.perf_counter() - self.began
        done = sum(self.costs[k] for k in self.done)
        remaining = elapsed * (sum(self.costs) - done) / done
        errors = result["errors"]["held out"]
        print(
            f"[{len(self.done)}/{len(self.costs)}, {elapsed / 60:.1f} min, about {remaining / 60:.0f} min to go] "
            f"{result['data']} {result['model']} level {result['level']} seed {result['seed']}: held out "
            f"{1e3 * errors['energy_rmse']:.2f} meV/atom, {errors['force_rmse']:.4f} eV/Å; {result['message']}",
            flush=True,
        )


def main() -> None:
    """Read the arguments, fit what is missing, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="FILE or NAME=FILE")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--levels", type=int, nargs="+", default=[8, 12, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, default=400, help="of each fit, at most; the same for both models")
    parser.add_argument("--atoms", type=int, default=10_000, help="of each set's frames to train on, at most")
    parser.add_argument("--reference", default="not stated", help="what labelled files that do not say it")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once, each on one thread")
    parser.add_argument("--report", action="store_true", help="print what there is and fit nothing")
    options = parser.parse_args()

    sets = []
    for argument in options.data:
        name, _, path = argument.rpartition("=")
        if not Path(path).is_file():
            parser.error(f"{path}: there is no such file")
        sets.append(read_data(name or Path(path).stem, Path(path), options.atoms))
    # Low levels first, and all seeds of both models together: an early table is a fair one.
    fits = [
        Fit(data, model, level, seed, options.iterations)
        for level, data, seed, model in product(options.levels, sets, options.seeds, options.models)
    ]
    missing = [job for job in fits if job.result(options.output) is None]
    if missing and not options.report:
        options.output.mkdir(parents=True, exist_ok=True)
        clock = Clock([job.cost for job in missing])
        work = [(job, options.output) for job in missing]
        map_progress(_fit, work, options.jobs, on_result=clock, progress=False)
    report(fits, options.output, options.reference)


def _fit(work: tuple[Fit, Path]) -> dict[str, Any]:
    return fit(*work)


if __name__ == "__main__":
    main()
