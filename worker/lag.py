"""Whether what stands on the topics is read. It asks the broker as a reader of its own, which joins no group.

An offset below the end is not yet a record: markers of transactions and what was compacted or has expired take
offsets too. So before anybody is blamed, the next record is read.
"""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress

from aiokafka import TopicPartition

from worker.inspections import READING_SECONDS, Connecting, Reading
from worker.intake import Intake
from worker.progress import LoopName, Pulse, Stall
from worker.store import progress


class LagInspection:
    """The partitions of this worker; all of them while it has none, since a consumer without any may never rejoin."""

    def __init__(
        self,
        connecting: Connecting,
        reading: Reading,
        topics: Sequence[str],
        intake: Intake,
        pulse: Pulse,
    ) -> None:
        self._connecting = connecting
        self._reading = reading
        self._topics = topics
        self._intake = intake
        self._pulse = pulse
        self._next_offsets: dict[str, tuple[TopicPartition, int]] = {}

    async def look(self) -> Mapping[str, Hashable]:
        if self._pulse.is_in_vain(LoopName.INTAKE):
            return {}
        async with self._connecting() as connection:
            stored = await progress.positions(connection, self._topics)
        ends = await self._ends()
        self._next_offsets = {}
        signs: dict[str, Hashable] = {}
        for place in self._intake.assignment() or set(ends):
            position = stored.get((place.topic, place.partition))
            next_offset = position.next_offset if position else 0
            if next_offset < ends.get(place, 0):
                signs[_name(place)] = position
                self._next_offsets[_name(place)] = (place, next_offset)
        return signs

    async def is_real(self, subject: str) -> bool:
        place, offset = self._next_offsets[subject]
        async with self._reading() as reader:
            reader.seek(place, offset)
            reader.resume(place)
            with suppress(TimeoutError):
                async with asyncio.timeout(READING_SECONDS):
                    await reader.getone(place)
                    return True
        return False

    def stall(self, subject: str, seconds: float) -> Stall:
        whose = "is this worker's" if self._intake.assignment() else "waits while this worker has no partition at all"
        why = (
            f"Nothing was read from {subject} in {seconds:.0f} s, though a record stands there at offset "
            f"{self._next_offsets[subject][1]}, the broker answers, and the partition {whose}. "
            "The process ends to be started anew."
        )
        return Stall("intake", subject, why)

    async def _ends(self) -> Mapping[TopicPartition, int]:
        async with self._reading() as reader:
            ends: Mapping[TopicPartition, int] = await reader.end_offsets(list(reader.assignment()))
        return ends


def _name(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
