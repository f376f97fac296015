"""Checks that a file ends with a complete frame, because MDAnalysis does not report a truncated one.

The layouts are those of GROMACS (XTC, TRR) and CHARMM (DCD).
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Callable, Sequence

import numpy as np

from electrolyte_ml.kernels.xtc import FIRST_SIZE, SIZES, is_whole

_XTC_MAGICS = (1995, 2023)  # the second is for frames whose size in bytes exceeds 32 bits
_TRR_START = struct.pack(">3i12s", 1993, 13, 12, b"GMX_trn_file")
_DCD_FIRST_RECORD = 84
_TEXT = {"PDB", "XPDB", "ENT", "MDCRD", "CRDBOX", "TRJ", "TXYZ", "ARC", "HISTORY"}  # names in MDAnalysis


def damaged_xtc_frame(path: str | os.PathLike) -> int:
    """Return the number of the first damaged frame of an XTC file, counted from 1; 0 if there is none.

    The library that reads these files would access invalid memory in such frames. A wrong bit in a coordinate cannot be
    detected.
    """
    data = np.memmap(path, np.uint8, "r").view(np.ndarray)
    content = data.data
    if len(content) < 8:
        return 0
    number, start, first = 0, 0, struct.unpack_from(">2i", content)
    while start + 56 <= len(content):
        number += 1
        magic, n_atoms = struct.unpack_from(">2i", content, start)
        (again,) = struct.unpack_from(">i", content, start + 52)
        if (magic, n_atoms) != first or magic not in _XTC_MAGICS or again != n_atoms or n_atoms < 1:
            return number
        if n_atoms <= 9:  # not compressed
            start += 56 + 12 * n_atoms
            continue
        wide = magic == _XTC_MAGICS[1]
        body = start + 92 + 4 * wide
        if body > len(content):
            return 0
        precision, *limits, small = struct.unpack_from(">f7i", content, start + 56)
        (size,) = struct.unpack_from(">q" if wide else ">i", content, start + 88)
        width = _xtc_width(limits)
        if not FIRST_SIZE <= small < SIZES or not 0 < size <= 16 * n_atoms + 64:
            return number
        if width is None or not 0 < precision < math.inf:
            return number
        if body + size <= len(content) and not is_whole(data, body, size, n_atoms, width, small):
            return number
        start = body + size + -size % 4
    return 0


def _xtc_width(limits: Sequence[int]) -> int | None:
    """Return the total bits of the three integers of an atom, from their smallest and largest values; None if invalid.

    The three integers are packed into one number, unless one of them is too large.
    """
    sizes = [largest - least + 1 for least, largest in zip(limits[:3], limits[3:6], strict=True)]
    if min(sizes) < 1 or max(sizes) >= 1 << 32:
        return None
    if max(sizes) > 0xFFFFFF:
        return sum(size.bit_length() for size in sizes)
    return math.prod(sizes).bit_length()


def ends_with_a_frame(path: str | os.PathLike, formats: str | Sequence[str], n_frames: int) -> bool:
    """Return whether an XTC, TRR or DCD file ends after its last complete frame; True for any other format.

    Parameters
    ----------
    path
        File name.
    formats
        Name or names of the format in MDAnalysis.
    n_frames
        Number of complete frames, at least 1.
    """
    for name in _names(formats) & set(_FRAME_ENDS):
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _FRAME_ENDS[name](content, n_frames) == len(content)
    return True


def last_line_is_whole(path: str | os.PathLike, formats: str | Sequence[str]) -> bool:
    """Return whether the last line of a text file has a line end, is "END", or is as long as the line before it.

    A truncated number can still be read, as another number. The result is True for formats that are not text.
    """
    if not _names(formats) & _TEXT:
        return True
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - 500))
        *before, last = stream.read().split(b"\n")
    return not last or last.startswith(b"END") or (len(before) > 1 and len(last) == len(before[-1]))


def _names(formats: str | Sequence[str]) -> set[str]:
    return {formats} if isinstance(formats, str) else set(formats)


def _xtc_end(content: mmap.mmap, n_frames: int) -> int:
    """Return the expected end of the last frame, from the sizes in its header."""
    start = content.rfind(content[:8])  # magic number and number of atoms are the same in every frame
    (n_atoms,) = struct.unpack_from(">i", content, 4)
    if n_atoms <= 9:  # not compressed
        return start + 56 + 12 * n_atoms
    if start + 92 > len(content):
        return start + 92
    (size,) = struct.unpack_from(">i", content, start + 88)
    return start + 92 + size + -size % 4


def _trr_end(content: mmap.mmap, n_frames: int) -> int:
    """Return the expected end of the last frame, from the sizes in its header."""
    start = content.rfind(_TRR_START)
    begin = start + len(_TRR_START)
    if begin + 52 > len(content):
        return begin + 52
    *sizes, n_atoms, _, _ = struct.unpack_from(">13i", content, begin)
    box, vectors = sizes[2], sizes[7:10]
    real = 8 if box == 72 or 24 * n_atoms in vectors else 4  # bytes of a number
    return begin + 52 + 2 * real + sum(sizes)


def _dcd_end(content: mmap.mmap, n_frames: int) -> int:
    """Return the end of the last complete frame, from the number of frames: all but the first have the same size."""
    order = "<" if content[:4] == struct.pack("<i", _DCD_FIRST_RECORD) else ">"
    control = struct.unpack_from(f"{order}20i", content, 8)
    n_fixed, has_cell, has_fourth, is_charmm = control[8], control[10], control[11], control[19]
    (title,) = struct.unpack_from(f"{order}i", content, 92)
    (n_atoms,) = struct.unpack_from(f"{order}i", content, 92 + title + 8 + 4)
    header = 92 + (title + 8) + 12 + (4 * (n_atoms - n_fixed) + 8 if n_fixed else 0)
    cell = 56 if is_charmm and has_cell else 0
    coordinates = 4 if is_charmm and has_fourth else 3
    first, later = (coordinates * (4 * moving + 8) + cell for moving in (n_atoms, n_atoms - n_fixed))
    return header + first + (n_frames - 1) * later


_FRAME_ENDS: dict[str, Callable[[mmap.mmap, int], int]] = {
    "XTC": _xtc_end,
    "TRR": _trr_end,
    "DCD": _dcd_end,
    "LAMMPS": _dcd_end,  # DCD file of LAMMPS in MDAnalysis
}
