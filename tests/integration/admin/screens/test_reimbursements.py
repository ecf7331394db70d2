"""Reimbursements on the screen: found, explained, and decided on, without a script and with one."""

import pytest
from playwright.async_api import Browser, expect

from deploy.local.configurations import SAMPLE_MAPPING
from tests.admin import Admin, admin_of, global_admin
from tests.events import approval
from tests.integration.admin.screens.furnished import furnish
from tests.integration.admin.screens.visitor import visiting
from tests.integration.admin.screens.window import tab_to, window
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import fresh
from worker.admin.screens.reimbursement_list import PAGE_SIZE

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIST = "/organizations/hlf/reimbursements"
REJECTED = f"{LIST}/R-rejected"
TOO_LONG = "The reason is too long. Shorten it to 500 characters."
SCRIPT = "<script>document.title = 'stored'</script>"
WRONG = {**SAMPLE_MAPPING, "expense_types": {"travel": {"account": "9999"}}}


async def one_in(admin: Admin, state: str, name: str = "R-1") -> str:
    """The address of an item of HLF, whose connector is off, in that state."""
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval(name))
    if state != "pending":
        await bring_to(admin.scene.pool, state, name)
    return f"{LIST}/{name}"


async def tried(admin: Admin, attempt: int, detail: str, code: str = "a_code", document: str | None = None) -> None:
    """An attempt on R-1 that the ERP refused."""
    await admin.scene.fetch(
        "insert into attempt_entry (organization_id, reimbursement_id, attempt, kind, connector, reference, "
        "claimed_at, recorded_by, outcome, code, detail, document_number) "
        "values ('hlf', 'R-1', $1, 'settled', 'xledger', 'R', now(), gen_random_uuid(), 'rejected', $2, $3, $4)",
        attempt,
        code,
        detail,
        document,
    )


async def test_each_says_why_it_waits_since_when_and_what_comes_next(admin: Admin) -> None:
    await furnish(admin.scene)
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(LIST)
    assert "It was refused by Xledger: 2025 is closed. Since " in page.text
    assert "A person mends the cause and retries it, or marks it as handled elsewhere." in page.text
    assert "It is in the queue of the Xledger connector." in page.text
    assert "250.00 NOK" in page.text
    assert "20 November 2026 at 10:12" in page.text


async def test_a_norwegian_reader_is_told_in_norwegian_and_hears_what_is_not(admin: Admin) -> None:
    await furnish(admin.scene)
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        page = await visitor.go(REJECTED)
    assert 'Den ble avvist av Xledger: <span lang="en">2025 is closed.</span>' in page.source
    assert "Må behandles manuelt: Rett opp årsaken og prøv på nytt, eller merk den som håndtert utenom." in page.text
    assert "250,00 NOK" in page.text


async def test_a_state_shows_those_in_it_and_how_many_they_are(admin: Admin) -> None:
    await furnish(admin.scene)
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go((await visitor.go(LIST)).link("Rejected 1"))
    assert page.address.endswith("?state=rejected")
    assert "Reimbursements: Rejected" in page.text
    assert [said for _, said in page.links if said.startswith("R-")] == ["R-rejected"]


async def test_pages_follow_each_other_and_leave_none_out(admin: Admin) -> None:
    await admin.scene.organization()
    names = [f"R-{number:03}" for number in range(PAGE_SIZE + 1)]
    await take_in(admin.scene.pool, *[approval(name) for name in names])
    async with visiting(admin, admin_of("hlf")) as visitor:
        first = await visitor.go(f"{LIST}?state=pending")
        second = await visitor.go(first.link("Next page"))
        again = await visitor.go(second.link("First page"))
    listed = [said for page in (first, second) for _, said in page.links if said.startswith("R-")]
    assert listed == names
    assert [said for _, said in again.links if said.startswith("R-")] == names[:PAGE_SIZE]


async def test_a_cursor_that_no_page_gave_is_no_error_of_ours(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, admin_of("hlf")) as visitor:
        assert (await visitor.go(f"{LIST}?after=x'")).status == 400


async def test_a_number_leads_to_its_reimbursement_and_the_beginning_of_one_to_a_list(admin: Admin) -> None:
    await furnish(admin.scene)
    async with visiting(admin, admin_of("hlf")) as visitor:
        form = (await visitor.go(LIST)).form(LIST)
        whole = await visitor.submit(form, id=" R-rejected ")
        begun = await visitor.submit(form, id="R-s")
        missing = await visitor.submit(form, id="R-17\x00")
    assert whole.address.endswith(REJECTED)
    assert {said for _, said in begun.links if said.startswith("R-")} == {"R-synced", "R-sending"}
    assert "No reimbursement's number here begins with R-17. Check it: capital letters matter." in missing.text
    assert missing.elements["id"]["aria-invalid"] == "true"
    assert missing.elements["id"]["aria-describedby"] == "id-mistake"


async def test_an_unknown_outcome_says_what_is_looked_up_and_when(admin: Admin) -> None:
    address = await one_in(admin, "unknown")
    await admin.scene.fetch(
        "update item set reference = 'HLF-R-1', absences = 1, due_at = '2026-12-01T08:30Z', "
        "quarantined_until = '2026-12-01T08:15Z'"
    )
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(address)
    assert "The documents of Xledger are searched for HLF-R-1." in page.text
    assert "Amount 250.00 NOK" in page.text
    assert "Next look-up from 1 December 2026 at 09:30 on" in page.text
    assert "The request may still take effect until 1 December 2026 at 09:15" in page.text
    assert "Looked up in vain 1 time" in page.text
    assert "Looked up twice in vain: it waits to be sent again." in page.text


async def test_every_attempt_is_told(admin: Admin) -> None:
    address = await one_in(admin, "rejected")
    await tried(admin, 1, "Period 1 is closed.")
    await tried(admin, 2, "Period 2 is closed.")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(address)
    assert "Period 1 is closed. a_code" in page.text
    assert "Period 2 is closed. a_code" in page.text


async def test_a_rejected_one_is_sent_round_again_with_a_reason(admin: Admin) -> None:
    address = await one_in(admin, "rejected")
    async with visiting(admin, admin_of("hlf")) as visitor:
        done = await visitor.submit((await visitor.go(address)).form("/retry"), reason=" The period\nis open ")
        again = await visitor.go(address)
    assert "Done: R-1 waits to be sent again." in done.text
    assert "Done:" not in again.text
    assert await admin.scene.states() == {"R-1": "pending"}
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["source"], entry["reason"]) == (
        "item_retried",
        "user-9",
        "http",
        "The period is open",
    )


async def test_an_unknown_one_is_looked_up_once_more_and_not_sent(admin: Admin) -> None:
    address = await one_in(admin, "unknown")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(address)
        done = await visitor.submit(page.form("/retry"), reason="It is there now")
    assert "Looking it up once more sends nothing by itself." in page.text
    assert "Done: R-1 will be looked up once more." in done.text
    assert await admin.scene.states() == {"R-1": "unknown"}


@pytest.mark.parametrize(
    ("language", "button", "told"),
    [
        ("en", "Try the receipts again", "Done: The receipts of R-1 that were given up wait to be tried again."),
        ("nb", "Prøv kvitteringene på nytt", "Utført: Kvitteringene til R-1 som var gitt opp, venter på å bli prøvd"),
    ],
)
async def test_receipts_that_were_given_up_are_tried_again_while_there_are_any(
    admin: Admin, language: str, button: str, told: str
) -> None:
    address = await one_in(admin, "synced")
    await admin.scene.fetch(
        "insert into receipt (organization_id, reimbursement_id, position, state, reason) "
        "values ('hlf', 'R-1', 1, 'given_up', 'It is away.'), ('hlf', 'R-1', 2, 'attached', null)"
    )
    async with visiting(admin, admin_of("hlf"), language) as visitor:
        page = await visitor.go(address)
        done = await visitor.submit(page.form("/retry"), reason="The host is up")
    assert button in page.text
    assert told in done.text
    assert [form.action for form in done.forms if LIST in form.action] == []
    assert await admin.scene.states() == {"R-1": "synced"}
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["reason"]) == ("receipts_retried", "user-9", "The host is up")


async def test_handled_elsewhere_is_asked_for_once_more_and_says_that_it_is_never_sent(admin: Admin) -> None:
    address = await one_in(admin, "pending")
    async with visiting(admin, admin_of("hlf")) as visitor:
        asked = await visitor.go((await visitor.go(address)).link("Mark as handled elsewhere …"))
        done = await visitor.submit(asked.form("/handled-elsewhere"), reason="Voucher 7")
    assert "It will never be sent. R-1 over 250.00 NOK leaves the queue for good" in asked.text
    assert asked.link("Cancel") == address
    assert "Done: R-1 is marked as handled elsewhere. It will never be sent." in done.text
    assert "Reason: Voucher 7" in done.text
    assert await admin.scene.states() == {"R-1": "handled_elsewhere"}


@pytest.mark.parametrize("reason", ["", " \n", "\u200b\x00", "x" * 501])
@pytest.mark.parametrize(("action", "field"), [("retry", "retry-reason"), ("handled-elsewhere", "reason")])
async def test_without_a_reason_nothing_is_decided_and_the_form_says_what_to_do(
    admin: Admin, action: str, field: str, reason: str
) -> None:
    address = await one_in(admin, "rejected")
    before = await admin.scene.log()
    async with visiting(admin, admin_of("hlf")) as visitor:
        form = (await visitor.go(address if action == "retry" else f"{address}/{action}")).form(action)
        page = await visitor.submit(form, reason=reason)
    assert page.status == 422
    assert "Nothing was changed yet. Mend this first:" in page.text
    assert page.link("Enter a reason. It is kept in the sync log." if len(reason) < 500 else TOO_LONG) == f"#{field}"
    assert page.elements[field]["aria-invalid"] == "true"
    assert page.elements[field]["aria-describedby"] == f"{field}-description {field}-mistake"
    assert "autofocus" in page.elements["mistakes"]
    assert await admin.scene.log() == before


async def test_what_somebody_else_did_meanwhile_is_not_overruled_but_shown(admin: Admin) -> None:
    address = await one_in(admin, "rejected")
    async with visiting(admin, admin_of("hlf")) as visitor:
        asked = await visitor.go(f"{address}/handled-elsewhere")
        await admin.scene.retry("R-1")
        refused = await visitor.submit(asked.form("/handled-elsewhere"), reason="Voucher 7")
    assert "Not done: R-1 has changed meanwhile: it is pending now." in refused.text
    assert "The Xledger connector is off." in refused.text
    assert await admin.scene.states() == {"R-1": "pending"}
    assert (await admin.scene.log())[-1]["change"] == "handled_elsewhere_refused"


async def test_a_second_click_decides_nothing_twice(admin: Admin) -> None:
    address = await one_in(admin, "rejected")
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        form = (await visitor.go(address)).form("/retry")
        await visitor.submit(form, reason="Rettet")
        second = await visitor.submit(form, reason="Rettet")
    assert "Ikke utført: R-1 er endret i mellomtiden og har nå status «venter»." in second.text


@pytest.mark.parametrize("state", ["synced", "sending", "handled_elsewhere", "confirming"])
async def test_what_is_not_for_a_person_offers_nothing_to_decide(admin: Admin, state: str) -> None:
    address = await one_in(admin, state)
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(address)
        asked = await visitor.go(f"{address}/handled-elsewhere")
    for shown in (page, asked):
        assert [form.action for form in shown.forms if LIST in form.action] == []


@pytest.mark.parametrize("language", ["nb", "en"])
async def test_script_that_an_erp_or_a_person_wrote_stays_text(admin: Admin, language: str) -> None:
    address = await one_in(admin, "rejected")
    await take_in(admin.scene.pool, approval("R-2", description=SCRIPT))
    await bring_to(admin.scene.pool, "synced", "R-2")
    await admin.scene.fetch("update item set reason = $1, reason_code = $1 where reimbursement_id = 'R-1'", SCRIPT)
    await admin.scene.fetch(
        "update item set document_number = $1, document_id = $1, document_url = $2 where reimbursement_id = 'R-2'",
        SCRIPT,
        "javascript:alert(1)",
    )
    await tried(admin, 1, SCRIPT, SCRIPT, SCRIPT)
    async with visiting(admin, admin_of("hlf"), language) as visitor:
        pages = [await visitor.go(one) for one in (LIST, address, f"{address}/handled-elsewhere", f"{LIST}/R-2")]
        pages.append(await visitor.submit(pages[2].form("/handled-elsewhere"), reason=SCRIPT))
        pages.append(await visitor.go(f"{LIST}?id={SCRIPT}"))
    for page in pages:
        assert "<script>document" not in page.source
        assert "javascript:" not in " ".join(where for where, _ in page.links)
    assert SCRIPT in pages[0].text
    assert SCRIPT in pages[1].text
    assert SCRIPT in pages[4].text


async def test_another_organisations_reimbursements_are_neither_shown_nor_decided_on(admin: Admin) -> None:
    address = await one_in(admin, "rejected")
    async with admin.client(admin_of("other")) as client:
        shown = [await client.get(one) for one in (LIST, address, f"{address}/retry", f"{address}/handled-elsewhere")]
        decided = [
            await client.post(f"{address}/{one}", data={"reason": "x"}) for one in ("retry", "handled-elsewhere")
        ]
    assert {answer.status_code for answer in (*shown, *decided)} == {403}
    assert await admin.scene.states() == {"R-1": "rejected"}


async def test_a_number_that_nobody_has_is_no_page(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(f"{LIST}/R-17")
    assert page.status == 404
    assert "There is no such page" in page.text


async def test_a_rejected_one_is_sent_again_by_mouse_once_the_mapping_is_mended(admin: Admin, browser: Browser) -> None:
    scene = admin.scene
    (name,) = fresh(1)
    await scene.organization(mapping=WRONG)
    async with scene.worker(), window(browser) as page:
        await scene.approve(approval(name))
        await scene.counted("item", 1)
        await scene.switch(True)
        await scene.all_in("rejected", name)
        await page.goto(f"{admin.url}{LIST}?state=rejected")
        await page.get_by_role("link", name=name).click()
        await expect(page.get_by_role("main")).to_contain_text("9999")
        await scene.configure()
        await page.get_by_label("Reason").fill("The account is mended")
        await page.get_by_role("button", name="Send it again").click()
        await expect(page.locator("#notice")).to_have_text(f"Done: {name} waits to be sent again.")
        await expect(page.locator("#notice")).to_be_focused()
        await scene.all_synced(name)
        await page.reload()
        await expect(page.locator("#situation")).to_contain_text("Synced")
    (document,) = await scene.documents("hlf", name)
    assert document.final


async def test_one_is_handled_elsewhere_by_keyboard_alone(admin: Admin, browser: Browser) -> None:
    address = await one_in(admin, "pending")
    async with window(browser) as page:
        await page.goto(admin.url + address)
        await tab_to(page, "a[data-dialog]")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Mark R-1 as handled elsewhere")
        await expect(dialog).to_contain_text("It will never be sent.")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(page.locator("a[data-dialog]")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        await tab_to(page, "dialog textarea")
        await page.keyboard.type("Voucher 7")
        await tab_to(page, "dialog button[type=submit]")
        await page.keyboard.press("Enter")
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.locator("#situation")).to_contain_text("Handled elsewhere")
    assert await admin.scene.states() == {"R-1": "handled_elsewhere"}


async def test_a_missing_reason_is_said_where_the_reader_is(admin: Admin, browser: Browser) -> None:
    address = await one_in(admin, "rejected")
    async with window(browser, "nb") as page:
        await page.goto(admin.url + address)
        await tab_to(page, "form[action$=retry] button")
        await page.keyboard.press("Enter")
        await expect(page.locator("#mistakes")).to_be_focused()
        await tab_to(page, "#mistakes a")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Begrunnelse")).to_be_focused()
        await expect(page.get_by_label("Begrunnelse")).to_have_attribute("aria-invalid", "true")


async def test_a_global_administrator_sees_any_organisations(admin: Admin) -> None:
    await furnish(admin.scene)
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go("/organizations/blindeforbundet/reimbursements")
    assert "The Business Central connector is off." in page.text
