"""Gathers the evidence of a run once it is over: PostgreSQL, both ledgers, the outcomes topic."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress

from deploy.local.sandboxes.ledger import LedgerLine
from tests.chaos.arena import Arena
from tests.chaos.oracle import Evidence, ItemKey, StoredItem, Switched
from worker.store import sync_log
from worker.store.database import acquire

PUBLISHING_SECONDS = 15.0


async def gather(arena: Arena) -> Evidence:
    """Stops the workers, in order, once what waits in the outbox is published."""
    crashed = await _stop_workers(arena)
    references = {one.reference for one in arena.approved}
    told = await _told(arena)
    return Evidence(
        approved=arena.approved,
        items=await _items(arena),
        buried=frozenset(await _buried(arena)),
        switched=await _switched(arena),
        ledger=[line for line in await _ledger(arena) if line.reference in references],
        told=frozenset(told),
        broken=[*arena.noticed, *_told_twice(told), *await _broken(arena)],
        crashed=crashed,
    )


async def _stop_workers(arena: Arena) -> list[str]:
    with suppress(TimeoutError):
        async with asyncio.timeout(PUBLISHING_SECONDS):
            await arena.scene.nothing_to_publish()
    return await arena.ground.nursery.let_leave()


async def _items(arena: Arena) -> Mapping[ItemKey, StoredItem]:
    rows = await arena.scene.fetch(
        "select organization_id, reimbursement_id, state, document_number, reason, reason_code from item"
    )
    return {
        (row["organization_id"], row["reimbursement_id"]): StoredItem(
            row["state"], row["document_number"], row["reason"], row["reason_code"]
        )
        for row in rows
    }


async def _buried(arena: Arena) -> set[ItemKey]:
    """What contradicts an earlier record is no excuse: the first stands."""
    rows = await arena.scene.fetch(
        "select value from dead_letter where value is not null and reason <> 'conflicting_content'"
    )
    return {key for row in rows for key in _key_in(row["value"])}


def _key_in(value: bytes) -> Iterator[ItemKey]:
    """Of a record's data, as far as it can be read."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        data = json.loads(value)
        yield str(data["organization_id"]), str(data["reimbursement_id"])


async def _switched(arena: Arena) -> list[Switched]:
    rows = await arena.scene.fetch(
        "select organization_id, at, new_state from sync_log where new_state is not null "
        "order by organization_id, entry_no"
    )
    return [Switched(row["organization_id"], row["at"], row["new_state"]) for row in rows]


async def _ledger(arena: Arena) -> list[LedgerLine]:
    ledgers = await asyncio.gather(*(erp.ledger() for erp in arena.ground.erps.values()))
    return [line for lines in ledgers for line in lines]


async def _told(arena: Arena) -> Mapping[ItemKey, set[bytes]]:
    """By which events each was said to be synced; one that is published again keeps its id."""
    told: defaultdict[ItemKey, set[bytes]] = defaultdict(set)
    for one in await arena.scene.published(arena.scene.settings.outcomes_topic):
        headers = dict(one.headers)
        if headers.get("ce_type") == b"reimbursement.synced.v1":
            for key in _key_in(one.value):
                told[key].add(headers["ce_id"])
    return told


def _told_twice(told: Mapping[ItemKey, set[bytes]]) -> list[str]:
    return [f"{' '.join(key)}: synced, and told of by {len(ids)} events." for key, ids in told.items() if len(ids) > 1]


async def _broken(arena: Arena) -> list[str]:
    """Promises P4 and P10."""
    broken = []
    try:
        await arena.scene.everything_is_accounted_for()
    except AssertionError:
        broken.append("Not every offset below the committed one is accounted for.")
    async with acquire(arena.scene.pool) as connection:
        for house in arena.houses:
            sentence = await sync_log.verify(connection, house.organization_id)
            broken += [f"{house.organization_id}: {sentence}"] if sentence else []
    return broken
