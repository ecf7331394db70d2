"""librdkafka's mock cluster, as far as a look at the worker needs it."""

import pytest

from deploy.local.embedded_broker import embedded_broker, find_library
from deploy.local.processes import accepts_connections
from deploy.local.run_folder import RunFolder
from tests.integration.local_stack.round_trip import consume, produce

pytestmark = pytest.mark.skipif(find_library() is None, reason="the confluent-kafka wheel ships no librdkafka here")


async def test_keys_headers_and_values_arrive_as_they_were_sent(folder: RunFolder) -> None:
    async with embedded_broker(folder, {"approvals": 3}) as address:
        await produce(address, "approvals", [(b"hlf", b"1"), (b"other", None)])
        found = await consume(address, "approvals", 2)
    assert {(record.key, record.value, record.headers) for record in found} == {
        (b"hlf", b"1", (("ce_id", b"hlf"),)),
        (b"other", None, (("ce_id", b"other"),)),
    }


# The mock waits a session's length for the member that has left: a short one keeps the test short.
async def test_a_consumer_that_comes_back_goes_on_after_its_committed_offset(folder: RunFolder) -> None:
    async with embedded_broker(folder, {"approvals": 2}) as address:
        await produce(address, "approvals", [(b"hlf", b"1"), (b"hlf", b"2")])
        await consume(address, "approvals", 2, session_timeout_ms=2000)
        await produce(address, "approvals", [(b"hlf", b"3")])
        [record] = await consume(address, "approvals", 1, session_timeout_ms=2000)
    assert record.value == b"3"


async def test_topics_have_the_partitions_that_were_asked_for(folder: RunFolder) -> None:
    async with embedded_broker(folder, {"a": 6, "b": 1}) as address:
        await produce(address, "b", [(bytes([key]), b"") for key in range(5)])
        found = await consume(address, "b", 5)
    assert {record.partition for record in found} == {0}


async def test_it_ends_with_its_context(folder: RunFolder) -> None:
    async with embedded_broker(folder, {"a": 1}) as address:
        port = int(address.rpartition(":")[2])
        assert accepts_connections(port)
    assert not accepts_connections(port)
