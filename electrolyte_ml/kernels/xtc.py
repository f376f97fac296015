"""The bits of a compressed XTC frame, followed without decoding them.

The layout is GROMACS's: each atom has three integers of together `width` bits and one bit that says whether five more
follow; these state how many of the next atoms are small differences, and whether the size of such differences changes.
"""

from numba import njit

FIRST_SIZE, SIZES = 9, 73  # the sizes of small differences that the format knows: FIRST_SIZE to SIZES - 1


@njit(cache=True)
def _bits(content, start, count):
    """Return up to eight bits from a place counted in bits, the highest first."""
    value = 0
    for bit in range(start, start + count):
        value = 2 * value + ((content[bit // 8] >> (7 - bit % 8)) & 1)
    return value


@njit(cache=True)
def is_whole(content, start, size, n_atoms, width, small):
    """Whether the bits of a frame hold its atoms: neither more nor fewer, and nothing beyond their end.

    Parameters
    ----------
    content : (n,) uint8
        The file.
    start, size
        Where the bits begin, and how many bytes they are.
    n_atoms
        Atoms of the frame.
    width
        Bits of the three integers of an atom.
    small
        Size of small differences at the beginning: the bits of three of them.
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
