"""PBE-D3(0) through PySCF: Gaussians and plane waves for cells, only Gaussians for molecules."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree

from electrolyte_ml.errors import InputError
from electrolyte_ml.reference.base import Cost, Reference, electron_count, one_line, require_known_settings
from electrolyte_ml.reference.dispersion import add_dispersion
from electrolyte_ml.reference.gth import VALENCES, cutoff_of
from electrolyte_ml.reference.label import Label, LabelError
from electrolyte_ml.reference.packages import load, versions
from electrolyte_ml.structures.charge import total_charge

_INSTALL = "pip install '.[dft]' in the source tree (pyscf and dftd3)"
_RYDBERG = 0.5  # hartree
_GRIDS = 5  # number of multigrid levels; it changes the total energy by less than 0.1 meV
_STRAIN = 2e-3  # strain of the central differences
_M_PERTURB = -6  # option of mallopt in <malloc.h>
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class PySCFReference(Reference):
    """PBE with zero-damped D3 dispersion, closed shells, by PySCF [1]_.

    A 3D-periodic cell is computed as in CP2K: Γ point, GTH pseudopotentials, DZVP-MOLOPT-SR basis, density on
    multigrids of plane waves. A charged cell is neutralised by a uniform background. A molecule, neutral or charged, is
    computed with all electrons in the def2-TZVP basis with density fitting. The energies of molecules and cells have
    different zeros.

    Forces are analytical. The stress is a central difference of energies of strained cells without a new
    self-consistency: the orbitals are strained with the cell and orthonormalised by Löwdin's method. Because the energy
    is stationary in the orbitals, the difference is the derivative of the self-consistent energy.

    Parameters
    ----------
    stress
        Compute the stress of cells, which takes about as long as energy and forces. Labels without a stress contribute
        only energies and forces to training.
    **settings
        Settings that replace the defaults: ``cutoff`` (Ry; the default depends on the elements, see `cutoff_of`),
        ``precision`` (1e-7, of integrals; with 1e-6 the error is 57 meV for a cell with PF6), ``conv_tol`` (1e-7
        hartree), ``conv_tol_grad`` (1e-3), ``max_cycle`` (50), ``grid_level`` (3, integration grid of molecules).

    Raises
    ------
    InputError
        PySCF or dftd3 is not installed, or a setting does not exist.

    References
    ----------
    .. [1] Q. Sun et al., J. Chem. Phys. 153, 024109 (2020).
    """

    name = "PBE-D3(0), PySCF"
    elements = frozenset(VALENCES)
    partial_cells = False
    charged_molecules = True
    charged_cells = True
    # A level shift makes the steps smaller; the self-consistent state is the same.
    safer: ClassVar[Mapping[str, Any]] = {"level_shift": 0.3, "max_cycle": 200}

    def __init__(self, *, stress: bool = True, **settings: float) -> None:
        if not isinstance(stress, bool):
            raise InputError(f"{self.name}: stress must be true or false, not {stress!r}")
        defaults = {"precision": 1e-7, "conv_tol": 1e-7, "conv_tol_grad": 1e-3, "max_cycle": 50, "grid_level": 3}
        require_known_settings(settings, {"cutoff": None, **defaults}, self.name)
        self.settings = defaults | {"stress": stress} | settings
        self.version = versions(("pyscf", "dftd3"), self.name, _INSTALL)
        self.cost = self.cost_with(stress=stress)

    @classmethod
    def cost_with(cls, *, stress: bool = True, **settings: Any) -> Cost:
        """Return the cost with or without stress, of cells with LiPF6 at 1200 Ry; others take less."""
        return Cost(880, 1.5) if stress else Cost(440, 1.5)  # of 33 and 43 atoms, on cores that other work shared

    def require(self) -> None:
        """Raise `InputError` if PySCF or dftd3 cannot be imported."""
        load("pyscf", _INSTALL)
        load("dftd3", _INSTALL)

    def settings_of(self, atoms: Atoms) -> Mapping[str, Any]:
        """Return the settings for one configuration: those of cells, with the cutoff (Ry), or those of molecules."""
        other = ("grid_level",) if atoms.pbc.any() else ("cutoff", "precision", "stress")
        chosen = {"cutoff": cutoff_of(atoms), **self.settings}
        return {name: value for name, value in chosen.items() if name not in other}

    def label(self, atoms: Atoms) -> Label:
        """Compute energy, forces and, if requested, the stress of a cell.

        Raises
        ------
        InputError
            The configuration or the installation is at fault.
        LabelError
            The number of electrons is odd, or the calculation failed twice.
        """
        self.check(atoms)
        if (electrons := electron_count(atoms)) % 2:
            raise LabelError(f"{self.name} labels closed shells, not an odd number of electrons ({electrons})")
        return super().label(atoms)

    def _compute(self, atoms: Atoms, safer: Mapping[str, Any]) -> Label:
        settings = {**self.settings_of(atoms), **safer}
        self.require()
        try:
            label = _label_cell(atoms, settings) if atoms.pbc.any() else _label_molecule(atoms, settings)
        except LabelError as error:
            raise LabelError(f"{self.name}: {error}") from None
        except Exception as error:  # PySCF raises exceptions of any type
            raise LabelError(f"{self.name}: {one_line(error)}") from error
        return add_dispersion(label, atoms, _INSTALL)


def _label_molecule(atoms: Atoms, settings: Mapping[str, Any]) -> Label:
    from pyscf import dft, gto

    molecule = gto.M(
        atom=list(zip(atoms.symbols, atoms.positions)), charge=total_charge(atoms), basis="def2-tzvp", verbose=0
    )
    field = dft.RKS(molecule, xc="pbe").density_fit()
    field.grids.level = int(settings["grid_level"])
    energy = _converge(field, settings)
    gradient = field.nuc_grad_method()
    gradient.grid_response = True  # the grid moves with the atoms; without this term the forces do not sum to zero
    return Label(energy, -gradient.kernel() * (Hartree / Bohr), None)


def _label_cell(atoms: Atoms, settings: Mapping[str, Any]) -> Label:
    field = _mean_field(_cell(atoms, settings))
    energy = _converge(field, settings)
    with _zeroed_memory():
        forces = -field.nuc_grad_method().kernel() * (Hartree / Bohr)
    return Label(energy, forces, _stress(field, atoms, settings) if settings["stress"] else None)


@contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Let new memory be filled with zeros in the block, where the C library is that of GNU.

    The gradient of the local pseudopotential (``vpploc_part2_nuc_grad`` of PySCF 2.14) reads memory that nothing was
    written to. In five of 24 cells with LiPF6 the force on an atom was 1e15 eV/Å because of it; with zeros it agrees
    with finite differences. Elsewhere the check of the label finds such a force, but not a small error.
    """
    fill = getattr(ctypes.CDLL(None), "mallopt", None)
    if fill is not None:
        fill(_M_PERTURB, 0xFF)  # new memory gets the complement
    try:
        yield
    finally:
        if fill is not None:
            fill(_M_PERTURB, 0)


def _cell(atoms: Atoms, settings: Mapping[str, Any]) -> Any:
    from pyscf import __config__

    # Read when pyscf.pbc is imported. By default, PySCF multiplies matrices instead of an FFT where the numbers of grid
    # points have large prime factors, which takes half of the time of a cell with 178 points along each axis.
    __config__.pbc_tools_pbc_fft_engine = "SCIPY"
    from pyscf.pbc import gto

    return gto.M(
        atom=list(zip(atoms.symbols, atoms.positions)),
        a=atoms.cell.array,
        charge=total_charge(atoms),
        basis="gth-dzvp-molopt-sr",
        pseudo={symbol: f"gth-pbe-q{VALENCES[symbol]}" for symbol in set(atoms.symbols)},
        ke_cutoff=settings["cutoff"] * _RYDBERG,
        precision=settings["precision"],
        verbose=0,
    )


def _mean_field(cell: Any) -> Any:
    from pyscf.pbc.dft import RKS
    from pyscf.pbc.dft.multigrid import MultiGridNumInt2

    field = RKS(cell, xc="pbe")
    field._numint = MultiGridNumInt2(cell)
    field._numint.ntasks = _GRIDS
    return field


def _converge(field: Any, settings: Mapping[str, Any]) -> float:
    """Make the field self-consistent and return its energy in eV; raise `LabelError` if it does not converge."""
    for name in ("conv_tol", "conv_tol_grad", "level_shift"):
        if name in settings:
            setattr(field, name, settings[name])
    field.max_cycle = int(settings["max_cycle"])
    field.chkfile = None  # write no file of orbitals
    field._finalize = lambda: field  # skip a step that only prints, and fails for charged cells on multigrids
    field.kernel()
    if not field.converged:
        raise LabelError(f"the self-consistency did not converge in {field.max_cycle} cycles")
    return float(field.e_tot * Hartree)


def _stress(field: Any, atoms: Atoms, settings: Mapping[str, Any]) -> np.ndarray:
    """Return the stress (6,) in eV/Å³ by central differences over symmetric strains."""
    stress = np.empty(6)
    for component, (i, j) in enumerate(_VOIGT):
        energies = []
        for sign in (-1, 1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * _STRAIN / 2
            strain[j, i] += sign * _STRAIN / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(_energy_of_orbitals(field, _cell(strained, settings)))
        stress[component] = np.diff(energies)[0] / (2 * _STRAIN)
    return stress * Hartree / atoms.get_volume()


def _energy_of_orbitals(field: Any, cell: Any) -> float:
    """Return the energy (hartree) of a strained cell with the orbitals of a converged field.

    The numbers of grid points are kept, so that the energy is a smooth function of the strain.
    """
    from pyscf import lib
    from pyscf.pbc.dft.multigrid import _backend_c as backend

    converged = field._numint.task_list
    levels = converged.gridlevel_info
    cell.mesh = field.cell.mesh
    strained = _mean_field(cell)
    strained._numint.task_list = backend.TaskList(
        cell, backend.GridLevel_Info(levels.cutoff, levels.rel_cutoff, levels.mesh), hermi=converged.hermi
    )
    occupied = field.mo_coeff[:, field.mo_occ > 0]  # (n_functions, n_pairs)
    overlap = occupied.T @ strained.get_ovlp() @ occupied
    values, vectors = np.linalg.eigh(overlap)
    orbitals = occupied @ (vectors / np.sqrt(values)) @ vectors.T
    density = lib.tag_array(2 * orbitals @ orbitals.T, mo_coeff=orbitals, mo_occ=np.full(orbitals.shape[1], 2.0))
    return float(strained.energy_tot(density, strained.get_hcore(), strained.get_veff(cell, density)))
