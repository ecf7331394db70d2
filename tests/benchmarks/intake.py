"""Intake: how fast approvals get from Kafka into PostgreSQL, by limits, by peers, and by the worker."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from tests.benchmarks.ground import Ground
from tests.benchmarks.intake_connect import fetch_jars, start_connect
from tests.benchmarks.intake_itself import compare_with_itself, measure_memory
from tests.benchmarks.intake_peers import Speed, measure_peer, start_program
from tests.benchmarks.intake_topics import approvals, approvals_with_bad_ones, fill, flat_approvals
from tests.benchmarks.intake_worker import measure_worker
from tests.benchmarks.results import Chart, Goal, Section, Table, at_least, count
from tests.benchmarks.rounds import interleaved

LIMIT_A, LIMIT_B, WORKER = "limit A: bytes unread", "limit B: validated, typed", "worker"
CONNECT, FASTSTREAM, QUIX = "Kafka Connect", "FastStream by batch", "Quix Streams"
AIOKAFKA_BY_MESSAGE, FASTSTREAM_BY_MESSAGE = "aiokafka by message", "FastStream by message"

Trial = Callable[[], Awaitable[Speed]]


@dataclass(frozen=True, slots=True)
class Records:
    """How many: in each topic; for whoever goes by message; where memory is read first, and last."""

    many: int
    few: int
    early: int
    late: int


@dataclass(slots=True)
class Findings:
    """By subject: records a second, and of each round the CPU's microseconds for one."""

    rates: Mapping[str, float] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    async def take(self, subject: str, trial: Trial) -> float:
        speed = await trial()
        self.cpu.setdefault(subject, []).append(speed.cpu)
        return speed.rate

    def ratio(self, subject: str, to: str) -> float:
        return self.rates[subject] / self.rates[to]


async def measure(ground: Ground) -> Section:
    size = ground.size
    records = Records(size(200_000, 8_000), size(3_000, 200), size(100_000, 8_000), size(2_000_000, 24_000))
    clean = await fill(ground, "bench-clean", approvals(records.many))
    bad = await fill(ground, "bench-bad", approvals_with_bad_ones(records.many))
    found = await _compare(ground, clean, records)
    own = await compare_with_itself(ground, clean, bad, records.many)
    memory = await measure_memory(ground, records.early, records.late)
    return Section(
        name="intake",
        title="Intake",
        tables=[_table(found), own.table(), memory.table()],
        charts=[_chart(found), own.chart()],
        goals=[*_goals(found), *own.goals(), memory.goal()],
        notes=[*NOTES, CONNECT_NOTE if CONNECT in found.rates else NO_CONNECT_NOTE],
    )


async def _compare(ground: Ground, clean: str, records: Records) -> Findings:
    found = Findings()
    trials = _trials(ground, clean, records) | await _connect_trial(ground, records.many)
    measured = {subject: partial(found.take, subject, trial) for subject, trial in trials.items()}
    found.rates = await interleaved(measured, ground.rounds, ground.tell, "records/s")
    return found


def _trials(ground: Ground, clean: str, records: Records) -> dict[str, Trial]:
    def peer(name: str, how: str, wanted: int, table: str = "approval") -> Trial:
        return partial(measure_peer, ground, partial(start_program, ground, name, how, clean), wanted, table)

    return {
        LIMIT_A: peer("limit", "raw", records.many, "record"),
        LIMIT_B: peer("limit", "typed", records.many),
        WORKER: partial(measure_worker, ground, clean, records.many),
        FASTSTREAM: peer("faststream", "batch", records.many),
        QUIX: peer("quix", "sink", records.many),
        AIOKAFKA_BY_MESSAGE: peer("aiokafka", "message", records.few),
        FASTSTREAM_BY_MESSAGE: peer("faststream", "message", records.few),
    }


async def _connect_trial(ground: Ground, records: int) -> dict[str, Trial]:
    """Nothing where its jars can't be had. It reads a topic of its own."""
    jars = await fetch_jars(ground)
    if jars is None:
        return {}
    flat = await fill(ground, "bench-flat", flat_approvals(records))
    return {CONNECT: partial(measure_peer, ground, partial(start_connect, ground, jars, flat), records)}


def _table(found: Findings) -> Table:
    rows = [
        [subject, count(rate), f"{found.ratio(subject, LIMIT_B):.2f}", count(median(found.cpu[subject]))]
        for subject, rate in found.rates.items()
    ]
    return Table("Approvals stored a second", ["", "records/s", "of limit B", "µs of its CPU a record"], rows)


def _chart(found: Findings) -> Chart:
    return Chart("intake", "Approvals stored", "records/s", list(found.rates.items()), WORKER)


def _goals(found: Findings) -> list[Goal]:
    by_message = max((AIOKAFKA_BY_MESSAGE, FASTSTREAM_BY_MESSAGE), key=lambda subject: found.rates[subject])
    goals = [
        at_least("worker ÷ limit B ≥ 0.8", found.ratio(WORKER, LIMIT_B), 0.8),
        at_least("worker ÷ the faster loop by message ≥ 60", found.ratio(WORKER, by_message), 60.0),
    ]
    if CONNECT in found.rates:
        goals.append(at_least("ahead of Kafka Connect: worker ÷ Connect ≥ 1", found.ratio(WORKER, CONNECT), 1.0))
    return goals


NOTES = (
    """A topic of six partitions is filled before anything starts: events of 440 bytes as CloudEvents in binary mode, of
500 organisations in turn. Each subject reads it from the beginning with a group and a database of its own, PostgreSQL
with fsync and synchronous_commit on, one process at a time; offsets are committed after the rows. Records a second are
counted by the time of each row's insert, from the first tenth of the rows to the last.""",
    """The worker is the shipped command with the role `intake` and its settings as shipped: every CloudEvent and field
checked, content hashed, bad records kept as dead letters, conflicts told from duplicates, each partition's position
and counts kept in the same transaction, lanes woken, and all indexes and constraints of its table.""",
    """Limit A stores bytes that nobody has read, in a table without a key. Limit B checks types and that the lines add
up with a compiled pydantic model, and stores typed columns and the event under a primary key. Both fetch, insert and
commit one after the other, on uvloop with a calm garbage collector. What they leave out: dead letters, conflicts,
positions, a content hash, the order of arrival, indexes for whoever works on the rows next.""",
    """FastStream, Quix Streams and aiokafka use the same model, table, key and batches of 2,000 as limit B, in the way
their own documentation advises; a bad record ends or blocks each of them. Loops by message commit after each record
and get fewer of them.""",
    """The worker's own comparison and its memory go by its committed offsets, asked for every 0.05 s. All duplicates: a
new group reads the whole topic again over the same database. Bad records: every tenth, in six kinds in turn (JSON cut
short, no CloudEvent, unknown type, lines that do not add up, another organisation's key, other content under a known
id), each kept as a dead letter. Memory is the median of the resident size over a twentieth of the long run.""",
)
CONNECT_NOTE = """Kafka Connect runs standalone with one task of Debezium's JDBC sink, in batches of 2,000 rewritten
into statements of many rows. It can't read lists of objects, so it has a topic of its own with the same content: the
columns that limit B stores, the event as text in one of them, its schema in the settings instead of in each record. It
takes the types from that schema and checks nothing else."""
NO_CONNECT_NOTE = "Kafka Connect is left out, since Java, Maven or the sink's jars could not be had on this machine."
