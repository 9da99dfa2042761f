"""``python -m ds3sim``."""

import sys

from ds3sim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
