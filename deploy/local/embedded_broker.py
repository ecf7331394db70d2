"""librdkafka's mock cluster as a broker in memory: for looking only, on a machine with Python alone.

`python -m deploy.local.embedded_broker --topics a:6,b:3` prints `bootstrap HOST:PORT` and lives until
SIGTERM; a process of its own, because its threads end cleanly only with it.

What it is not: every partition keeps 5 MB and then drops its oldest records; topics are made at the start;
and it takes **one member a group**. A second fails with InvalidRequestError: the mock takes the group for
settled once the leader has sent its SyncGroup, and refuses the follower's that comes later. A member
that leaves and comes back waits for about the length of its session (measured: 9 s with one of 10 s).
"""

import argparse
import ctypes
import importlib.util
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.processes import Program
from deploy.local.run_folder import RunFolder

PRODUCER = 0
REBALANCE_DELAY_MS = 50  # 3,000 by default: a first consumer would wait that long
START_SECONDS = 15
REPOSITORY = Path(__file__).resolve().parents[2]
# Beside or inside the package, by platform: manylinux, macOS, Windows.
LIBRARIES = (
    "../confluent_kafka.libs/librdkafka[-.]*so*",
    ".dylibs/librdkafka*.dylib",
    "../confluent_kafka.libs/*rdkafka*.dll",
)

# Without them ctypes takes every pointer for an int and cuts it to 32 bits.
_POINTER, _TEXT, _INT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
SIGNATURES = {
    "rd_kafka_conf_new": (_POINTER, ()),
    "rd_kafka_conf_set": (_INT, (_POINTER, _TEXT, _TEXT, _TEXT, _SIZE)),
    "rd_kafka_new": (_POINTER, (_INT, _POINTER, _TEXT, _SIZE)),
    "rd_kafka_mock_cluster_new": (_POINTER, (_POINTER, _INT)),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, (_POINTER,)),
    "rd_kafka_mock_cluster_destroy": (None, (_POINTER,)),
    "rd_kafka_mock_topic_create": (_INT, (_POINTER, _TEXT, _INT, _INT)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, (_POINTER, ctypes.c_int32)),
}


@asynccontextmanager
async def embedded_broker(folder: RunFolder, topics: Mapping[str, int]) -> AsyncIterator[str]:
    """Its bootstrap address. `topics`: `{name: partitions}`, few partitions. Raises ServiceError."""
    wanted = ",".join(f"{name}:{partitions}" for name, partitions in topics.items())
    arguments = [sys.executable, "-m", __name__, "--topics", wanted]
    process = folder.start(Program(name="embedded-broker", arguments=arguments, working_directory=REPOSITORY))
    try:
        await process.line("bootstrap ", timeout=START_SECONDS)
        yield process.output().partition("bootstrap ")[2].split()[0]
    finally:
        await process.kill()  # it keeps nothing, so its orderly end is worth no waiting


def find_library() -> Path | None:
    """The librdkafka that the confluent-kafka wheel ships."""
    package = importlib.util.find_spec("confluent_kafka")
    if package is None or package.origin is None:
        return None
    return next(_shipped(Path(package.origin).parent), None)


def _shipped(package: Path) -> Iterator[Path]:
    for pattern in LIBRARIES:
        place, _, name = pattern.rpartition("/")
        yield from (package / place).resolve().glob(name)


class MockCluster:
    """librdkafka's functions, by name. Raises RuntimeError when the library refuses."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._new_handle(), 1)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, REBALANCE_DELAY_MS)

    def create_topic(self, name: str, partitions: int) -> None:
        if self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1):
            raise RuntimeError(f"topic {name} with {partitions} partitions was refused")

    def bootstrap_servers(self) -> str:
        addresses: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return addresses.decode()

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)

    def _new_handle(self) -> int:
        configuration = self._library.rd_kafka_conf_new()
        error = ctypes.create_string_buffer(512)
        # The handle is there for the mock alone and has no server: it would warn of that.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"3", error, len(error))
        handle: int | None = self._library.rd_kafka_new(PRODUCER, configuration, error, len(error))
        if handle is None:
            raise RuntimeError(error.value.decode())
        return handle


def parse_topics(text: str) -> dict[str, int]:
    """`a:6,b:3`. Raises ValueError."""
    pairs = (part.rpartition(":") for part in text.split(",") if part)
    return {name: int(partitions) for name, _, partitions in pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topics", type=parse_topics, default={}, help="name:partitions, comma-separated")
    topics: dict[str, int] = parser.parse_args().topics
    library = find_library()
    if library is None:
        sys.exit("The package confluent-kafka is not installed.")
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the library starts its threads
    serve(MockCluster(library), topics, signals)


def serve(cluster: MockCluster, topics: Mapping[str, int], until: set[signal.Signals]) -> None:
    for name, partitions in topics.items():
        cluster.create_topic(name, partitions)
    print(f"bootstrap {cluster.bootstrap_servers()}", flush=True)
    signal.sigwait(until)
    cluster.close()


if __name__ == "__main__":
    main()
