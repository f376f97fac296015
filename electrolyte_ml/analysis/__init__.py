"""Analysis of trajectories: densities, shells and ion pairs, networks, transport."""

from electrolyte_ml.analysis.density import (
    DensityResult,
    EnsembleDensity,
    block_errors,
    ensemble_density,
    mean_density,
    mean_error,
)
from electrolyte_ml.lazy import attach

_HOME = {  # name -> module, imported on first use
    "Audit": "audit",
    "audit_reference": "audit",
    "Binding": "binding",
    "binding_energy": "binding",
    "complexes": "binding",
    "Estimate": "bootstrap",
    "ConductivityResult": "conductivity",
    "measure_conductivity": "conductivity",
    "Cutoff": "contacts",
    "find_contacts": "contacts",
    "find_cutoffs": "contacts",
    "Plateau": "correlation",
    "find_plateau": "correlation",
    "kinisi_conductivity": "crosschecks",
    "stacie_conductivity": "crosschecks",
    "TransportEstimate": "estimates",
    "Networks": "networks",
    "analyse_networks": "networks",
    "OnsagerResult": "onsager",
    "onsager_coefficients": "onsager",
    "solvent_frame": "onsager",
    "transference_numbers": "onsager",
    "Production": "production",
    "expected_error": "production",
    "needed_time": "production",
    "RadialDistribution": "rdf",
    "radial_distributions": "rdf",
    "Residence": "residence",
    "to_solute": "solute",
    "Solvation": "solvation",
    "analyse_solvation": "solvation",
    "find_shells": "run_shells",
    "OrnsteinUhlenbeckIons": "synthetic",
    "NernstEinsteinResult": "independent_ions",
    "einstein_helfand": "transport",
    "green_kubo": "transport",
    "nernst_einstein": "independent_ions",
    "viscosity": "transport",
}

__all__ = [
    "DensityResult",
    "EnsembleDensity",
    "block_errors",
    "ensemble_density",
    "mean_density",
    "mean_error",
    *_HOME,
]
__getattr__, __dir__ = attach(__name__, _HOME)
