"""Apache Kafka's own jars, copied by Maven into `.cache/`, once."""

from collections.abc import Callable
from pathlib import Path

from deploy.local.maven_jars import CACHE, MavenJars
from deploy.local.run_folder import RunFolder

KAFKA_VERSION = "4.3.1"
JARS = MavenJars(
    title=f"Apache Kafka {KAFKA_VERSION}",
    folder=f"kafka-{KAFKA_VERSION}",
    size="44 MB",
    pom=Path(__file__).with_name("kafka") / "pom.xml",
)


def jar_folder(cache: Path = CACHE) -> Path:
    return cache / JARS.folder


def fetched(cache: Path = CACHE) -> bool:
    return JARS.fetched(cache)


async def fetch(folder: RunFolder, maven: Path, cache: Path = CACHE, tell: Callable[[str], None] = print) -> Path:
    """The folder of the jars; asks Maven for them only when they are missing. Raises ServiceError."""
    return await JARS.fetch(folder, maven, cache, tell)
