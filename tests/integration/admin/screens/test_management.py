"""Integration management: who sees which organisations, in which order, and how they are found among thousands."""

import re

import pytest
from playwright.async_api import Browser, expect
from playwright.async_api import Page as BrowserPage

from tests.admin import Admin, admin_of, global_admin
from tests.events import approval
from tests.integration.admin.screens.visitor import Page, visiting
from tests.integration.admin.screens.window import tab_to, window
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS = "/organizations"
LIVE = "/live/organizations"
LIVE_SECONDS = 2
A_PAGE = 40
HEAVIEST = 55_000
"""With the files beside it, 100 kB."""


async def test_a_global_administrator_sees_every_organisation_with_what_matters(admin: Admin) -> None:
    await admin.scene.organization("hlf")
    await admin.scene.organization("nbf", kind="business_central")
    await add(admin.scene, "new")
    await take_in(admin.scene.pool, approval("R-1", amount="1250.50"), approval("R-2"), approval("R-3", currency="EUR"))
    await bring_to(admin.scene.pool, "synced", "R-2")
    await admin.scene.switch(True)
    await admin.count()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(ADDRESS)
    assert names(page) == ["hlf", "nbf", "new"]
    assert re.search(
        r"HLF hlf Xledger , HLF On .* On 2 250.00 EUR 1,250.50 NOK 20.Nov.2026 10:12 \d+.\w+.\d{4} \d\d:\d\d", page.text
    )
    assert re.search(r"NBF nbf Dynamics 365 Business Central , NBF Off .* Off 0 – –", page.text)
    assert "NEW new – Not set up 0 – –" in page.text


async def test_those_with_problems_come_first_and_say_what_it_is(admin: Admin) -> None:
    for organization_id in ("a", "b", "c"):
        await admin.scene.organization(organization_id)
    await take_in(admin.scene.pool, approval("R-1", "c"))
    await bring_to(admin.scene.pool, "rejected", "R-1", organization_id="c")
    await admin.scene.switch(True, "b")
    await suspend(admin.scene, "b")
    await admin.count()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(ADDRESS)
        only = await visitor.submit(page.form(ADDRESS), problems="true")
    assert names(page) == ["b", "c", "a"]
    assert "3 organisations , 2 with problems" in page.text
    assert "Problem: The Xledger connector is suspended: No licence." in page.text
    assert "Problem: 1 reimbursement was rejected and waits for a person." in page.text
    assert names(only) == ["b", "c"]


async def test_an_organisations_administrator_sees_their_own_only(admin: Admin) -> None:
    for organization_id in ("hlf", "nbf", "other"):
        await admin.scene.organization(organization_id)
    await admin.count()
    async with visiting(admin, admin_of("hlf", "nbf")) as visitor:
        page = await visitor.go(ADDRESS)
        searched = await visitor.go(f"{ADDRESS}?search=other")
    assert names(page) == ["hlf", "nbf"]
    assert "2 organisations" in page.text
    assert names(searched) == []
    assert "No organisation fits." in searched.text


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"search": "blIND"}, ["nbf"]),
        ({"search": "HLF"}, ["hlf"]),
        ({"search": "%"}, []),
        ({"kind": "xledger"}, ["hlf", "nbf"]),
        ({"kind": "business_central"}, ["lhl"]),
        ({"phase": "on"}, ["nbf"]),
        ({"phase": "off", "kind": "xledger"}, ["hlf"]),
        ({"phase": "not_set_up"}, ["new"]),
        ({"phase": "not_set_up", "kind": "xledger"}, []),
        ({"phase": "sideways"}, ["hlf", "lhl", "nbf", "new"]),
    ],
)
async def test_it_is_searched_and_narrowed(admin: Admin, given: dict[str, str], found: list[str]) -> None:
    await admin.scene.organization("hlf")
    await admin.scene.organization("nbf")
    await admin.scene.organization("lhl", kind="business_central")
    await add(admin.scene, "new")
    await admin.scene.fetch("update organization set name = 'Norges Blindeforbund' where organization_id = 'nbf'")
    await admin.scene.switch(True, "nbf")
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.submit((await visitor.go(ADDRESS)).form(ADDRESS), **given)
    assert names(page) == found


async def test_the_form_keeps_what_was_chosen(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(f'{ADDRESS}?search="><b>&problems=true&kind=xledger')
        everything = await visitor.go(page.link("Show all"))
    assert page.form(ADDRESS).fields["search"] == '"><b>'
    assert page.form(ADDRESS).fields["problems"] == "true"
    assert '<option value="xledger" selected>' in page.source
    assert names(everything) == ["hlf"]


async def test_the_pages_hold_each_of_thousands_once_and_are_light(admin: Admin) -> None:
    await admin.scene.fetch(
        "insert into organization (organization_id, name) "
        "select 'o' || n, 'Organisation ' || n from generate_series(1, 5000) n"
    )
    await admin.scene.fetch(
        "insert into connector (organization_id, kind, title, settings, mapping) "
        "select organization_id, 'xledger', 'Xledger', '{}', '{}' from organization"
    )
    await admin.count()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(ADDRESS)
        weight = len(page.source.encode())
        seen = names(page)
        for _ in range(3):
            page = await visitor.go(page.link("Next page"))
            seen += names(page)
    assert "5,000 organisations" in page.text
    assert "121 to 160 of 5,000" in page.text
    assert len(seen) == len(set(seen)) == 4 * A_PAGE
    assert weight < HEAVIEST


async def test_the_last_page_leads_to_no_other_and_back_to_the_first(admin: Admin) -> None:
    await admin.scene.fetch(
        "insert into organization (organization_id, name) select 'o' || n, 'O' || n from generate_series(1, 60) n"
    )
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(f"{ADDRESS}?search=o")
        last = await visitor.go(page.link("Next page"))
        first = await visitor.go(last.link("First page"))
    assert "41 to 60 of 60" in last.text
    assert len(names(last)) == 20
    assert "Next page" not in last.text
    assert first.address.endswith("?search=o")
    assert names(first) == names(page)


async def test_a_cursor_that_no_page_gave_begins_anew(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(f"{ADDRESS}?search=h&after=nonsense&start=51")
    assert page.address.endswith(f"{ADDRESS}?search=h")
    assert names(page) == ["hlf"]


async def test_before_the_first_count_it_says_so(admin: Admin) -> None:
    await admin.scene.organization()
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(ADDRESS)
    assert "What waits is being counted." in page.text


async def test_each_row_has_a_switch_that_leads_to_the_same_question(admin: Admin) -> None:
    await admin.scene.organization("hlf")
    await admin.scene.organization("nbf")
    async with visiting(admin, global_admin()) as visitor:
        page = await visitor.go(ADDRESS)
        asked = await visitor.submit(page.form("/organizations/nbf/connector/switch"))
        done = await visitor.submit(asked.form("/connector/switch"), reason="Ready")
    assert "Xledger has been on since" in done.text
    assert done.address.endswith("/organizations/nbf?connector=xledger")


async def test_in_a_browser_the_switch_of_a_row_opens_the_dialog(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization("hlf")
    await admin.scene.organization("nbf")
    headers = {"Authorization": f"Bearer {global_admin()}", "Accept-Language": "en"}
    page = await browser.new_page(extra_http_headers=headers)
    await page.goto(admin.url + ADDRESS)
    await page.get_by_role("row", name="NBF").get_by_role("switch").click()
    dialog = page.get_by_role("dialog", name="Switch on Xledger")
    await expect(dialog).to_contain_text("NBF")
    await dialog.get_by_label("Reason").fill("Ready")
    await dialog.get_by_role("button", name="Switch on").click()
    await expect(page.get_by_role("switch")).to_be_checked()
    await page.close()


async def test_in_a_browser_those_that_are_not_set_up_yet_are_chosen_by_keyboard(
    admin: Admin, browser: Browser
) -> None:
    await admin.scene.organization("hlf")
    await add(admin.scene, "new")
    async with window(browser) as page:
        await page.goto(admin.url + ADDRESS)
        await tab_to(page, "#phase")
        await page.keyboard.type("Not")
        await tab_to(page, ".filters button")
        await page.keyboard.press("Enter")
        await expect(page.locator("#phase")).to_have_value("not_set_up")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("NEW")


async def test_what_is_switched_elsewhere_shows_within_two_seconds_and_moves_nothing(
    admin: Admin, browser: Browser
) -> None:
    for number in range(12):
        await admin.scene.organization(f"o-{number:02}")
    async with window(browser) as page:
        await page.set_viewport_size({"width": 1280, "height": 300})
        await page.goto(admin.url + ADDRESS)
        await tab_to(page, "#switch-o-09")
        before = await place_of(page, "#switch-o-09")
        await admin.scene.switch(True, "o-09")
        await admin.scene.switch(True, "o-02")
        await suspend(admin.scene, "o-02")
        await expect(page.locator("#row-o-02")).to_contain_text("Problem: The Xledger", timeout=LIVE_SECONDS * 1000)
        await expect(page.locator("#switch-o-09")).to_be_checked(timeout=LIVE_SECONDS * 1000)
        await expect(page.locator("#switch-o-09")).to_be_focused()
        assert await place_of(page, "#switch-o-09") == before
        assert await rows_of(page) == [f"o-{number:02}" for number in range(12)]
        await expect(page.locator("#announcement")).to_be_empty()
        await page.keyboard.press("Space")
        dialog = page.get_by_role("dialog", name="Switch off Xledger")
        await dialog.get_by_label("Reason").fill("Mine")
        await admin.scene.switch(False, "o-09")
        await expect(page.locator("#switch-o-09")).not_to_be_checked(timeout=LIVE_SECONDS * 1000)
        await expect(dialog.get_by_label("Reason")).to_be_focused()
        await expect(dialog.get_by_label("Reason")).to_have_value("Mine")


async def test_a_row_that_changes_under_a_focused_button_or_link_keeps_it(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + ADDRESS)
        for turn, selector in enumerate(("#row-hlf a", "#row-hlf button")):
            await tab_to(page, selector)
            await admin.scene.switch(turn % 2 == 0)
            await expect(page.locator("#row-hlf button")).to_contain_text("Switch on" if turn % 2 else "Switch off")
            await expect(page.locator(selector)).to_be_focused()


async def test_a_connector_that_is_set_up_meanwhile_gets_its_switch(admin: Admin, browser: Browser) -> None:
    await add(admin.scene, "hlf")
    async with window(browser) as page:
        await page.goto(admin.url + ADDRESS)
        await expect(page.locator("#row-hlf")).to_contain_text("Not set up")
        await admin.scene.configure()
        await expect(page.locator("#switch-hlf")).not_to_be_checked()
        await page.locator("#switch-hlf").click()
        await expect(page.get_by_role("dialog", name="Switch on Xledger")).to_be_visible()


async def test_a_page_of_which_nothing_has_changed_is_not_touched(admin: Admin, browser: Browser) -> None:
    await admin.scene.organization()
    await admin.count()
    async with window(browser) as page:
        await page.goto(admin.url + ADDRESS)
        await page.evaluate(
            "window.touched = 0; new MutationObserver(() => window.touched++).observe(document.querySelector("
            "'main table'), {subtree: true, childList: true, attributes: true, characterData: true})"
        )
        for _ in range(2):
            async with page.expect_response(lambda answer: "/live/" in answer.url) as asked:
                pass
            assert (await asked.value).status == 204
        assert await page.evaluate("window.touched") == 0


async def test_a_page_that_asks_again_is_told_of_its_own_rows_and_only_of_what_is_new(admin: Admin) -> None:
    for organization_id in ("hlf", "nbf", "other"):
        await admin.scene.organization(organization_id)
    async with admin.client(admin_of("hlf", "nbf"), **{"X-Live": "1"}) as client:
        first = await client.get(LIVE, params={"of": "nbf,other,gone,hlf"})
        again = re.search(r'hx-get="([^"]+)"', first.text)
        assert again
        second = await client.get(again[1].replace("&amp;", "&"))
        await admin.scene.switch(True, "other")
        third = await client.get(again[1].replace("&amp;", "&"))
        await admin.scene.switch(True, "hlf")
        fourth = await client.get(again[1].replace("&amp;", "&"))
        nonsense = await client.get(LIVE, params={"of": "<b>"})
    assert re.findall(r'<tr id="row-([^"]+)"', first.text) == ["nbf", "hlf"]
    assert [answer.status_code for answer in (first, second, third, fourth)] == [200, 204, 204, 200]
    assert "<html" not in fourth.text
    assert nonsense.status_code == 422


async def test_an_ended_session_and_a_service_that_is_away_are_told_on_the_list_too(
    admin: Admin, browser: Browser
) -> None:
    await admin.scene.organization()
    async with window(browser) as page:
        await page.goto(admin.url + ADDRESS)
        await page.route("**/live/**", lambda route: route.abort())
        await expect(page.locator("#live-lost")).to_be_visible()
        await page.unroute("**/live/**")
        await expect(page.locator("#live-lost")).to_be_hidden()
        await page.context.set_extra_http_headers({"Accept-Language": "en"})
        await expect(page.get_by_role("status")).to_contain_text("Your session has ended")
        await expect(page.locator("#live-poll")).to_have_count(0)


async def place_of(page: BrowserPage, selector: str) -> float:
    """How far from the window's upper edge."""
    box = await page.locator(selector).bounding_box()
    assert box
    return box["y"]


async def rows_of(page: BrowserPage) -> list[str]:
    return [text.strip() for text in await page.locator("tbody .code").all_inner_texts()]


async def suspend(scene: Scene, organization_id: str) -> None:
    await scene.fetch(
        "update connector set suspended_at = now(), suspended_reason = 'No licence.' where organization_id = $1",
        organization_id,
    )


def names(page: Page) -> list[str]:
    """The organisations of the table, in its order."""
    return [address.removeprefix(f"{ADDRESS}/") for address, _ in page.links if address.startswith(f"{ADDRESS}/")]


async def add(scene: Scene, organization_id: str) -> None:
    await scene.fetch(
        "insert into organization (organization_id, name) values ($1, $2)", organization_id, organization_id.upper()
    )
