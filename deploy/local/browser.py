"""`make browser`: Chromium from Debian's packages, for the tests of the screens. Does nothing where one is there."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
REFRESH = ("apt-get", "update")


def chromium() -> str | None:
    """Where it is on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    found = chromium() or _installed()
    if found is None:
        print("Chromium is not here and can't be installed: that needs Debian's apt-get, root and its packages.")
        return 1
    print(f"The browser is {found}.")
    return 0


def _installed() -> str | None:
    if shutil.which(INSTALL[0]) is None or os.geteuid() != 0:
        return None
    if not _did(INSTALL):
        _did(REFRESH)
        _did(INSTALL)
    return chromium()


def _did(command: tuple[str, ...]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
