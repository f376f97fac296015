"""Entry point of ``python -m electrolyte_ml``, the same as the command ``electrolyte-ml``."""

import sys

from electrolyte_ml.cli import main

sys.exit(main())
