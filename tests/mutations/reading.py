"""Damaged files read one after the other, with what their readers did wrong."""

import resource
import signal
import traceback
import warnings
from pathlib import Path

import numpy as np

from tests.mutations.registry import FORMATS, mutated

MEMORY = 2 << 30  # bytes
SECONDS = 20


class TooLong(BaseException):
    pass


def _too_long(number, frame):
    raise TooLong


def read_damaged(name, folder, first, count, told=lambda number: None):
    """Read damaged copies of a file of a format, and return the faults of the readers, a line each."""
    from electrolyte_ml.errors import ElectrolyteError

    make, text = FORMATS[name]
    path = Path(folder) / name
    read = make(path)
    read(path)  # the whole file must pass, or nothing is tested
    whole, before = path.read_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    damaged = path.with_name("damaged." + name.removeprefix("md_"))
    faults, refused, handler = [], 0, signal.signal(signal.SIGALRM, _too_long)
    for k in range(first, first + count):
        told(k)
        damaged.write_bytes(mutated(whole, np.random.default_rng(k), text))
        signal.alarm(SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(damaged)
        except (ElectrolyteError, OSError) as error:
            refused += 1
            message = " ".join(str(error).split())
            if str(folder) not in message:  # a wrong topology may be told as a trajectory that does not fit it
                faults.append(f"{name} {k}: the file is not named: {message[:300]}")
        except (Exception, TooLong) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            faults.append(f"{name} {k}: {type(error).__name__} ({where}): {' '.join(str(error).split())[:200]}")
        finally:
            signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if (peak - before) * 1024 > MEMORY:
            faults.append(f"{name} {k}: {peak >> 20} GB of memory")
            before = peak
    signal.signal(signal.SIGALRM, handler)
    return faults, refused
