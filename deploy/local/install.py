"""Make `.venv` as `requirements.lock` says, with the system's Python and its standard library alone.

`python3 deploy/local/install.py`; does nothing, and needs no network, while the stamp says that nothing
changed. Exit 2 with one sentence when this Python cannot do it: the file must stay readable for Python 3.7.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
LOCK = ROOT / "requirements.lock"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
OLDEST = (3, 11)
LINES_WITHOUT_TERMINAL = 4


def main() -> None:
    wanted = fingerprint()
    if stamped() == wanted:
        return
    refuse_unfit_python()
    if STAMP.exists():
        STAMP.unlink()
    make_venv()
    install_lock()
    install_project()
    STAMP.write_text(wanted)


def fingerprint() -> str:
    """Of what is installed and where: a copied or moved `.venv` still points to its old place."""
    digest = hashlib.sha256(str(ROOT).encode())
    for file in (LOCK, ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def stamped() -> str | None:
    """None also when the Python that `.venv` links to is gone, as after an upgrade of the system."""
    if not (PYTHON.exists() and STAMP.exists()):
        return None
    return STAMP.read_text()


def refuse_unfit_python() -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:2]))
        refuse(f"Python 3.11 or newer is needed, this is {found}: install it (Debian: python3 python3-venv).")
    try:
        import ensurepip  # noqa: F401, PLC0415 -- Debian packs it apart; asking for it is the point
        import venv  # noqa: F401, PLC0415
    except ImportError:
        refuse("This Python has no venv module: install the package of it (Debian: python3-venv).")


def refuse(sentence: str) -> None:
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def make_venv() -> None:
    if PYTHON.exists():
        return
    say("Making .venv")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)], "The virtual environment could not be made.")


def install_lock() -> None:
    total = sum("==" in line for line in LOCK.read_text().splitlines() if line[:1].isalnum())
    say(f"Installing {total} packages from requirements.lock")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    progress = Progress(total)
    run(
        [*pip, "--require-hashes", "-r", str(LOCK)],
        "The packages could not be installed; run again once the network is there.",
        progress.line,
    )
    progress.done()


def install_project() -> None:
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "-e", str(ROOT)],
        "The project itself could not be installed.",
    )


class Progress:
    """Counts pip's lines about packages: one updating line on a terminal, a few plain ones elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.terminal = sys.stdout.isatty()

    def line(self, text: str) -> None:
        if text.startswith(("Collecting ", "Requirement already satisfied", "Ignoring ")):
            self.count += 1
            self.show(f"{self.count} of {self.total} packages found")
        elif text.startswith("Installing collected packages"):
            self.done()
            say("  unpacking them")

    def show(self, text: str) -> None:
        if self.terminal:
            print(f"\r  {text} ", end="", flush=True)
        elif self.count % max(1, self.total // LINES_WITHOUT_TERMINAL) == 0:
            say(f"  {text}")

    def done(self) -> None:
        if self.terminal and self.count:
            print()
        self.count = 0


def run(command: list[str], complaint: str, on_line: Callable[[str], object] = str) -> None:
    """Hand every line of its output to `on_line`; when it fails, show the last ones and exit 1."""
    import subprocess  # noqa: PLC0415 -- 15 ms that a finished installation does without

    said: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as child:
        for line in child.stdout or ():
            said.append(line)
            on_line(line.strip())
    if child.returncode != 0:
        print("".join(said[-15:]) + complaint, file=sys.stderr)
        raise SystemExit(1)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
