"""Switching over HTTP: checked the first time, with a reason, and answered with the connector as it is then."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise

import pytest

from deploy.local.configurations import SAMPLE_MAPPING
from tests.admin import Admin, admin_of, global_admin, token
from tests.events import approval
from tests.integration.admin.api.two import API, is_whole
from tests.integration.worker.rows import take_in
from tests.scene import DISPATCH_ONLY, fresh
from worker.domain.switching import Role

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECTOR = f"{API}/organizations/hlf/connector"
ENABLED = f"{CONNECTOR}/enabled"
ON = {"enabled": True, "reason": "Onboarding done"}
OFF = {"enabled": False, "reason": "New credentials"}
MISSING_ACCOUNT = {**SAMPLE_MAPPING, "counter_account": "9999"}
NO_REASONS: Sequence[Mapping[str, object]] = [
    {}, {"reason": None}, {"reason": ""}, {"reason": " "}, {"reason": "\t\n "}, {"reason": "\u00a0\u2003"},
    {"reason": "x" * 501}, {"reason": "a\x00b"}, {"reason": "\x1b[2J"}, {"reason": 7}, {"reason": ["x"]},
]  # fmt: skip
SCRIPT = '<script>alert("1")</script>'


async def test_a_switch_answers_the_connector_as_it_is_then(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        on = await client.put(ENABLED, json=ON)
        off = await client.put(ENABLED, json=OFF)
        shown = await client.get(CONNECTOR)
    told = ("organization_id", "connector", "enabled", "phase", "in_flight", "changed_by", "reason")
    assert [on.json()[name] for name in told] == ["hlf", "xledger", True, "on", 0, "user-9", "Onboarding done"]
    assert [off.json()[name] for name in told] == ["hlf", "xledger", False, "off", 0, "user-9", "New credentials"]
    assert shown.json() == off.json()


async def test_a_switch_over_http_is_in_the_log_with_who_what_and_why(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        await client.put(ENABLED, json=ON)
        log = (await client.get(f"{API}/organizations/hlf/sync-log")).json()
    entry = next(one for one in log["entries"] if one["change"] == "connector_enabled")
    told = ("actor", "actor_role", "source", "organization_id", "connector", "new_state", "reason", "detail")
    assert [entry[name] for name in told] == [
        "user-9", "organization_admin", "http", "hlf", "xledger", "on", "Onboarding done", {"checked": True},
    ]  # fmt: skip


async def test_switching_to_what_it_is_already_answers_it_and_is_logged(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        again = await client.put(ENABLED, json=OFF)
    assert (again.status_code, again.json()["phase"]) == (HTTPStatus.OK, "off")
    assert (await admin.scene.log())[-1]["change"] == "toggle_unchanged"


async def test_the_first_enable_of_what_is_not_ready_says_all_that_is_wrong(admin: Admin) -> None:
    await admin.scene.organization("hlf", "xledger", mapping=MISSING_ACCOUNT)
    async with admin.client(admin_of("hlf")) as client:
        refused = await client.put(ENABLED, json=ON)
        preview = await client.get(f"{API}/organizations/hlf/release-preview")
    assert refused.status_code == HTTPStatus.CONFLICT
    problem = refused.json()
    assert problem["type"] == "/problems/connector-not-ready"
    assert problem["detail"].startswith("The check before the first enable found 1 problem. Nothing was switched.")
    assert problem["problems"] == [{"subject": "account 9999", "message": "Xledger has no account 9999."}]
    assert preview.json()["problems"] == problem["problems"]
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["source"]) == ("toggle_refused", "http")
    assert not await admin.scene.value("select enabled from connector")


async def test_unchecked_enables_without_the_check_and_the_log_says_so(admin: Admin) -> None:
    await admin.scene.organization("hlf", "xledger", mapping=MISSING_ACCOUNT)
    async with admin.client(admin_of("hlf")) as client:
        enabled = await client.put(ENABLED, json={**ON, "unchecked": True})
        log = (await client.get(f"{API}/organizations/hlf/sync-log")).json()["entries"]
    assert enabled.json()["phase"] == "on"
    assert next(one["detail"] for one in log if one["change"] == "connector_enabled") == {"checked": False}


async def test_an_organisation_without_a_connector_has_none_to_show_or_switch(admin: Admin) -> None:
    await admin.scene.fetch("insert into organization (organization_id, name) values ('hlf', 'HLF')")
    async with admin.client(admin_of("hlf")) as client:
        answers = [
            await client.get(CONNECTOR),
            await client.put(ENABLED, json=ON),
            await client.get(f"{API}/organizations/hlf/release-preview"),
        ]
    assert {answer.status_code for answer in answers} == {HTTPStatus.NOT_FOUND}
    assert {answer.json()["detail"] for answer in answers} == {
        "No connector is configured for this organisation. An operator configures one."
    }


async def test_a_connector_that_is_not_configured_can_not_be_enabled_and_the_try_is_logged(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        refused = await client.put(ENABLED, json={**ON, "connector": "business_central"})
    assert (refused.status_code, refused.json()["type"]) == (HTTPStatus.CONFLICT, "/problems/switch-refused")
    assert (await admin.scene.log())[-1]["change"] == "toggle_refused"


async def test_of_several_that_were_never_on_one_has_to_be_named(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.configure("hlf", "business_central")
    async with admin.client(admin_of("hlf")) as client:
        unnamed = await client.put(ENABLED, json=ON)
        named = await client.put(ENABLED, json={**ON, "connector": "business_central"})
        second = await client.put(ENABLED, json={**ON, "connector": "xledger"})
    assert unnamed.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "business_central, xledger" in unnamed.json()["detail"]
    assert (named.json()["connector"], named.json()["phase"]) == ("business_central", "on")
    assert second.status_code == HTTPStatus.CONFLICT
    assert "only one may be" in second.json()["detail"]


async def test_the_answer_is_about_the_connector_that_was_named(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.configure("hlf", "business_central")
    await admin.scene.switch(True)
    async with admin.client(admin_of("hlf")) as client:
        answer = await client.put(ENABLED, json={**OFF, "connector": "business_central"})
    assert (answer.json()["connector"], answer.json()["phase"]) == ("business_central", "off")


async def test_a_toggle_without_a_reason_that_can_be_read_is_refused(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        for reason in NO_REASONS:
            refused = await client.put(ENABLED, json={"enabled": True, **reason})
            assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, reason
            assert refused.json()["detail"].startswith("reason: ")
    assert not await admin.scene.value("select enabled from connector")


async def test_a_reason_of_500_characters_of_any_script_is_kept_whole(admin: Admin) -> None:
    await admin.scene.organization()
    reason = ("Vedlikehold · 維護 · 🧾\n" * 30)[:499] + "."
    async with admin.client(admin_of("hlf")) as client:
        answer = await client.put(ENABLED, json={"enabled": False, "reason": reason})
        log = (await client.get(f"{API}/organizations/hlf/sync-log")).json()
    assert answer.status_code == HTTPStatus.OK
    assert log["entries"][0]["reason"] == reason


async def test_a_stored_script_comes_back_as_the_text_of_json(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf")) as client:
        answer = await client.put(ENABLED, json={"enabled": True, "reason": SCRIPT})
        log = await client.get(f"{API}/organizations/hlf/sync-log")
    for told in (answer, log):
        assert told.headers["content-type"] == "application/json"
        assert told.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["reason"] == SCRIPT
    assert SCRIPT in [entry["reason"] for entry in log.json()["entries"]]


async def test_two_administrators_who_race_leave_one_state_and_a_log_that_tells_it(admin: Admin) -> None:
    """Whoever's switch is last in the log is who the connector says changed it."""
    await admin.scene.organization()
    await admin.scene.switch(True)
    await admin.scene.switch(False)

    async def switch_often(bearer: str, enabled: bool) -> list[int]:
        async with admin.client(bearer) as client:
            body = {"enabled": enabled, "reason": f"wants it {enabled}"}
            return [(await client.put(ENABLED, json=body)).status_code for _ in range(15)]

    own, other = await asyncio.gather(
        switch_often(admin_of("hlf"), True), switch_often(token("admin-2", [Role.GLOBAL_ADMIN]), False)
    )
    assert {*own, *other} == {HTTPStatus.OK}
    entries = [one for one in await admin.scene.log() if one["change"] in {"connector_enabled", "connector_disabled"}]
    changes = [one["change"] for one in entries]
    assert all(one != following for one, following in pairwise(changes))
    async with admin.client(global_admin()) as client:
        connector = (await client.get(CONNECTOR)).json()
    assert connector["enabled"] == (changes[-1] == "connector_enabled")
    assert (connector["changed_by"], connector["reason"]) == (entries[-1]["actor"], entries[-1]["reason"])
    assert await is_whole(admin.scene)


async def test_what_an_enable_over_http_releases_is_posted_once(admin: Admin) -> None:
    await admin.scene.organization()
    items = fresh(3)
    await take_in(admin.scene.pool, *map(approval, items))
    async with admin.scene.worker(DISPATCH_ONLY), admin.client(admin_of("hlf")) as client:
        await client.put(ENABLED, json=ON)
        await admin.scene.all_synced(*items)
        run = (await client.get(f"{API}/organizations/hlf/sync-log")).json()["entries"]
    assert len(await admin.scene.documents("hlf", *items)) == len(items)
    assert {"sync_run_started", "connector_enabled"} <= {entry["change"] for entry in run}
