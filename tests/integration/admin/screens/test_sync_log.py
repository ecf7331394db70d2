"""The sync log on the screen: who changed what and why, filtered, taken along as a file, and whether it is whole."""

import csv
import io
import re

import pytest
from playwright.async_api import Browser, expect

from tests.admin import Admin, admin_of
from tests.events import approval
from tests.integration.admin.screens.furnished import REASON, furnish
from tests.integration.admin.screens.visitor import Page, visiting
from tests.integration.admin.screens.window import tab_to, window
from tests.integration.worker.rows import bring_to, take_in
from worker.admin.screens.sync_log import PAGE_SIZE
from worker.store import sync_log
from worker.store.database import transaction
from worker.store.sync_log import Change

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOG = "/organizations/hlf/sync-log"


async def write(admin: Admin, *changes: Change) -> None:
    async with transaction(admin.scene.pool) as connection:
        for change in changes:
            await sync_log.append(connection, "hlf", change)


def by(actor: str, change: str = "connector_configured", reason: str | None = None) -> Change:
    return Change(actor, "organization_admin", "http", change, "xledger", "off", reason)


def entries(page: Page) -> list[int]:
    return [int(number) for number in re.findall(r"\d\d:\d\d Entry (\d+)", page.text)]


async def test_it_tells_who_changed_what_through_what_and_why_newest_first(admin: Admin) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    await bring_to(admin.scene.pool, "rejected", "R-1")
    await admin.scene.switch(True)
    await admin.scene.retry("R-1")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(LOG)
    assert entries(page) == [5, 4, 3, 2, 1]
    assert "Reimbursement queued again: R-1 admin-1 global administrator, through command line" in page.text
    assert "Connector enabled admin-1 global administrator, through command line Xledger On a test" in page.text
    assert page.link("R-1") == "/organizations/hlf/reimbursements/R-1"
    assert page.link("show the run").startswith("/organizations/hlf/sync-runs/")


async def test_what_was_refused_is_there_too_with_the_sentence_that_was_said(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.request_run()
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        page = await visitor.go(LOG)
    assert "Synkronisering avvist" in page.text
    assert '<span lang="en">The Xledger connector for hlf is disabled (it was never enabled).' in page.source


async def test_a_filter_finds_by_change_by_actor_and_by_day(admin: Admin) -> None:
    await admin.scene.organization()
    await write(admin, by("user-1"), by("user-2", "connector_resumed"), by("user-1", "connector_resumed"))
    async with visiting(admin, admin_of("hlf")) as visitor:
        form = (await visitor.go(LOG)).form(LOG)
        by_change = await visitor.submit(form, change="connector_resumed")
        by_both = await visitor.submit(form, change="connector_resumed", actor=" user-1 ")
        nobody = await visitor.submit(form, actor="user-7")
        long_ago = await visitor.submit(form, to="2020-01-01")
        since = await visitor.submit(form, **{"from": "2020-01-01"})
    assert entries(by_change) == [5, 4]
    assert entries(by_both) == [5]
    assert by_both.form(f"{LOG}.csv").fields == {"change": "connector_resumed", "actor": "user-1"}
    assert "No entry fits the filter." in nobody.text
    assert entries(long_ago) == []
    assert len(entries(since)) == 5


async def test_a_day_begins_and_ends_as_it_does_in_norway(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.fetch("alter table sync_log disable trigger all")
    await admin.scene.fetch("update sync_log set at = '2026-06-30T22:00Z' where entry_no = 1")
    await admin.scene.fetch("update sync_log set at = '2026-07-01T22:00Z' where entry_no = 2")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(f"{LOG}?from=2026-07-01&to=2026-07-01")
    assert entries(page) == [1]


@pytest.mark.parametrize(
    ("first", "last", "field", "sentence"),
    [
        ("yesterday", "", "from", "Enter the first day as a date, such as 2026-11-01."),
        ("", "0001-01-01", "to", "Enter the last day as a date, such as 2026-11-30."),
        ("", "9999-12-31", "to", "Enter the last day as a date, such as 2026-11-30."),
        ("2026-11-02", "2026-11-01", "to", "The last day is before the first. Exchange them."),
    ],
)
async def test_days_that_can_not_be_are_said_at_their_field(
    admin: Admin, first: str, last: str, field: str, sentence: str
) -> None:
    await admin.scene.organization()
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(f"{LOG}?from={first}&to={last}")
    assert page.status == 422
    assert page.link(sentence) == f"#{field}"
    assert page.elements[field]["aria-describedby"] == f"{field}-mistake"
    assert entries(page) == []


async def test_further_pages_keep_the_filter(admin: Admin) -> None:
    await admin.scene.organization()
    await write(admin, *[by(f"user-{number % 2}") for number in range(2 * PAGE_SIZE + 2)])
    async with visiting(admin, admin_of("hlf")) as visitor:
        first = await visitor.go(f"{LOG}?actor=user-1")
        second = await visitor.go(first.link("Older entries"))
        again = await visitor.go(second.link("Newest entries"))
    assert [len(entries(page)) for page in (first, second)] == [PAGE_SIZE, 1]
    assert min(entries(first)) > max(entries(second))
    assert entries(again) == entries(first)
    assert "user-0" not in first.text + second.text


async def test_it_says_as_of_when_and_up_to_which_entry_it_is_whole(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        page = await visitor.go(LOG)
    assert "Kontrollert: Loggen er intakt til og med oppføring 2, den siste." in page.text
    assert re.search(r"Sjekket \d+\. \w+ \d{4} kl\. \d\d:\d\d", page.text)
    assert page.elements["verified"]["data-color"] == "success"


async def test_what_was_changed_afterwards_is_said_in_words(admin: Admin) -> None:
    await admin.scene.organization()
    await write(admin, by("user-1"))
    await admin.scene.fetch("alter table sync_log disable trigger all")
    await admin.scene.fetch("update sync_log set actor = 'nobody' where entry_no = 2")
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        page = await visitor.go(LOG)
    assert "Ikke intakt: Oppføring 2 er endret etter at den ble skrevet." in page.text
    assert page.elements["verified"]["data-color"] == "danger"


async def test_a_file_holds_what_the_filter_finds_is_harmless_and_is_on_record_itself(admin: Admin) -> None:
    await admin.scene.organization()
    await write(admin, by("user-1", reason="=cmd|' /C calc'!A0"), by("user-2"))
    async with admin.client(admin_of("hlf"), **{"Accept-Language": "en"}) as client:
        answer = await client.post(f"{LOG}.csv", data={"actor": "user-1"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="sync-log-hlf.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["actor"], row["change"], row["reason"][:2]) == ("user-1", "connector_configured", "'=")
    last = (await admin.scene.log())[-1]
    assert (last["change"], last["actor"], last["source"]) == ("sync_log_exported", "user-9", "http")


@pytest.mark.parametrize("change", ["\0", "nonsense", "\x1b"])
async def test_a_change_that_there_is_not_is_no_filter_and_makes_no_file(admin: Admin, change: str) -> None:
    await admin.scene.organization()
    before = await admin.scene.log()
    async with admin.client(admin_of("hlf"), **{"Accept-Language": "en"}) as client:
        page = await client.get(LOG, params={"change": change})
        answer = await client.post(f"{LOG}.csv", data={"change": change})
    assert page.status_code == 422
    assert "Choose one of the changes in the list." in page.text
    assert answer.status_code == 303
    assert await admin.scene.log() == before


@pytest.mark.parametrize(("language", "delimiter"), [("nb", ";"), ("en", ",")])
async def test_a_file_is_split_as_spreadsheets_in_the_readers_language_split_it(
    admin: Admin, language: str, delimiter: str
) -> None:
    await admin.scene.organization()
    await write(admin, by("user-1", reason="one; two, three"))
    async with admin.client(admin_of("hlf"), **{"Accept-Language": language}) as client:
        answer = await client.post(f"{LOG}.csv", data={"actor": "user-1"})
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=delimiter)
    assert (row["actor"], row["change"], row["reason"]) == ("user-1", "connector_configured", "one; two, three")


async def test_only_a_form_makes_a_file_since_it_is_written_to_the_log(admin: Admin) -> None:
    await admin.scene.organization()
    before = await admin.scene.log()
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(f"{LOG}.csv")
    assert page.address.endswith(LOG)
    assert await admin.scene.log() == before


async def test_script_in_a_reason_or_a_name_stays_text(admin: Admin) -> None:
    await furnish(admin.scene)
    await write(admin, Change(REASON, REASON, "http", REASON, REASON, REASON, REASON, {"reimbursement_id": REASON}))
    async with visiting(admin, admin_of("hlf"), "nb") as visitor:
        pages = [await visitor.go(LOG), await visitor.go(f"{LOG}?actor={REASON}&change={REASON}&from={REASON}")]
    assert REASON in pages[0].text
    for page in pages:
        assert "<script>document" not in page.source


async def test_another_organisations_log_is_neither_shown_nor_handed_out(admin: Admin) -> None:
    await admin.scene.organization()
    before = await admin.scene.log()
    async with admin.client(admin_of("other")) as client:
        answers = [await client.get(LOG), await client.get(f"{LOG}.csv"), await client.post(f"{LOG}.csv")]
    assert {answer.status_code for answer in answers} == {403}
    assert await admin.scene.log() == before


async def test_it_is_filtered_by_keyboard_alone_and_downloaded_by_mouse(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await write(admin, by("user-1"), by("user-2", "connector_resumed"))
    async with window(browser) as page:
        await page.goto(admin.url + LOG)
        await tab_to(page, "#change")
        await page.keyboard.type("Connector resumed")
        await tab_to(page, "#actor")
        await page.keyboard.type("user-2")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("row")).to_have_count(2)
        await expect(page.get_by_role("row").last).to_contain_text("Entry 4")
        async with page.expect_download() as coming:
            await page.get_by_role("button", name="Download as CSV").click()
        download = await coming.value
        content = (await download.path()).read_text("utf-8-sig")
    assert download.suggested_filename == "sync-log-hlf.csv"
    assert [row["actor"] for row in csv.DictReader(io.StringIO(content))] == ["user-2"]
