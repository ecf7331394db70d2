"""From the two topics into PostgreSQL: each record has one fate, and none is lost whatever goes away meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from deploy.local.processes import free_port
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.services import Services
from tests.events import Message, approval, event, toggle
from tests.scene import INTAKE_ONLY, PATIENCE, Scene, fresh, own_brokers, own_database, own_scene, ready
from worker.batch import Channel, sort_records, store_batch
from worker.bootstrap import Worker

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Record:
    """A record as the consumer would give it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = field(default_factory=tuple)


CHANNELS: dict[str, Channel] = {"approved": "approvals", "toggled": "toggles"}


def records(topic: str, *messages: Message) -> list[Record]:
    return [Record(topic, 0, at, m.key, m.value, m.headers) for at, m in enumerate(messages)]


def bad(key: str = "hlf") -> Message:
    return Message(key.encode(), b"{", approval("R-bad").headers)


@pytest.mark.promise("P1")
@pytest.mark.promise("P4")
async def test_every_record_has_exactly_one_fate_and_the_committed_offset_is_behind_the_last(scene: Scene) -> None:
    one, two = fresh(2)
    switch = toggle(True, event_id="switch-1")
    async with scene.worker(INTAKE_ONLY):
        await scene.approve(
            approval(one), approval(two), approval(one), approval(one, amount="9.00"), bad(), Message(b"hlf", None)
        )
        await scene.toggle(switch, switch, toggle(False, event_id="switch-1"))
        await scene.all_read()
    assert await scene.fates() == {"approvals": 2, "toggles": 1, "duplicates": 2, "dead_letters": 4}
    await scene.everything_is_accounted_for()
    reasons = await scene.fetch("select reason, count(*)::int as n from dead_letter group by reason order by reason")
    assert [(row["reason"], row["n"]) for row in reasons] == [
        ("conflicting_content", 2),
        ("invalid_json", 1),
        ("not_a_cloudevent", 1),
    ]


async def test_nothing_of_a_batch_is_kept_when_a_part_of_it_fails_and_all_of_it_when_it_is_repeated(
    scene: Scene,
) -> None:
    one, two = fresh(2)
    batch = [
        *records("approved", approval(one), bad(), approval(two), approval(two)),
        *records("toggled", toggle(True), toggle(False)),
    ]
    await scene.fetch("create function fail() returns trigger language plpgsql as $$ begin raise 'no room'; end $$;")
    await scene.fetch("create trigger fails before insert on dead_letter execute function fail()")
    with pytest.raises(asyncpg.RaiseError):
        await store_batch(scene.pool, batch, CHANNELS)
    for table in ("item", "dead_letter", "toggle_event", "sync_log", "outbox", "intake_position"):
        assert await scene.value(f"select count(*) from {table}") == 0, table
    await scene.fetch("drop trigger fails on dead_letter")
    for _ in range(3):
        await store_batch(scene.pool, batch, CHANNELS)
    assert await scene.fates() == {"approvals": 2, "toggles": 2, "duplicates": 1, "dead_letters": 1}
    assert await scene.value("select count(distinct xmin::text) from item") == 1
    assert await scene.value("select count(*) from outbox where dead_letter_id is not null") == 1


async def test_a_duplicate_is_known_within_a_batch_and_in_a_later_one(scene: Scene) -> None:
    (name,) = fresh(1)
    copies = records("approved", *[approval(name)] * 5)
    await store_batch(scene.pool, copies[:3], CHANNELS)
    await store_batch(scene.pool, copies[3:], CHANNELS)
    assert await scene.fates() == {"approvals": 1, "toggles": 0, "duplicates": 4, "dead_letters": 0}


async def test_unknown_fields_other_spelling_and_another_event_id_do_not_make_a_duplicate_a_conflict(
    scene: Scene,
) -> None:
    (name,) = fresh(1)
    again = approval(name, total="250.0", approved_at="2026-11-20T10:12:44+01:00", note="sent again")
    await store_batch(scene.pool, records("approved", approval(name), again), CHANNELS)
    assert await scene.fates() == {"approvals": 1, "toggles": 0, "duplicates": 1, "dead_letters": 0}


@pytest.mark.parametrize("split", [1, 3], ids=["later", "within a batch"])
async def test_the_first_content_stands_and_what_conflicts_is_a_dead_letter(scene: Scene, split: int) -> None:
    (name,) = fresh(1)
    batch = records("approved", approval(name), approval(name, amount="9.00"), approval(name))
    for part in filter(None, (batch[:split], batch[split:])):
        await store_batch(scene.pool, part, CHANNELS)
    assert await scene.fates() == {"approvals": 1, "toggles": 0, "duplicates": 1, "dead_letters": 1}
    assert (await scene.item(name))["total_minor"] == 25_000
    (letter,) = await scene.fetch("select * from dead_letter")
    assert (letter["reason"], letter["organization_id"]) == ("conflicting_content", "hlf")
    assert (letter["kafka_offset"], letter["value"]) == (1, batch[1].value)


async def test_the_same_id_of_two_organisations_is_two_items(scene: Scene) -> None:
    (name,) = fresh(1)
    await store_batch(scene.pool, records("approved", approval(name), approval(name, "nrk")), CHANNELS)
    assert await scene.fates() == {"approvals": 2, "toggles": 0, "duplicates": 0, "dead_letters": 0}


async def test_an_approval_of_an_organisation_that_is_not_set_up_yet_waits_and_is_synced_once_it_is(
    scene: Scene,
) -> None:
    (name,) = fresh(1)
    async with scene.worker():
        await scene.approve(approval(name, "newcomer"))
        await scene.all_in("pending", name, organization_id="newcomer")
        await scene.organization("newcomer")
        await scene.switch(True, "newcomer")
        await scene.all_synced(name, organization_id="newcomer")
    assert len(await scene.documents("newcomer", name)) == 1


@pytest.mark.parametrize("expects_copies", [False, True])
async def test_who_expects_copies_finds_the_same_fates_as_who_does_not(scene: Scene, *, expects_copies: bool) -> None:
    """Copies of what stands, a contradiction of it, something new, and a copy and a contradiction of that."""
    stands, new = fresh(2)
    await store_batch(scene.pool, records("approved", approval(stands)), CHANNELS)
    mixed = [
        approval(stands),
        approval(stands, amount="9.00"),
        approval(new),
        approval(new),
        approval(new, amount="9.00"),
        approval(stands),
    ]
    batch = records("approved", *mixed)
    for one in batch:
        one.partition = 1
    sorted_batch = sort_records(batch, CHANNELS)
    sorted_batch.expects_copies = expects_copies
    await store_batch(scene.pool, batch, CHANNELS, sorted_batch)
    assert sorted_batch.was_mostly_copies is False, "three of six"
    assert await scene.fates() == {"approvals": 2, "toggles": 0, "duplicates": 3, "dead_letters": 2}
    assert await scene.states() == {stands: "pending", new: "pending"}


@pytest.mark.promise("P12")
async def test_reading_the_whole_topic_again_any_number_of_times_sends_nothing_and_counts_nothing_twice(
    scene: Scene,
) -> None:
    names = fresh(20)
    await scene.organization()
    async with scene.worker():
        await scene.toggle(toggle(True))
        await scene.approve(*[approval(name) for name in names], approval(names[0], amount="9.00"), bad())
        await scene.all_synced(*names)
        await scene.toggle(toggle(False))
        await scene.logged("connector_disabled")
        await scene.toggle(toggle(True))
        await scene.all_read()
        await scene.nothing_to_publish()
    before = [await _effects(scene, table) for table in EFFECTS]
    delivered = len(await scene.deliveries("hlf", *names))
    for round_ in range(3):
        group = f"{scene.settings.kafka_group_id}-{round_}"
        async with scene.worker(kafka_group_id=group):
            await _until_committed(scene, group)
    assert [await _effects(scene, table) for table in EFFECTS] == before
    assert len(await scene.deliveries("hlf", *names)) == delivered
    assert len(await scene.documents("hlf", *names)) == len(names)
    await scene.everything_is_accounted_for()


EFFECTS = (
    "item",
    "attempt_entry",
    "dead_letter",
    "toggle_event",
    "sync_log",
    "sync_run",
    "outbox",
    "(select topic, partition, next_offset, approvals, toggles, duplicates, dead_letters from intake_position)",
)


async def _effects(scene: Scene, table: str) -> object:
    return await scene.value(f"select array_agg(t::text order by t::text) from {table} t")


async def _until_committed(scene: Scene, group_id: str) -> None:
    """A batch that changes no row is seen in the group's offsets alone, and the broker gives no signal of them."""
    ends = await scene.ends()
    async with asyncio.timeout(PATIENCE):
        while await scene.committed(group_id) != ends:  # noqa: ASYNC110  # the broker's state, not ours
            await asyncio.sleep(0.05)


async def test_one_bad_record_never_blocks_its_partition(scene: Scene) -> None:
    names = fresh(20)
    odd = Message(b"hlf", b"{", [("na\x00me", b"value"), ("", b""), ("none", None), *approval("R").headers])  # type: ignore[list-item]  # a header may have no value
    async with scene.worker(INTAKE_ONLY):
        for name in names:
            await scene.approve(bad(), approval(name), odd)
        await scene.all_read()
    assert await scene.fates() == {"approvals": 20, "toggles": 0, "duplicates": 0, "dead_letters": 40}
    await scene.everything_is_accounted_for()


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 2 * 1024 * 1024, 4 * 1024 * 1024 - 10_000])
async def test_a_record_above_one_mebibyte_is_a_dead_letter_and_its_neighbours_are_stored(
    scene: Scene, size: int
) -> None:
    before, after = fresh(2)
    padded = approval("R-padded", padding="x" * size)
    large = Message(padded.key, padded.value[:size] if padded.value else None, padded.headers)
    async with scene.worker():
        await scene.approve(approval(before), large, approval(after))
        await scene.all_read()
        await scene.nothing_to_publish()
    assert await scene.fates() == {"approvals": 2, "toggles": 0, "duplicates": 0, "dead_letters": 1}
    (letter,) = await scene.published(scene.settings.dead_letter_topic)
    headers = dict(letter.headers)
    assert headers["dl_reason"] == b"too_large"
    if "dl_value_omitted" in headers:
        assert (letter.value, headers["dl_value_omitted"]) == (None, b"true")
    else:
        assert letter.value == large.value
    assert await scene.value("select value from dead_letter") == large.value


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_records_are_read_however_their_sender_compresses_them(scene: Scene, codec: str) -> None:
    if codec != "gzip":
        pytest.importorskip("cramjam", reason="aiokafka reads these codecs with cramjam alone")
    names = fresh(10)
    sender = Producer({"bootstrap.servers": scene.settings.kafka_bootstrap_servers, "compression.type": codec})
    for message in map(approval, names):
        sender.produce(
            scene.settings.approvals_topic, message.value, message.key, headers=[(k, v) for k, v in message.headers]
        )
    assert await asyncio.to_thread(sender.flush, PATIENCE) == 0
    async with scene.worker(INTAKE_ONLY):
        await scene.counted("item", len(names))


@asynccontextmanager
async def blocked_intake(scene: Scene) -> AsyncIterator[None]:
    """The worker is in the middle of a batch as long as this lasts."""
    connection = await asyncpg.connect(scene.settings.database_url.get_secret_value())
    try:
        await connection.execute("begin")
        await connection.execute("lock table intake_position in exclusive mode")
        yield
    finally:
        await connection.close()


@pytest.mark.promise("P4")
async def test_a_rebalance_in_the_middle_of_a_batch_loses_nothing_and_counts_nothing_twice(scene: Scene) -> None:
    names = fresh(60)
    messages = [approval(name, f"org-{number % 10}") for number, name in enumerate(names)]
    async with scene.worker(INTAKE_ONLY):
        async with blocked_intake(scene):
            await scene.approve(*messages[:40])
            await scene.someone_waits_for_a_lock("insert into intake_position%")
            second = Worker(scene.settings.model_copy(update={"roles": INTAKE_ONLY}), scene.pool)
            stop = asyncio.Event()
            loops = [asyncio.create_task(loop(stop)) for loop in second.loops().values()]
            await ready(second)
        await scene.approve(*messages[40:])
        await scene.all_read()
        stop.set()
        await asyncio.gather(*loops)
        await _until_committed(scene, scene.settings.kafka_group_id)
    assert await scene.fates() == {"approvals": 60, "toggles": 0, "duplicates": 0, "dead_letters": 0}
    await scene.everything_is_accounted_for()


@pytest.mark.promise("P1")
async def test_postgresql_crashing_in_the_middle_of_a_batch_loses_nothing_and_the_worker_goes_on_by_itself(
    services: Services, xledger_process: SandboxProcess
) -> None:
    names = fresh(60)
    erps = {"xledger": xledger_process}
    async with own_database() as cluster, own_scene(cluster.dsn, services.bootstrap_servers, erps) as scene:
        await scene.organization()
        async with scene.worker():
            await scene.toggle(toggle(True))
            await scene.approve(*[approval(name) for name in names[:20]])
            await scene.all_synced(*names[:20])
            async with blocked_intake(scene):
                await scene.approve(*[approval(name) for name in names[20:40]])
                await scene.someone_waits_for_a_lock("insert into intake_position%")
                await cluster.crash()
            await scene.approve(*[approval(name) for name in names[40:]])
            await cluster.restart()
            await scene.all_synced(*names)
            await scene.all_read()
        assert len(await scene.documents("hlf", *names)) == len(names)
        assert await scene.fates() == {"approvals": 60, "toggles": 1, "duplicates": 0, "dead_letters": 0}
        await scene.everything_is_accounted_for()


@pytest.mark.promise("P9")
async def test_after_a_restart_of_the_broker_the_worker_reads_and_publishes_on_by_itself(
    database_url: str, xledger_process: SandboxProcess
) -> None:
    names = fresh(40)
    erps = {"xledger": xledger_process}
    async with own_brokers() as brokers, own_scene(database_url, brokers.bootstrap_servers, erps) as scene:
        await scene.organization()
        async with scene.worker():
            await scene.toggle(toggle(True))
            await scene.approve(*[approval(name) for name in names[:20]])
            await scene.all_synced(*names[:20])
            await brokers.kill(0)
            await scene.switch(False)
            await scene.switch(True)
            await brokers.restart(0)
            await scene.approve(*[approval(name) for name in names[20:]], bad())
            await scene.all_synced(*names)
            await scene.all_read()
            await scene.nothing_to_publish()
        await scene.everything_is_accounted_for()
        told = [dict(record.headers)["ce_type"] for record in await scene.published(scene.settings.outcomes_topic)]
        assert told.count(b"reimbursement.synced.v1") >= len(names)
        assert len(await scene.published(scene.settings.dead_letter_topic)) >= 1
    assert len(await scene.documents("hlf", *names)) == len(names)


async def test_a_worker_that_is_asked_to_stop_while_the_broker_is_away_ends_in_order(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.worker(kafka_bootstrap_servers=f"127.0.0.1:{free_port()}"):
            await scene.organization()
        assert {entry["event"] for entry in logs} >= {"stopped_while_away"}


async def test_what_a_key_of_another_organisation_says_is_not_believed(scene: Scene) -> None:
    foreign = event("reimbursement.approved.v1", "nrk", {"organization_id": "hlf"})
    message = approval("R-foreign")
    async with scene.worker(INTAKE_ONLY):
        await scene.approve(foreign, Message(b"nrk", message.value, message.headers))
        await scene.all_read()
    assert await scene.fates() == {"approvals": 0, "toggles": 0, "duplicates": 0, "dead_letters": 2}
    assert await scene.value("select count(*) from item") == 0
