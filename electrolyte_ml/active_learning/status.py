"""Status table of an active-learning run: one row per iteration, as text, HTML, CSV and JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import overload

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import read_json


@dataclass(frozen=True)
class IterationStatus:
    """Status of one iteration; number 0 is the seeding.

    Attributes
    ----------
    iteration : int
    saved : int
        Number of configurations that the trajectories saved; in the seeding, of labelled steps.
    selected : int
        Number of these that MaxVol selected; in the seeding, of those in the training set.
    failed : int
        Number of selected configurations that the reference could not label; they are left out.
    size : int
        Number of configurations of the training set after the iteration.
    max_grade : float or None
        Highest grade of all trajectories.
    energy_rmse, force_rmse : float
        Errors of the potential on its training set after the iteration: meV/atom, eV/Å.
    seconds : float
        Wall time.
    stops : dict of str to int
        Reason of the end -> number of trajectories.
    ranks : dict of str to (int, int)
        Rank of the active rows by term, and the largest possible: `ActiveSet.ranks`. Empty in runs of older versions.
    species_ranks : dict of str to (int, int)
        Rank of the active rows by species, for parameters that belong to its atoms alone, and the largest possible:
        `ActiveSet.species_ranks`. Empty in runs of older versions.
    shortage : str
        Message on species that the seeding does not cover, with advice; empty if it covers all.
    least_certain : str
        Atom of the highest grade among the saved configurations; empty if none is saved or single atoms are not graded,
        and in runs of older versions.
    undetermined : sequence of str
        Quantities that the compositions of the training set leave undetermined: `Potential.undetermined`.
    """

    iteration: int
    saved: int
    selected: int
    failed: int
    size: int
    max_grade: float | None
    energy_rmse: float
    force_rmse: float
    seconds: float
    stops: dict[str, int]
    ranks: dict[str, Sequence[int]] = field(default_factory=dict)
    undetermined: Sequence[str] = ()
    species_ranks: dict[str, Sequence[int]] = field(default_factory=dict)
    shortage: str = ""
    least_certain: str = ""

    @classmethod
    def read(cls, path: Path) -> IterationStatus:
        """Read the status of a complete iteration.

        Raises
        ------
        InputError
            The file is damaged, or is not the status of an iteration; the message names it.
        """
        record = read_json(path)
        try:
            status = cls(**record)
            counts = (status.iteration, status.saved, status.selected, status.failed, status.size)
            numbers = (status.energy_rmse, status.force_rmse, status.seconds, status.max_grade or 0.0)
            if any(type(count) is not int or count < 0 for count in counts):
                raise ValueError("its counts must be whole numbers, 0 or more")
            if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in numbers):
                raise ValueError("its errors, times and grades must be numbers")
            if any(value < 0 for value in numbers) or not all(map(math.isfinite, numbers[:3])):
                raise ValueError("its errors and times must be finite, and no number negative")
            if any(type(count) is not int or count < 0 for count in dict(status.stops).values()):
                raise ValueError("its stops must be counts")
            ranks = [*dict(status.ranks).values(), *dict(status.species_ranks).values()]
            if any(len(rank) != 2 or any(type(count) is not int or count < 0 for count in rank) for rank in ranks):
                raise ValueError("its ranks must be pairs of whole numbers")
            if not all(isinstance(text, str) for text in (status.shortage, status.least_certain, *status.undetermined)):
                raise ValueError("its remarks must be texts")
        except (TypeError, ValueError) as error:
            raise InputError(f"{path} is damaged: not the status of an iteration ({first_line(error)})") from None
        return status

    @property
    def ranks_text(self) -> str:
        """Ranks by term, such as "mtp 57/61, qrd 2/4"."""
        return ", ".join(f"{name} {rank}/{largest}" for name, (rank, largest) in self.ranks.items()) or "-"

    @property
    def species_ranks_text(self) -> str:
        """Ranks by species, such as "H 97/97, Li 88/97"."""
        return ", ".join(f"{name} {rank}/{largest}" for name, (rank, largest) in self.species_ranks.items()) or "-"

    @property
    def short_ranks_text(self) -> str:
        """Ranks of the species that are below the largest possible, such as "Li 88/97"; "full" if there are none."""
        short = {name: ranks for name, ranks in self.species_ranks.items() if ranks[0] < ranks[1]}
        text = ", ".join(f"{name} {rank}/{largest}" for name, (rank, largest) in short.items())
        return text or ("full" if self.species_ranks else "-")

    @property
    def undetermined_text(self) -> str:
        """Undetermined quantities as a sentence; empty if there are none."""
        return f"The training set does not fix {', '.join(self.undetermined)}." if self.undetermined else ""

    @property
    def stops_text(self) -> str:
        """Reasons of the ends of trajectories with their counts, the most frequent first."""
        ranked = sorted(self.stops.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {reason}" for reason, count in ranked)


_COLUMNS = (
    ("iteration", 9, lambda row: f"{row.iteration}"),
    ("saved", 6, lambda row: f"{row.saved}"),
    ("selected", 8, lambda row: f"{row.selected}"),
    ("failed", 6, lambda row: f"{row.failed}"),
    ("set", 6, lambda row: f"{row.size}"),
    ("max grade", 9, lambda row: "-" if row.max_grade is None else f"{row.max_grade:.3g}"),
    ("E meV/atom", 10, lambda row: f"{row.energy_rmse:.2f}"),
    ("F eV/Å", 7, lambda row: f"{row.force_rmse:.3f}"),
    ("time s", 7, lambda row: f"{row.seconds:.1f}"),
    ("rank", 20, lambda row: row.ranks_text),
    ("rank by species", 20, lambda row: row.short_ranks_text),
    ("trajectories ended", 0, lambda row: row.stops_text),
)


class StatusTable(Sequence[IterationStatus]):
    """Status of all iterations of a run, shown as a table in print and in a notebook.

    `notes` follow the table: species that the seeding does not cover, and quantities that the last training set leaves
    undetermined.
    """

    def __init__(self, rows: Sequence[IterationStatus] = ()) -> None:
        self.rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> IterationStatus: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[IterationStatus, ...]: ...
    def __getitem__(self, index: int | slice) -> IterationStatus | tuple[IterationStatus, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def header() -> str:
        """Return the first line of the printed table."""
        return "  ".join(name.rjust(width) for name, width, _ in _COLUMNS)

    @staticmethod
    def line(row: IterationStatus) -> str:
        """Return the line of an iteration in the printed table."""
        return "  ".join(text(row).rjust(width) for _, width, text in _COLUMNS)

    def __str__(self) -> str:
        return "\n".join([self.header(), *map(self.line, self.rows), *self.notes])

    __repr__ = __str__

    @property
    def undetermined(self) -> str:
        """Quantities that the last training set leaves undetermined, as a sentence; empty if there are none."""
        return self.rows[-1].undetermined_text if self.rows else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences below the table, on species that the seeding does not cover and on undetermined quantities."""
        shortage = self.rows[0].shortage if self.rows else ""
        return tuple(text for text in (shortage, self.undetermined) if text)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name, *_ in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text(row))}</td>" for *_, text in _COLUMNS) + "</tr>"
            for row in self.rows
        )
        below = "".join(f"<p>{html.escape(text)}</p>" for text in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"

    def to_csv(self) -> str:
        """Return all rows as CSV, with all digits."""
        names = [item.name for item in fields(IterationStatus)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows:
            values = asdict(row) | {"stops": row.stops_text, "ranks": row.ranks_text}
            values["species_ranks"] = row.species_ranks_text
            values["undetermined"] = "; ".join(row.undetermined)
            writer.writerow(["" if values[name] is None else values[name] for name in names])
        return text.getvalue()

    def to_json(self) -> str:
        """Return all rows as a JSON list."""
        return json.dumps([asdict(row) for row in self.rows], indent=1) + "\n"
