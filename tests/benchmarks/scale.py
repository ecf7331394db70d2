"""Scale: what claiming, switching, starting and reading cost once there are millions of items."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from tests.benchmarks.ground import Ground
from tests.benchmarks.results import Chart, Goal, Section, Table, at_most, count, percentile
from tests.benchmarks.rounds import Measure, interleaved
from tests.benchmarks.scale_bloat import Bloat, measure_bloat
from tests.benchmarks.scale_claim import OLDEST_FIRST, WORKER, Backlog, backlog
from tests.benchmarks.scale_notes import NOTES
from tests.benchmarks.scale_reads import OF_ALL, OF_ONE, Readings, many_organizations
from tests.benchmarks.scale_stage import opened_door, started_worker
from tests.benchmarks.scale_switching import BIG, FEW, switchboard
from tests.benchmarks.worker_stage import shipped_settings

ERP_SECONDS = 0.02
MANY, UPDATING = "worker, many pending", "updating the rows"
LITTLE = f"worker, {FEW} pending"
CROWDED, ONE_BIG, ONE_SMALL = "of many", "of one with all", f"of one with {FEW}"
NOTICED = 100.0
"""Milliseconds from which people notice that they wait."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`starts`: milliseconds from a worker's start to its first request, by number of items."""

    backlogs: Sequence[Backlog]
    starts: Mapping[int, float]

    def at(self, backlog: Backlog, claimer: str, share: float) -> float:
        return percentile(backlog.times[claimer], share)

    def growth(self, share: float) -> float:
        """The worker's claim on the most rows ÷ on the fewest."""
        return self.at(self.backlogs[-1], WORKER, share) / self.at(self.backlogs[0], WORKER, share)


@dataclass(frozen=True, slots=True)
class Switching:
    """Milliseconds, but for the bytes of WAL. `held` rows are what the peer updates."""

    items: int
    held: int
    enable: Mapping[str, float]
    off: Mapping[str, list[float]]
    wal: float
    wal_of_updating: float


async def measure(ground: Ground) -> Section:
    claims = await _claims(ground)
    readings = Readings()
    switching = await _switching(ground, readings)
    await _crowd(ground, readings)
    bloat = await _bloat(ground)
    return Section(
        name="scale",
        title="Scale",
        tables=[_claim_table(claims), _switching_table(switching), _reads_table(readings), _bloat_table(bloat)],
        charts=[_claim_chart(claims), _enable_chart(switching)],
        goals=_goals(claims, switching, readings, bloat),
        notes=NOTES,
    )


async def _claims(ground: Ground) -> Claims:
    sizes = [ground.size(10_000, 2_000), ground.size(1_000_000, 20_000), ground.size(10_000_000, 60_000)]
    ground.tell("Claims and starts, half of the organisations off")
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(opened_door(0))
        backlogs = [
            await stack.enter_async_context(backlog(ground, door, on=size - size // 2, off=size // 2)) for size in sizes
        ]
        for one in backlogs:
            await one.lease()
        await interleaved(_claim_subjects(ground, backlogs), ground.rounds, ground.tell, "ms")
        for one in backlogs:
            await one.undo()
        restarts: dict[str, Measure] = {f"start at {one.items:,}": partial(one.restart, ground) for one in backlogs}
        starts = await interleaved(restarts, ground.rounds, ground.tell, "ms")
        return Claims(backlogs, dict(zip(sizes, starts.values(), strict=True)))


def _claim_subjects(ground: Ground, backlogs: Sequence[Backlog]) -> dict[str, Measure]:
    by_lane = {f"{WORKER} at {one.items:,}": one.by_lane(ground.size(300, 50)) for one in backlogs}
    oldest = {f"{OLDEST_FIRST} at {one.items:,}": one.oldest_first(ground.size(4, 3)) for one in backlogs}
    return by_lane | oldest


async def _switching(ground: Ground, readings: Readings) -> Switching:
    items, held, times = ground.size(1_000_000, 20_000), ground.size(200_000, 5_000), ground.size(10, 3)
    ground.tell(f"Switching on with {items:,} and with {FEW} pending")
    async with (
        opened_door(ERP_SECONDS) as door,
        switchboard(ground, door, items, held) as (own, peer),
    ):
        places = {ONE_BIG: BIG.names[0], ONE_SMALL: own.few.names[0]}
        reads = {
            f"{read}, {place}": partial(readings.take, own.stage, read, place, name, ground.size(30, 3))
            for read in OF_ONE
            for place, name in places.items()
        }
        await interleaved(reads, ground.rounds, ground.tell, "ms")
        wal = await own.bytes_of_wal(ground.rounds)
        async with started_worker(ground, await shipped_settings(ground, own.stage.url, door)) as worker:
            await worker.ready()
            subjects: dict[str, Measure] = {
                MANY: partial(own.big, times),
                LITTLE: partial(own.small, times),
                UPDATING: peer.enable,
            }
            enable = await interleaved(subjects, ground.rounds, ground.tell, "ms")
    return Switching(items, held, enable, own.off, wal, median(peer.wal))


async def _crowd(ground: Ground, readings: Readings) -> None:
    organizations, items = ground.size(5_000, 100), ground.size(1_000_000, 20_000)
    ground.tell(f"Reads, {organizations:,} organisations")
    async with opened_door(0) as door, many_organizations(ground, door, organizations, items) as own:
        times = {**dict.fromkeys(OF_ONE, ground.size(30, 3)), **dict.fromkeys(OF_ALL, ground.size(5, 2))}
        reads: dict[str, Measure] = {
            f"{read}, {CROWDED}": partial(readings.take, own, read, CROWDED, "org-00000", number)
            for read, number in times.items()
        }
        await interleaved(reads, ground.rounds, ground.tell, "ms")


async def _bloat(ground: Ground) -> Bloat:
    ground.tell("Posting, and what it leaves behind")
    async with opened_door(0) as door:
        return await measure_bloat(ground, door, ground.size(200_000, 3_000))


def _claim_table(claims: Claims) -> Table:
    rows = [
        [
            f"{one.items:,}",
            *(count(claims.at(one, claimer, share)) for claimer in (WORKER, OLDEST_FIRST) for share in (0.5, 0.99)),
            count(claims.starts[one.items]),
        ]
        for one in claims.backlogs
    ]
    columns = ["items", "claim p50", "claim p99", f"{OLDEST_FIRST} p50", f"{OLDEST_FIRST} p99", "worker's start"]
    return Table(
        "Milliseconds for a claim of four items, and from a worker's start to its first request", columns, rows
    )


def _switching_table(found: Switching) -> Table:
    rows = [
        [MANY, count(found.enable[MANY]), count(found.wal / 1000), *_off(found.off["many"])],
        [LITTLE, count(found.enable[LITTLE]), "", *_off(found.off["few"])],
        [UPDATING, count(found.enable[UPDATING]), count(found.wal_of_updating / 1000), "", ""],
    ]
    title = f"Switching with {found.items:,} pending ({found.held:,} rows to update), in milliseconds"
    return Table(title, ["", "on → first request", "kB of WAL", "off → nothing in flight, p50", "p99"], rows)


def _off(times: Sequence[float]) -> list[str]:
    return [count(percentile(times, 0.5)), count(percentile(times, 0.99))]


def _reads_table(readings: Readings) -> Table:
    places = (ONE_SMALL, CROWDED, ONE_BIG)
    rows = [[read, *_cells(readings, read, places)] for read in (*OF_ONE, *OF_ALL)]
    columns = [f"{place}, {share}" for place in places for share in ("p50", "p99")]
    return Table("Milliseconds for what people and the worker look at, a million pending", ["", *columns], rows)


def _cells(readings: Readings, read: str, places: Sequence[str]) -> list[str]:
    found = [readings.times.get((read, place)) for place in places]
    return [count(percentile(times, share)) if times else "" for times in found for share in (0.5, 0.99)]


def _bloat_table(found: Bloat) -> Table:
    sizes = (found.pending, found.synced, found.fresh)
    rows = [
        ["table, MB", *(count(size.table / 1e6) for size in sizes)],
        ["indexes, MB", *(count(size.indexes / 1e6) for size in sizes)],
        ["updates that touched no index", "", f"{found.hot:.2f}", ""],
        ["dead rows", "", f"{found.dead:,}", ""],
    ]
    title = f"The table of items, {found.items:,} of them posted"
    return Table(title, ["", "pending", "synced", "the same rows, freshly loaded"], rows)


def _claim_chart(claims: Claims) -> Chart:
    bars = [
        (f"{claimer}, {one.items:,} items", claims.at(one, claimer, 0.5))
        for claimer in (WORKER, OLDEST_FIRST)
        for one in claims.backlogs
    ]
    return Chart("scale-claim", "A claim with half of the organisations off, median", "ms", bars, WORKER)


def _enable_chart(found: Switching) -> Chart:
    return Chart("scale-enable", "Switched on until the first request", "ms", list(found.enable.items()), WORKER)


def _goals(claims: Claims, switching: Switching, readings: Readings, bloat: Bloat) -> list[Goal]:
    most, fewest = claims.backlogs[-1].items, claims.backlogs[0].items
    slowest, (read, place) = max((percentile(times, 0.99), key) for key, times in readings.times.items())
    starts = claims.starts[most] / claims.starts[fewest]
    return [
        at_most(f"claim p50 at {most:,} ÷ at {fewest:,} ≤ 1.5", claims.growth(0.5), 1.5),
        at_most(f"claim p99 at {most:,} ÷ at {fewest:,} ≤ 1.5", claims.growth(0.99), 1.5),
        at_most(
            "on → first request with many ÷ with few ≤ 1.5", switching.enable[MANY] / switching.enable[LITTLE], 1.5
        ),
        at_most("on → first request < 100 ms", switching.enable[MANY], 100, "ms"),
        at_most("WAL of switching on < 128 kB", switching.wal / 1000, 128, "kB"),
        at_most(f"worker's start at {most:,} ÷ at {fewest:,} ≤ 1.5", starts, 1.5),
        at_most(f"slowest read ({read}, {place}), p99 ≤ 100 ms", slowest, NOTICED, "ms"),
        at_most("size after posting ÷ freshly loaded ≤ 1.5", bloat.growth, 1.5),
    ]
