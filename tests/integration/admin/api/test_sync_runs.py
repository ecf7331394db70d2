"""Runs that a person asks for over HTTP."""

from http import HTTPStatus

import pytest

from tests.admin import Admin, admin_of
from tests.events import approval
from tests.integration.admin.api.two import API
from tests.integration.worker.rows import take_in
from tests.scene import DISPATCH_ONLY, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUNS = f"{API}/organizations/hlf/sync-runs"


async def test_a_run_while_the_connector_is_off_says_so_is_logged_and_sends_nothing(admin: Admin) -> None:
    await admin.scene.organization()
    items = fresh(2)
    await take_in(admin.scene.pool, *map(approval, items))
    async with admin.scene.worker(DISPATCH_ONLY), admin.client(admin_of("hlf")) as client:
        refused = await client.post(RUNS)
        await admin.scene.logged("sync_run_refused")
    sentence = "The Xledger connector for hlf is disabled (it was never enabled). Nothing was synced. Enable it first."
    assert refused.status_code == HTTPStatus.CONFLICT
    assert refused.json() == {
        "type": "/problems/connector-disabled",
        "title": "Connector disabled",
        "status": 409,
        "detail": sentence,
    }
    entry = (await admin.scene.log())[-1]
    told = ("change", "actor", "source", "reason")
    assert tuple(entry[name] for name in told) == ("sync_run_refused", "user-9", "http", sentence)
    assert await admin.scene.value("select count(*) from sync_run") == 0
    assert await admin.scene.deliveries("hlf", *items) == []
    assert set((await admin.scene.states()).values()) == {"pending"}


async def test_a_run_is_accepted_and_found_where_the_answer_says(admin: Admin) -> None:
    await admin.scene.organization("hlf", "xledger", release_policy="next_sync")
    items = fresh(2)
    await take_in(admin.scene.pool, *map(approval, items))
    await admin.scene.switch(True)
    async with admin.client(admin_of("hlf")) as client:
        accepted = await client.post(RUNS)
        assert accepted.status_code == HTTPStatus.ACCEPTED
        assert accepted.headers["location"] == f"{RUNS}/{accepted.json()['run_id']}"
        assert (await client.get(accepted.headers["location"])).json() == accepted.json()
        async with admin.scene.worker(DISPATCH_ONLY):
            await admin.scene.logged("sync_run_finished")
        finished = (await client.get(accepted.headers["location"])).json()
    assert (accepted.json()["state"], accepted.json()["counts"]["remaining"]) == ("running", 2)
    assert (finished["state"], finished["kind"], finished["requested_by"]) == ("finished", "manual", "user-9")
    assert finished["counts"] == {"synced": 2, "rejected": 0, "unknown": 0, "remaining": 0}


async def test_asking_while_a_run_is_under_way_answers_that_run(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, *map(approval, fresh(1)))
    await admin.scene.switch(True)
    async with admin.client(admin_of("hlf")) as client:
        runs = [(await client.post(RUNS)).json()["run_id"] for _ in range(2)]
    assert len(set(runs)) == 1


async def test_a_run_needs_no_body_and_heeds_none(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    async with admin.client(admin_of("hlf")) as client:
        assert (await client.post(RUNS, json={})).status_code == HTTPStatus.ACCEPTED
        assert (await client.post(RUNS, data={"a": "b"})).status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


async def test_what_is_no_id_of_a_run_is_refused_without_being_quoted(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        for run_id in ("1", "not-a-run", "'; drop table item; --", "%00"):
            answer = await client.get(f"{RUNS}/{run_id}")
            assert (answer.status_code, answer.json()["detail"]) == (422, "run_id: This is not valid.")
