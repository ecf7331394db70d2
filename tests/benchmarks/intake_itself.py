"""The worker's intake against itself: everything known already, some records bad, and twenty times as many records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.ground import Ground
from tests.benchmarks.intake_topics import approvals, fill
from tests.benchmarks.intake_watch import Run
from tests.benchmarks.intake_worker import read_topic
from tests.benchmarks.results import Chart, Goal, Table, at_least, at_most, count
from tests.benchmarks.rounds import Measure, interleaved

CLEAN, REPLAYED, BAD = "fresh", "all duplicates", "10 % bad records"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class OwnRates:
    """Records a second, by what the topic holds."""

    rates: Mapping[str, float]

    def table(self) -> Table:
        rows = [[what, count(rate), f"{rate / self.rates[CLEAN]:.2f}"] for what, rate in self.rates.items()]
        return Table("The worker by what it reads, records committed a second", ["", "records/s", "of fresh"], rows)

    def chart(self) -> Chart:
        return Chart("intake-worker", "The worker by what it reads", "records/s", list(self.rates.items()), CLEAN)

    def goals(self) -> Sequence[Goal]:
        replayed, bad = self.rates[REPLAYED] / self.rates[CLEAN], self.rates[BAD] / self.rates[CLEAN]
        return [
            at_least("all duplicates ÷ fresh ≥ 1.2", replayed, 1.2),
            at_least("10 % bad records ÷ fresh ≥ 0.8", bad, 0.8),
        ]


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of the worker's process after `early` and after `late` records."""

    early: int
    late: int
    before: float
    after: float

    @property
    def change(self) -> float:
        """In per cent."""
        return (self.after / self.before - 1) * 100

    def table(self) -> Table:
        rows = [[f"{self.early:,}", f"{self.before / MIB:.0f}"], [f"{self.late:,}", f"{self.after / MIB:.0f}"]]
        return Table("The worker's memory", ["records read", "MiB resident"], rows)

    def goal(self) -> Goal:
        wanted = f"memory flat within 10 % from {self.early:,} to {self.late:,} records"
        return at_most(wanted, abs(self.change), 10, "% of change")


async def compare_with_itself(ground: Ground, clean: str, bad: str, records: int) -> OwnRates:
    """`clean`, `bad`: topics of so many records."""
    ground.tell("The worker against itself")
    async with ground.database() as full:
        await read_topic(ground, clean, records, full)
        subjects: Mapping[str, Measure] = {
            CLEAN: partial(_rate, ground, clean, records),
            REPLAYED: partial(_rate_in, full, ground, clean, records),
            BAD: partial(_rate, ground, bad, records),
        }
        return OwnRates(await interleaved(subjects, ground.rounds, ground.tell, "records/s"))


async def measure_memory(ground: Ground, early: int, late: int) -> Memory:
    """In one run over a topic of its own: the median over a twentieth of the way behind each of the two points."""
    ground.tell(f"Memory over {late:,} records")
    topic = await fill(ground, "bench-long", approvals(late))
    async with ground.database() as url:
        run: Run = await read_topic(ground, topic, late, url)
    stretch = late // 20
    return Memory(early, late, run.memory(early, early + stretch), run.memory(late - stretch, late))


async def _rate(ground: Ground, topic: str, records: int) -> float:
    async with ground.database() as url:
        return await _rate_in(url, ground, topic, records)


async def _rate_in(url: str, ground: Ground, topic: str, records: int) -> float:
    return (await read_topic(ground, topic, records, url)).rate
