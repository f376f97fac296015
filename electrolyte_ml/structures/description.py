"""Description of a molecule as text."""

from electrolyte_ml.structures.molecules import Molecule, signed


def describe(molecule: Molecule) -> str:
    """Return name, charge, mass, SMILES, donors, positions and bonds of a molecule as lines of text.

    Parameters
    ----------
    molecule
        Molecule of the library, or made from a SMILES or a file.
    """
    bonded: list[list[str]] = [[] for _ in molecule.symbols]
    for i, j in molecule.bonds:
        bonded[i].append(f"{molecule.symbols[j]}{j + 1}")
        bonded[j].append(f"{molecule.symbols[i]}{i + 1}")
    kinds = {atom: kind for kind, atoms in molecule.donors.items() for atom in atoms}
    full_name = f", {molecule.full_name}" if molecule.full_name else ""
    electrons = int(molecule.numbers.sum()) - molecule.charge
    donors = "; ".join(
        f"{kind} {' '.join(f'{molecule.symbols[atom]}{atom + 1}' for atom in atoms)}"
        for kind, atoms in molecule.donors.items()
    )
    lines = [
        f"{molecule.name}{full_name}: {molecule.formula}, {molecule.role}, charge {signed(molecule.charge)}",
        f"mass {molecule.mass:.3f} g/mol, {electrons} electrons{' (a radical)' if electrons % 2 else ''}",
        f"SMILES {molecule.smiles}" if molecule.smiles else "",
        f"geometry: {molecule.geometry}" if molecule.geometry else "",
        f"made by: {molecule.made_by}" if molecule.made_by else "",
        f"donors: {donors or 'none'}",
    ]
    table = [f"  {'atom':<6}{'x':>9}{'y':>9}{'z':>9} Å  {'donor':<12}bonded to"]
    for atom, (symbol, position) in enumerate(zip(molecule.symbols, molecule.positions)):
        coordinates = "".join(f"{x:9.4f}" for x in position.round(4) + 0.0)
        line = f"  {symbol + str(atom + 1):<6}{coordinates}    {kinds.get(atom, ''):<12}{' '.join(bonded[atom])}"
        table.append(line.rstrip())
    return "\n".join([*filter(None, lines), "", *table])
