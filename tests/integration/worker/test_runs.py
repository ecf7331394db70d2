"""Sync runs: what they take, what they count, and why one is refused."""

import json
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.events import approval
from tests.integration.worker.rows import (
    ADMIN,
    add_organization,
    bring,
    bring_to,
    configure,
    log_of,
    set_up,
    switch,
    take_in,
    xledger_file,
)
from tests.scene import Scene
from worker.domain.sentences import say
from worker.domain.switching import Actor, Phase, Role
from worker.runs import RunRefused, finish_if_done, request_run, resume
from worker.store import items, lanes
from worker.store import runs as run_store
from worker.store.database import Connection, Pool, acquire, transaction
from worker.store.runs import Run, RunKind, RunResult
from worker.suspension import suspend

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHERS = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))


async def _request(pool: Pool, organization_id: str = "hlf", actor: Actor = ADMIN) -> Run | RunRefused:
    async with transaction(pool) as connection:
        return await request_run(connection, organization_id, actor, "http")


async def _started(pool: Pool) -> Run:
    run = await _request(pool)
    assert isinstance(run, Run)
    return run


async def _runs(pool: Pool) -> list[dict[str, Any]]:
    async with acquire(pool) as connection:
        return [dict(row) for row in await connection.fetch("select * from sync_run order by started_at")]


async def _finish(pool: Pool) -> Run | None:
    async with transaction(pool) as connection:
        return await finish_if_done(connection, "hlf")


async def test_a_run_that_an_enable_starts_counts_what_it_brought_to_an_end(scene: Scene) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.approve(approval("A-1"), approval("A-2"), approval("A-bad", claimant={"id": "nobody"}))
        await scene.counted("item", 3)
        await scene.switch(True)
        await scene.until(partial(_is_finished, scene, 1))
    run = (await _runs(scene.pool))[0]
    assert (run["kind"], run["result"], run["requested_by"]) == ("connector_enabled", "finished", "admin-1")
    assert (run["synced"], run["rejected"], run["unknown"], run["remaining"]) == (2, 1, 0, 0)


async def test_a_manual_run_with_one_item_rejected_finishes_and_tells_the_outside(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", release_policy="next_sync")
    async with scene.worker():
        await scene.approve(approval("M-1"), approval("M-bad", claimant={"id": "nobody"}), approval("M-2"))
        await scene.counted("item", 3)
        await scene.switch(True)
        await _started(scene.pool)
        await scene.until(partial(_is_finished, scene, 1))
        await scene.until(partial(_is_told, scene))
    assert await scene.states() == {"M-1": "synced", "M-bad": "rejected", "M-2": "synced"}
    run = (await _runs(scene.pool))[0]
    assert (run["kind"], run["synced"], run["rejected"], run["remaining"]) == ("manual", 2, 1, 0)
    finished = next(entry for entry in await log_of(scene.pool) if entry["change"] == "sync_run_finished")
    assert finished["detail"] == {
        "run_id": str(run["run_id"]), "kind": "manual", "synced": 2, "rejected": 1, "unknown": 0, "remaining": 0,
    }  # fmt: skip


async def _is_finished(scene: Scene, count: int) -> bool:
    return bool(await scene.value("select count(*) >= $1 from sync_run where finished_at is not null", count))


async def _is_told(scene: Scene) -> bool:
    return bool(await scene.value("select count(*) = 0 from outbox"))


async def test_next_sync_sends_nothing_that_waited_until_a_run_and_what_is_new_at_once(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", release_policy="next_sync")
    async with scene.worker():
        await scene.approve(approval("W-1"), approval("W-2"))
        await scene.counted("item", 2)
        await scene.switch(True)
        await scene.approve(approval("W-new"))
        await scene.all_synced("W-new")
        assert await scene.states() == {"W-1": "pending", "W-2": "pending", "W-new": "synced"}
        assert await scene.deliveries("hlf", "W-1", "W-2") == []
        await _started(scene.pool)
        await scene.all_synced("W-1", "W-2")


async def test_a_run_while_the_connector_is_off_is_refused_in_the_interfaces_words_logged_and_sends_nothing(
    scene: Scene,
) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.switch(True)
        await scene.switch(False)
        await scene.approve(approval("N-1"))
        await scene.counted("item", 1)
        refused = await _request(scene.pool)
        await scene.organization("canary")
        await scene.switch(True, "canary")
        await scene.approve(approval("N-canary", "canary"))
        await scene.all_synced("N-canary", organization_id="canary")
    since = await scene.value("select changed_at from connector where organization_id = 'hlf'")
    sentence = (
        f"The Xledger connector for hlf is disabled (since {since:%Y-%m-%d %H:%M:%S} UTC by admin-1: a test). "
        "Nothing was synced. Enable it first."
    )
    assert refused == RunRefused(say(sentence))
    entry = (await log_of(scene.pool))[-1]
    assert (entry["change"], entry["new_state"], entry["reason"]) == ("sync_run_refused", "off", sentence)
    assert (entry["actor"], entry["source"], entry["connector"]) == ("admin-1", "http", "xledger")
    assert await scene.deliveries("hlf", "N-1") == []
    assert await scene.states() == {"N-1": "pending"}


async def test_a_run_of_a_connector_that_was_never_enabled_is_refused(pool: Pool) -> None:
    await set_up(pool)
    assert await _request(pool) == RunRefused(
        say("The Xledger connector for hlf is disabled (it was never enabled). Nothing was synced. Enable it first.")
    )
    assert await _runs(pool) == []


async def test_a_run_without_a_connector_is_refused_and_logged(pool: Pool) -> None:
    await add_organization(pool)
    refused = await _request(pool)
    assert refused == RunRefused(say("No connector is configured for hlf. Nothing was synced. Configure one first."))
    assert (await log_of(pool))[-1]["change"] == "sync_run_refused"


async def test_a_run_by_somebody_without_the_right_is_refused_and_logged(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    before = len(await _runs(pool))
    assert await _request(pool, actor=OTHERS) == RunRefused(
        say("user-9 may not sync hlf: it is not their organisation.")
    )
    assert (await log_of(pool))[-1]["actor"] == "user-9"
    assert len(await _runs(pool)) == before


async def test_a_second_request_widens_the_run_under_way(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    await take_in(pool, approval("R-2"))
    run = await _started(pool)
    assert (run.kind, run.mark) == (RunKind.CONNECTOR_ENABLED, 2)
    assert len(await _runs(pool)) == 1
    assert [entry["change"] for entry in await log_of(pool)][-2:] == ["sync_run_started", "sync_run_widened"]


async def test_a_run_that_is_widened_while_its_end_is_written_goes_on(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    async with acquire(pool) as connection:
        as_read = await run_store.open_run(connection, "hlf")
    assert as_read is not None
    await take_in(pool, approval("R-2"))
    await _started(pool)
    async with transaction(pool) as connection:
        assert await run_store.finish(connection, as_read, RunResult.FINISHED, 0) is None
    assert [run["finished_at"] for run in await _runs(pool)] == [None]


async def test_a_run_is_not_over_while_something_of_it_waits_or_is_under_way(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await switch(pool, True)
    run_id = (await _runs(pool))[0]["run_id"]
    assert await _finish(pool) is None
    for state in ("sending", "confirming"):
        async with transaction(pool) as connection:
            await bring(connection, "sending" if state == "sending" else state, "R-1", run_id=f"'{run_id}'")
        assert await _finish(pool) is None
    await bring_to(pool, "rejected", "R-2")
    assert await _finish(pool) is None
    async with transaction(pool) as connection:
        await bring(connection, "synced", "R-1")
    await take_in(pool, approval("R-after"))
    finished = await _finish(pool)
    assert finished is not None
    assert (finished.result, finished.remaining) == (RunResult.FINISHED, 0)
    assert await _finish(pool) is None


async def test_a_run_that_is_switched_off_midway_is_stopped_with_what_remained(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, *[approval(f"R-{number}") for number in range(5)])
    await switch(pool, True)
    await bring_to(pool, "synced", "R-0")
    await switch(pool, False)
    await take_in(pool, approval("R-later"))
    run = (await _runs(pool))[0]
    assert (run["result"], run["remaining"]) == ("stopped", 4)
    async with acquire(pool) as connection:
        event = await connection.fetchval("select value from outbox where event_type = 'sync_run.finished.v1'")
    told = json.loads(event)
    assert (told["run_id"], told["result"], told["counts"]["remaining"]) == (str(run["run_id"]), "stopped", 4)


async def test_a_manual_run_ends_the_workers_own_pause(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
    await _started(pool)
    entries = await log_of(pool)
    assert [entry["change"] for entry in entries][-2:] == ["connector_resumed", "sync_run_widened"]
    assert entries[-2]["reason"] == "A manual run was asked for."
    async with acquire(pool) as connection:
        assert await connection.fetchval("select suspended_at is null from connector")
        await resume(connection, "hlf", ADMIN, "http", "Again")
    assert await log_of(pool) == entries


async def test_what_a_run_released_stays_released_after_off_and_on(pool: Pool) -> None:
    await add_organization(pool)
    await configure(pool, file=xledger_file(release_policy="next_sync"))
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    assert await _runs(pool) == []
    await _started(pool)
    await switch(pool, False)
    await take_in(pool, approval("R-2"))
    await switch(pool, True)
    async with acquire(pool) as connection:
        marks = await connection.fetchrow("select released_through, enabled_mark from connector")
    assert marks is not None
    assert tuple(marks) == (1, 2)


async def test_enabling_a_suspended_connector_holds_nothing_back_that_came_while_it_was_on(pool: Pool) -> None:
    """It was on all the while, so a run that is open goes on as well."""
    await add_organization(pool)
    await configure(pool, file=xledger_file(release_policy="next_sync"))
    await switch(pool, True)
    await take_in(pool, approval("R-1"))
    await _started(pool)
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
    await take_in(pool, approval("R-2"))
    assert (await switch(pool, True)).phase is Phase.ON
    async with acquire(pool) as connection:
        (open_,) = (await items.lock_open_connectors(connection, await _fences(connection), waits=True)).values()
        found = await items.next_pending(connection, [(open_, 10)])
    assert [item.reimbursement_id for item in found] == ["R-1", "R-2"]
    assert [(run["kind"], run["finished_at"]) for run in await _runs(pool)] == [("manual", None)]


async def _fences(connection: Connection) -> dict[str, int]:
    (lane,) = await lanes.lease(connection, uuid4(), timedelta(minutes=1), None, 1)
    return {lane.organization_id: lane.fence}
