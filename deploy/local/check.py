"""`make check`: everything that can be said of the code without running it. Each check is named, and all are run."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MIGRATIONS = "worker/store/migrations"
LOCK = "requirements.lock"
PEERS_LOCK = "tests/benchmarks/peers/requirements.lock"
AUDIT_SECONDS = 60
NO_DATA = "since the advisory data can't be reached from here"
NOT_AUDITED = "could not be audited"
NO_ADVISORIES = ("ConnectionError", "Max retries", "Timeout", "NameResolution", "HTTPError", "ProxyError", "503", "403")


class SkippedError(Exception):
    """The check can't be made here; the text says why. That is no failure."""


@dataclass(frozen=True, slots=True)
class Check:
    """`run` answers what is wrong; nothing: it passed."""

    name: str
    run: Callable[[], str]


def main() -> int:
    failed = []
    for check in CHECKS:
        try:
            complaint = check.run()
        except SkippedError as skipped:
            print(f"{check.name}: skipped, {skipped}", flush=True)
            continue
        print(f"{check.name}: {'FAILED' if complaint else 'ok'}", flush=True)
        if complaint:
            failed.append(check.name)
            print(complaint, flush=True)
    print(f"{len(failed)} of {len(CHECKS)} checks failed." if failed else "Nothing is wrong.")
    return 1 if failed else 0


def tool(*arguments: str) -> Callable[[], str]:
    """A program of .venv that exits 0 when all is well."""

    def run() -> str:
        done = subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return (done.stdout + done.stderr) if done.returncode else ""

    return run


def migrations_lint() -> str:
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / MIGRATIONS).glob("*.sql"))
    return tool("squawk", *files)()


def locks_cover_project() -> str:
    """Every package that pyproject.toml asks for is locked, in a version that it allows."""
    gaps = [gap for lock, wanted in _wanted().items() for gap in _gaps(_locked_versions(lock), wanted)]
    return "\n".join([*gaps, "Run: make lock"]) if gaps else ""


def _gaps(locked: Mapping[str, str], wanted: Sequence[Requirement]) -> list[str]:
    return [
        f"{one}: {locked.get(canonicalize_name(one.name), 'not locked')}"
        for one in wanted
        if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"), prereleases=True)
    ]


def dependency_audit() -> str:
    """Known vulnerabilities of what is locked. Without the advisory data it says so, and that is no failure."""
    command = [str(BIN / "pip-audit"), "--requirement", LOCK, "--require-hashes", "--disable-pip"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise SkippedError(NO_DATA) from None
    unaudited = (done.stdout + done.stderr).count(NOT_AUDITED)
    if unaudited > len(_locked_versions(LOCK)) / 2 or (
        done.returncode and any(s in done.stderr for s in NO_ADVISORIES)
    ):
        raise SkippedError(NO_DATA)
    return (done.stdout + done.stderr) if done.returncode else ""


def _wanted() -> dict[str, list[Requirement]]:
    """By the lock file that has to hold them: the peers of the benchmarks have one of their own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {"project": project["project"]["dependencies"], **project["dependency-groups"]}
    wanted: dict[str, list[Requirement]] = {LOCK: [], PEERS_LOCK: []}
    for name, texts in groups.items():
        wanted[PEERS_LOCK if name == "peers" else LOCK] += [Requirement(text) for text in texts]
    return wanted


def _locked_versions(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [line.split(";")[0].rstrip("\\ ").split("==") for line in lines if line[:1].isalnum()]
    return {canonicalize_name(name): version.strip() for name, version in pins}


CHECKS = [
    Check("format", tool("ruff", "format", "--check", ".")),
    Check("lint", tool("ruff", "check", ".")),
    Check("types", tool("mypy")),
    Check("import contracts", tool("lint-imports", "--no-cache")),
    Check("migrations", migrations_lint),
    Check("generated files", tool("python", "-m", "schemas.publish", "--check")),
    Check("lock files", locks_cover_project),
    Check("dependency audit", dependency_audit),
]

if __name__ == "__main__":
    sys.exit(main())
