"""``python -m ds3sim``, and the program ``ds3sim``."""

import contextlib
import sys
from os import _exit
from typing import NoReturn


def process() -> NoReturn:
    """Run the command line as this process."""
    try:
        from ds3sim.cli.main import main
        from ds3sim.cli.stop import stop

        code = main()
        if stop.first is not None:  # asked to end: compiled code under way in threads is not waited for
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            _exit(code)
    except KeyboardInterrupt:  # before a command began
        code = 130
    exec("")  # Python 3.11 ends by a signal where Ctrl-C struck inside the last exec(), as in many imports
    sys.exit(code)


if __name__ == "__main__":
    process()
