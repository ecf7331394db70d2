"""What a subject of the intake benchmark does, seen from outside: records, CPU seconds and memory over time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient

LONGEST_RUN = 300.0
HowMany = Callable[[], Awaitable[int]]
OUTPUT_TOLD = 3000


class Subject(Protocol):
    """A program of its own that is watched."""

    @property
    def pid(self) -> int: ...

    def output(self) -> str: ...

    async def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """`records` done by then; `cpu` in seconds, `memory` (resident) in bytes."""

    at: float
    records: int
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Run:
    """One subject's way from the first record to the last."""

    samples: Sequence[Sample]

    @property
    def rate(self) -> float:
        """Records a second from the first tenth on: groups have been joined and programs are warm by then."""
        first, last = self._ends()
        return (last.records - first.records) / (last.at - first.at)

    @property
    def cpu_per_record(self) -> float:
        """In microseconds, from the first tenth on."""
        first, last = self._ends()
        return (last.cpu - first.cpu) / (last.records - first.records) * 1e6

    def memory(self, low: int, high: int) -> float:
        """The median while from `low` to `high` records were done, in bytes."""
        return median(sample.memory for sample in self.samples if low <= sample.records <= high)

    def _ends(self) -> tuple[Sample, Sample]:
        """The samples at the first tenth and at the end: two of them, however short the run was."""
        *earlier, last = self.samples
        return next((sample for sample in earlier if sample.records * 10 >= last.records), earlier[-1]), last


async def watch(subject: Subject, how_many: HowMany, wanted: int, pause: float) -> Run:
    """Until so many records are done. Raises AssertionError with what it said where the program ends before."""
    program = psutil.Process(subject.pid)
    samples = [_sample(program, 0)]
    async with asyncio.timeout(LONGEST_RUN):
        while samples[-1].records < wanted:
            assert program.status() != psutil.STATUS_ZOMBIE, subject.output()[-OUTPUT_TOLD:]
            await asyncio.sleep(pause)
            samples.append(_sample(program, await how_many()))
    return Run(samples)


def _sample(program: psutil.Process, records: int) -> Sample:
    with program.oneshot():
        cpu = program.cpu_times()
        return Sample(time.monotonic(), records, cpu.user + cpu.system, program.memory_info().rss)


async def rows(connection: asyncpg.Connection, table: str) -> int:
    found: int = await connection.fetchval(f"select count(*) from {table}")
    return found


async def rows_a_second(connection: asyncpg.Connection, table: str, moment: str) -> float:
    """From the first tenth to the last row, by the time of each row's insert, which the column `moment` holds."""
    seconds = f"extract(epoch from max({moment}) - percentile_disc(0.1) within group (order by {moment}))"
    return float(await connection.fetchval(f"select 0.9 * count(*) / {seconds} from {table}"))


async def committed(client: AIOKafkaAdminClient, group: str) -> int:
    """How many records of all partitions the group has behind it; the topics begin at 0."""
    offsets = await client.list_consumer_group_offsets(group)
    return sum(max(found.offset, 0) for found in offsets.values())
