"""The 28 claims of the paper in order, and their verdicts at a scale.

Parts of a claim that are judged from different evidence have their own letters and verdicts.
"""

from functools import partial

from electrolyte_ml.paper import experiment
from electrolyte_ml.paper.claims import (
    charges,
    electrolytes,
    exact,
    intermolecular,
    ion_pairs,
    mixtures,
    protocols,
    solvents,
)
from electrolyte_ml.paper.claims.evidence import COUNTED, from_handed, from_stored, shown
from electrolyte_ml.paper.claims.verdicts import Claim, JudgedClaim
from electrolyte_ml.paper.results import load_result
from electrolyte_ml.paper.scales import Scale, shipped

CLAIMS: tuple[Claim, ...] = (
    Claim(1, "a", "2.1, 4.1", "Parameters (H, C, O): level 16 383; level 20 651", "exact", exact.parameter_counts),
    Claim(1, "b", "2.2", "Parameters (H, C, O): MTP16-QRd 389", "exact", exact.charged_parameter_count),
    Claim(
        2,
        "",
        "2.1",
        "AIMD: NVT 400 K, 2 ps, 1 fs, 200 configurations; AL on 10 trajectories; 3 potentials; cutoff 5 Å",
        "protocol",
        from_handed(protocols.pure_solvents),
    ),
    Claim(3, "a", "2.1", "Cells: 16 EC (160 atoms), 8 EMC (120 atoms)", "protocol", from_handed(protocols.cells)),
    Claim(
        3,
        "b",
        "2.1",
        "Training sets end with 900–1400 configurations",
        "value",
        from_stored("pure_solvents", solvents.set_sizes),
    ),
    Claim(
        4,
        "",
        "Fig. 1a",
        "Density does not drift in NPT; ρ(300 K) of EC, EMC within about 6 % of experiment; 1σ over seeds about 2 %",
        "value",
        from_stored("pure_solvents", solvents.densities),
    ),
    Claim(
        5,
        "",
        "Fig. 1b",
        "The EC set spans 1.04–1.49 g/cm³; its AIMD part lies at low energy and high density",
        "trend",
        from_stored("pure_solvents", solvents.energy_density),
    ),
    Claim(
        6,
        "",
        "S1",
        "20 uniform + MaxVol → initial set; AL on 11 trajectories, 8–16 molecules, pure EC to pure EMC",
        "protocol",
        from_handed(protocols.mixtures),
    ),
    Claim(
        7,
        "",
        "2.2, S1",
        "About 500 configurations; 35.7 % EC, 56.9 % EMC, 7.3 % mixtures",
        "value",
        from_stored("mixture_training", mixtures.training_set),
    ),
    Claim(
        8,
        "",
        "Fig. 2",
        "ρ of EC, 7:3, 3:7, EMC; 300 ps NPT 300 K 1 atm 1 fs, last 100 ps; 33–45 Å, 3105–4320 atoms",
        "protocol",
        from_handed(protocols.mixture_densities),
    ),
    Claim(
        9,
        "",
        "Fig. 2",
        "MTP16 up to 11 % off for EMC; MTP20 like the pure potentials; QRd16 ≈ QRd20 ≈ MTP20",
        "trend",
        from_stored("mixture_density", mixtures.densities),
    ),
    Claim(
        10,
        "a",
        "2.2",
        "Some QRd models fail at some compositions: runs of density",
        "trend",
        from_stored("mixture_density", mixtures.failures),
    ),
    Claim(
        10,
        "b",
        "2.2",
        "Some QRd models fail at some compositions: charges of raw starts",
        "trend",
        shown("charges", charges.failing_fits, COUNTED),
    ),
    Claim(
        11,
        "",
        "Fig. S2",
        "Density against time for all four kinds of model",
        "figure",
        from_stored("mixture_density", mixtures.traces),
    ),
    Claim(
        12,
        "",
        "Fig. 3",
        "4 validation sets of 300 configurations from 100 ps; levels 12, 16, 20, MTP and QRd, 3 seeds",
        "protocol",
        from_handed(intermolecular.protocol),
    ),
    Claim(
        13,
        "a",
        "Fig. 3",
        "Energy errors within and between molecules above the total in most cases (cancellation)",
        "trend",
        from_stored("intermolecular_errors", intermolecular.cancellation),
    ),
    Claim(
        13,
        "b",
        "Fig. 3",
        "MTP12-QRd as accurate as MTP16 or more, MTP16-QRd as MTP20",
        "trend",
        from_stored("intermolecular_errors", intermolecular.next_level),
    ),
    Claim(
        13,
        "c",
        "Fig. 3",
        "Errors fall with the fraction of EMC",
        "trend",
        from_stored("intermolecular_errors", intermolecular.by_composition),
    ),
    Claim(
        14,
        "a",
        "Fig. 4, S4",
        "Force errors per site: carbonyl C worst, O at most 0.21 eV/Å, the rest below",
        "trend",
        from_stored("intermolecular_errors", intermolecular.sites),
    ),
    Claim(
        14,
        "b",
        "Fig. 4",
        "Force errors of EC above those of EMC",
        "trend",
        from_stored("intermolecular_errors", intermolecular.species),
    ),
    Claim(
        14,
        "c",
        "Fig. 4c, S3",
        "Forces of MTP and MTP-QRd differ most on the ether O and CH2 of EC",
        "trend",
        from_stored("intermolecular_errors", intermolecular.difference),
    ),
    Claim(
        15,
        "",
        "2.3.1",
        "4 CIP + 4 SSIP (143 atoms) + 3 AGG (286 atoms); 500 fs NVE AIMD at 300 K; CIP and SSIP first, then AGG",
        "protocol",
        from_handed(protocols.ion_pairs),
    ),
    Claim(
        16,
        "",
        "2.3.1",
        "Level 20 converged after 86 iterations, 6296 configurations",
        "value",
        from_stored("ion_pair_training", ion_pairs.learning),
    ),
    Claim(
        17,
        "",
        "Fig. 5",
        "Set: SSIP 51 %, CIP 46 %, AGG 3 %; just under 4 ligands per Li; CN near 4, higher in AGG",
        "trend",
        from_stored("ion_pair_set", ion_pairs.ion_pair_set),
    ),
    Claim(
        18,
        "",
        "Fig. 5",
        "Force errors worst on carbonyl C and P; about 15 % of the force on O at Li, 40 % on Li",
        "trend",
        from_stored("ion_pair_errors", ion_pairs.site_errors),
    ),
    Claim(
        19,
        "",
        "Fig. 5",
        "Li–O RDF of 8 LiPF6 in 80 EC: first and second maximum",
        "figure",
        from_stored("li_o", ion_pairs.li_o),
    ),
    Claim(
        20,
        "a",
        "S5",
        "QRd: force errors, their difference to MTP, and the charges",
        "figure",
        from_stored("ion_pair_errors", ion_pairs.charged_errors),
    ),
    Claim(
        20,
        "b",
        "S6",
        "Charges of the QRd models from random starts, physical or not",
        "figure",
        shown("charges", charges.fitted_charges, "±: standard deviation over the fits"),
    ),
    Claim(
        21,
        "",
        "4.6",
        "8 LiPF6 + 24/56, 32/48, 40/40; NPT 300 → 380 → 300 K, 1 ns each; 500 ps; 10 × 2.5 ns at 280, 300, 320 K",
        "protocol",
        from_handed(protocols.productions),
    ),
    Claim(
        22,
        "a",
        "Fig. 6",
        "MTP20: σ(T) within 11 % of experiment; rises with T, more steeply with more EC",
        "value, trend",
        from_stored(
            "conductivity_mtp",
            partial(electrolytes.conductivities, limit=experiment.PAPER_CONDUCTIVITY_DEVIATIONS["mtp"]),
        ),
    ),
    Claim(
        22,
        "b",
        "Fig. 6",
        "MTP20-QRd: σ(T) at 3:7 within 6 % of experiment; rises with T",
        "value, trend",
        from_stored(
            "conductivity_qrd",
            partial(electrolytes.conductivities, limit=experiment.PAPER_CONDUCTIVITY_DEVIATIONS["qrd"]),
        ),
    ),
    Claim(
        23,
        "a",
        "S7",
        "MTP20: σ against correlation time, with a plateau in the last 300 of 500 ps",
        "figure",
        from_stored("conductivity_mtp", partial(electrolytes.plateaus, correlation_ps=500.0, window_ps=300.0)),
    ),
    Claim(
        23,
        "b",
        "S8",
        "MTP20-QRd: σ against correlation time, with a plateau in the last 20 of 100 ps",
        "figure",
        from_stored("conductivity_qrd", partial(electrolytes.plateaus, correlation_ps=100.0, window_ps=20.0)),
    ),
    Claim(
        23,
        "c",
        "S7, S8",
        "Plateau windows: 500/300 ps and 100/20 ps",
        "protocol",
        from_handed(protocols.plateau_windows),
    ),
    Claim(
        24,
        "a",
        "4.6",
        "QRd: 50 runs of 200 ps",
        "protocol",
        from_handed(protocols.productions_with_charges),
    ),
    Claim(
        24,
        "b",
        "Table 1",
        "QRd: 17/14/6 of 50 runs completed → 3.4/2.8/1.2 ns",
        "table",
        from_stored("conductivity_qrd", electrolytes.survivors),
    ),
    Claim(
        25,
        "a",
        "2.3.3",
        "3:7, 300 K: MTP20 all SSIP",
        "trend",
        from_stored("solvation_mtp", electrolytes.pairs_of_mtp),
    ),
    Claim(
        25,
        "b",
        "2.3.3",
        "3:7, 300 K: QRd CIP 4.7 %, AGG 0.7 %",
        "trend",
        from_stored("solvation_qrd", electrolytes.pairs_of_qrd),
    ),
    Claim(
        26,
        "a",
        "Fig. 7",
        "MTP20: about 85 % of SSIP Li in networks of 2–8 joined by shared solvent, mostly EC through both its oxygens",
        "trend",
        from_stored("solvation_mtp", electrolytes.networks_of_mtp),
    ),
    Claim(
        26,
        "b",
        "Fig. 7",
        "QRd: 7.3 % of SSIP Li in networks, pairs only",
        "trend",
        from_stored("solvation_qrd", electrolytes.networks_of_qrd),
    ),
    Claim(
        27,
        "a",
        "S9",
        "MTP20: networks have more EC, more CN 5, fewer CN 3 than isolated SSIP",
        "trend",
        from_stored("solvation_mtp", electrolytes.network_shells),
    ),
    Claim(
        27,
        "b",
        "S9",
        "The same panels for QRd",
        "figure",
        from_stored("solvation_qrd", electrolytes.network_panels),
    ),
    Claim(
        28,
        "a",
        "4.3, 4.4, 4.5",
        "w_e 1, w_f 0.01, U(−1, 1), BFGS; γ 2 and 10; 100 ps, 1 fs, NPT 300 K 1 atm; PBE-D3(0), Γ, 550 eV, 1e-6 eV",
        "protocol",
        from_handed(protocols.method),
    ),
    Claim(
        28,
        "b",
        "4.5",
        "LiPF6 solutions: PBE-D3(0), 750 eV, 1e-6 eV",
        "protocol",
        from_handed(protocols.ion_pair_reference),
    ),
)


def judge_claims(scale: Scale) -> list[JudgedClaim]:
    """Judge every claim: exact ones by counting, protocols from the arguments passed, physics from stored results.

    Parameters
    ----------
    scale
        Scale whose stored results are read. Protocols are always those of the paper scale.
    """
    stored = load_result("pure_solvents", scale)
    reference = stored["reference"] if stored else scale.reference.name
    return [JudgedClaim(claim, claim.judge(scale), scale.name, reference) for claim in CLAIMS]


def judge_shipped_claims() -> list[JudgedClaim] | None:
    """Judge every claim from the standard scale's results in the source tree; None if there are none."""
    scale = shipped("standard")
    return None if scale is None else judge_claims(scale)
