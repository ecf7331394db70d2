"""`make mutants`: is a changed decision of the domain noticed by a unit test? Exits 1 where too many are not.

pyproject.toml says what is changed. mutmut works in `mutants/`, laid anew: what it knows of old tests is worth nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "mutants"
MUTMUT = Path(sys.executable).with_name("mutmut")
NOTICED = {"killed", "timeout"}
ENOUGH = 0.9


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    jobs = parser.parse_args().jobs
    shutil.rmtree(FOLDER, ignore_errors=True)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    complaint = run(jobs)
    if complaint is not None:
        console.print(f"{complaint}\nmutmut could not make its run.")
        return 2
    return tell(console, outcomes())


def run(jobs: int) -> str | None:
    """What mutmut said when it failed. On a terminal it shows its progress itself."""
    output = None if sys.stdout.isatty() else subprocess.PIPE
    done = subprocess.run(
        [MUTMUT, "run", "--max-children", str(jobs)], cwd=ROOT, env=surroundings(), stdout=output, check=False
    )
    return (done.stdout or b"").decode(errors="replace")[-4000:] if done.returncode else None


def surroundings() -> dict[str, str]:
    """The environment without what would configure another run of pytest."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def outcomes() -> dict[str, str]:
    """What became of each mutant, by its name."""
    listed = subprocess.run(
        [MUTMUT, "results", "--all", "true"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return dict(line.strip().rsplit(": ", 1) for line in listed.splitlines() if ": " in line)


def tell(console: Console, found: dict[str, str]) -> int:
    """A mutant that no test runs, or of which nothing is known, has survived as much as one that passed them all."""
    survivors = {name: outcome for name, outcome in sorted(found.items()) if outcome not in NOTICED}
    killed = len(found) - len(survivors)
    for name, outcome in survivors.items():
        console.print(f"{outcome}: {name}")
    console.print(
        f"{killed} killed, {len(survivors)} survived, {len(found)} in total: {killed / max(1, len(found)):.1%}"
    )
    console.print("`.venv/bin/mutmut show NAME` tells what a survivor changed.")
    return 0 if found and killed / len(found) >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
