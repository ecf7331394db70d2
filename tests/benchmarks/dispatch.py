"""Dispatch: how fast pending items reach an ERP, and what PostgreSQL does for each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from tests.benchmarks.dispatch_stage import Cost, Meter, Seen, run_peer, started_erp
from tests.benchmarks.dispatch_worker import measure_worker
from tests.benchmarks.ground import Ground
from tests.benchmarks.results import Chart, Goal, Section, Table, at_least, count
from tests.benchmarks.rounds import interleaved

ORGANIZATIONS = 64
LIMIT, HAND_WRITTEN, WORKER = "limit: aiohttp alone", "hand-written", "worker"
PGQUEUER, PROCRASTINATE = "pgqueuer", "procrastinate"
PEERS = {HAND_WRITTEN: "hand_written", PGQUEUER: "pgqueuer", PROCRASTINATE: "procrastinate"}

Trial = Callable[[], Awaitable[tuple[Seen, Cost | None]]]


@dataclass(frozen=True, slots=True)
class Pace:
    """An ERP that answers after so many milliseconds, and the items for it; `few` for whoever takes long."""

    milliseconds: int
    items: int
    few: int


@dataclass(slots=True)
class Findings:
    """Of one pace, by subject: items a second, and of each round what it cost and what was on the wire at once."""

    pace: Pace
    rates: Mapping[str, float] = field(default_factory=dict)
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    most_in_flight: dict[str, int] = field(default_factory=dict)

    async def take(self, subject: str, trial: Trial) -> float:
        seen, cost = await trial()
        self.most_in_flight[subject] = max(seen.most_in_flight, self.most_in_flight.get(subject, 0))
        if cost is not None:
            self.costs.setdefault(subject, []).append(cost)
        return seen.rate

    def ratio(self, subject: str, to: str) -> float:
        return self.rates[subject] / self.rates[to]


async def measure(ground: Ground) -> Section:
    size = ground.size
    at_once = await _at(ground, Pace(0, size(20_000, 1_000), size(3_000, 200)))
    slow = await _at(ground, Pace(20, size(6_000, 500), size(2_000, 150)))
    return Section(
        name="dispatch",
        title="Dispatch",
        tables=[_rates(at_once, slow), _costs(at_once)],
        charts=[_chart(at_once), _chart(slow)],
        goals=_goals(at_once, slow),
        notes=NOTES,
    )


async def _at(ground: Ground, pace: Pace) -> Findings:
    found = Findings(pace)
    ground.tell(f"An ERP that answers in {pace.milliseconds} ms")
    trials = {name: partial(found.take, name, trial) for name, trial in _trials(ground, pace).items()}
    found.rates = await interleaved(trials, ground.rounds, ground.tell, "items/s")
    return found


def _trials(ground: Ground, pace: Pace) -> dict[str, Trial]:
    seconds = pace.milliseconds / 1000
    return {
        LIMIT: partial(_measure_limit, ground, pace.items, seconds),
        HAND_WRITTEN: partial(_measure_peer, ground, HAND_WRITTEN, pace.items, seconds),
        WORKER: partial(measure_worker, ground, pace.items, ORGANIZATIONS, seconds),
        PGQUEUER: partial(_measure_peer, ground, PGQUEUER, pace.items, seconds),
        PROCRASTINATE: partial(_measure_peer, ground, PROCRASTINATE, pace.few, seconds),
    }


async def _measure_limit(ground: Ground, items: int, seconds: float) -> tuple[Seen, None]:
    async with started_erp(ground, seconds) as erp:
        await run_peer(ground, "limit", "run", "-", erp.url, str(items))
        return await erp.has_seen(items), None


async def _measure_peer(ground: Ground, subject: str, items: int, seconds: float) -> tuple[Seen, Cost]:
    async with ground.database(migrated=False) as url, started_erp(ground, seconds) as erp:
        await run_peer(ground, PEERS[subject], "load", url, erp.url, str(items))
        meter = Meter(ground, url)
        await meter.begin()
        await run_peer(ground, PEERS[subject], "run", url, erp.url, str(items))
        return await erp.has_seen(items), await meter.end(items)


def _rates(*findings: Findings) -> Table:
    columns = ["", *(f"{one.pace.milliseconds} ms" for one in findings), *(_of_limit(one) for one in findings)]
    rows = [
        [
            subject,
            *(count(one.rates[subject]) for one in findings),
            *(f"{one.ratio(subject, LIMIT):.2f}" for one in findings),
            str(max(one.most_in_flight[subject] for one in findings)),
        ]
        for subject in findings[0].rates
    ]
    return Table("Items a second, by the time the ERP takes to answer", [*columns, "most in flight"], rows)


def _of_limit(one: Findings) -> str:
    return f"of the limit at {one.pace.milliseconds} ms"


def _costs(found: Findings) -> Table:
    rows = [
        [
            subject,
            f"{median(cost.commits for cost in costs):.3f}",
            count(median(cost.wal for cost in costs)),
        ]
        for subject, costs in found.costs.items()
    ]
    return Table("What one item costs in PostgreSQL (0 ms)", ["", "commits", "bytes of WAL"], rows)


def _chart(found: Findings) -> Chart:
    milliseconds = found.pace.milliseconds
    title = f"Dispatch to an ERP that answers in {milliseconds} ms"
    return Chart(f"dispatch-{milliseconds}ms", title, "items/s", list(found.rates.items()), WORKER)


def _goals(at_once: Findings, slow: Findings) -> list[Goal]:
    return [
        at_least("ahead of pgqueuer at 0 ms: worker ÷ pgqueuer ≥ 1", at_once.ratio(WORKER, PGQUEUER), 1.0),
        at_least("worker ÷ hand-written ≥ 0.5 at 0 ms", at_once.ratio(WORKER, HAND_WRITTEN), 0.5),
        at_least("worker ÷ limit ≥ 0.95 at 20 ms", slow.ratio(WORKER, LIMIT), 0.95),
    ]


NOTES = (
    """The ERP is a process of its own that takes one POST for each item, of 64 organisations in turn, and answers 201
with a document's number. Items a second are counted where they arrive, from the first tenth of them to the last.""",
    """At most 32 requests are on the wire at once: the peers have one HTTP session with 32 connections; the worker's
connector holds back what goes beyond 32 in the whole process, and takes four of one organisation at once.""",
    """The worker is the shipped command with all its roles and its settings as shipped: leases, the flag read under
lock, claims committed before anything leaves, permits, history, outcomes published to Kafka, a log line for each
attempt. The connector is a small one of the benchmark (`plain_erp.py`), installed beside those that are shipped, and
uses their HTTP client. Items were approved and stored before it starts, with connectors on.""",
    """Hand-written: claims of 200 with SKIP LOCKED ahead of the wire, settled together; neither history nor outbox, and
after a crash nobody knows what was sent. pgqueuer takes 32 jobs at a time and keeps a log of them, procrastinate
runs 32 and keeps their rows. The latter gets fewer items, since it takes long.""",
    "Commits and bytes of WAL are the server's own counts, from the start of the program to its end.",
)
