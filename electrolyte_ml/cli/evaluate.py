"""The command ``evaluate``, which measures the errors of potentials."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.cli.drawing import reference_of, save, scale_of
from electrolyte_ml.cli.grades import find_active_set
from electrolyte_ml.cli.messages import about
from electrolyte_ml.cli.options import (
    POTENTIAL,
    STORE,
    add_configurations,
    add_json,
    add_own_molecules,
    add_reference_settings,
    add_rows,
    add_species,
    add_store,
    add_training_set,
    on_executor,
    own_molecules,
    read,
    reference_settings,
    refuse_given,
)
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import as_json_text, check_output_file, check_output_folder

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from matplotlib.figure import Figure

    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.structures import Molecule

_FIGURES = ("parity", "sites", "grades", "parts", "maps")


def add_parser(subparsers: Subparsers) -> None:
    """Add ``evaluate``."""
    parser = add_command(
        subparsers,
        "evaluate",
        run_evaluate,
        "measure the errors of a potential, or of an ensemble, on labelled configurations",
        "evaluate pot.mtp test.xyz --sites --split --figure errors.png",
    )
    parser.add_argument("potentials", nargs="+", type=Path, metavar="POT", help=f"{POTENTIAL}; several are an ensemble")
    add_species(parser, "chemical symbols, for files without species")
    add_configurations(parser, labelled=True)
    parser.add_argument("--sites", action="store_true", help="print force errors by element, molecule and site")
    parser.add_argument(
        "--split",
        action="store_true",
        help="print errors within and between molecules by composition, for which single molecules are labelled",
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="PATH",
        help="folder of figures, or name of the first PNG, which the other names extend: parity by element, errors by "
        "site and, with an active set, errors against grades; with --sites maps on the molecules, with --split the "
        "errors within and between molecules",
    )
    add_training_set(
        parser, "training set of the potential, for grades (default: active_set.npz beside the potential, if it exists)"
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="reference that labels the molecules of --split (default: that of the data)"
    )
    add_reference_settings(parser)
    add_store(parser)
    add_rows(parser)
    add_own_molecules(parser)
    add_json(parser)


@on_executor
def run_evaluate(args: argparse.Namespace) -> None:
    """Print the errors of potentials, and draw them."""
    from electrolyte_ml.potentials import load
    from electrolyte_ml.training import evaluate_errors

    paths = _figure_paths(args.figure)
    _check_options(args)
    potentials = [load(path, species=args.species) for path in args.potentials]
    configurations = read(args, args.data, potentials[0].species, labelled=True)
    _compare_references(args, potentials, configurations)
    own = own_molecules(args.molecule)
    printed: dict[str, Any] = {}
    with about(args.data):
        for path, potential in zip(args.potentials, potentials, strict=True):
            errors = evaluate_errors(potential, configurations)
            values = {
                name: None if value != value else value for name, value in asdict(errors).items()
            }  # NaN means that no configuration has that label; JSON has no NaN
            printed |= values if len(potentials) == 1 else {str(path): values}
            if not args.json:
                print(errors if len(potentials) == 1 else f"{path}: {errors}")
        report = _Report(args, potentials, configurations, own, paths)
        if args.sites or paths:
            printed |= report.sites()
        if args.split:
            printed |= report.split()
    if args.json:
        print(as_json_text(printed))


def _compare_references(
    args: argparse.Namespace, potentials: Sequence[Potential], configurations: Sequence[Atoms]
) -> None:
    """Print a warning if potential and data have different levels of theory, whose differences enter the errors."""
    labelled_by = sorted({str(atoms.info["reference"]) for atoms in configurations if "reference" in atoms.info})
    for path, potential in zip(args.potentials, potentials, strict=True):
        others = [name for name in labelled_by if potential.label_reference not in (None, name)]
        if others:
            print(
                f"warning: {path} was trained on labels of {potential.label_reference}, {args.data} has labels of "
                f"{', '.join(others)}: the errors include the differences between these references",
                file=sys.stderr,
            )


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that need other options or a single potential."""
    if args.figure is None:
        refuse_given(args, ("train", "mode", "terms"), "--figure, which draws the grades")
    if args.train is not None and len(args.potentials) > 1:
        raise InputError("--train needs a single potential: each of an ensemble has an active set of its own")
    if args.molecule and not (args.sites or args.split or args.figure):
        raise InputError("--molecule needs --sites, --split or --figure")
    if not args.split:
        options = {
            "reference": args.reference,
            "set": args.set,
            "jobs": args.jobs != 1,
            "executor": args.executor is not None,
            "store": args.store != STORE,
        }
        for option, is_given in options.items():
            if is_given:
                raise InputError(f"--{option} needs --split")


@dataclass(frozen=True)
class _Report:
    """Results of ``--sites``, ``--split`` and ``--figure`` for potentials on labelled configurations."""

    args: argparse.Namespace
    potentials: Sequence[Potential]
    configurations: Sequence[Atoms]
    own: dict[str, Molecule]
    paths: dict[str, Path]

    def sites(self) -> dict[str, Any]:
        """Print errors by group, or return them for JSON, and draw figures."""
        import numpy as np

        from electrolyte_ml.analysis import group_atoms, group_errors
        from electrolyte_ml.training import predict

        args, configurations = self.args, self.configurations
        predictions = [predict(potential, configurations) for potential in self.potentials]
        mean = replace(
            predictions[0],
            energies=np.mean([prediction.energies for prediction in predictions], axis=0),
            forces=np.mean([prediction.forces for prediction in predictions], axis=0),
        )
        groups = group_atoms(configurations, self.own)
        forces = np.array([prediction.forces for prediction in predictions])
        grouped = group_errors(groups, mean.reference_forces, forces, len(configurations))
        printed: dict[str, Any] = {}
        if args.sites and args.json:
            printed["groups"] = grouped.to_dict()
        elif args.sites:
            print(grouped)
        if not self.paths:
            return printed
        from electrolyte_ml.figures import parity_by_element, site_errors

        reference = reference_of(configurations)
        compositions = [atoms.symbols.formula.reduce()[0].format("hill") for atoms in configurations]
        of_mean = f", mean of {len(predictions)} potentials" if len(predictions) > 1 else ""
        parity = parity_by_element(
            mean, groups.elements, compositions, reference=reference, scale=f"{self._scale}{of_mean}"
        )
        self._save(parity, "parity")
        self._save(site_errors(grouped, reference=reference, scale=self._scale), "sites")
        if args.sites and not args.split:
            self._draw_maps({"total": grouped.lengths}, reference)
        self._draw_grades(((mean.forces - mean.reference_forces) ** 2).mean(axis=1), reference)
        return printed

    def split(self) -> dict[str, Any]:
        """Print errors within and between molecules, or return them for JSON, and draw them."""
        from electrolyte_ml.analysis import Liquid, split_errors, split_potential, split_reference
        from electrolyte_ml.reference import LabelStore, get

        args = self.args
        reference = get(args.reference or _labelled_by(self.configurations), **reference_settings(args))
        liquid = Liquid.of(self.configurations, self.own)
        store = LabelStore(args.store)
        if not args.json:
            print(store.estimate(liquid.molecules, reference, args.jobs), file=sys.stderr, flush=True)
        reference_parts = split_reference(liquid, reference, store, args.jobs, progress=not args.json)
        parts = [split_potential(liquid, potential) for potential in self.potentials]
        errors = split_errors(liquid, reference_parts, parts, self.own)
        if not args.json:
            print(errors)
        if self.paths:
            from electrolyte_ml.figures import part_errors

            figure = part_errors({self._kind: errors}, reference=reference.name, scale=self._scale)
            self._save(figure, "parts")
            if args.sites:
                lengths = {part: grouped.lengths for part, grouped in errors.overall.sites.items()}
                self._draw_maps(lengths, reference.name)
        return {"split": errors.to_dict()} if args.json else {}

    @property
    def _kind(self) -> str:
        """Name of the potentials in a figure."""
        count = len(self.potentials)
        return self.args.potentials[0].stem if count == 1 else f"{count} potentials"

    @property
    def _scale(self) -> str:
        return scale_of(self.args.data, self.configurations)

    def _save(self, figure: Figure, name: str) -> None:
        save(figure, self.paths[name], self.args.json)

    def _draw_maps(self, lengths: dict[str, dict[tuple[str, str], float]], reference: str) -> None:
        """Draw force errors on the molecules; print a warning if RDKit is missing."""
        from electrolyte_ml.figures import site_maps

        if not any(lengths.values()):
            return  # no molecule is known
        try:
            figure = site_maps(
                lengths,
                title="Force errors on the molecules",
                quantity="mean length of the force error (eV/Å)",
                reference=reference,
                scale=self._scale,
                own_molecules=self.own,
            )
        except InputError as error:
            print(f"warning: no maps are drawn: {error}", file=sys.stderr)
            return
        self._save(figure, "maps")

    def _draw_grades(self, squares: np.ndarray, reference: str) -> None:
        """Draw errors against grades if there is an active set; `squares` (N,) are the atoms' squared force errors."""
        from electrolyte_ml.figures import grade_errors

        if len(self.potentials) > 1:
            return
        try:
            active_set = find_active_set(self.args, self.potentials[0], self.args.potentials[0])
        except InputError as error:
            if self.args.train is not None:
                raise
            print(f"warning: no grades are drawn: {error}", file=sys.stderr)  # no error: no option requires grades
            return
        if active_set is None:
            return
        grades, errors, of = _graded(active_set, self.configurations, squares)
        self._save(grade_errors(grades, errors, of=of, reference=reference, scale=self._scale), "grades")


def _labelled_by(configurations: Sequence[Atoms]) -> str:
    """Return the preset of the reference in the configurations' info.

    Raises
    ------
    InputError
        The configurations have no reference, several references, or one that is not a preset.
    """
    from electrolyte_ml.reference import preset_named

    names = sorted({str(atoms.info.get("reference", "")) for atoms in configurations})
    if names == [""]:
        raise InputError("the data do not contain the name of their reference: name it with --reference")
    if len(names) > 1:
        raise InputError(f"the data were labelled by {', '.join(names)}: name one with --reference")
    preset = preset_named(names[0])
    if preset is None:
        raise InputError(f"the data were labelled by {names[0]}, which is not a preset: name it with --reference")
    return preset


def _graded(
    active_set: ActiveSet, configurations: Sequence[Atoms], squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return grades and rms force errors of atoms or configurations, and "atom" or "configuration"."""
    import numpy as np

    if active_set.mode == "neighbourhood":
        grades = np.concatenate([active_set.grades(atoms) for atoms in configurations])
        return grades, np.sqrt(squares), "atom"
    ends = np.cumsum([len(atoms) for atoms in configurations])[:-1]
    errors = np.array([np.sqrt(part.mean()) for part in np.split(squares, ends)])
    return np.array([active_set.grade(atoms) for atoms in configurations]), errors, "configuration"


def _figure_paths(path: Path | None) -> dict[str, Path]:
    """Return the file of each figure: in a folder, or with names that extend that of a PNG."""
    if path is None:
        return {}
    if path.suffix == ".png":
        paths = {name: path if name == "parity" else path.with_name(f"{path.stem}_{name}.png") for name in _FIGURES}
        for file in paths.values():
            check_output_file(file)
        return paths
    if path.suffix:
        raise InputError(f"--figure {path}: name a folder or a PNG")
    check_output_folder(path)
    return {name: path / f"{name}.png" for name in _FIGURES}
