"""Claims 10 and 20 on the charges of MTP-QRd, from results stored by :mod:`electrolyte_ml.paper.stored`."""

from typing import Any

import numpy as np


def failing_fits(stored: dict[str, Any]) -> str:
    """Count the fits from the paper's and from our starts whose charges fail at each planned composition."""
    counts = {group: np.sum(failed, axis=0).tolist() for group, failed in stored["fits"].items()}
    totals = {group: len(failed) for group, failed in stored["fits"].items()}
    by_plan = [
        f"{plan} " + ", ".join(f"{counts[group][k]} of {totals[group]} {group}" for group in counts)
        for k, plan in enumerate(stored["planned"])
    ]
    return f"fits of one composition whose charges change by more than 0.5 e or meet the pole: {'; '.join(by_plan)}"


def fitted_charges(stored: dict[str, Any]) -> str:
    """Return mean and spread of the fitted charges at the trained composition, and force errors, in words."""
    trained = next(iter(stored["charges"].values()))
    text = []
    for group, charges in trained.items():
        values = np.array(charges)
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
        of_species = ", ".join(
            f"{symbol} {mean:+.1f} ± {deviation:.1f}"
            for symbol, mean, deviation in zip(stored["species"], values.mean(axis=0), spread)
        )
        _, unseen, planned = np.median(stored["force_errors"][group], axis=0)
        text.append(
            f"{group}, {len(values)} fits: {of_species} e; median force error {unseen:.2f} eV/Å at the "
            f"trained composition, {planned:.2f} at another"
        )
    return "; ".join(text)
