"""Commands that make structures: ``box``, ``motif`` and ``molecule``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from electrolyte_ml.cli.options import (
    add_output,
    add_own_molecules,
    add_reference_settings,
    add_seed,
    add_store,
    count,
    on_executor,
    own_molecules,
    positive,
    reference_settings,
    refuse_given,
)
from electrolyte_ml.cli.parser import INCOMPLETE, Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.structures import Molecule


def add_parser(subparsers: Subparsers) -> None:
    """Add ``box``, ``motif`` and ``molecule``."""
    parser = add_command(
        subparsers,
        "box",
        run_box,
        "pack molecules into a periodic box",
        "box EC=16 --density 1.3 -o box.xyz\n  electrolyte-ml box 'C1COC(=O)O1=8' LiTFSI=1 --density 1.4 -o box.xyz",
    )
    _add_composition(parser)
    parser.add_argument("--charge", type=int, default=0, metavar="Q", help="total charge of the box, e (default 0)")
    add_own_molecules(parser)
    add_seed(parser, "seed of the packing")
    add_output(parser, "configuration to write")

    parser = add_command(
        subparsers,
        "motif",
        run_motif,
        "pack cells with one kind of solvated ion pair",
        "motif EC=3 EMC=7 LiPF6=1 --kind cip --count 4 --density 1.15 -o cip.xyz\n"
        "  electrolyte-ml motif PC=8 NaPF6=1 --kind ssip --density 1.2 --relax --reference gfn1-xtb -o ssip.xyz",
    )
    _add_composition(parser)
    parser.add_argument(
        "--kind",
        choices=("ssip", "cip", "agg"),
        required=True,
        help="kind of all cations: solvent-separated pair, contact pair, or aggregate of two cations and two anions in "
        "a doubled cell",
    )
    parser.add_argument("--count", type=count, default=1, metavar="N", help="number of different cells (default 1)")
    parser.add_argument(
        "--donors", type=count, default=4, metavar="N", help="number of donors around each cation (default 4)"
    )
    parser.add_argument("--relax", action="store_true", help="minimise the energy over positions and cell")
    parser.add_argument("--reference", default="gfn1-xtb", help="reference for the relaxation (default gfn1-xtb)")
    add_reference_settings(parser)
    parser.add_argument("--fmax", type=positive, default=0.05, help="largest force of a minimum, eV/Å (default 0.05)")
    parser.add_argument(
        "--steps", type=count, default=200, metavar="N", help="largest number of steps of a relaxation (default 200)"
    )
    add_store(parser)
    add_own_molecules(parser)
    add_seed(parser, "seed of the packing")
    add_output(parser, "configurations to write")

    parser = add_command(
        subparsers,
        "molecule",
        run_molecule,
        "describe the molecule of a name, SMILES or file, and write it to a file",
        "molecule 'C1COC(=O)O1'\n"
        "  electrolyte-ml molecule 'CCOC(=O)C(F)F' --relax gfn1-xtb -o EDFA.xyz\n"
        "  electrolyte-ml molecule --list",
    )
    parser.add_argument("molecule", nargs="?", metavar="MOLECULE", help="name, SMILES, or file (.xyz, .mol, .sdf)")
    parser.add_argument("--list", action="store_true", help="list the molecules and ions of the library")
    parser.add_argument("--charge", type=int, metavar="Q", help="total charge, e, for an .xyz that lacks it")
    parser.add_argument("--full-name", metavar="NAME", help="full name for the file, such as 'ethylene carbonate'")
    parser.add_argument("--relax", metavar="REFERENCE", help="minimise conformers with a reference, such as gfn1-xtb")
    parser.add_argument(
        "--conformers", type=count, default=20, metavar="N", help="number of conformers to minimise (default 20)"
    )
    add_seed(parser, "seed of the conformers")
    add_output(parser, "file of the molecule to write, NAME.xyz", required=False)


def _add_composition(parser: argparse.ArgumentParser) -> None:
    """Add the composition and its density."""
    parser.add_argument(
        "composition",
        nargs="+",
        metavar="NAME=COUNT",
        help="names of molecules and salts (electrolyte-ml molecule --list), SMILES, or files (.xyz, .mol, .sdf)",
    )
    parser.add_argument("--density", type=positive, required=True, help="density, g/cm³")


def run_box(args: argparse.Namespace) -> None:
    """Pack a box and write it."""
    from electrolyte_ml.structures import density, pack, parse_composition, write_configurations
    from electrolyte_ml.structures.composition import molecules_of

    check_output_file(args.output, (".xyz", ".extxyz", ".cfg"))
    own = own_molecules(args.molecule)
    composition = parse_composition(args.composition, own)
    box = pack(composition, args.density, seed=args.seed, charge=args.charge, own_molecules=own)
    write_configurations(args.output, [box])
    counts = Counter(molecule.name for molecule in molecules_of(composition, own))
    print(", ".join(f"{number} {name}" for name, number in counts.items()))
    print(f"{len(box)} atoms in a cube of {box.cell.lengths()[0]:.3f} Å, {density(box):.4f} g/cm³: {args.output}")


@on_executor
def run_motif(args: argparse.Namespace) -> int:
    """Pack cells of a motif, relax them with --relax, and write those that keep the motif.

    Returns INCOMPLETE if some do not.
    """
    from electrolyte_ml.structures import density, pack_motifs, parse_composition, write_configurations

    check_output_file(args.output, (".xyz", ".extxyz", ".cfg"))
    if not args.relax:
        refuse_given(args, ("reference", "set", "fmax", "steps", "jobs", "executor", "store"), "--relax")
    own = own_molecules(args.molecule)
    composition = parse_composition(" ".join(args.composition), own)
    kind = args.kind.upper()
    cells = pack_motifs(kind, composition, args.density, args.count, args.seed, donors=args.donors, own_molecules=own)
    if args.relax:
        cells = _relaxed_motifs(cells, args, own)
    if cells:
        write_configurations(args.output, cells)
        print(f"{len(cells)} {kind} of {len(cells[0])} atoms, {density(cells[0]):.4f} g/cm³: {args.output}")
    if lost := args.count - len(cells):
        print(f"{lost} of {args.count} did not stay {kind} and are left out", file=sys.stderr)
    return INCOMPLETE if lost else 0


def _relaxed_motifs(cells: list[Atoms], args: argparse.Namespace, own: dict[str, Molecule]) -> list[Atoms]:
    """Relax each cell, print the results, and return the cells that keep their motif."""
    from electrolyte_ml import reference
    from electrolyte_ml.parallel import map_progress

    level = reference.get(args.reference, **reference_settings(args))
    level.require()
    relaxations = map_progress(
        partial(
            reference.relax,
            reference=level,
            store=reference.LabelStore(args.store),
            fmax=args.fmax,
            steps=args.steps,
            own_molecules=own,
        ),
        cells,
        args.jobs,
        "relaxations",
    )
    for number, relaxation in enumerate(relaxations, start=1):
        print(f"{number}: {relaxation}")
    return [relaxation.atoms for relaxation in relaxations if relaxation.kept]


def run_molecule(args: argparse.Namespace) -> None:
    """Describe a molecule or list the library; with options, minimise the molecule and write its file."""
    if args.list:
        _list_library()
        return
    if args.molecule is None:
        raise InputError("name a molecule, a SMILES or a file, or list the library with --list")
    if not args.relax:
        refuse_given(args, ("conformers", "seed"), "--relax")
    from electrolyte_ml.structures import MOLECULES, describe, find_molecule, write_molecule
    from electrolyte_ml.structures.naming import salt_ions

    if args.output:
        check_output_file(args.output, (".xyz", ".extxyz"))
    elif args.charge in (None, 0) and not args.relax and (ions := salt_ions(args.molecule)):
        for name, number in ions.items():
            print(f"{number} of\n{describe(MOLECULES[name])}\n")
        return
    molecule = find_molecule(args.molecule, charge=args.charge)
    if args.full_name:
        molecule = replace(molecule, full_name=args.full_name)
    if args.relax:
        molecule = _relaxed(molecule, args)
    print(describe(molecule))
    if args.output:
        write_molecule(args.output, replace(molecule, made_by=_command(args)))
        print(f"\nMolecule: {args.output}")


def _relaxed(molecule: Molecule, args: argparse.Namespace) -> Molecule:
    """Return a molecule at its lowest minimum, from conformers, or from its own geometry without SMILES."""
    from electrolyte_ml import reference
    from electrolyte_ml.structures.minima import lowest_conformer
    from electrolyte_ml.structures.smiles import conformers

    level = reference.get(args.relax)
    level.check(molecule.atoms(), molecule.name)
    starts = conformers(molecule, args.conformers, args.seed) if molecule.smiles else [molecule.positions]
    return lowest_conformer(molecule, starts, level.calculator(), level.name)


def _command(args: argparse.Namespace) -> str:
    """Return the command line that makes the file."""
    words = ["electrolyte-ml", "molecule", args.molecule]
    for option in ("charge", "full_name", "relax", "conformers", "seed", "output"):
        value = getattr(args, option)
        if value != args.parser.get_default(option):
            words += [f"--{option.replace('_', '-')}", value.name if option == "output" else str(value)]
    return shlex.join(words)


def _list_library() -> None:
    """Print the molecules and ions of the library, and the rule for names of salts."""
    from electrolyte_ml.structures import MOLECULES
    from electrolyte_ml.structures.molecules import signed

    for role in ("solvent", "cation", "anion"):
        print(f"{role}s")
        for name, molecule in MOLECULES.items():
            if molecule.role == role:
                charge, donors = signed(molecule.charge), ", ".join(molecule.donors) or "-"
                print(f"  {name:<8}{molecule.formula:<11}{charge:>2}  {molecule.full_name:<53}{donors}")
    print("salts: a cation before an anion, such as LiPF6, NaTFSI, Mg(TFSI)2")
