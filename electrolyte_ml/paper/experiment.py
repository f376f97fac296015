"""Measured values with their sources, and values of the paper and of its density functional."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from electrolyte_ml.errors import InputError

WANG = (
    "Wang et al., SolventSeg data set (2022), salt-free EC:EMC; interpolated to 300 K and to molar ratio, "
    "which is 26.6 wt% EC for 3:7 and 66.4 wt% for 7:3"
)
EC_EXTRAPOLATED = (
    "1.3214 g/cm³ at 313 K, extrapolated into the supercooled liquid (EC melts at 309 K); "
    "compilation: P. H. Johnson, The properties of ethylene carbonate (1985)"
)
PBE_D3_BJ = "dynamics by a well-trained machine-learning potential of PBE-D3(BJ): the functional's own value"


@dataclass(frozen=True)
class Measurement:
    """A value with its source.

    Attributes
    ----------
    value, error
        Value and standard uncertainty, in `unit`; the error is None if the source gives none.
    unit
        Unit of value and error.
    temperature
        K.
    source
        Origin of the value, and how it was derived from it.
    """

    value: float
    error: float | None
    unit: str
    temperature: float
    source: str


# Densities of liquids at ambient pressure by name; mixtures are EC:EMC by amount of substance.
DENSITY: dict[str, Measurement] = {
    "EC": Measurement(1.33, 0.01, "g/cm³", 300.0, EC_EXTRAPOLATED),
    "EC:EMC 7:3": Measurement(1.211, None, "g/cm³", 300.0, WANG),
    "EC:EMC 3:7": Measurement(1.082, None, "g/cm³", 300.0, WANG),
    "EMC": Measurement(1.004, None, "g/cm³", 300.0, WANG),
}

# The functional's own error of a density is 4 to 7 %: potentials are also compared with these densities.
DENSITY_PBE_D3_BJ: dict[str, Measurement] = {
    "EC": Measurement(1.233, None, "g/cm³", 313.0, PBE_D3_BJ),
    "EC:EMC 7:3": Measurement(1.129, None, "g/cm³", 298.0, PBE_D3_BJ),
    "EC:EMC 3:7": Measurement(1.041, None, "g/cm³", 298.0, PBE_D3_BJ),
    "EMC": Measurement(0.965, None, "g/cm³", 298.0, PBE_D3_BJ),
}

DING = (
    "M. S. Ding et al., J. Electrochem. Soc. 148, A1196 (2001), as digitised in CALiSol-23 (Sci. Data 11, 750, 2024); "
    "interpolated in temperature, composition and salt content, to 1.007 (3:7), 1.024 (2:3) and 1.041 mol/kg (1:1)"
)

WANG_LIPF6 = (
    "Wang et al., SolventSeg data set (2022); second-order polynomial in weight fraction of EC, mole fraction of LiPF6 "
    "and temperature, fitted to its 200 densities at 283 to 313 K (rms deviation 0.001 g/cm³); extrapolated to 280 and "
    "320 K"
)

DING_BRIEFLY = "Ding 2001; laboratories differ by 4-7 %"  # for captions


def _by_ratio(
    rows: Mapping[str, Sequence[float]], error: float | None, unit: str, source: str
) -> dict[str, dict[float, Measurement]]:
    """Return values at 280, 300 and 320 K by EC:EMC molar ratio and temperature (K)."""
    return {
        ratio: {
            temperature: Measurement(value, error, unit, temperature, source)
            for temperature, value in zip((280.0, 300.0, 320.0), values, strict=True)
        }
        for ratio, values in rows.items()
    }


# LiPF6 in EC:EMC at the molality of the paper's cells, by amount of substance (3:7 is 26.6 wt% EC) and temperature.
CONDUCTIVITY = _by_ratio(
    {"3:7": (5.97, 8.82, 11.70), "2:3": (6.17, 9.46, 12.93), "1:1": (6.13, 9.74, 13.62)}, None, "mS/cm", DING
)

# Density of the same solutions.
ELECTROLYTE_DENSITY = _by_ratio(
    {"3:7": (1.175, 1.152, 1.129), "2:3": (1.203, 1.180, 1.157), "1:1": (1.234, 1.211, 1.188)},
    0.001,
    "g/cm³",
    WANG_LIPF6,
)

# First maximum of g(r) of Li and O in carbonate solutions, Å, by X-ray and neutron scattering; about 4 O belong to it.
LI_O_PEAK = (1.90, 2.04)

# Section 2.3.3: mean absolute deviations stated in the paper, for MTP at all compositions and for MTP-QRd at 3:7.
PAPER_CONDUCTIVITY_DEVIATIONS = {"mtp": 0.11, "qrd": 0.06}

# Section 2.1 of the paper, on its ensembles of three for EC and for EMC at 300 K; Fig. 1a has no numbers.
PAPER_DENSITY_DEVIATION = 0.06  # "about 6 % on average" from experiment
PAPER_DENSITY_SPREAD = 0.02  # "approximately 2 %" 1σ over random initialisations

# Section 2.1: lowest and highest density of the training set by liquid, g/cm³ (Fig. 1b).
PAPER_SET_DENSITIES: dict[str, tuple[float, float]] = {"EC": (1.04, 1.49)}


def density(liquid: str) -> Measurement:
    """Return the measured density of a liquid.

    Parameters
    ----------
    liquid
        "EC", "EMC", "EC:EMC 3:7" or "EC:EMC 7:3" (molar ratios).

    Raises
    ------
    InputError
        No measured density of this liquid is known.
    """
    if liquid not in DENSITY:
        raise InputError(f"no measured density of {liquid!r}; there are {', '.join(DENSITY)}")
    return DENSITY[liquid]


def electrolyte_density(ratio: str, temperature: float) -> Measurement:
    """Return the measured density of LiPF6 in EC:EMC at the molality of the paper's cells.

    Parameters
    ----------
    ratio
        EC:EMC molar ratio: "3:7", "2:3" or "1:1".
    temperature
        280, 300 or 320 K.

    Raises
    ------
    InputError
        No measured density at this condition is known.
    """
    if temperature not in (known := ELECTROLYTE_DENSITY.get(ratio, {})):
        raise InputError(f"no measured density of LiPF6 in EC:EMC {ratio} at {temperature:g} K is known")
    return known[temperature]


def conductivities(ratio: str) -> dict[float, Measurement]:
    """Return the measured conductivities of LiPF6 in EC:EMC by temperature (K), mS/cm.

    Parameters
    ----------
    ratio
        EC:EMC by amount of substance: "3:7", "2:3" or "1:1".

    Raises
    ------
    InputError
        No measured conductivity at this ratio is known.
    """
    if ratio not in CONDUCTIVITY:
        raise InputError(f"no measured conductivity of EC:EMC {ratio!r}; there are {', '.join(CONDUCTIVITY)}")
    return CONDUCTIVITY[ratio]
