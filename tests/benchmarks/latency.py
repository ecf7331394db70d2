"""Latency: from an approval to the request that the ERP reads, idle and while another organisation is drained."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

from tests.benchmarks.ground import Ground
from tests.benchmarks.latency_stage import Delays, Flow, measure_peer
from tests.benchmarks.latency_worker import measure_worker
from tests.benchmarks.results import Chart, Goal, Section, Table, at_most, percentile
from tests.benchmarks.rounds import interleaved

A_SECOND = 50.0
BACKLOG = 100_000
IDLE, BESIDE_A_DRAIN = "worker, idle", "worker, beside a drain"
PEERS = {"hand-written": "hand_written", "pgqueuer": "pgqueuer", "procrastinate": "procrastinate"}
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
P99 = SHARES["p99"]
MOST_IDLE = 30.0
MOST_TIMES_IDLE = 2.0

Trial = Callable[[], Awaitable[Delays]]


@dataclass(slots=True)
class Findings:
    """Of each subject, what its rounds saw."""

    rounds: dict[str, list[Delays]] = field(default_factory=dict)

    async def take(self, subject: str, trial: Trial) -> float:
        seen = await trial()
        self.rounds.setdefault(subject, []).append(seen)
        return seen.p99

    def stored(self, subject: str) -> list[list[float]]:
        return [seen.stored for seen in self.rounds[subject]]

    def produced(self, subject: str) -> list[list[float]]:
        return [seen.produced for seen in self.rounds[subject]]

    def drained(self, subject: str) -> float:
        return median(seen.drained for seen in self.rounds[subject])


async def measure(ground: Ground) -> Section:
    found = Findings()
    trials = {name: partial(found.take, name, trial) for name, trial in _trials(ground).items()}
    await interleaved(trials, ground.rounds, ground.tell, "ms at p99")
    return Section(
        name="latency",
        title="Latency",
        tables=[_from_produced(found), _from_stored(found)],
        charts=[_chart(found)],
        goals=_goals(found),
        notes=(
            *NOTES,
            f"The other organisation's drain went on at {found.drained(BESIDE_A_DRAIN):.0f} requests a second.",
        ),
    )


def _trials(ground: Ground) -> dict[str, Trial]:
    warming = ground.size(100, 25)
    idle = Flow(warming + ground.size(1_000, 50), warming, A_SECOND, seconds=0.0)
    beside = replace(idle, backlog=ground.size(BACKLOG, 5_000))
    peers: dict[str, Trial] = {name: partial(measure_peer, ground, file, idle) for name, file in PEERS.items()}
    return {
        IDLE: partial(measure_worker, ground, idle),
        BESIDE_A_DRAIN: partial(measure_worker, ground, beside),
    } | peers


def _from_produced(found: Findings) -> Table:
    rows = [_row(name, found.produced(name)) for name in (IDLE, BESIDE_A_DRAIN)]
    return Table("Milliseconds from the approval handed to Kafka to the request read by the ERP", COLUMNS, rows)


def _from_stored(found: Findings) -> Table:
    rows = [_row(name, found.stored(name)) for name in found.rounds]
    return Table("Milliseconds from the row to the request read by the ERP", COLUMNS, rows)


COLUMNS = ("", *SHARES, "p99 of each round", "approvals")


def _row(subject: str, rounds: Sequence[Sequence[float]]) -> list[str]:
    every = [value for values in rounds for value in values]
    cells = [f"{percentile(every, share):.1f}" for share in SHARES.values()]
    return [subject, *cells, ", ".join(f"{percentile(values, P99):.1f}" for values in rounds), f"{len(every):,}"]


def _p99(rounds: Sequence[Sequence[float]]) -> float:
    """The median of the rounds."""
    return median(percentile(values, P99) for values in rounds)


def _chart(found: Findings) -> Chart:
    bars = [(f"{name} (from Kafka)", _p99(found.produced(name))) for name in (IDLE, BESIDE_A_DRAIN)]
    bars += [(name, _p99(found.stored(name))) for name in found.rounds]
    return Chart("latency-p99", "Until the ERP has read the request, p99", "ms", bars)


def _goals(found: Findings) -> list[Goal]:
    idle, beside = _p99(found.produced(IDLE)), _p99(found.produced(BESIDE_A_DRAIN))
    return [
        at_most(f"approval produced → request, idle: p99 ≤ {MOST_IDLE:.0f} ms", idle, MOST_IDLE, "ms"),
        at_most("while another organisation drains: p99 ≤ 2 × idle", beside / idle, MOST_TIMES_IDLE),
    ]


NOTES = (
    """Fifty approvals a second, of ten organisations in turn, one every 20 ms. The ERP is a process of its own that
answers at once, and remembers when it had read each request. The first two seconds of each round are not counted.
p50, p99 and p99.9 are of all rounds together; the goals and the picture take the median of the rounds' p99.""",
    """The worker is the shipped command with all its roles and its settings as shipped. *Handed to Kafka* is the moment
before the producer's `send` (acks = all, no linger). *The row* is, for the worker, when PostgreSQL wrote it
(`received_at`), before the rest of the intake's transaction and its commit; for the peers, when whoever enqueued was
told of the commit.""",
    """*Beside a drain*: an eleventh organisation has 100,000 pending approvals and its connector on. Since the ERP
answers at once, it is drained as fast as the worker can, four requests at a time, from before the first approval to
after the last. The peers have one queue, in which an approval waits for all that came before it: they are measured
idle.""",
    """Hand-written: one loop woken by NOTIFY that claims with SKIP LOCKED, posts and settles. pgqueuer and
procrastinate are told of a new job by their own triggers, with their settings as shipped but for procrastinate's 32
jobs at once.""",
)
