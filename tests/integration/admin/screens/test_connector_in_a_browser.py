"""The switch in a real browser: by mouse, by keyboard alone, and while others switch elsewhere."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.admin import Admin
from tests.events import approval, toggle
from tests.integration.admin.screens.window import tab_to, window
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import INTAKE_ONLY, ready

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOME = "/organizations/hlf"
EACH_SECOND = "every 1s"
"""As the page asks, and it shows what is so then: a bound on the clock would be one on the machine."""


async def test_by_mouse_the_switch_asks_in_a_dialog_and_shows_what_is_so_until_it_is_answered(
    admin: Admin, browser: Browser
) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        switch = page.get_by_role("switch", name="Post to Xledger")
        await switch.click()
        dialog = page.get_by_role("dialog", name="Switch off Xledger")
        await expect(dialog.get_by_role("heading", name="Switch off Xledger")).to_be_focused()
        await expect(page.locator("#switch")).to_be_checked()
        await dialog.get_by_label("Reason").fill("Maintenance")
        await dialog.get_by_role("button", name="Switch off").click()
        await expect(page.locator("#notice")).to_contain_text("Done:")
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.get_by_role("switch")).not_to_be_checked()
        await expect(page.locator("#phase")).to_contain_text("switched off by admin-1: Maintenance")


async def test_by_keyboard_alone_it_is_switched_on_after_the_preview(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await tab_to(page, "#switch")
        await page.keyboard.press("Space")
        await expect(page.locator("dialog h1")).to_be_focused()
        await tab_to(page, "#choice-all")
        await page.keyboard.press("Space")
        await tab_to(page, "#reason")
        await page.keyboard.type("Onboarding done")
        await tab_to(page, "dialog button[type=submit]")
        await page.keyboard.press("Enter")
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.get_by_role("switch")).to_be_checked()


async def test_escape_leaves_everything_as_it_was_and_the_focus_on_the_switch(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await tab_to(page, "#switch")
        await page.keyboard.press("Space")
        await expect(page.locator("dialog h1")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.locator("#switch")).to_be_focused()
        await expect(page.locator("#switch")).not_to_be_checked()
        await expect(page.locator("#phase")).to_contain_text("never been switched on")


async def test_a_missing_reason_moves_the_focus_to_what_has_to_be_mended(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.get_by_role("button", name="Switch on …").click()
        await page.get_by_label("Release all").check()
        await page.get_by_role("dialog").get_by_role("button", name="Switch on").click()
        await expect(page.locator("#mistakes")).to_be_focused()
        await expect(page.get_by_label("Release all")).to_be_checked()
        await page.get_by_role("link", name="Enter a reason.").click()
        await expect(page.get_by_label("Reason")).to_be_focused()
        assert await page.locator("#reason").get_attribute("aria-invalid") == "true"


async def test_what_is_switched_elsewhere_shows_within_two_seconds_and_moves_no_focus(
    admin: Admin, browser: Browser
) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await expect(page.locator("#live-poll")).to_have_attribute("hx-trigger", EACH_SECOND)
        await tab_to(page, "#switch")
        await admin.scene.switch(True)
        await expect(page.locator("#phase")).to_contain_text("Xledger has been on since")
        await expect(page.get_by_role("switch")).to_be_checked()
        await expect(page.locator("#switch")).to_be_focused()
        await expect(page.get_by_role("status")).to_contain_text("Xledger has been on since")
        await admin.scene.switch(False)
        await expect(page.get_by_role("switch")).not_to_be_checked()
        await expect(page.locator("#live-poll")).to_have_attribute("hx-trigger", EACH_SECOND)
        await expect(page.get_by_role("status")).to_contain_text("Xledger has been off since")


async def test_a_toggle_by_kafka_shows_too(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with admin.scene.worker(INTAKE_ONLY) as worker, window(browser) as page:
        await ready(worker)
        await page.goto(admin.url + HOME)
        await admin.scene.toggle(toggle(True))
        await expect(page.locator("#phase")).to_contain_text("switched on by user-9: Onboarding done")
        await expect(page.get_by_role("switch")).to_be_checked()


async def test_what_is_only_counted_anew_is_not_read_out(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await take_in(admin.scene.pool, approval("R-1"))
        await expect(page.get_by_text("1 reimbursement waits")).to_be_visible()
        await expect(page.get_by_role("status")).to_be_empty()


async def test_focus_on_what_goes_away_is_found_again_on_the_heading_above_it(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, approval("R-1"))
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await tab_to(page, "a[href$='state=pending']")
        await bring_to(admin.scene.pool, "synced", "R-1")
        await expect(page.get_by_text("Nothing waits.")).to_be_visible()
        await expect(page.get_by_role("heading", name="What waits")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Test the connection")).to_be_focused()


async def test_what_changes_behind_a_dialog_is_read_out_once_it_is_closed(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.get_by_role("switch").click()
        await expect(page.locator("dialog h1")).to_be_focused()
        await admin.scene.switch(False)
        await expect(page.locator("#switch")).not_to_be_checked()
        await expect(page.locator("#announcement")).to_be_empty()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("status")).to_contain_text("off since")


async def test_a_dialog_stays_open_while_the_page_behind_it_changes(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.get_by_role("switch").click()
        await page.get_by_label("Reason").fill("Mine")
        await admin.scene.switch(False)
        await expect(page.locator("#switch")).not_to_be_checked()
        await expect(page.get_by_label("Reason")).to_have_value("Mine")
        await expect(page.get_by_label("Reason")).to_be_focused()
        await page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
        await expect(page.locator("#notice")).to_contain_text("was disabled meanwhile")


async def test_an_ended_session_is_told_and_nothing_is_asked_any_more(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.context.set_extra_http_headers({"Accept-Language": "en"})
        await expect(page.get_by_role("status")).to_contain_text("Your session has ended")
        await expect(page.locator("#live-ended")).to_be_visible()
        await expect(page.locator("#live-poll")).to_have_count(0)


async def test_a_service_that_is_away_is_told_until_it_is_back(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.route("**/live*", lambda route: route.abort())
        await expect(page.locator("#live-lost")).to_be_visible()
        await page.unroute("**/live*")
        await expect(page.locator("#live-lost")).to_be_hidden()


@pytest.mark.parametrize("status", [403, 404])
async def test_a_page_that_gets_no_more_answers_says_so_and_asks_no_more(
    admin: Admin, browser: Browser, status: int
) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(f"{admin.url}{HOME}?connector=xledger")
        await page.route("**/live*", lambda route: route.fulfill(status=status))
        await expect(page.get_by_role("status")).to_contain_text("Load the page again")
        await expect(page.locator("#live-stopped")).to_be_visible()
        await expect(page.locator("#live-poll")).to_have_count(0)
        await page.get_by_role("link", name="Load the page again").click()
        await expect(page.locator("#live-stopped")).to_be_hidden()
        assert page.url.endswith("?connector=xledger")


async def test_any_other_refusal_is_told_until_there_is_an_answer(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.route("**/live*", lambda route: route.fulfill(status=429))
        await expect(page.locator("#live-lost")).to_be_visible()
        await page.unroute("**/live*")
        await expect(page.locator("#live-lost")).to_be_hidden()


@pytest.mark.parametrize("address", [HOME, "/organizations"])
async def test_without_a_script_the_switch_only_shows_and_the_button_switches(
    admin: Admin, browser: Browser, address: str
) -> None:
    await admin.scene.organization()
    await admin.count()
    async with window(browser, java_script_enabled=False) as page:
        await page.goto(admin.url + address)
        await expect(page.get_by_role("switch")).to_be_disabled()
        await expect(page.get_by_role("switch")).not_to_be_checked()
        await page.get_by_role("button", name="Switch on …").click()
        await page.get_by_label("Reason").fill("Onboarding done")
        await page.get_by_role("button", name="Switch on").click()
        await expect(page.locator("#phase")).to_contain_text("switched on by admin-1: Onboarding done")
        await expect(page.get_by_role("switch")).to_be_disabled()
        await expect(page.get_by_role("switch")).to_be_checked()


async def test_stored_script_never_runs(admin: Admin, browser: Browser) -> None:
    script = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    await admin.scene.organization()
    await admin.scene.fetch("update organization set name = $1", script)
    async with window(browser) as page:
        await page.goto(admin.url + HOME)
        await page.get_by_role("switch").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Reason").fill(script)
        await dialog.get_by_role("button", name="Switch on").click()
        await expect(page.locator("#phase")).to_contain_text(script)
        await admin.scene.switch(False)
        await expect(page.locator("#phase")).to_contain_text("Xledger has been off since")
        await expect(page).to_have_title(re.compile("Integration settings"))
