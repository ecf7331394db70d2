"""Consumer groups: their offsets deleted, so that both topics are read again from the start."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NonEmptyGroup, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from deploy.local.topics import admin
from tests.chaos.arena import Arena

READING_SECONDS = 60.0
RETRY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Standing:
    """What may not change by reading again. `requests` carry a reimbursement, `calls` are all that the ERPs got."""

    items: int
    log_entries: int
    requests: int
    calls: Mapping[str, int]
    phases: Mapping[str, bool]


async def standing(arena: Arena) -> Standing:
    references = {one.reference for one in arena.approved}
    ledgers = await asyncio.gather(*(erp.ledger() for erp in arena.ground.erps.values()))
    calls = {name: sum((await erp.requests()).values()) for name, erp in arena.ground.erps.items()}
    switches = await arena.scene.fetch("select organization_id, enabled from connector")
    return Standing(
        items=await arena.scene.value("select count(*) from item"),
        log_entries=await arena.scene.value("select count(*) from sync_log"),
        requests=sum(line.reference in references for lines in ledgers for line in lines),
        calls=calls,
        phases={row["organization_id"]: row["enabled"] for row in switches},
    )


def note_changes(arena: Arena, before: Standing, after: Standing) -> None:
    """Promise P12: reading again sends nothing, makes nothing and switches nothing."""
    if before != after:
        arena.noticed.append(f"Reading the topics again changed something: {before} became {after}.")


async def delete_group(arena: Arena, group_id: str) -> None:
    """Its members have left; the broker may still need a moment to see that they are gone."""
    async with asyncio.timeout(READING_SECONDS):
        while (error := await _try_to_delete(arena, group_id)) is not None:
            if not (error.retriable or isinstance(error, NonEmptyGroup)):
                raise error
            await asyncio.sleep(RETRY_SECONDS)


async def all_committed(arena: Arena, group_id: str) -> None:
    """Waits until the group has read what is on both topics now; the broker gives no signal of it."""
    ends = await arena.scene.ends()
    async with asyncio.timeout(READING_SECONDS):
        while not _reach(await arena.scene.committed(group_id), ends):  # noqa: ASYNC110  # another program's state
            await asyncio.sleep(RETRY_SECONDS)


def _reach(committed: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> bool:
    return all(committed.get(place, 0) >= end for place, end in ends.items())


async def _try_to_delete(arena: Arena, group_id: str) -> KafkaError | None:
    # aiokafka's client of administrators knows the request, but has no method for it.
    async with admin(arena.scene.settings.kafka_bootstrap_servers) as client:
        coordinator = await client.find_coordinator(group_id)
        answer = await client._send_request_to_node(coordinator, DeleteGroupsRequest([group_id]))
    code = answer.results[0][1]
    return for_code(code)() if code else None
