"""What the tests of the loop share: runs that are killed and started again."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import sys
from electrolyte_ml import load
from electrolyte_ml.active_learning import active_learn
from electrolyte_ml.reference import LabelStore, get
from electrolyte_ml.reference.labels import label_hash

reference = {reference}
compute, store = reference._compute, LabelStore(sys.argv[1] + "/labels")

def watched(atoms, safer):
    if store.get(atoms, reference) is not None:
        with open(sys.argv[1] + "/twice", "a") as stream:
            print(label_hash(atoms, reference), file=stream)
    return compute(atoms, safer)

reference._compute = watched
active_learn(sys.argv[1], reference=reference)
"""


@pytest.fixture
def killed_runs(tmp_path):
    """Learn in a directory with settings, killed again and again: `killed_runs(directory, reference, kills)`.

    SIGKILL at random moments: no label is lost and none is computed twice. The reference is Python code.
    """

    def run(directory, reference, kills):
        (tmp_path / "run.py").write_text(SCRIPT.format(reference=reference))
        command = [sys.executable, tmp_path / "run.py", directory]
        rng, kept, killed = random.Random(time.time_ns()), set(), 0
        environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
        while killed < kills:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()  # the heading of its table: it is at work
            time.sleep(rng.uniform(0.0, 1.0))
            ended = process.poll()
            process.send_signal(signal.SIGKILL)
            _, error = process.communicate()
            if ended is not None:
                assert ended == 0, error.decode()
                break
            killed += 1
            labels = {path.name for path in (directory / "labels").rglob("*.json")}
            assert kept <= labels
            kept = labels
        subprocess.run(command, env=environment, check=True)
        assert killed > 0
        assert not (directory / "twice").exists()
        assert kept <= {path.name for path in (directory / "labels").rglob("*.json")}

    return run
