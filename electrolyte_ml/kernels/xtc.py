"""Structure check of a compressed XTC frame, without decoding its coordinates.

GROMACS's layout: each atom has three integers, `width` bits in total, and one bit; if this bit is set, five more
follow. They state how many of the next atoms are stored as small differences, and whether the size of these changes.
"""

from numba import njit

FIRST_SIZE, SIZES = 9, 73  # the format has sizes of small differences from FIRST_SIZE to SIZES - 1


@njit(cache=True)
def _bits(content, start, count):
    """Return `count` bits (at most eight) from bit number `start` on, the highest first."""
    value = 0
    for bit in range(start, start + count):
        value = 2 * value + ((content[bit // 8] >> (7 - bit % 8)) & 1)
    return value


@njit(cache=True)
def is_whole(content, start, size, n_atoms, width, small):
    """Return whether the bits of a frame hold exactly its atoms and do not run beyond the end of the frame.

    Parameters
    ----------
    content : (n,) uint8
        Bytes of the file.
    start, size
        First byte of the compressed coordinates, and number of bytes.
    n_atoms
        Number of atoms in the frame.
    width
        Total bits of the three integers of an atom.
    small
        Initial size of small differences: the total bits of three of them.
    """
    bit, end, atoms, run = 8 * start, 8 * (start + size), 0, 0
    while atoms < n_atoms:
        bit += width
        if bit >= end:
            return False
        atoms += 1
        change = 0
        bit += 1
        if _bits(content, bit - 1, 1):
            if bit + 5 > end:
                return False
            run = _bits(content, bit, 5)
            bit += 5
            change = run % 3 - 1
            run //= 3
        atoms += run
        bit += run * small
        small += change
        if bit > end or not FIRST_SIZE <= small < SIZES:
            return False
    return atoms == n_atoms
