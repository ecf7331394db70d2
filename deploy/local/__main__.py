"""`python -m deploy.local run [--once]`."""

import os
import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    """Nothing has been started yet: the imports below take a second, in which Ctrl-C shall print no traceback."""
    os.write(sys.stdout.fileno(), b"Stopped.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _leave)
    from deploy.local.run import main

    # asyncio takes Ctrl-C over only from Python's own handler; SIGTERM is taken over by Services.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
