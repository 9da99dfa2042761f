"""``python -m ds3sim``, and the program ``ds3sim``."""

import os
import sys
from contextlib import suppress
from typing import NoReturn


def process() -> NoReturn:
    """Run the command line as this process."""
    try:
        from ds3sim.cli.main import main
        from ds3sim.cli.stop import stop

        code = main()
        stopped = stop.first is not None
    except KeyboardInterrupt:  # before a command began
        code, stopped = 130, True
    if stopped:
        # At once: Python 3.11 would end with a signal where Ctrl-C struck inside of an exec(), as in many imports.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    process()
