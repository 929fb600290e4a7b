"""``python -m oulib``."""

import sys

from oulib.cli import main

sys.exit(main())
