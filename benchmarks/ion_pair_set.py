"""Labelled ion pairs and aggregates of LiPF6 in EC and EMC, from which notebooks 10 and 11 learn at the quick scale.

    python benchmarks/ion_pair_set.py -o lipf6_pairs.extxyz --results results

Two SSIP, two CIP and one AGG are packed, relaxed by GFN1-xTB and followed by its dynamics; active learning from
``data/lipf6_ratios.extxyz`` and from these adds what its short trajectories meet (section 2.3.1 of the paper). The set
is all of it but what was inherited from that file. Labels and runs are kept in the folder of results: the same command
after an interrupt computes none twice.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from electrolyte_ml.active_learning.sections import FitSettings, StoppingSettings
from electrolyte_ml.paper.ion_pairs import STAGES, learn_ion_pairs, motif_dynamics
from electrolyte_ml.paper.scales import QUICK, Scale
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import read_configurations, write_configurations


def protocol(results: Path) -> Scale:
    """Return the quick scale with more cells, longer relaxations and dynamics, and a larger model."""
    quick = QUICK.ion_pair_training
    assert quick is not None
    learning = replace(
        quick.learning,
        model=ModelSpec(level=8),
        seeding=replace(quick.learning.seeding, time_ps=0.01),
        exploration=replace(quick.learning.exploration, time_ps=1.0, most_saved=4),
        fit=FitSettings(iterations=150, refit_iterations=60),
        stopping=StoppingSettings(max_iterations=2),
    )
    training = replace(
        quick,
        contact_pairs=2,
        separated_pairs=2,
        cells=("EC=2 EMC=2 LiPF6=1",),
        relaxation_steps=8,
        learning=learning,
        sets=("lipf6_ratios.extxyz",),
    )
    return replace(QUICK, results=results, ion_pair_training=training)


def main() -> None:
    """Learn, and write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER")
    args = parser.parse_args()
    scale = protocol(args.results)
    learnt = learn_ion_pairs(scale)
    found = [atoms for stage in STAGES for atoms in read_configurations(motif_dynamics(scale, stage))]
    found += [atoms for run in learnt for atoms in run.training_set if atoms.info["iteration"] > 0]
    write_configurations(args.output, found)
    print(f"{len(found)} configurations in {args.output}")


if __name__ == "__main__":
    main()
