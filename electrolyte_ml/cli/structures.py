"""The commands that make structures: ``box`` and ``molecule``."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from electrolyte_ml.cli.options import add_output, add_own_molecules, add_seed, count, own_molecules, positive
from electrolyte_ml.cli.parser import Subparsers, add_command
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import check_output_file

if TYPE_CHECKING:
    from electrolyte_ml.structures import Molecule


def add_parser(subparsers: Subparsers) -> None:
    """Add ``box`` and ``molecule``."""
    parser = add_command(
        subparsers,
        "box",
        run_box,
        "pack molecules into a periodic box",
        "box EC=16 --density 1.3 -o box.xyz\n  electrolyte-ml box 'C1COC(=O)O1=8' LiTFSI=1 --density 1.4 -o box.xyz",
    )
    parser.add_argument(
        "composition",
        nargs="+",
        metavar="NAME=COUNT",
        help="names of molecules and salts (electrolyte-ml molecule --list), SMILES, or files (.xyz, .mol, .sdf)",
    )
    parser.add_argument("--density", type=positive, required=True, help="g/cm³")
    parser.add_argument("--charge", type=int, default=0, metavar="Q", help="total charge of the box, e (default 0)")
    add_own_molecules(parser)
    add_seed(parser, "of the packing")
    add_output(parser, "configuration to write")

    parser = add_command(
        subparsers,
        "molecule",
        run_molecule,
        "show what is understood by a name, SMILES or file, and make a file of it",
        "molecule 'C1COC(=O)O1'\n"
        "  electrolyte-ml molecule 'CCOC(=O)C(F)F' --relax gfn1-xtb -o EDFA.xyz\n"
        "  electrolyte-ml molecule --list",
    )
    parser.add_argument("molecule", nargs="?", metavar="MOLECULE", help="name, SMILES, or file (.xyz, .mol, .sdf)")
    parser.add_argument("--list", action="store_true", help="list the molecules and ions of the library")
    parser.add_argument("--charge", type=int, metavar="Q", help="total charge, e: needed for an .xyz without it")
    parser.add_argument("--full-name", metavar="NAME", help="to write into the file, such as 'ethylene carbonate'")
    parser.add_argument("--relax", metavar="REFERENCE", help="minimise conformers with a reference, such as gfn1-xtb")
    parser.add_argument("--conformers", type=count, default=20, metavar="N", help="to minimise (default 20)")
    add_seed(parser, "of the conformers")
    add_output(parser, "file of the molecule to write, NAME.xyz", required=False)


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


def run_molecule(args: argparse.Namespace) -> None:
    """Show a molecule or list the library; minimise it and write its file where asked to."""
    if args.list:
        _list_library()
        return
    if args.molecule is None:
        raise InputError("name a molecule, a SMILES or a file, or list the library by --list")
    from electrolyte_ml.structures import MOLECULES, describe, find_molecule, write_molecule
    from electrolyte_ml.structures.naming import salt_ions

    if args.output:
        check_output_file(args.output, (".xyz", ".extxyz"))
    elif args.charge in (None, 0) and not args.relax and (ions := salt_ions(args.molecule)):
        for name, number in ions.items():
            print(f"{number} of\n{describe(MOLECULES[name])}\n")
        return
    found = find_molecule(args.molecule, charge=args.charge)
    if args.full_name:
        found = replace(found, full_name=args.full_name)
    if args.relax:
        found = _relaxed(found, args)
    print(describe(found))
    if args.output:
        write_molecule(args.output, replace(found, made_by=_command(args)))
        print(f"\nMolecule: {args.output}")


def _relaxed(molecule: Molecule, args: argparse.Namespace) -> Molecule:
    """Minimise conformers of a molecule, or its own geometry where no SMILES is known."""
    from electrolyte_ml import reference
    from electrolyte_ml.structures.minima import lowest_conformer
    from electrolyte_ml.structures.smiles import conformers

    level = reference.get(args.relax)
    level.check(molecule.atoms(), molecule.name)
    starts = conformers(molecule, args.conformers, args.seed) if molecule.smiles else [molecule.positions]
    return lowest_conformer(molecule, starts, level.calculator(), level.name)


def _command(args: argparse.Namespace) -> str:
    """The command that makes the file."""
    words = ["electrolyte-ml", "molecule", args.molecule]
    for option in ("charge", "full_name", "relax", "conformers", "seed", "output"):
        value = getattr(args, option)
        if value != args.parser.get_default(option):
            words += [f"--{option.replace('_', '-')}", value.name if option == "output" else str(value)]
    return shlex.join(words)


def _list_library() -> None:
    """Print the molecules and ions of the library, and how salts are named."""
    from electrolyte_ml.structures import MOLECULES
    from electrolyte_ml.structures.molecules import signed

    for role in ("solvent", "cation", "anion"):
        print(f"{role}s")
        for name, molecule in MOLECULES.items():
            if molecule.role == role:
                charge, donors = signed(molecule.charge), ", ".join(molecule.donors) or "-"
                print(f"  {name:<8}{molecule.formula:<11}{charge:>2}  {molecule.full_name:<53}{donors}")
    print("salts: a cation before an anion, such as LiPF6, NaTFSI, Mg(TFSI)2")
