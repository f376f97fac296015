"""Claims of the paper, their verdicts, and the evidence of each verdict."""

from collections.abc import Callable
from dataclasses import dataclass

from electrolyte_ml.paper.scales import Scale

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_RUN_AT_SCALE = "not run at this scale"
NOT_RUN = "not run"  # a protocol or the reference is missing


@dataclass(frozen=True)
class Outcome:
    """Verdict on a claim with its evidence.

    Attributes
    ----------
    verdict : str
        `REPRODUCED`, `NOT_REPRODUCED`, `NOT_RUN_AT_SCALE` or `NOT_RUN`.
    ours, experiment : str
        Our value and the measured one.
    judged_from : tuple of str
        Evidence: ``"file: standard/pure_solvents.json"`` (relative to the folder of results),
        ``"object: MomentTensorPotential.n_parameters"`` or ``"handed to training.train: method=paper"`` (a function of
        `electrolyte_ml`).
    uncertainty : str
        Of our value, and what it stands for; empty where none was estimated.
    reference : str
        What labelled the data behind a stored result; empty where the verdict rests on none.

    Raises
    ------
    ValueError
        The verdict is "reproduced" or "not reproduced" without evidence.
    """

    verdict: str
    ours: str = ""
    experiment: str = ""
    judged_from: tuple[str, ...] = ()
    uncertainty: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        if self.verdict in (REPRODUCED, NOT_REPRODUCED) and not self.judged_from:
            raise ValueError(f"the verdict {self.verdict!r} needs evidence")


Judge = Callable[[Scale], Outcome]


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes
    ----------
    number : int
        Row of the list of claims, 1 to 28.
    part : str
        Letter of a part with its own verdict, or empty.
    where : str
        Section, figure or table of the paper.
    paper : str
        Statement of the paper.
    kind : str
        "exact", "protocol", "value", "trend", "figure", "table", or two of them.
    judge : callable
        Scale -> `Outcome`.
    """

    number: int
    part: str
    where: str
    paper: str
    kind: str
    judge: Judge

    @property
    def label(self) -> str:
        """Number and part, such as "22a"."""
        return f"{self.number}{self.part}"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its outcome, and the names of the scale and of the reference of its data."""

    claim: Claim
    outcome: Outcome
    scale: str
    reference: str


def verdict(holds: bool) -> str:
    """Return the verdict on a claim that was judged."""
    return REPRODUCED if holds else NOT_REPRODUCED
