"""Integration settings as a page: what it says of the connector, the test of the connection, and the credentials."""

import json

import pytest

from tests.admin import Admin, global_admin
from tests.events import approval
from tests.integration.admin.screens.visitor import visiting
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import ADMIN, Scene
from worker.domain.switching import Toggle
from worker.store.database import transaction
from worker.toggles import apply_toggle

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOME = "/organizations/hlf"


async def test_what_was_never_switched_says_so(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert "Xledger is off. It has never been switched on." in page.text
    assert "Nothing waits." in page.text
    assert "checked" not in page.elements["switch"]


async def test_an_organisation_without_a_connector_says_who_sets_one_up_and_shows_what_waits(admin: Admin) -> None:
    async with transaction(admin.scene.pool) as connection:
        await connection.execute("insert into organization (organization_id, name) values ('hlf', 'HLF')")
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
        missing = await visitor.go(f"{HOME}/connector/switch?connector=xledger&enabled=on")
    assert "No connector is configured." in page.text
    assert "1 reimbursement waits" in page.text
    assert missing.status == 404


async def test_it_says_since_when_it_is_on_by_whom_and_why(admin: Admin) -> None:
    await admin.scene.organization()
    await switch(admin.scene, True, "Onboarding done")
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert "switched on by admin-1: Onboarding done" in page.text
    assert "checked" in page.elements["switch"]


async def test_switching_off_says_how_many_are_still_posted_and_what_nobody_knows(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"), approval("R-2"))
    await bring_to(admin.scene.pool, "sending", "R-1")
    await bring_to(admin.scene.pool, "unknown", "R-2")
    await switch(admin.scene, True)
    await switch(admin.scene, False)
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert "Xledger is being switched off: 1 reimbursement is still being posted. Nothing new is sent." in page.text
    assert "Xledger may or may not have 1 reimbursement. It is never sent again blindly" in page.text
    assert "it is looked up first. Look-ups wait until the connector is on again." in page.text


async def test_a_suspended_connector_says_why_and_when_it_is_tried_next(admin: Admin) -> None:
    await admin.scene.organization()
    await switch(admin.scene, True)
    async with transaction(admin.scene.pool) as connection:
        await connection.execute(
            "update connector set suspended_at = now(), suspended_reason = 'The token is refused.', probe_at = now()"
        )
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert "Xledger is switched on, but has been suspended since" in page.text
    assert "Cause: The token is refused." in page.text
    assert "Next try at" in page.text


async def test_what_waits_is_told_by_currency_with_the_oldest(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1", amount="1250.50"), approval("R-2"), approval("R-3", currency="EUR"))
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert "3 reimbursements wait" in page.text
    assert "NOK 1,500.50 NOK 2 20 November 2026 at 10:12" in page.text
    assert "EUR 250.00 EUR 1" in page.text


async def test_in_norwegian_everything_but_names_is_norwegian(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin(), "nb") as visitor:
        page = await visitor.go(HOME)
    assert "Xledger er av. Den har aldri vært slått på." in page.text
    assert "1 refusjon venter" in page.text


async def test_of_several_connectors_the_one_in_use_is_shown_and_the_others_can_be_chosen(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.configure("hlf", "business_central")
    await switch(admin.scene, True)
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
        other = await visitor.go(page.link("Show Dynamics 365 Business Central"))
        asked = await visitor.submit(other.form("/connector/switch"))
    assert "Xledger has been on since" in page.text
    assert "Dynamics 365 Business Central is off. It has never been switched on." in other.text
    assert "Xledger is on, and only one may be on at a time. Switch it off first." in asked.text
    assert [form.action for form in asked.forms if "switch" in form.action] == []


async def test_the_test_of_the_connection_says_when_everything_is_in_order(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await visitor.go(HOME)).form("/connector/test"))
    assert "The connection test found that everything is in order" in page.text


async def test_what_the_test_finds_stands_in_a_table_and_beside_what_is_mapped(admin: Admin) -> None:
    mapping = {"expense_types": {"travel": {"account": "9999"}}, "claimants": {"from": "number"}}
    await admin.scene.organization(mapping={**mapping, "counter_account": "2930"})
    async with visiting(admin, global_admin()) as visitor:
        before = await visitor.go(HOME)
        page = await visitor.submit(before.form("/connector/test"))
    assert "Expense type travel Account 9999 – Not checked" in before.text
    assert "The connection test found 1 problem" in page.text
    assert "Expense type travel Account 9999 – Problem Xledger has no account 9999." in page.text
    assert "What is owed to the claimant Account 2930 – None found" in page.text
    assert 'lang="en">Xledger has no account 9999.' in page.source


async def test_credentials_that_no_key_reads_are_a_problem_not_a_failure(admin: Admin) -> None:
    await admin.scene.organization()
    async with transaction(admin.scene.pool) as connection:
        await connection.execute("update connector_secret set key_id = 'another'")
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await visitor.go(HOME)).form("/connector/test"))
        preview = await visitor.go(f"{HOME}/connector/switch?connector=xledger&enabled=on")
    assert "The connection test found 1 problem" in page.text
    assert "SYNC_CREDENTIALS_KEY" in preview.text


async def test_no_credential_is_on_any_page(admin: Admin) -> None:
    await admin.scene.organization()
    secret = admin.scene.erps["xledger"].tenants.xledger[0].token
    async with visiting(admin, global_admin()) as visitor:
        for address in ("", "/connector/credentials?connector=xledger", "/live"):
            page = await visitor.go(HOME + address)
            assert page.status == 200
            assert secret not in page.source


async def test_replaced_credentials_switch_nothing_on(admin: Admin) -> None:
    await admin.scene.organization(credentials={"token": "an old one"})
    token = admin.scene.erps["xledger"].tenants.xledger[0].token
    async with visiting(admin, global_admin()) as visitor:
        asked = await visitor.go((await visitor.go(HOME)).link("Replace credentials"))
        page = await visitor.submit(asked.form("/credentials"), token=token)
        tested = await visitor.submit(page.form("/connector/test"))
    assert "Done: The credentials are replaced. The connector is as it was: nothing was switched." in page.text
    assert "Xledger is off. It has never been switched on." in page.text
    assert "Given last by admin-1 on" in page.text
    assert "everything is in order" in tested.text
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["source"]) == ("credentials_replaced", "admin-1", "http")
    assert token not in json.dumps(dict(entry), default=str)


async def test_a_missing_credential_is_asked_for_and_the_others_are_not_given_back(admin: Admin) -> None:
    await admin.scene.organization(kind="business_central")
    async with visiting(admin, global_admin()) as visitor:
        asked = await visitor.go(f"{HOME}/connector/credentials?connector=business_central")
        page = await visitor.submit(asked.form("/credentials"), client_id="a client", client_secret=" ")
    assert page.status == 422
    assert page.elements["client_secret"]["aria-invalid"] == "true"
    assert page.elements["client_secret"]["aria-describedby"] == "client_secret-mistake"
    assert "a client" not in page.source
    assert "credentials_replaced" not in [entry["change"] for entry in await admin.scene.log()]


async def test_a_kind_that_is_not_installed_any_more_is_told_and_breaks_no_page(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.fetch("delete from connector_secret")
    await admin.scene.fetch("update connector set kind = 'gone', title = 'Gone'")
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
        tested = await visitor.submit(page.form("/connector/test"))
        preview = await visitor.submit(page.form("/connector/switch"))
        credentials = await visitor.go(f"{HOME}/connector/credentials?connector=gone")
    assert "This kind of connector is not installed any more." in page.text
    assert "There is no gone connector." in tested.text
    assert "There is no gone connector." in preview.text
    assert credentials.status == 404


async def test_what_is_new_is_asked_for_and_nothing_new_is_answered_with_nothing(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        poll = (await visitor.go(HOME)).elements["live-poll"]["hx-get"]
        same = await visitor.go(poll)
        await switch(admin.scene, True, "From elsewhere")
        new = await visitor.go(poll)
    assert (same.status, same.source) == (204, "")
    assert new.status == 200
    assert "From elsewhere" in new.elements["live"]["data-announce"]
    assert new.elements["live-poll"]["hx-get"] != poll


async def test_stored_script_is_text(admin: Admin) -> None:
    script = "<script>alert(1)</script>"
    await admin.scene.organization()
    await admin.scene.configure(
        "hlf",
        mapping={
            "expense_types": {script: {"account": "7140"}},
            "claimants": {"from": "number"},
            "counter_account": "2930",
        },
    )
    async with transaction(admin.scene.pool) as connection:
        await connection.execute("update organization set name = $1", script)
    await switch(admin.scene, True, script)
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(HOME)
    assert page.text.count(script) >= 3
    assert script not in page.source


@pytest.mark.parametrize("address", ["", "/live", "/connector/switch?connector=xledger&enabled=on", "/connector/test"])
async def test_an_organisation_that_is_not_there_is_not_found(admin: Admin, address: str) -> None:
    async with visiting(admin, global_admin()) as visitor:
        assert (await visitor.go(f"/organizations/nobody{address}")).status == 404


async def switch(scene: Scene, enabled: bool, reason: str = "a test", kind: str = "xledger") -> None:
    async with transaction(scene.pool) as connection:
        await apply_toggle(connection, Toggle("hlf", kind, enabled, reason, ADMIN), "cli")
