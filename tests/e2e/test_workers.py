"""Real worker processes, together and one after the other."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from connectors.reference import reference_of
from deploy.local.run_folder import RunFolder
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.ledger import documents_per_reference
from tests.e2e.worker_process import log_of, worker_process
from tests.events import approval, toggle
from tests.integration.worker.test_intake import blocked_intake
from tests.scene import INTAKE_ONLY, PATIENCE, Scene, fresh, own_brokers, own_scene
from worker.settings import WorkerRole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_worker_takes_an_approval_from_the_topic_to_the_erp_and_leaves_when_asked(
    scene: Scene, folder: RunFolder
) -> None:
    names = fresh(5)
    await scene.organization()
    async with worker_process(folder, scene.settings) as worker:
        await scene.toggle(toggle(True))
        await scene.approve(*[approval(name) for name in names])
        await scene.all_synced(*names)
        await scene.all_read()
        await worker.leave(within=PATIENCE)
    await scene.everything_is_accounted_for()
    entries = log_of(worker)
    assert {entry["event"] for entry in entries} >= {"worker_started", "attempt_settled", "stopping", "worker_stopped"}


async def test_a_worker_that_is_asked_to_leave_finishes_its_batch_commits_and_is_gone_long_before_it_must(
    scene: Scene, folder: RunFolder
) -> None:
    names = fresh(200)
    async with worker_process(folder, scene.settings, shutdown_seconds=600.0) as worker:
        async with blocked_intake(scene):
            await scene.approve(*[approval(name, f"org-{number % 10}") for number, name in enumerate(names[:100])])
            await scene.someone_waits_for_a_lock("insert into intake_position%")
            leaving = asyncio.create_task(worker.leave(within=PATIENCE))
            await worker.says('"stopping"')
        await leaving
    stored = await scene.value("select count(*) from item")
    positions = await scene.positions()
    assert 0 < stored <= 100
    assert await scene.committed() == {place: row["next_offset"] for place, row in positions.items()}
    assert sum(row["approvals"] for row in positions.values()) == stored
    await scene.approve(*[approval(name, f"org-{number % 10}") for number, name in enumerate(names[100:])])
    async with worker_process(folder, scene.settings) as worker:
        await scene.all_read()
        await worker.leave(within=PATIENCE)
    await scene.everything_is_accounted_for()
    assert await scene.fates() == {"approvals": 200, "toggles": 0, "duplicates": 0, "dead_letters": 0}


async def test_a_worker_that_is_asked_to_leave_waits_for_the_answer_that_is_under_way(
    scene: Scene, folder: RunFolder
) -> None:
    first, second = fresh(2)
    erp = scene.erps["business_central"]
    await scene.organization("hlf", "business_central", concurrency=1)
    async with worker_process(folder, scene.settings) as worker:
        await erp.hold(["post_invoice"])
        await scene.approve(approval(first), approval(second))
        await scene.counted("item", 2)
        await scene.switch(True, kind="business_central")
        await erp.wait_held(1)
        leaving = asyncio.create_task(worker.leave(within=PATIENCE))
        await worker.says('"stopping"')
        await erp.release()
        await leaving
    assert await scene.states() == {first: "synced", second: "pending"}
    assert await scene.value("select leased_by is null from lane")
    assert await scene.deliveries("hlf", second, kind="business_central") == []


@pytest.mark.promise("P2")
@pytest.mark.promise("P9")
async def test_two_workers_and_three_brokers_lose_and_double_nothing_when_one_of_each_is_killed(
    database_url: str, folder: RunFolder, xledger_process: SandboxProcess, central_process: SandboxProcess
) -> None:
    names = fresh(300)
    erps = {"xledger": xledger_process, "business_central": central_process}
    kinds = {f"org-{number}": ("xledger", "business_central")[number % 2] for number in range(10)}
    owners = {name: f"org-{number % 10}" for number, name in enumerate(names)}
    async with own_brokers(3) as brokers, own_scene(database_url, brokers.bootstrap_servers, erps, 4) as scene:
        for organization_id, kind in kinds.items():
            await scene.organization(organization_id, kind)
            await scene.switch(True, organization_id, kind)
        # Whoever is killed has no part in the consumer group: Kafka would miss its heartbeat for 45 s.
        posting = frozenset({WorkerRole.DISPATCH, WorkerRole.OUTBOX})
        async with AsyncExitStack() as workers:
            killed = await workers.enter_async_context(
                worker_process(folder, scene.settings, roles=posting, lease_seconds=3.0)
            )
            async with scene.worker(INTAKE_ONLY):
                await scene.approve(*[approval(name, owners[name]) for name in names[:50]])
                await scene.counted("item", 50)
            await killed.says("attempt_settled")  # so it holds the lanes
            await workers.enter_async_context(worker_process(folder, scene.settings))
            await scene.approve(*[approval(name, owners[name]) for name in names[50:150]])
            await scene.counted("item", 60)
            publishing = asyncio.create_task(scene.approve(*[approval(name, owners[name]) for name in names[150:]]))
            await asyncio.gather(killed.kill(), brokers.kill(0))
            await publishing
            await scene.counted("item", len(names))
            await scene.counted("item where state in ('synced', 'unknown')", len(names))
            await scene.nothing_to_publish()
        states = {
            (row["organization_id"], row["reimbursement_id"]): row["state"]
            for row in await scene.fetch("select organization_id, reimbursement_id, state from item")
        }
        lines = [line for erp in erps.values() for line in await erp.ledger()]
    documents = documents_per_reference(lines)
    assert len(states) == len(names)
    assert {owners[name] for name in names} == {organization_id for organization_id, _ in states}
    counts = {key: documents[reference_of(*key)] for key in states}
    assert {key: count for key, count in counts.items() if count != 1 and states[key] == "synced"} == {}
    assert {key: count for key, count in counts.items() if count > 1} == {}
