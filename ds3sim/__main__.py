"""``python -m ds3sim``, and the program ``ds3sim``."""

import sys
from typing import NoReturn


def process() -> NoReturn:
    """Run the command line as this process."""
    try:
        from ds3sim.cli.main import main

        code = main()
    except KeyboardInterrupt:  # before a command began
        code = 130
    exec("")  # Python 3.11 ends by a signal where Ctrl-C struck inside the last exec(), as in many imports
    sys.exit(code)


if __name__ == "__main__":
    process()
