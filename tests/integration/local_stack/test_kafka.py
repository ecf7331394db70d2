"""Apache Kafka's own jars: one broker and three, as tests and the fault batteries use them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import kafka_jars
from deploy.local.kafka_broker import KafkaCluster
from deploy.local.processes import ServiceError, accepts_connections, free_port
from deploy.local.run_folder import RunFolder
from deploy.local.topics import admin, create_topics
from tests.integration.local_stack.round_trip import consume, produce

FIRST = [(b"hlf", b"1"), (b"hlf", None), (b"other", b"3")]
SECOND = [(b"hlf", b"4"), (b"other", b"5")]


@pytest.fixture
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The first port that the cluster chooses; another program has it by then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        ports = iter([port])
        monkeypatch.setattr("deploy.local.kafka_broker.free_port", lambda: next(ports, None) or free_port())
        yield port


async def test_one_broker_takes_a_free_port_and_keeps_records_and_offsets_over_a_restart(
    folder: RunFolder, java: Path, jars: Path, taken_port: int
) -> None:
    async with KafkaCluster.start(folder, jars=jars, java=java) as cluster:
        address = cluster.bootstrap_servers
        assert address != f"127.0.0.1:{taken_port}"
        await create_topics(address, {"approvals": 2})
        await create_topics(address, {"approvals": 2, "toggles": 1}, {"max.message.bytes": "2000000"})
        await produce(address, "approvals", FIRST)
        assert len(await consume(address, "approvals", 3)) == 3
        await cluster.stop(0)
        assert not accepts_connections(int(address.rpartition(":")[2]))
        await cluster.restart(0)
        assert cluster.bootstrap_servers == address
        await produce(address, "approvals", SECOND)
        assert {record.value for record in await consume(address, "approvals", 2)} == {b"4", b"5"}
    assert not accepts_connections(int(address.rpartition(":")[2]))


async def test_three_brokers_lose_nothing_when_one_is_killed(folder: RunFolder, java: Path, jars: Path) -> None:
    async with KafkaCluster.start(folder, brokers=3, jars=jars, java=java) as cluster:
        address = cluster.bootstrap_servers
        await create_topics(address, {"approvals": 3})
        await produce(address, "approvals", FIRST)
        await cluster.kill(0)
        await produce(address, "approvals", SECOND)
        await cluster.restart(0)
        found = await consume(address, "approvals", 5)
        async with admin(address) as client:
            [topic] = await client.describe_topics(["approvals"])
    assert {(record.key, record.value) for record in found} == {*FIRST, *SECOND}
    assert all(len(partition["replicas"]) == 3 for partition in topic["partitions"])


async def test_jars_that_are_there_are_not_fetched_again(folder: RunFolder, tmp_path: Path) -> None:
    kafka_jars.jar_folder(tmp_path).mkdir()
    found = await kafka_jars.fetch(folder, Path("/no/such/maven"), cache=tmp_path)
    assert found == kafka_jars.jar_folder(tmp_path)


async def test_a_failed_fetch_leaves_nothing_that_looks_complete(folder: RunFolder, tmp_path: Path) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho no network, $2\nexit 1\n")
    maven.chmod(0o755)
    cache = tmp_path / "cache"
    with pytest.raises(ServiceError, match=r"(?s)maven failed with status 1.*no network"):
        await kafka_jars.fetch(folder, maven, cache=cache)
    assert os.listdir(cache) == []  # noqa: PTH208 -- names alone
    assert "no network, -o" in (folder.path / "maven-offline.log").read_text()
