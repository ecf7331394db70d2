"""Waits in a process of its own until the process that started it is gone, then clears its run folder.

Run as `python -I -S reaper.py FOLDER`; standard input is a pipe that only the owner holds open, so that its
end is noticed whatever the cause, kill -9 included. Standard library only; starts in some 30 ms.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 5


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]))


def clear(folder: Path) -> None:
    """End every process that has a `NAME.pid` file ("PID SIGNAL") in `folder`, then remove it."""
    pids = [pid for file in folder.glob("*.pid") for pid in _asked_to_end(file)]
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    remove(folder)


def remove(folder: Path) -> None:
    """Delete `folder`, again while a dying process still writes into it."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _asked_to_end(pid_file: Path) -> list[int]:
    """Its process, if any; the owner may have died before it had written the number down."""
    try:
        pid, how = map(int, pid_file.read_text().split())
        os.kill(pid, how)
    except (ValueError, OSError):
        return []
    return [pid]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Dead, but nobody has collected it: in a container the first process may never do so."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


if __name__ == "__main__":
    main()
