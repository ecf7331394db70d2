"""What came of attempts is written together, safely repeated, and never lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from connectors.contract import Document, Limits, NotSent, Posted, PostOutcome, Rejected, Unknown
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.services import Services
from tests.events import approval
from tests.integration.worker.test_intake import CHANNELS, records
from tests.integration.worker.test_lanes import LEASE
from tests.scene import PATIENCE, Scene, fresh, own_database, own_scene
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claiming import Wish, claim
from worker.domain.states import ItemState, judge_outcome
from worker.lanes import LaneKeeper
from worker.settlement import settlement_of
from worker.settler import Settler
from worker.store.items import Attempt, Settlement
from worker.store.reading import doubts

LIMITS = Limits(concurrency=10, longest_request_life=LEASE)

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def sending(scene: Scene, names: Sequence[str]) -> list[Attempt]:
    """The items, approved and claimed by a worker that will not go on."""
    worker_id = uuid4()
    await scene.organization()
    await store_batch(scene.pool, records("approved", *[approval(name) for name in names]), CHANNELS)
    await scene.switch(True)
    (lane,) = await LaneKeeper(scene.pool, worker_id, LEASE, 1).take(None)
    async with scene.pool.acquire() as connection:
        adapter = await make_adapters(scene.settings).make(connection, "hlf", "xledger")
    claimed = await claim(scene.pool, worker_id, Wish("hlf", lane.fence, adapter, len(names)))
    assert isinstance(claimed, list)
    return [one.attempt for one in claimed]


def settled(attempt: Attempt, outcome: PostOutcome) -> Settlement:
    return settlement_of(attempt, ItemState.SENDING, judge_outcome(outcome, LEASE, LIMITS, attempt.attempt))


def posted(attempt: Attempt, number: str = "V-1") -> Settlement:
    return settled(attempt, Posted(Document(number=number, erp_id="1")))


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[Settler]:
    settler = Settler(scene.pool, uuid4())
    task = asyncio.create_task(settler.run())
    try:
        yield settler
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_many_settlements_at_once_cost_few_commits(scene: Scene) -> None:
    attempts = await sending(scene, fresh(100))
    async with running(scene) as settler:
        assert all(await asyncio.gather(*[settler.settle(posted(attempt)) for attempt in attempts]))
    assert set((await scene.states()).values()) == {"synced"}
    assert await scene.value("select count(distinct xmin::text) from attempt_entry") <= 2
    assert await scene.value("select count(*) from outbox where event_type = 'reimbursement.synced.v1'") == 100
    assert await scene.value("select synced from sync_run") == 100


async def test_a_settlement_that_is_repeated_changes_nothing_and_tells_nobody_twice(scene: Scene) -> None:
    (attempt,) = await sending(scene, fresh(1))
    async with running(scene) as settler:
        assert await settler.settle(posted(attempt))
        before = await scene.fetch("select * from item"), await scene.fetch("select * from attempt_entry")
        for _ in range(3):
            assert not await settler.settle(posted(attempt))
    assert (await scene.fetch("select * from item"), await scene.fetch("select * from attempt_entry")) == before
    assert await scene.value("select count(*) from outbox where event_type = 'reimbursement.synced.v1'") == 1
    assert await scene.value("select synced from sync_run") == 1


@pytest.mark.promise("P6")
async def test_only_the_current_attempt_settles_and_an_older_answer_is_kept_as_evidence(scene: Scene) -> None:
    (first,) = await sending(scene, fresh(1))
    async with running(scene) as settler:
        await settler.settle(settled(first, NotSent("HTTP 503")))
        await scene.fetch("update item set state = 'sending', attempt = 2, fence = 9, claimed_by = gen_random_uuid()")
        assert not await settler.settle(settled(first, Unknown("read time-out")))
    assert await scene.states() == {first.reimbursement_id: "sending"}
    assert await scene.history(first.reimbursement_id) == [(1, "settled", "not_sent"), (1, "late", "unknown")]
    assert await scene.value("select count(*) from outbox where event_type like 'reimbursement.%'") == 0


async def test_two_answers_for_one_item_in_one_batch_tell_of_the_current_attempt_alone(scene: Scene) -> None:
    (first,) = await sending(scene, fresh(1))
    second = Attempt(**{name: getattr(first, name) for name in Attempt.__slots__} | {"attempt": 2})
    await scene.fetch("update item set attempt = 2")
    async with running(scene) as settler:
        late, current = await asyncio.gather(
            settler.settle(settled(first, Rejected("closed_period", "2025 is closed."))), settler.settle(posted(second))
        )
    assert (late, current) == (False, True)
    assert await scene.states() == {first.reimbursement_id: "synced"}
    assert sorted(await scene.history(first.reimbursement_id)) == [(1, "late", "rejected"), (2, "settled", "posted")]
    events = await scene.fetch("select event_type from outbox where event_type like 'reimbursement.%'")
    assert [row["event_type"] for row in events] == ["reimbursement.synced.v1"]


async def test_a_late_word_of_another_document_goes_to_a_person_and_counts_once(scene: Scene) -> None:
    (attempt,) = await sending(scene, fresh(1))
    differs = settled(attempt, Unknown("99.00 NOK, not 250.00", conflict=Document(number="V-7", erp_id="7")))
    async with running(scene) as settler:
        await settler.settle(settled(attempt, Unknown("read time-out")))
        assert await settler.settle(differs)
        assert not await settler.settle(differs)
    item = await scene.item(attempt.reimbursement_id)
    assert (item["state"], item["reason_code"], item["document_number"]) == ("unknown", "different_document", "V-7")
    assert await scene.value("select due_at = 'infinity' from item")
    assert await scene.history(attempt.reimbursement_id) == [(1, "settled", "unknown"), (1, "late", "different")]


async def test_a_settlement_that_postgresql_refuses_does_not_cost_its_neighbours_theirs(scene: Scene) -> None:
    poisoned, *others = await sending(scene, fresh(10))
    async with running(scene) as settler:
        answers = await asyncio.gather(
            settler.settle(posted(poisoned, number="V\x00")),
            *[settler.settle(posted(attempt)) for attempt in others],
            return_exceptions=True,
        )
        assert isinstance(answers[0], asyncpg.PostgresError)
        assert answers[1:] == [True] * 9
        assert await settler.settle(settled(poisoned, Unknown("The number was not readable.")))
    assert sorted((await scene.states()).values()) == ["synced"] * 9 + ["unknown"]


async def test_a_postgresql_that_is_away_is_waited_for_and_nothing_is_lost(
    services: Services, xledger_process: SandboxProcess
) -> None:
    erps = {"xledger": xledger_process}
    async with own_database() as cluster, own_scene(cluster.dsn, services.bootstrap_servers, erps) as scene:
        attempts = await sending(scene, fresh(20))
        await cluster.crash()
        with capture_logs() as logs:
            async with running(scene) as settler:
                settling = [asyncio.create_task(settler.settle(posted(attempt))) for attempt in attempts]
                async with asyncio.timeout(PATIENCE):
                    while not any(entry["event"] == "not_settled_yet" for entry in logs):  # noqa: ASYNC110  # a list
                        await asyncio.sleep(0.01)
                await cluster.restart()
                assert all(await asyncio.gather(*settling))
        assert set((await scene.states()).values()) == {"synced"}
        assert await scene.value("select count(*) from attempt_entry") == 20


@pytest.mark.promise("P7")
async def test_a_doubt_counts_from_its_beginning_however_often_it_is_sent_again(scene: Scene) -> None:
    """Each try has a claim of its own, so that one which never gets an answer would be in doubt for ever, unseen."""
    (first,) = await sending(scene, fresh(1))
    second = replace(first, attempt=2, in_doubt=True)
    async with running(scene) as settler:
        await settler.settle(settled(first, Unknown("read time-out")))
        since = await scene.value("select doubt_since from item")
        await scene.fetch("update item set doubt_since = clock_timestamp() - interval '1 day'")
        await scene.fetch("update item set state = 'pending'")
        await scene.fetch(
            "update item set state = 'sending', attempt = 2, fence = 9, claimed_by = gen_random_uuid(),"
            " claimed_at = clock_timestamp()"
        )
        while_sending = await told_as_doubtful(scene)
        await settler.settle(settled(second, Unknown("read time-out")))
        assert (since is not None, while_sending, await told_as_doubtful(scene)) == (True, 1, 1)
        await settler.settle(posted(second))
    assert await scene.states() == {first.reimbursement_id: "synced"}
    assert await scene.value("select doubt_since from item") is None


async def told_as_doubtful(scene: Scene) -> int:
    async with scene.pool.acquire() as connection:
        return sum(one.count for one in await doubts(connection) if one.state is ItemState.UNKNOWN)
