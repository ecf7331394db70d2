"""The acceptance criteria of the users, in their words."""

import pytest

from connectors.reference import reference_of
from tests.events import approval, toggle
from tests.integration.worker.test_schedule import DAILY
from tests.scene import Scene, fresh
from worker.domain.switching import Phase
from worker.runs import RunRefused

pytestmark = pytest.mark.asyncio(loop_scope="session")

ERPS = pytest.mark.parametrize("kind", ["xledger", "business_central"])
GLOBAL_ADMIN = {"id": "root-1", "role": "global_admin"}
STRANGER = {"id": "user-3", "role": "organization_admin", "organization_id": "nrk"}


@ERPS
async def test_approved_reimbursements_are_held_while_the_connector_is_off(scene: Scene, kind: str) -> None:
    *names, passes = fresh(3)
    await scene.organization("hlf", kind)
    await scene.organization("other", kind)
    await scene.switch(True, "other", kind)
    async with scene.worker():
        await scene.approve(*[approval(name) for name in names], approval(passes, "other"))
        await scene.counted("item", 3)
        await scene.all_synced(passes, organization_id="other")
        assert await scene.states() == dict.fromkeys(names, "pending")
    assert await scene.deliveries("hlf", *names, kind=kind) == []


@ERPS
async def test_all_that_waited_is_synced_by_the_enable_itself_oldest_first(scene: Scene, kind: str) -> None:
    names = fresh(6)
    await scene.organization("hlf", kind, concurrency=1)
    async with scene.worker():
        await scene.approve(*[approval(name) for name in names])
        await scene.counted("item", 6)
        await scene.toggle(toggle(True, connector=kind))
        await scene.all_synced(*names)
        assert (await scene.logged("sync_run_finished"))["actor"] == "accounting-sync"
    documents = await scene.documents("hlf", *names, kind=kind)
    assert [line.reference for line in documents] == [reference_of("hlf", name) for name in names]
    (run,) = await scene.fetch("select * from sync_run")
    assert (run["kind"], run["requested_by"], run["result"]) == ("connector_enabled", "user-9", "finished")
    assert (run["synced"], run["rejected"], run["unknown"], run["remaining"]) == (6, 0, 0, 0)


async def test_with_next_sync_all_that_waited_is_synced_by_the_scheduled_run(scene: Scene) -> None:
    waited, later = fresh(3), fresh(1)
    await scene.organization("hlf", release_policy="next_sync", schedule=DAILY)
    async with scene.worker():
        await scene.approve(*[approval(name) for name in waited])
        await scene.counted("item", 3)
        await scene.switch(True)
        await scene.approve(approval(later[0]))
        await scene.all_synced(*later)
        assert {name: (await scene.states())[name] for name in waited} == dict.fromkeys(waited, "pending")
        await scene.fetch("update connector set next_run_at = now() - interval '1 hour'")
        await scene.all_synced(*waited)
        await scene.logged("sync_run_finished")
    (run,) = await scene.fetch("select * from sync_run")
    assert (run["kind"], run["requested_by"], run["synced"]) == ("schedule", "accounting-sync", 3)
    assert await scene.value("select next_run_at > now() from connector")
    assert len(await scene.documents("hlf", *waited, *later)) == 4


async def test_with_next_sync_all_that_waited_is_synced_by_a_manual_run(scene: Scene) -> None:
    waited, later = fresh(3), fresh(1)
    await scene.organization("hlf", release_policy="next_sync")
    async with scene.worker():
        await scene.approve(*[approval(name) for name in waited])
        await scene.counted("item", 3)
        await scene.switch(True)
        await scene.approve(approval(later[0]))
        await scene.all_synced(*later)
        assert {name: (await scene.states())[name] for name in waited} == dict.fromkeys(waited, "pending")
        run = await scene.request_run()
        assert not isinstance(run, RunRefused)
        await scene.all_synced(*waited)
        await scene.logged("sync_run_finished")
    assert await scene.value("select synced from sync_run where run_id = $1", run.run_id) == 3
    assert len(await scene.documents("hlf", *waited, *later)) == 4


async def test_a_manual_sync_while_the_connector_is_off_says_why_and_sends_nothing(scene: Scene) -> None:
    (name,) = fresh(1)
    await scene.organization()
    async with scene.worker():
        await scene.toggle(toggle(True))
        await scene.logged("connector_enabled")
        await scene.toggle(toggle(False, reason="Closing the year"))
        await scene.logged("connector_disabled")
        await scene.approve(approval(name))
        await scene.counted("item", 1)
        refused = await scene.request_run()
        assert isinstance(refused, RunRefused)
        assert refused.sentence.startswith("The Xledger connector for hlf is disabled (since 20")
        assert refused.sentence.endswith(" by user-9: Closing the year). Nothing was synced. Enable it first.")
        assert await scene.states() == {name: "pending"}
    assert await scene.deliveries("hlf", name) == []
    entry = (await scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["reason"]) == ("sync_run_refused", "admin-1", refused.sentence)
    assert await scene.value("select count(*) from sync_run where kind = 'manual'") == 0


async def test_every_toggle_is_logged_with_actor_organisation_connector_and_new_state(scene: Scene) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.toggle(
            toggle(True, revision=2),
            toggle(True, revision=3),
            toggle(False, actor=GLOBAL_ADMIN, revision=4),
            toggle(True, revision=4),
            toggle(True, actor=STRANGER, revision=5),
            toggle(True, reason=" ", revision=6),
            toggle(True, connector="business_central", revision=7),
        )
        await scene.counted("toggle_event", 7)
        toggled = await scene.switch(True)
    assert toggled.phase is Phase.ON
    told = [
        (entry["actor"], entry["organization_id"], entry["connector"], entry["change"], entry["new_state"])
        for entry in await scene.log()
        if entry["change"].startswith(("connector_enabled", "connector_disabled", "toggle_"))
    ]
    assert told == [
        ("user-9", "hlf", "xledger", "connector_enabled", "on"),
        ("user-9", "hlf", "xledger", "toggle_unchanged", "on"),
        ("root-1", "hlf", "xledger", "connector_disabled", "off"),
        ("user-9", "hlf", "xledger", "toggle_superseded", "off"),
        ("user-3", "hlf", "xledger", "toggle_refused", "off"),
        ("user-9", "hlf", "xledger", "toggle_refused", "off"),
        ("user-9", "hlf", "business_central", "toggle_refused", None),
        ("admin-1", "hlf", "xledger", "connector_enabled", "on"),
    ]
    reasons = [entry["reason"] for entry in await scene.log() if entry["change"].startswith("connector_")]
    assert reasons[1:4] == ["Onboarding done", "Maintenance", "a test"]
