"""Physical constants and conversions between units; the package works in eV, Å, amu, e and K."""

from electrolyte_ml.errors import InputError

GPA = 160.21766208  # GPa of 1 eV/Å³
COULOMB = 14.3996454  # eV·Å/e², the Coulomb constant
DENSITY_UNIT = 1.66053906660  # g/cm³ of 1 amu/Å³
BOLTZMANN = 1.380649e-23  # J/K
AVOGADRO = 6.02214076e23
ELEMENTARY_CHARGE = 1.602176634e-19  # C
CONDUCTIVITY_UNIT = ELEMENTARY_CHARGE**2 / BOLTZMANN * 1e22  # S/m of 1 e² Å⁻¹ ps⁻¹ K⁻¹: 1.8592e7
ONSAGER_UNIT = 1e22 / (BOLTZMANN * AVOGADRO**2)  # mol²/(J m s) of 1 Å⁻¹ ps⁻¹ K⁻¹
VISCOSITY_UNIT = 1e-29 / BOLTZMANN  # mPa s of 1 bar² Å³ ps K⁻¹
DIFFUSION_UNIT = 1e-4  # cm²/s of 1 Å²/ps
ATMOSPHERE_BAR = 1.01325  # bar of 1 atm

PRESSURE_UNITS = {"bar": 1.0, "atm": ATMOSPHERE_BAR, "Pa": 1e-5, "MPa": 10.0, "GPa": 1e4}  # bar


def conductivity_scale(volume: float, temperature: float) -> float:
    """Return the factor, S/m per e² Å²/ps, from an integrated current correlation to a conductivity.

    Parameters
    ----------
    volume
        Å³.
    temperature
        K.

    Raises
    ------
    InputError
        The volume or the temperature is not positive.
    """
    if not (volume > 0 and temperature > 0):
        raise InputError(f"the volume and the temperature must be positive, not {volume:g} Å³ and {temperature:g} K")
    return CONDUCTIVITY_UNIT / (volume * temperature)
