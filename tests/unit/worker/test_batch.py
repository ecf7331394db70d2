"""What a batch of records is sorted into, without a database."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.events import approval
from worker.batch import A_TURN, Channel, sort_in_turns, sort_records

CHANNELS: dict[str, Channel] = {"approved": "approvals"}


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    topic: str = "approved"
    partition: int = 0


def records(number: int) -> list[Record]:
    """Every third is bad."""
    messages = [approval(f"R-{place}") for place in range(number)]
    return [
        Record(at, m.key, m.value if at % 3 else b"{", [(name, value) for name, value in m.headers])
        for at, m in enumerate(messages)
    ]


async def test_others_have_their_turn_while_a_batch_is_read() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    await sort_in_turns(records(10 * A_TURN), CHANNELS)
    others.cancel()
    with suppress(asyncio.CancelledError):
        await others
    assert turns >= 10


async def test_records_read_in_turns_are_sorted_as_if_read_at_once() -> None:
    batch = records(2 * A_TURN + 1)
    assert await sort_in_turns(batch, CHANNELS) == sort_records(batch, CHANNELS)
