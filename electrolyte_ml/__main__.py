"""``python -m electrolyte_ml`` is the command ``electrolyte-ml``."""

import sys

from electrolyte_ml.cli import main

sys.exit(main())
