"""Time of a fit to reach a loss: the default method and the paper's plain BFGS, from the same random starts.

    python -m electrolyte_ml._benchmarks.fitting DATA --level 16 --train 128 --iterations 200 400

DATA holds labelled configurations (extended XYZ or .cfg). A part of them, chosen at random, is fitted and the rest held
out. The default method fits samples first, whose loss differs from that of all configurations: each of its rows is
therefore a separate run from the random start, timed as a whole. The paper's method has one run per seed, whose times
are compared at the losses that the default method reached. The loss is eq. (10) over all fitted configurations;
configurations of a single atom are left out, so that shifts are free.
"""

import argparse
import time

import numpy as np

from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.training import Loss, TrainingSet, Weights, evaluate_errors, train


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--level", type=int, default=16)
    parser.add_argument("--cutoff", type=float, default=5.0, help="in Å")
    parser.add_argument("--train", type=int, default=128, help="configurations to fit; the rest is held out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--iterations", type=int, nargs="+", default=[200, 400], help="of the default method")
    parser.add_argument("--paper-iterations", type=int, default=1500)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()

    liquids = [atoms for atoms in read_configurations(options.data, labelled=True) if len(atoms) > 1]
    if not 0 < options.train < len(liquids):
        parser.error(f"--train must leave some of the {len(liquids)} configurations of {options.data} out")
    species = sorted({symbol for atoms in liquids for symbol in atoms.get_chemical_symbols()})
    order = np.random.default_rng(0).permutation(len(liquids))
    fitted = [liquids[k] for k in order[: options.train]]
    held_out = [liquids[k] for k in order[options.train :]]
    spec = ModelSpec(level=options.level, cutoff=options.cutoff)
    data = TrainingSet(fitted, spec.random(species))
    print(
        f"level {options.level}, {len(species)} species, {len(fitted)} configurations of {sum(map(len, fitted))} atoms "
        f"fitted, {len(held_out)} held out"
    )
    print(f"{'method':12}{'seed':>5}{'iterations':>12}{'seconds':>10}{'loss':>10}  on configurations held out")
    for seed in options.seeds:
        start = spec.random(species, seed)
        loss = Loss(start, data, Weights(), options.threads)
        loss(start.parameters)  # compiles the kernels before the timing
        reached = []
        for iterations in options.iterations:
            start_time = time.perf_counter()
            result = train(fitted, start, max_iterations=iterations, threads=options.threads, progress=False)
            seconds = time.perf_counter() - start_time
            parameters = result.potential.parameters
            reached.append((loss.value(loss.residuals(parameters)), seconds))
            report("default", seed, iterations, seconds, reached[-1][0], evaluate_errors(result.potential, held_out))
        result = train(
            fitted, start, method="paper", max_iterations=options.paper_iterations, threads=options.threads,
            progress=False,
        )  # fmt: skip
        iteration, value, seconds = result.history[-1]
        report("paper", seed, iteration, seconds, value, evaluate_errors(result.potential, held_out))
        for value, seconds in reached:
            paper = next((s for _, v, s in result.history if v <= value), None)
            if paper is None:
                at_least = result.history[-1][2] / seconds
                print(
                    f"  loss {value:.4f}: the paper's method had not reached it, more than {at_least:.1f} times later"
                )
            else:
                print(f"  loss {value:.4f}: {paper / seconds:.1f} times sooner by the default method")


def report(method: str, seed: int, iterations: int, seconds: float, loss: float, errors: object) -> None:
    """Print one row of the table."""
    print(f"{method:12}{seed:5}{iterations:12}{seconds:10.1f}{loss:10.4f}  {errors}", flush=True)


if __name__ == "__main__":
    main()
