"""What one batch of Kafka records becomes in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.content import canonical_hash
from worker.store.database import Connection
from worker.store.queries import load

_SQL = load("intake")

Partition = tuple[str, int]
ItemKey = tuple[str, str]


class NewItem(NamedTuple):
    """An accepted approval. `content` is its canonical form, `total_minor` in the currency's smallest unit, `receipts`
    how many it has.

    A tuple in the order of `accept_items`' arguments, since one is made for each record.
    """

    organization_id: str
    reimbursement_id: str
    approved_at: datetime
    currency: str
    total_minor: int
    content: bytes
    receipts: int

    @property
    def key(self) -> ItemKey:
        return self.organization_id, self.reimbursement_id

    @property
    def content_hash(self) -> bytes:
        """As `accept_items` makes it: needed here only to compare a copy with what stands."""
        return canonical_hash(self.content)


@dataclass(slots=True)
class Tally:
    """What became of the records of one partition, each counted once however often it is read."""

    next_offset: int
    approvals: int = 0
    toggles: int = 0
    duplicates: int = 0
    dead_letters: int = 0


async def lock_positions(connection: Connection, first_offsets: Mapping[Partition, int]) -> dict[Partition, int]:
    """How far each partition has been read. Workers that read the same one wait here for each other."""
    partitions = sorted(first_offsets)
    rows = await connection.fetch(
        _SQL["lock_position"],
        [topic for topic, _ in partitions],
        [number for _, number in partitions],
        [first_offsets[partition] for partition in partitions],
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance_positions(connection: Connection, tallies: Mapping[Partition, Tally]) -> None:
    partitions = sorted(tallies)
    counts = [tallies[partition] for partition in partitions]
    await connection.execute(
        _SQL["advance_position"],
        [topic for topic, _ in partitions],
        [number for _, number in partitions],
        [tally.next_offset for tally in counts],
        [tally.approvals for tally in counts],
        [tally.toggles for tally in counts],
        [tally.duplicates for tally in counts],
        [tally.dead_letters for tally in counts],
    )


async def accept(connection: Connection, items: Sequence[NewItem]) -> int:
    """Stores the items in their order, no two of the same key; answers how many were new."""
    new: int = await connection.fetchval(_SQL["accept_items"], *map(list, zip(*items, strict=True)))
    return new


async def standing_items(connection: Connection, keys: Iterable[ItemKey]) -> dict[ItemKey, bytes]:
    """The content hash of what stood under each key before. Without savepoints: those would make this transaction's own
    items look like others'."""
    wanted = sorted(set(keys))
    rows = await connection.fetch(_SQL["standing_items"], [key[0] for key in wanted], [key[1] for key in wanted])
    return {(row[0], row[1]): row[2] for row in rows}


async def wake_lanes(connection: Connection, organizations: Iterable[str]) -> None:
    """Tells every worker, once this transaction commits."""
    await connection.execute(_SQL["wake_lanes"], list(organizations))


async def remember_toggle(
    connection: Connection, organization_id: str, source: str, event_id: str, content_hash: bytes
) -> bytes | None:
    """None at first sight of the event; otherwise the content hash it had the first time."""
    first = await connection.fetchval(_SQL["first_sight_of_toggle"], organization_id, source, event_id, content_hash)
    if first is not None:
        return None
    known: bytes = await connection.fetchval(_SQL["toggle_hash"], organization_id, source, event_id)
    return known
