"""Apache Kafka's own jars, copied by Maven into `.cache/`, once."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import POLL_SECONDS, Process, Program, ServiceError
from deploy.local.run_folder import RunFolder

KAFKA_VERSION = "4.3.1"
REPOSITORY = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("kafka") / "pom.xml"
CACHE = REPOSITORY / ".cache"
FETCH_SECONDS = 900


def jar_folder(cache: Path = CACHE) -> Path:
    return cache / f"kafka-{KAFKA_VERSION}"


def fetched(cache: Path = CACHE) -> bool:
    """The folder appears by a rename at the end of a fetch: when it is there, it is complete."""
    return jar_folder(cache).is_dir()


async def fetch(folder: RunFolder, maven: Path, cache: Path = CACHE, tell: Callable[[str], None] = print) -> Path:
    """The folder of the jars; asks Maven for them only when they are missing. Raises ServiceError."""
    if not fetched(cache):
        with _unfinished(cache) as target:
            await _copy_jars(folder, maven, target, tell)
            tell(_keep(target, cache))
    return jar_folder(cache)


@contextmanager
def _unfinished(cache: Path) -> Iterator[Path]:
    cache.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="kafka-unfinished-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep(unfinished: Path, cache: Path) -> str:
    jars = len(list(unfinished.glob("*.jar")))
    with contextlib.suppress(OSError):  # not empty: another run was faster, and has the same jars
        unfinished.rename(jar_folder(cache))
    return f"Apache Kafka {KAFKA_VERSION}: {jars} jars, kept in {jar_folder(cache)}"


async def _copy_jars(folder: RunFolder, maven: Path, target: Path, tell: Callable[[str], None]) -> None:
    try:
        await _run_maven(folder, maven, target, tell, offline=False)
    except ServiceError as refused:
        tell(f"Maven could not fetch Apache Kafka {KAFKA_VERSION}; trying what it has kept on this machine")
        try:
            await _run_maven(folder, maven, target, tell, offline=True)
        except ServiceError:
            raise refused from None


async def _run_maven(
    folder: RunFolder, maven: Path, target: Path, tell: Callable[[str], None], *, offline: bool
) -> None:
    name = "maven-offline" if offline else "maven"
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    process = folder.start(Program(name=name, arguments=[maven, "-B", *(["-o"] if offline else []), "-f", POM, *goal]))
    counting = asyncio.create_task(_count_jars(process, tell))
    try:
        await process.finished(timeout=FETCH_SECONDS)
    finally:
        counting.cancel()
        await process.kill()
        if sys.stdout.isatty():
            print()


async def _count_jars(process: Process, tell: Callable[[str], None]) -> None:
    """One line that counts on a terminal; elsewhere one line that says what takes long."""
    tell(f"Fetching Apache Kafka {KAFKA_VERSION} with Maven, once (44 MB)")
    while process.running and sys.stdout.isatty():
        jars = process.output().count(".jar (")
        print(f"\r  {jars} jars fetched ", end="", flush=True)
        await asyncio.sleep(10 * POLL_SECONDS)
