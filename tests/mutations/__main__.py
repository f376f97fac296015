"""``python -m tests.mutations FORMAT FOLDER FIRST COUNT`` reads so many damaged copies in a process of its own.

It prints the number of each before it is read: after a crash the last one is the culprit.
"""

import faulthandler
import sys

from tests import mutations  # noqa: F401 - registers the formats
from tests.mutations.reading import read_damaged


def main(name, folder, first, count):
    """Read damaged files in a process of its own, and return the exit code."""
    faulthandler.enable()
    faults, refused = read_damaged(name, folder, first, count, lambda number: print(number, end=" ", flush=True))
    print("\n" + "\n".join([*faults, f"{name}: {count} read, {refused} refused, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
