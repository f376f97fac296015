"""Figures: one function per figure, which draws given results and returns a matplotlib figure."""

from electrolyte_ml.figures.audit import reference_audit
from electrolyte_ml.figures.charges import (
    charges_by_composition,
    dipoles,
    errors_by_level,
    ewald_convergence,
    failing_shares,
    fitted_charges,
    gauge_comparison,
    identified_directions,
)
from electrolyte_ml.figures.conductivity import (
    conductivity_methods,
    conductivity_temperature,
    interval_coverage,
    running_conductivity,
)
from electrolyte_ml.figures.errors import grade_errors, parity_by_element, site_errors
from electrolyte_ml.figures.fig1 import density_comparison, density_trace, energy_density
from electrolyte_ml.figures.graded_run import graded_frames, view_run
from electrolyte_ml.figures.grades import grade_trace, maxvol_plane
from electrolyte_ml.figures.ion_pairs import coordinated_errors, element_charges, ion_pair_set, models_compared
from electrolyte_ml.figures.learning import learning_progress, training_history
from electrolyte_ml.figures.learning_curve import learning_curve
from electrolyte_ml.figures.live.charges import gauge_sliders, identified_sliders, pole_sliders
from electrolyte_ml.figures.live.cutoffs import cutoff_sliders
from electrolyte_ml.figures.live.models import model_sliders
from electrolyte_ml.figures.live.plateau import plateau_sliders
from electrolyte_ml.figures.live.thresholds import threshold_sliders
from electrolyte_ml.figures.mixtures import mixture_densities, mixture_set, mixture_traces
from electrolyte_ml.figures.model import basis_growth, parity, radial_functions
from electrolyte_ml.figures.molecule_maps import site_maps, snapshot_map
from electrolyte_ml.figures.parts import part_errors
from electrolyte_ml.figures.shells import (
    coordination_numbers,
    denticity,
    ion_pairs,
    network_shells,
    network_sizes,
    radial_distribution,
    residence,
    solvation_overview,
)
from electrolyte_ml.figures.sliders import sliders
from electrolyte_ml.figures.view import picture, view

__all__ = [
    "basis_growth",
    "charges_by_composition",
    "conductivity_methods",
    "conductivity_temperature",
    "coordinated_errors",
    "coordination_numbers",
    "cutoff_sliders",
    "density_comparison",
    "density_trace",
    "denticity",
    "dipoles",
    "element_charges",
    "energy_density",
    "errors_by_level",
    "ewald_convergence",
    "failing_shares",
    "fitted_charges",
    "gauge_comparison",
    "gauge_sliders",
    "grade_errors",
    "grade_trace",
    "graded_frames",
    "identified_directions",
    "identified_sliders",
    "interval_coverage",
    "ion_pair_set",
    "ion_pairs",
    "learning_curve",
    "learning_progress",
    "maxvol_plane",
    "mixture_densities",
    "mixture_set",
    "mixture_traces",
    "model_sliders",
    "models_compared",
    "network_shells",
    "network_sizes",
    "parity",
    "parity_by_element",
    "part_errors",
    "picture",
    "plateau_sliders",
    "pole_sliders",
    "radial_distribution",
    "radial_functions",
    "reference_audit",
    "residence",
    "running_conductivity",
    "site_errors",
    "site_maps",
    "sliders",
    "snapshot_map",
    "solvation_overview",
    "threshold_sliders",
    "training_history",
    "view",
    "view_run",
]
