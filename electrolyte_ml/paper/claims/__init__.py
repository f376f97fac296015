"""Every claim of the paper as data, each with the function that judges it from what was computed here.

Three kinds: *exact* claims hold at every scale; *protocol* claims hold when the paper scale of
:mod:`electrolyte_ml.paper.scales` has these very numbers; *values* and *trends* are physics, judged from stored
results at the standard scale and above. At the quick scale the same machinery runs, and its numbers are shown but not
judged.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.results import load_result
from electrolyte_ml.paper.scales import PAPER, Scale
from electrolyte_ml.units import ATMOSPHERE_BAR

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run at this scale"
SHOWN = "shown, not judged at this scale"


@dataclass(frozen=True)
class Outcome:
    """What we have to set beside a claim: our value, the measured one, and the verdict."""

    verdict: str
    ours: str = ""
    experiment: str = ""


Judge = Callable[[Scale], Outcome]


@dataclass(frozen=True)
class Claim:
    """One row of the table: where the paper says it, what it says, its kind, and how it is judged."""

    number: int
    where: str
    paper: str
    kind: str
    judge: Callable[[Scale], Outcome] = lambda scale: Outcome(NOT_RUN)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its outcome at one scale."""

    claim: Claim
    outcome: Outcome
    scale: str
    reference: str


def _verdict(holds: bool) -> str:
    return REPRODUCED if holds else NOT_REPRODUCED


def _physics(holds: bool, scale: Scale) -> str:
    """Judge a value or a trend, which the quick scale is too small for."""
    return SHOWN if scale.name == "quick" else _verdict(holds)


def _of_solvents(judge: Callable[[dict[str, Any], Scale], Outcome]) -> Callable[[Scale], Outcome]:
    """Judge from the stored result ``pure_solvents``, one entry per solvent."""

    def judged(scale: Scale) -> Outcome:
        stored = load_result("pure_solvents", scale)
        return judge(stored["solvents"], scale) if stored else Outcome(NOT_RUN)

    return judged


def _settings_hold(holds: Callable[[], bool]) -> Callable[[Scale], Outcome]:
    """Judge a protocol whose runs are not part of any notebook yet: its settings are there, its numbers are not."""

    def judged(scale: Scale) -> Outcome:
        return Outcome(NOT_RUN, "settings hold the numbers") if holds() else Outcome(NOT_REPRODUCED, "settings differ")

    return judged


# -- exact ------------------------------------------------------------------------------------------------------------


def _parameter_counts(scale: Scale) -> Outcome:
    from electrolyte_ml.potentials import MomentTensorPotential

    ours = tuple(MomentTensorPotential.random(level, ("H", "C", "O")).n_parameters for level in (16, 20))
    # Charges add b and s per species to the level-16 potential: 383 + 2 * 3, of which the paper counts all six.
    charged = ours[0] + 2 * 3
    return Outcome(
        _verdict((*ours, charged) == (383, 651, 389)), f"{ours[0]}; {ours[1]}; {ours[0]} + 2 per species = {charged}"
    )


# -- protocols --------------------------------------------------------------------------------------------------------


def _pure_protocol(scale: Scale) -> Outcome:
    protocol = PAPER.pure_solvents
    learning, seeding = protocol.learning, protocol.learning.seeding
    holds = (
        (seeding.ensemble, seeding.temperature, seeding.time_ps, seeding.timestep_fs) == ("nvt", 400.0, 2.0, 1.0)
        and seeding.configurations == 200
        and learning.exploration.trajectories == 10
        and len(protocol.seeds) == 3
        and learning.model.cutoff == 5.0
    )
    return Outcome(_verdict(holds), "in the paper scale's settings")


def _method_protocol(scale: Scale) -> Outcome:
    learning, dft = PAPER.pure_solvents.learning, {"encut": 550, "ediff": 1e-6}
    fit, grades, run = learning.fit, learning.grades, learning.exploration
    holds = (
        (fit.method, fit.energy_weight, fit.force_weight, fit.stress_weight) == ("paper", 1.0, 0.01, 0.0)
        and (grades.save_threshold, grades.break_threshold) == (2.0, 10.0)
        and (run.ensemble, run.temperature, run.pressure_bar, run.time_ps, run.timestep_fs)
        == ("npt", 300.0, ATMOSPHERE_BAR, 100.0, 1.0)
        and (learning.reference.name, learning.reference.settings) == ("vasp-pbe-d3", dft)
        and PAPER.ion_pair_training is not None
        and PAPER.ion_pair_training.reference.settings == {**dft, "encut": 750}
    )
    return Outcome(_verdict(holds), "in the paper scale's settings")


def _mixture_training_protocol() -> bool:
    protocol = PAPER.mixture_training
    return protocol is not None and (
        protocol.uniform_configurations,
        protocol.learning.exploration.trajectories,
        protocol.molecules,
    ) == (20, 11, (8, 16))


def _mixture_density_protocol() -> bool:
    protocol = PAPER.mixture_density
    return protocol is not None and (
        protocol.density.cells == ("EC=432", "EC=189 EMC=81", "EC=81 EMC=189", "EMC=288")
        and (protocol.density.run.time_ps, protocol.density.average_last_ps) == (300.0, 100.0)
        and (protocol.density.run.temperature, protocol.density.run.timestep_fs) == (300.0, 1.0)
    )


def _intermolecular_protocol() -> bool:
    protocol = PAPER.intermolecular_errors
    return protocol is not None and (
        (len(protocol.ratios), protocol.configurations, protocol.sampling.time_ps) == (4, 300, 100.0)
        and (protocol.levels, len(protocol.seeds)) == ((12, 16, 20), 3)
    )


def _ion_pair_protocol() -> bool:
    protocol = PAPER.ion_pair_training
    return protocol is not None and (
        (protocol.contact_pairs, protocol.separated_pairs, protocol.aggregates) == (4, 4, 3)
        and (protocol.seeding.ensemble, protocol.seeding.temperature, protocol.seeding.time_ps) == ("nve", 300.0, 0.5)
    )


def _conductivity_protocol() -> bool:
    protocol = PAPER.conductivity
    return protocol is not None and (
        protocol.temperatures == (280.0, 300.0, 320.0)
        and [ps for _, _, ps in protocol.annealing] == [1000.0] * 5
        and (protocol.mtp.trajectories, protocol.mtp.time_ps, protocol.mtp.equilibration_ps) == (10, 2500.0, 500.0)
    )


def _plateau_protocol() -> bool:
    protocol = PAPER.conductivity
    return protocol is not None and (
        (protocol.mtp.correlation_ps, protocol.mtp.window_ps) == (500.0, 300.0)
        and (protocol.qrd.correlation_ps, protocol.qrd.window_ps) == (100.0, 20.0)
    )


def _charged_runs_protocol() -> bool:
    protocol = PAPER.conductivity
    return protocol is not None and (protocol.qrd.trajectories, protocol.qrd.time_ps) == (50, 200.0)


# -- values and trends, from stored results ---------------------------------------------------------------------------


def _set_sizes(solvents: dict[str, Any], scale: Scale) -> Outcome:
    sizes = {name: len(entry["set_energies"]) for name, entry in solvents.items()}
    cells = PAPER.pure_solvents.cells == ("EC=16", "EMC=8")
    ours = ", ".join(f"{name} {size} configurations" for name, size in sizes.items())
    return Outcome(_physics(cells and all(900 <= size <= 1400 for size in sizes.values()), scale), ours)


def _densities(solvents: dict[str, Any], scale: Scale) -> Outcome:
    ours, measured, holds = [], [], []
    for name, entry in solvents.items():
        density, known = np.asarray(entry["densities"]), float(entry["experiment"])
        mean, spread = density.mean(), density.std(ddof=1) if len(density) > 1 else 0.0
        deviation = mean / known - 1.0
        ours.append(f"{name} {mean:.3f} ± {spread:.3f} ({deviation:+.1%})" + (" drifts" if entry["drifts"] else ""))
        measured.append(f"{name} {known:.3f}")
        near = abs(deviation) <= experiment.PAPER_DENSITY_DEVIATION and spread / mean <= experiment.PAPER_DENSITY_SPREAD
        holds.append(near and not entry["drifts"])
    return Outcome(_physics(all(holds), scale), "; ".join(ours), "; ".join(measured))


def _energy_density(solvents: dict[str, Any], scale: Scale) -> Outcome:
    entry = solvents.get("EC")
    if entry is None:
        return Outcome(NOT_RUN)
    energy, density = np.asarray(entry["set_energies"]), np.asarray(entry["set_densities"])
    seeded = int(entry["seeded"])
    if seeded == len(energy):
        return Outcome(_physics(False, scale), "nothing was learnt beyond the seeds")
    lower = energy[:seeded].mean() < energy[seeded:].mean()
    denser = density[:seeded].mean() > density[seeded:].mean()
    wide = density.min() <= 1.04 and density.max() >= 1.49
    ours = (
        f"{density.min():.2f}–{density.max():.2f} g/cm³; AIMD part {'lower' if lower else 'higher'} in energy, "
        f"{'denser' if denser else 'less dense'}"
    )
    return Outcome(_physics(lower and denser and wide, scale), ours)


# -- the electrolytes, from what electrolyte_ml.analysis.stored keeps --------------------------------------------------


def _of_models(what: str, judge: Callable[[dict[str, Any], dict[str, Any] | None, Scale], Outcome]) -> Judge:
    """Judge from the stored results of MTP and, where it was run, of MTP-QRd."""

    def judged(scale: Scale) -> Outcome:
        mtp, qrd = (load_result(f"{what}_{model}", scale) for model in ("mtp", "qrd"))
        if mtp is None:
            return Outcome(NOT_RUN)
        outcome = judge(mtp, qrd, scale)
        return outcome if qrd else replace(outcome, ours=f"{outcome.ours}; MTP-QRd not run")

    return judged


def _or_settings(stored: Judge, settings: Judge) -> Judge:
    """Judge from results where there are some, else say whether the settings hold the numbers."""

    def judged(scale: Scale) -> Outcome:
        outcome = stored(scale)
        return settings(scale) if outcome.verdict == NOT_RUN else outcome

    return judged


def _points(stored: dict[str, Any]) -> dict[str, dict[float, dict[str, Any]]]:
    """Ratio -> temperature -> stored conductivity, in order of temperature."""
    return {
        ratio: {float(t): by[t] for t in sorted(by, key=float)} for ratio, by in stored["points"].items() if len(by)
    }


def _conductivities(mtp: dict[str, Any], qrd: dict[str, Any] | None, scale: Scale) -> Outcome:
    parts, holds = [], []
    for name, stored, limit in (
        ("MTP", mtp, experiment.PAPER_CONDUCTIVITY_DEVIATION),
        ("MTP-QRd", qrd, experiment.PAPER_CONDUCTIVITY_DEVIATION_QRD),
    ):
        if stored is None:
            continue
        points = _points(stored)
        off = [
            by[t]["value"] / experiment.conductivities(ratio)[t].value - 1
            for ratio, by in points.items()
            for t in by
            if t in experiment.conductivities(ratio)
        ]
        values = {ratio: [point["value"] for point in by.values()] for ratio, by in points.items()}
        rises = all(len(row) > 1 and min(np.diff(row)) > 0 for row in values.values())
        deviation = float(np.mean(np.abs(off)))
        holds += [deviation <= limit, rises]
        parts.append(f"{name} {deviation:.0%} off in {len(off)} points, {'rises' if rises else 'does not rise'} with T")
        if list(values) == ["3:7", "2:3", "1:1"]:
            steeper = bool(min(np.diff([row[-1] - row[0] for row in values.values()])) > 0)
            holds.append(steeper)
            parts[-1] += f", {'more' if steeper else 'not more'} steeply with more EC"
    measured = "; ".join(
        f"{ratio} {', '.join(f'{m.value:g}' for m in experiment.conductivities(ratio).values())}"
        for ratio in _points(mtp)
    )
    return Outcome(_physics(all(holds), scale), "; ".join(parts), f"{measured} mS/cm at 280, 300, 320 K")


def _plateaus(mtp: dict[str, Any], qrd: dict[str, Any] | None, scale: Scale) -> Outcome:
    protocol, parts, holds = PAPER.conductivity, [], []
    assert protocol is not None
    for name, stored, runs in (("MTP", mtp, protocol.mtp), ("MTP-QRd", qrd, protocol.qrd)):
        if stored is None:
            continue
        points = [point for by in _points(stored).values() for point in by.values()]
        window = [runs.correlation_ps - runs.window_ps, runs.correlation_ps]
        same = all(point.get("window_ps") == window for point in points)
        flat = sum(abs(point.get("change_in_window", np.inf)) <= 2.0 * point["error"] for point in points)
        holds += [same, flat == len(points)]
        parts.append(
            f"{name} {'read off the same windows' if same else 'read off other windows'}, "
            f"flat within 2 errors in {flat} of {len(points)}"
        )
    return Outcome(_physics(all(holds), scale), "; ".join(parts))


def _survivors(scale: Scale) -> Outcome:
    stored = load_result("conductivity_qrd", scale)
    by_temperature = (stored or {}).get("production", {}).get("3:7")
    if not by_temperature:
        return Outcome(NOT_RUN)
    runs = [by_temperature[t] for t in sorted(by_temperature, key=float)]
    completed = [run["completed"] for run in runs]
    holds = all(run["planned"] == 50 and run["completed"] < 50 for run in runs) and bool(np.all(np.diff(completed) < 0))
    ended = "/".join(f"{run['completed']} of {run['planned']}" for run in runs)
    length = "/".join(f"{run['completed_ps'] / 1000:.2g}" for run in runs)
    return Outcome(_physics(holds, scale), f"{ended} completed → {length} ns")


def _value(estimates: dict[str, Any], key: str) -> float:
    """Value of a stored estimate; 0 for a category that was never seen, NaN for one of which there was nothing."""
    value = estimates[key]["value"] if key in estimates else 0.0
    return float("nan") if value is None else float(value)


def _mean_number(distribution: dict[str, Any]) -> float:
    return sum(int(number) * _value(distribution, number) for number in distribution)


def _ion_pair_set(scale: Scale) -> Outcome:
    stored = load_result("ion_pair_set", scale)
    if stored is None:
        return Outcome(NOT_RUN)
    found = stored["solvation"]
    ssip, cip, agg = (_value(found["ion_pairs"], kind) for kind in ("SSIP", "CIP", "AGG"))
    ligands, number = _value(found["ligands"], "all"), _value(found["coordination"], "all")
    by = found["coordination_distribution"]
    higher = agg > 0 and _mean_number(by["AGG"]) > number
    holds = ssip > cip > agg > 0 and 3.5 <= ligands < 4.0 and abs(number - 4.0) <= 0.5 and higher
    ours = f"SSIP {ssip:.0%}, CIP {cip:.0%}, AGG {agg:.0%}; {ligands:.2f} ligands per Li; CN {number:.2f}"
    return Outcome(_physics(holds, scale), ours)


def _li_o(scale: Scale) -> Outcome:
    stored = (load_result("ion_pair_set", scale) or {}).get("li_o")
    if stored is None:
        return Outcome(NOT_RUN)
    shell = stored["shell"]
    if shell is None:
        return Outcome(_physics(False, scale), "no first shell is told from noise")
    r, g = np.asarray(stored["r"]), np.asarray(stored["g"])
    behind = r > shell["minimum"]
    second = float(r[behind][np.argmax(g[behind])])
    ours = f"maxima at {shell['peak']:.2f} and {second:.2f} Å, {shell['coordination']:.1f} O in the first shell"
    return Outcome(_physics(1.90 <= shell["peak"] <= 2.04, scale), ours, "first at 1.90–2.04 Å, about 4 O")


def _pairs_of_models(mtp: dict[str, Any], qrd: dict[str, Any] | None, scale: Scale) -> Outcome:
    parts, holds = [], []
    for name, stored in (("MTP", mtp), ("MTP-QRd", qrd)):
        if stored is None:
            continue
        pairs = stored["solvation"]["ion_pairs"]
        ssip, cip, agg = (_value(pairs, kind) for kind in ("SSIP", "CIP", "AGG"))
        holds.append(ssip > 0.99 if name == "MTP" else 0 < agg < cip < 0.1)
        parts.append(f"{name} SSIP {ssip:.1%}, CIP {cip:.1%}, AGG {agg:.1%}")
    return Outcome(_physics(all(holds), scale), "; ".join(parts))


def _networks(mtp: dict[str, Any], qrd: dict[str, Any] | None, scale: Scale) -> Outcome:
    parts, holds = [], []
    for name, stored in (("MTP", mtp), ("MTP-QRd", qrd)):
        if stored is None:
            continue
        found = stored["networks"]
        joined = _value(found, "networked")
        sizes = [0] + [int(size) for size in found["sizes"] if _value(found["sizes"], size) > 0]
        through = _value(found["bridges"], "EC")
        both = _value(found["bridge_donors"].get("EC", {}), "carbonyl+ether")
        holds.append(joined > 0.5 and max(sizes) <= 8 and through * both > 0.5 if name == "MTP" else joined < 0.2)
        parts.append(
            f"{name} {joined:.0%} in networks of up to {max(sizes)}, {through * both:.0%} of bridges EC by both O"
        )
    return Outcome(_physics(all(holds), scale), "; ".join(parts))


def _network_shells(mtp: dict[str, Any], qrd: dict[str, Any] | None, scale: Scale) -> Outcome:
    found = mtp["networks"]
    ec_alone, ec_joined = (_value(found["ligands"][side], "EC") for side in ("isolated", "network"))
    alone, joined = (
        {n: _value(found["coordination_distribution"][side], str(n)) for n in (3, 5)}
        for side in ("isolated", "network")
    )
    holds = ec_joined > ec_alone and joined[5] > alone[5] and joined[3] < alone[3]
    ours = (
        f"networks against isolated: EC {ec_joined:.2f}, {ec_alone:.2f}; CN 5 {joined[5]:.0%}, {alone[5]:.0%}; "
        f"CN 3 {joined[3]:.0%}, {alone[3]:.0%}"
    )
    return Outcome(_physics(holds, scale), ours)


CLAIMS: tuple[Claim, ...] = (
    Claim(1, "2.1, 4.1", "Parameters: level 16 383; level 20 651; MTP16-QRd 389 (H, C, O)", "exact", _parameter_counts),
    Claim(
        2,
        "2.1",
        "AIMD: NVT 400 K, 2 ps, 1 fs, 200 configurations; AL on 10 trajectories; 3 potentials; cutoff 5 Å",
        "protocol",
        _pure_protocol,
    ),
    Claim(
        3,
        "2.1",
        "Cells: 16 EC (160 atoms), 8 EMC (120); sets end with 900–1400 configurations",
        "protocol, value",
        _of_solvents(_set_sizes),
    ),
    Claim(
        4,
        "Fig. 1a",
        "Density does not drift in NPT; ρ(300 K) of EC, EMC within about 6 % of experiment; 1σ over seeds about 2 %",
        "value",
        _of_solvents(_densities),
    ),
    Claim(
        5,
        "Fig. 1b",
        "The EC set spans 1.04–1.49 g/cm³; its AIMD part lies at low energy and high density",
        "trend",
        _of_solvents(_energy_density),
    ),
    Claim(
        6,
        "S1",
        "20 uniform + MaxVol → initial set; AL on 11 trajectories, 8–16 molecules, pure EC to pure EMC",
        "protocol",
        _settings_hold(_mixture_training_protocol),
    ),
    Claim(7, "2.2, S1", "About 500 configurations; 35.7 % EC, 56.9 % EMC, 7.3 % mixtures", "value"),
    Claim(
        8,
        "Fig. 2",
        "ρ of EC, 7:3, 3:7, EMC; 300 ps NPT 300 K 1 atm 1 fs, last 100 ps; 3105–4320 atoms",
        "protocol",
        _settings_hold(_mixture_density_protocol),
    ),
    Claim(9, "Fig. 2", "MTP16 up to 11 % off for EMC; MTP20 like the pure potentials; QRd16 ≈ QRd20 ≈ MTP20", "trend"),
    Claim(10, "2.2", "Some QRd models fail at some compositions", "trend"),
    Claim(11, "Fig. S2", "Density against time for all four kinds of model", "figure"),
    Claim(
        12,
        "Fig. 3",
        "4 validation sets of 300 configurations from 100 ps; levels 12, 16, 20, MTP and QRd, 3 seeds",
        "protocol",
        _settings_hold(_intermolecular_protocol),
    ),
    Claim(
        13,
        "Fig. 3",
        "Intra and inter energy errors above total; QRd12 ≥ MTP16, QRd16 ≥ MTP20; errors fall with EMC fraction",
        "trend",
    ),
    Claim(14, "Fig. 4, S3, S4", "Force errors per site: carbonyl C worst, O ≤ 0.21 eV/Å, rest small", "trend"),
    Claim(
        15,
        "2.3.1",
        "4 CIP + 4 SSIP (143 atoms) + 3 AGG (286 atoms); 500 fs NVE AIMD at 300 K",
        "protocol",
        _settings_hold(_ion_pair_protocol),
    ),
    Claim(16, "2.3.1", "Level 20 converged after 86 iterations, 6296 configurations", "value"),
    Claim(
        17,
        "Fig. 5",
        "Set: SSIP 51 %, CIP 46 %, AGG 3 %; just under 4 ligands per Li; CN near 4",
        "trend",
        _ion_pair_set,
    ),
    Claim(18, "Fig. 5", "Force errors worst on carbonyl C and P; about 15 % of the force on O, 40 % on Li", "trend"),
    Claim(19, "Fig. 5", "Li–O RDF of 8 LiPF6 in 80 EC: first and second maximum", "figure", _li_o),
    Claim(20, "S5, S6", "QRd force errors; charges of the QRd models, physical or not", "figure"),
    Claim(
        21,
        "4.6",
        "8 LiPF6 + 24/56, 32/48, 40/40; NPT 300 → 380 → 300 K, 1 ns each; 500 ps; 10 × 2.5 ns at 280, 300, 320 K",
        "protocol",
        _settings_hold(_conductivity_protocol),
    ),
    Claim(
        22,
        "Fig. 6",
        "σ(T) within 11 % of experiment (MTP20), 6 % (QRd20); rises with T, more steeply with more EC",
        "value, trend",
        _of_models("conductivity", _conductivities),
    ),
    Claim(
        23,
        "S7, S8",
        "σ against correlation time; plateau windows 500/300 ps and 100/20 ps",
        "figure",
        _or_settings(_of_models("conductivity", _plateaus), _settings_hold(_plateau_protocol)),
    ),
    Claim(
        24,
        "Table 1",
        "QRd: 50 × 200 ps, 17/14/6 completed → 3.4/2.8/1.2 ns",
        "protocol, table",
        _or_settings(_survivors, _settings_hold(_charged_runs_protocol)),
    ),
    Claim(
        25,
        "2.3.3",
        "3:7, 300 K: MTP20 all SSIP; QRd CIP 4.7 %, AGG 0.7 %",
        "trend",
        _of_models("solvation", _pairs_of_models),
    ),
    Claim(
        26,
        "Fig. 7",
        "About 85 % of SSIP Li in networks of 2–8, mostly through both O of EC; QRd 7.3 %, pairs only",
        "trend",
        _of_models("solvation", _networks),
    ),
    Claim(
        27,
        "S9",
        "Networks: more EC, more CN 5, fewer CN 3 than isolated SSIP",
        "trend",
        _of_models("solvation", _network_shells),
    ),
    Claim(
        28,
        "4.3, 4.4, 4.5",
        "w_e 1, w_f 0.01, U(−1, 1), BFGS; γ 2 and 10; 100 ps, 1 fs, NPT 300 K 1 atm; PBE-D3(0), Γ, 550/750 eV, 1e-6 eV",
        "protocol",
        _method_protocol,
    ),
)


def judge_claims(scale: Scale) -> list[JudgedClaim]:
    """Judge every claim from the results stored at a scale.

    The result ``pure_solvents`` is a dictionary ``{"reference": name, "solvents": {"EC": {...}, "EMC": {...}}}`` whose
    entries hold ``densities`` (g/cm³, one per seed), ``experiment`` (g/cm³), ``drifts`` (bool), ``set_energies``
    (eV/atom) and ``set_densities`` (g/cm³), one per configuration of the training set in the order in which they
    joined it, and ``seeded``, how many of them came from the seeding run. Those of the electrolytes are written by
    :mod:`electrolyte_ml.paper.stored`.
    """
    stored = load_result("pure_solvents", scale)
    reference = stored["reference"] if stored else scale.reference.name
    return [JudgedClaim(claim, claim.judge(scale), scale.name, reference) for claim in CLAIMS]


def format_claims(judged: Sequence[JudgedClaim], width: int = 60) -> str:
    """Return the claims as a plain table: number, place, claim, ours, experiment, verdict."""
    rows: list[tuple[str, ...]] = [("#", "where", "paper", "ours", "experiment", "verdict")]
    rows += [
        (str(j.claim.number), j.claim.where, j.claim.paper, j.outcome.ours, j.outcome.experiment, j.outcome.verdict)
        for j in judged
    ]
    rows = [tuple(cell if len(cell) <= width else cell[: width - 1] + "…" for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * size for size in widths))
    heading = f"Claims of the paper at the {judged[0].scale} scale, labels by {judged[0].reference}\n"
    return heading + "\n".join(lines)


def claims_html(judged: Sequence[JudgedClaim]) -> str:
    """Return the claims as an HTML table."""
    head = "".join(f"<th>{name}</th>" for name in ("#", "where", "paper", "kind", "ours", "experiment", "verdict"))
    rows = []
    for j in judged:
        claim, outcome = j.claim, j.outcome
        cells = (claim.number, claim.where, claim.paper, claim.kind, outcome.ours, outcome.experiment)
        style = ' class="bad"' if outcome.verdict == NOT_REPRODUCED else ""
        row = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        rows.append(f"<tr>{row}<td{style}>{html.escape(outcome.verdict)}</td></tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"
