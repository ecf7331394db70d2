"""More workers: what 1, 2 and 4 processes do together on three brokers, and what each item costs whom."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

from deploy.local.services import Services
from tests.benchmarks.ground import Ground
from tests.benchmarks.results import Chart, Goal, Section, Table, at_least, at_most, count
from tests.benchmarks.rounds import interleaved
from tests.benchmarks.workers_stage import Load, measure_dispatch, measure_intake

BROKERS = 3
PROCESSES = (1, 2, 4)
ONE, MOST = PROCESSES[0], PROCESSES[-1]
ORGANIZATIONS_READ = 64
LEAST_RATIO, MOST_CPU_RATIO = 1.0, 1.5

Trial = Callable[[], Awaitable[Load]]


@dataclass(slots=True)
class Findings:
    """Of one kind of work: items a second by the number of processes, and the loads of the rounds."""

    work: str
    rates: Mapping[str, float] = field(default_factory=dict)
    loads: dict[str, list[Load]] = field(default_factory=dict)

    async def take(self, subject: str, trial: Trial) -> float:
        load = await trial()
        self.loads.setdefault(subject, []).append(load)
        return load.rate

    def middle(self, processes: int, of: Callable[[Load], float]) -> float:
        return median(of(load) for load in self.loads[_subject(processes)])

    def rate(self, processes: int) -> float:
        return self.rates[_subject(processes)]


async def measure(ground: Ground) -> Section:
    async with Services.start("test", brokers=BROKERS, durable=True, tell=ground.tell) as services:
        ground = replace(ground, services=services)
        items, organizations = ground.size(60_000, 3_000), ORGANIZATIONS_READ
        intake = await _of(ground, "Intake", measure_intake, items, organizations)
        items, organizations = ground.size(16_000, 600), ground.size(800, 60)
        dispatch = await _of(ground, "Dispatch", measure_dispatch, items, organizations)
    return Section(
        name="workers",
        title="More workers",
        tables=[_table(intake), _table(dispatch), _left_behind(intake, dispatch)],
        charts=[_chart(intake), _chart(dispatch)],
        goals=[*_goals(intake), *_goals(dispatch)],
        notes=NOTES,
    )


async def _of(
    ground: Ground,
    work: str,
    measure_load: Callable[[Ground, int, int, int], Awaitable[Load]],
    items: int,
    organizations: int,
) -> Findings:
    found = Findings(work)
    ground.tell(f"{work}, with {BROKERS} brokers")
    trials = {
        _subject(number): partial(
            found.take, _subject(number), partial(measure_load, ground, number, items, organizations)
        )
        for number in (PROCESSES if not ground.quick else (ONE, PROCESSES[1]))
    }
    found.rates = await interleaved(trials, ground.rounds, ground.tell, "items/s")
    return found


def _subject(processes: int) -> str:
    return f"{processes} worker{'s' if processes > 1 else ''}"


COLUMNS = (
    "",
    "items a second",
    "of one worker",
    "ms CPU an item: workers",
    "PostgreSQL",
    "brokers",
    "sessions at work",
    "waiting for a row",
    "waiting for a latch",
    "waiting for the disk",
    "shares of the workers",
)


def _table(found: Findings) -> Table:
    rows = [_row(found, number) for number in PROCESSES if _subject(number) in found.rates]
    return Table(f"{found.work}, by the number of worker processes", COLUMNS, rows)


def _row(found: Findings, processes: int) -> Sequence[str]:
    """Sessions are PostgreSQL's, on average."""
    middle = partial(found.middle, processes)
    return [
        _subject(processes),
        count(found.rate(processes)),
        f"{found.rate(processes) / found.rate(ONE):.2f}",
        f"{1000 * middle(lambda load: load.cpu.workers):.3f}",
        f"{1000 * middle(lambda load: load.cpu.postgresql):.3f}",
        f"{1000 * middle(lambda load: load.cpu.brokers):.3f}",
        f"{middle(lambda load: load.waits.active):.2f}",
        f"{middle(lambda load: load.waits.locks):.2f}",
        f"{middle(lambda load: load.waits.latches):.2f}",
        f"{middle(lambda load: load.waits.disk):.2f}",
        ", ".join(f"{share:.0%}" for share in found.loads[_subject(processes)][-1].shares),
    ]


def _left_behind(*findings: Findings) -> Table:
    rows = [
        [
            found.work,
            count(found.middle(ONE, lambda load: load.written.wal)),
            count(found.middle(ONE, lambda load: load.written.database)),
            f"{found.middle(ONE, lambda load: load.memory) / 2**20:.0f}",
        ]
        for found in findings
    ]
    columns = ["", "bytes of WAL an item", "bytes of database an item", "MiB of a worker"]
    return Table("What an item leaves in PostgreSQL, and the memory of one worker", columns, rows)


def _chart(found: Findings) -> Chart:
    title = f"{found.work} by one, two and four workers on the same machine"
    return Chart(f"workers-{found.work.lower()}", title, "items/s", list(found.rates.items()), _subject(ONE))


def _goals(found: Findings) -> list[Goal]:
    """On this machine's cores more workers can't do much more; they must not do less, nor cost much more."""
    most = max(number for number in PROCESSES if _subject(number) in found.rates)
    cpu = [found.middle(number, lambda load: load.cpu.workers + load.cpu.postgresql) for number in (ONE, most)]
    return [
        at_least(
            f"{found.work}: {most} workers ÷ 1 on the same cores ≥ {LEAST_RATIO:.0f}",
            found.rate(most) / found.rate(ONE),
            LEAST_RATIO,
        ),
        at_most(
            f"{found.work}: CPU an item (workers and PostgreSQL), {most} workers ÷ 1 ≤ {MOST_CPU_RATIO}",
            cpu[1] / cpu[0],
            MOST_CPU_RATIO,
        ),
    ]


NOTES = (
    """Three brokers, every partition on all of them, twelve partitions of the approvals topic; PostgreSQL, brokers,
workers and the ERP share this machine's cores. So the figures to build on are the CPU of an item and the waits, and
`deploy/README.md` reckons with those.""",
    """Intake: all workers are ready and have their partitions before one Kafka transaction with all approvals, of 64
organisations, is committed. Dispatch: 800 organisations have 20 approvals each; all workers are ready before all
connectors are switched on in one transaction. A worker holds 200 lanes at the most, and whoever comes first takes them,
so that with fewer organisations one worker would do all the work. The ERP answers at once. Items a second count from
the first tenth of them to the last.""",
    """CPU is user and system time of the processes from that moment until everything is stored, or settled and
published. Sessions are counted in pg_stat_activity every 20 ms: at work (`active`), waiting for another's row or
transaction (`Lock`), for a latch inside PostgreSQL (`LWLock`), for the disk (`IO`, the write-ahead log's above all).
The brokers use the processor also while nothing comes, so their share of a slow kind of work is mostly that.""",
    "The database grows by tables and indexes, before any vacuum. Memory is the resident set of the largest worker.",
)
