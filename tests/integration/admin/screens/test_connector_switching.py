"""Switching without script: every question is a page, every answer a form, and the reader lands on what came of it."""

import pytest

from tests.admin import Admin, admin_of, global_admin, token
from tests.events import approval
from tests.integration.admin.screens.visitor import Form, Page, Visitor, visiting
from tests.integration.worker.rows import ADMIN, take_in
from worker import decisions
from worker.domain.switching import Role
from worker.store.database import transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOME = "/organizations/hlf"
SWITCH = "/connector/switch"
WRONG_ACCOUNT = {
    "expense_types": {"travel": {"account": "9999"}},
    "claimants": {"from": "number"},
    "counter_account": "2930",
}


async def test_it_is_switched_off_with_a_reason_and_the_page_says_so_once(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    async with visiting(admin, global_admin()) as visitor:
        asked = await ask(visitor)
        done = await visitor.submit(asked.form(SWITCH), reason="  Month's\nend ")
        again = await visitor.go(HOME)
    assert "What is approved waits, and nothing is lost." in asked.text
    assert "Done: The Xledger connector for hlf is disabled." in done.text
    assert "switched off by admin-1: Month's end" in done.text
    assert "Done:" not in again.text
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["source"], entry["reason"]) == (
        "connector_disabled",
        "admin-1",
        "http",
        "Month's end",
    )


@pytest.mark.parametrize("reason", ["", " \n", "\u200b\x00", "x" * 501])
async def test_without_a_reason_nothing_is_switched_and_the_form_says_what_to_do(admin: Admin, reason: str) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    before = await admin.scene.log()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await ask(visitor)).form(SWITCH), reason=reason)
    assert page.status == 422
    assert "Nothing was changed yet. Mend this first:" in page.text
    assert page.elements["reason"]["aria-invalid"] == "true"
    assert page.elements["reason"]["aria-describedby"] == "reason-description reason-mistake"
    assert page.elements["mistakes"]["tabindex"] == "-1"
    assert "autofocus" in page.elements["mistakes"]
    assert await admin.scene.log() == before


async def test_before_switching_on_it_says_what_would_be_sent_and_what_would_be_rejected(admin: Admin) -> None:
    await admin.scene.organization()
    wrong = [{"line_id": "1", "expense_type": "hotel", "expense_date": "2026-11-03", "amount": "250.00"}]
    await take_in(
        admin.scene.pool,
        approval("R-1", amount="1250.50"),
        *[approval(f"R-{number}", lines=wrong) for number in range(2, 54)],
    )
    async with visiting(admin, global_admin()) as visitor:
        page = await ask(visitor)
    assert "53 reimbursements wait. Oldest approved: 20 November 2026 at 10:12" in page.text
    assert "NOK 14,250.50 NOK 53" in page.text
    assert "52 of them would be rejected" in page.text
    assert "R-2 The expense type 'hotel' has no account in the mapping." in page.text
    assert "R-51" in page.text
    assert "R-52" not in page.text
    assert "and 2 more" in page.text
    assert "Everything is in order." in page.text


async def test_the_preview_is_of_the_connector_that_is_to_be_switched_on(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.configure("hlf", "business_central", mapping={**WRONG_ACCOUNT, "expense_types": {}})
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        one = await visitor.go(f"{HOME}{SWITCH}?connector=xledger&enabled=on")
        other = await visitor.go(f"{HOME}{SWITCH}?connector=business_central&enabled=on")
    assert "The mapping has everything they need." in one.text
    assert "R-1 The expense type 'travel' has no account in the mapping." in other.text


async def test_all_that_waits_is_released(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        done = await visitor.submit((await ask(visitor)).form(SWITCH), choice="all", reason="Ready")
    assert "Done: The Xledger connector for hlf is enabled." in done.text
    assert await admin.scene.states() == {"R-1": "pending"}


async def test_where_nothing_waits_only_the_reason_is_asked(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        asked = await ask(visitor)
        done = await visitor.submit(asked.form(SWITCH), reason="Ready")
    assert "What becomes of what waits?" not in asked.text
    assert "Xledger has been on since" in done.text


async def test_no_choice_is_made_for_the_administrator_and_what_they_typed_stays(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await ask(visitor)).form(SWITCH), reason="Ready")
        without_date = await visitor.submit(page.form(SWITCH), choice="from_date", reason="Ready")
    assert page.status == 422
    assert "Choose what becomes of what waits." in page.text
    assert page.form(SWITCH).fields["reason"] == "Ready"
    assert "choice" not in page.form(SWITCH).fields
    assert "Enter the first day that is posted" in without_date.text
    assert without_date.form(SWITCH).fields["choice"] == "from_date"


@pytest.mark.parametrize("day", ["2026-13-01", "1999-01-01", "0001-01-01", "soon"])
async def test_a_day_that_is_none_is_asked_for_again(admin: Admin, day: str) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await ask(visitor)).form(SWITCH), choice="from_date", from_date=day, reason="R")
    assert page.status == 422
    assert "Enter the first day that is posted" in page.text


async def test_what_is_older_than_a_day_is_marked_only_after_its_number_was_confirmed(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(
        admin.scene.pool,
        approval("R-1", approved_at="2026-10-31T22:59:59Z"),
        approval("R-2", approved_at="2026-10-31T23:00:00Z"),
    )
    async with visiting(admin, global_admin()) as visitor:
        sure = await visitor.submit(
            (await ask(visitor)).form(SWITCH), choice="from_date", from_date="2026-11-01", reason="By hand until then"
        )
        before = await admin.scene.states()
        done = await visitor.submit(sure.form(SWITCH))
    assert "1 reimbursement will be marked as handled elsewhere" in sure.text
    assert "Everything that was approved before 1 November 2026." in sure.text
    assert "1 reimbursement stays and is posted." in sure.text
    assert before == {"R-1": "pending", "R-2": "pending"}
    assert "Xledger has been on since" in done.text
    assert await admin.scene.states() == {"R-1": "handled_elsewhere", "R-2": "pending"}


async def test_what_came_after_the_question_is_not_marked(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        sure = await visitor.submit((await ask(visitor)).form(SWITCH), choice="handled_elsewhere", reason="By hand")
        await take_in(admin.scene.pool, approval("R-2"))
        done = await visitor.submit(sure.form(SWITCH))
    assert "1 reimbursement will be marked" in sure.text
    assert "What comes after this question is not marked." in sure.text
    assert (
        "Done: The Xledger connector for hlf is enabled. 1 reimbursement was marked as handled elsewhere." in done.text
    )
    assert await admin.scene.states() == {"R-1": "handled_elsewhere", "R-2": "pending"}


async def test_where_another_number_waits_than_the_question_said_it_is_asked_again(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"), approval("R-2"))
    async with visiting(admin, global_admin()) as visitor:
        sure = await visitor.submit((await ask(visitor)).form(SWITCH), choice="handled_elsewhere", reason="By hand")
        async with transaction(admin.scene.pool) as connection:
            await decisions.hand_over(connection, "hlf", "R-1", actor=ADMIN, reason="Paid", source="cli")
        again = await visitor.submit(sure.form(SWITCH))
        between = await admin.scene.states()
        await visitor.submit(again.form(SWITCH))
    assert again.status == 409
    assert "Not done: What waits has changed since you were asked." in again.text
    assert "1 reimbursement will be marked" in again.text
    assert between == {"R-1": "handled_elsewhere", "R-2": "pending"}
    assert await admin.scene.states() == {"R-1": "handled_elsewhere", "R-2": "handled_elsewhere"}


async def test_a_confirmation_that_does_not_say_of_what_is_asked_for_again(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with visiting(admin, global_admin()) as visitor:
        sure = await visitor.submit((await ask(visitor)).form(SWITCH), choice="handled_elsewhere", reason="By hand")
        form = sure.form(SWITCH)
        del form.fields["through"]
        again = await visitor.submit(form)
        wrong = await visitor.submit(sure.form(SWITCH), through="9" * 30)
    assert again.form(SWITCH).fields["through"] != ""
    assert wrong.status == 422
    assert await admin.scene.states() == {"R-1": "pending"}


async def test_only_reviewing_changes_nothing_and_needs_no_reason(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    before = await admin.scene.log()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await ask(visitor)).form(SWITCH), choice="review")
    assert page.address.endswith(f"{HOME}/reimbursements?state=pending")
    assert await admin.scene.log() == before


async def test_the_first_time_problems_refuse_it_unless_somebody_insists(admin: Admin) -> None:
    await admin.scene.organization(mapping=WRONG_ACCOUNT)
    async with visiting(admin, global_admin()) as visitor:
        asked = await ask(visitor)
        refused = await visitor.submit(asked.form(SWITCH), reason="Ready")
        log = await admin.scene.log()
        done = await visitor.submit(refused.form(SWITCH), unchecked="true")
    assert "Xledger has no account 9999." in asked.text
    assert "unchecked" not in asked.form(SWITCH).fields
    assert refused.status == 409
    assert "Not done: The check before the first switch-on found problems. Nothing was switched." in refused.text
    assert refused.form(SWITCH).fields["reason"] == "Ready"
    assert log[-1]["change"] == "toggle_refused"
    assert "Xledger has been on since" in done.text
    assert (await admin.scene.log("hlf"))[-2]["change"] == "connector_enabled"


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_second_of_two_administrators_is_told_what_the_first_did(admin: Admin, enabled: bool) -> None:
    await admin.scene.organization()
    if not enabled:
        await admin.scene.switch(True)
    second = token("admin-2", [Role.GLOBAL_ADMIN])
    async with visiting(admin, global_admin()) as first_visitor, visiting(admin, second) as second_visitor:
        first, late = await ask(first_visitor), await ask(second_visitor)
        await first_visitor.submit(first.form(SWITCH), reason="I was first")
        told = await second_visitor.submit(late.form(SWITCH), reason="I was late")
    word = "enabled" if enabled else "disabled"
    assert f"Not done: The Xledger connector for hlf was {word} meanwhile" in told.text
    assert "by admin-1: I was first" in told.text
    assert (await admin.scene.log())[-1]["change"] == "toggle_refused"


async def test_refusals_are_told_in_norwegian_too(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin(), "nb") as visitor:
        asked = await ask(visitor)
        await admin.scene.switch(True)
        told = await visitor.submit(asked.form(SWITCH), reason="Klar")
    assert "Ikke utført: Koblingen til Xledger for hlf ble slått på i mellomtiden" in told.text


async def test_a_question_without_its_parts_leads_to_the_settings(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(f"{HOME}{SWITCH}")
        strange = await visitor.go(f"{HOME}{SWITCH}?connector=business_central&enabled=on")
    assert page.address.endswith(HOME)
    assert strange.status == 404


async def test_looking_at_the_question_switches_nothing(admin: Admin) -> None:
    await admin.scene.organization()
    before = await admin.scene.log()
    async with visiting(admin, global_admin()) as visitor:
        await visitor.go(f"{HOME}{SWITCH}?connector=xledger&enabled=on&reason=x&choice=all&seen=")
    assert await admin.scene.log() == before


async def test_an_organisations_administrator_does_all_of_it_for_their_own(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"), approval("R-2"))
    async with visiting(admin, admin_of("hlf")) as visitor:
        tested = await visitor.submit((await visitor.go(HOME)).form("/connector/test"))
        sure = await visitor.submit((await ask(visitor)).form(SWITCH), choice="handled_elsewhere", reason="By hand")
        on = await visitor.submit(sure.form(SWITCH))
        off = await visitor.submit((await ask(visitor)).form(SWITCH), reason="Month's end")
        credentials = await visitor.go(f"{HOME}/connector/credentials?connector=xledger")
        replaced = await visitor.submit(credentials.form("/credentials"), token="a new one")
    assert "everything is in order" in tested.text
    assert "switched on by user-9: By hand" in on.text
    assert await admin.scene.states() == {"R-1": "handled_elsewhere", "R-2": "handled_elsewhere"}
    assert "switched off by user-9: Month's end" in off.text
    assert "Done: The credentials are replaced." in replaced.text


@pytest.mark.parametrize("organization", ["nbf", "nobody"])
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", ""),
        ("get", "/live"),
        ("get", f"{SWITCH}?connector=xledger&enabled=on"),
        ("post", f"{SWITCH}?connector=xledger&enabled=on"),
        ("post", f"{SWITCH}?connector=xledger&enabled=off"),
        ("post", f"{SWITCH}?connector=%00&enabled=on"),
        ("post", f"{SWITCH}?connector={'x' * 70}&enabled=on"),
        ("post", f"{SWITCH}?connector=xledger"),
        ("get", f"{SWITCH}?connector=%00&enabled=on"),
        ("post", "/connector/test"),
        ("get", "/connector/credentials?connector=xledger"),
        ("post", "/connector/credentials?connector=xledger"),
    ],
)
async def test_another_organisation_is_refused_whether_it_exists_or_not(
    admin: Admin, method: str, address: str, organization: str
) -> None:
    await admin.scene.organization("nbf")
    before = await admin.scene.fetch("select enabled, version from connector")
    fields = {"reason": "mine now", "connector": "xledger", "token": "stolen"}
    async with visiting(admin, admin_of("hlf")) as visitor:
        whole = f"/organizations/{organization}{address}"
        page = await (visitor.go(whole) if method == "get" else visitor.submit(Form(method, whole, fields)))
    assert page.status == 403
    assert await admin.scene.fetch("select enabled, version from connector") == before


async def test_a_strangers_try_stands_in_the_log_of_the_organisation_it_was_about(admin: Admin) -> None:
    await admin.scene.organization("nbf")
    async with visiting(admin, admin_of("hlf")) as visitor:
        form = Form("post", f"/organizations/nbf{SWITCH}?connector=xledger&enabled=on", {"reason": "mine now"})
        page = await visitor.submit(form)
    assert page.status == 403
    entry = await admin.scene.logged("toggle_refused", "nbf")
    assert (entry["change"], entry["actor"], entry["source"], entry["reason"]) == (
        "toggle_refused",
        "user-9",
        "http",
        "mine now",
    )


@pytest.mark.parametrize("query", ["connector=%00&enabled=on", "connector=X&enabled=on", "connector=xledger"])
async def test_a_strangers_try_that_names_no_connector_leaves_nothing(admin: Admin, query: str) -> None:
    await _leaves_nothing(admin, query, "mine now")


@pytest.mark.parametrize("reason", ["", " ", "\x1b", "\u200b", "x" * 9000])
async def test_a_strangers_try_without_a_proper_reason_leaves_nothing(admin: Admin, reason: str) -> None:
    await _leaves_nothing(admin, "connector=xledger&enabled=on", reason)


async def _leaves_nothing(admin: Admin, query: str, reason: str) -> None:
    """Known once a proper try that came later stands in the log."""
    await admin.scene.organization("nbf")
    before = await admin.scene.log("nbf")
    proper = f"/organizations/nbf{SWITCH}?connector=xledger&enabled=on"
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.submit(Form("post", f"/organizations/nbf{SWITCH}?{query}", {"reason": reason}))
        await visitor.submit(Form("post", proper, {"reason": "\x1b[2J proper"}))
    assert page.status == 403
    assert (await admin.scene.logged("toggle_refused", "nbf"))["reason"] == "[2J proper"
    assert len(await admin.scene.log("nbf")) == len(before) + 1


async def ask(visitor: Visitor) -> Page:
    """The question behind the switch."""
    return await visitor.submit((await visitor.go(HOME)).form(SWITCH))
