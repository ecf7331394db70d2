"""Sync runs on the screen: started by a person, watched while they go on, and refused while the connector is off."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Request, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.admin import Admin, admin_of, global_admin
from tests.events import approval
from tests.integration.admin.screens.furnished import furnish
from tests.integration.admin.screens.visitor import Page as Shown
from tests.integration.admin.screens.visitor import visiting
from tests.integration.admin.screens.window import tab_to, window
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import fresh
from worker import insights
from worker.admin.screens.reimbursement_list import PAGE_SIZE as LEFT_ON_A_PAGE
from worker.admin.screens.sync_runs import PAGE_SIZE

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUNS = "/organizations/hlf/sync-runs"
MORE_THAN_TWO_POLLS = 2500
REFUSED = (
    r"The Xledger connector for hlf is disabled \(since .+ by admin-1: a test\). Nothing was synced. Enable it first\."
)
REFUSED_IN_NORWEGIAN = (
    r"Koblingen til Xledger for hlf er av \(slått av \d+\. \w+ \d+ kl\. \d\d:\d\d av admin-1: a test\)\. "
    r"Ingenting ble overført\. Slå den på først\."
)


async def switched_off(admin: Admin, *names: str) -> None:
    await admin.scene.organization()
    await take_in(admin.scene.pool, *[approval(name) for name in names])
    await admin.scene.switch(True)
    await admin.scene.switch(False)


async def several_runs(admin: Admin, number: int) -> None:
    await admin.scene.organization()
    await admin.scene.fetch(
        "insert into sync_run (organization_id, kind, connector, requested_by, mark, started_at, finished_at, result, "
        "synced, rejected, unknown, remaining) "
        "select 'hlf', 'manual', 'xledger', 'person-' || n, 0, now() - n * interval '1 hour', now(), 'finished', 7, 2, "
        "1, 0 from generate_series(1, $1) n",
        number,
    )


@pytest.mark.parametrize(("language", "sentence"), [("en", REFUSED), ("nb", REFUSED_IN_NORWEGIAN)])
async def test_while_the_connector_is_off_a_run_is_refused_in_the_readers_language(
    admin: Admin, language: str, sentence: str
) -> None:
    await switched_off(admin, "R-1")
    async with visiting(admin, admin_of("hlf"), language) as visitor:
        page = await visitor.submit((await visitor.go(RUNS)).form(RUNS))
    assert page.address.endswith(RUNS)
    assert re.search(sentence, page.text), page.text
    assert await admin.scene.states() == {"R-1": "pending"}
    assert await admin.scene.value("select count(*) from sync_run where kind = 'manual'") == 0
    entry = (await admin.scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["source"]) == ("sync_run_refused", "user-9", "http")


async def test_before_anybody_asks_the_page_says_that_it_is_off_and_how_much_waits(admin: Admin) -> None:
    await switched_off(admin, "R-1", "R-2")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(RUNS)
    assert "The Xledger connector is off. While it is off, a run is refused and nothing is sent." in page.text
    assert "Waiting now: 2 reimbursements, 500.00 NOK." in page.text


async def test_where_much_waits_it_is_told_as_it_was_counted_and_when(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insights, "COUNTED_AT_ONCE", 2)
    await switched_off(admin, "R-1", "R-2", "R-3")
    await admin.count()
    await take_in(admin.scene.pool, approval("R-4"))
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.go(RUNS)
    assert re.search(r"Waiting now: 3 reimbursements, 750\.00 NOK \(counted .+ at \d\d:\d\d \)\.", page.text)


async def test_without_a_connector_a_run_is_refused_too(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.fetch("delete from connector_secret")
    await admin.scene.fetch("delete from connector")
    async with visiting(admin, admin_of("hlf")) as visitor:
        page = await visitor.submit((await visitor.go(RUNS)).form(RUNS))
    assert "Not done: No connector is configured for hlf. Nothing was synced. Configure one first." in page.text


async def test_without_a_script_a_run_is_started_and_its_page_loaded_again(admin: Admin) -> None:
    await admin.scene.organization(release_policy="next_sync")
    await take_in(admin.scene.pool, approval("R-1"), approval("R-2"))
    await admin.scene.switch(True)
    async with visiting(admin, admin_of("hlf")) as visitor:
        started = await visitor.submit((await visitor.go(RUNS)).form(RUNS))
        await admin.scene.fetch("update sync_run set synced = 119, rejected = 1 where finished_at is null")
        again = await visitor.go(started.link("Load again"))
    assert "Done: The sync run is started." in started.text
    assert "Running 0 of 2 done" in started.text
    assert "Running 120 of 122 done, 1 rejected" in again.text
    assert again.link("Show what is rejected, and why").endswith("&state=rejected")


async def test_runs_are_listed_newest_first_with_who_asked_and_what_came_of_it(admin: Admin) -> None:
    await several_runs(admin, PAGE_SIZE + 1)
    async with visiting(admin, admin_of("hlf")) as visitor:
        first = await visitor.go(RUNS)
        second = await visitor.go(first.link("Older runs"))
    asked = re.findall(r"person-\d+", first.text + second.text)
    assert asked == [f"person-{number}" for number in range(1, PAGE_SIZE + 2)]
    assert "7 synced, 2 rejected, 1 with unknown outcome, 0 still waiting." in first.text
    assert "Started by a person" in first.text


async def test_a_page_that_asks_again_gets_only_what_is_new(admin: Admin) -> None:
    run = await furnish(admin.scene)
    address = f"{RUNS}/{run}/live"
    async with admin.client(admin_of("hlf"), **{"X-Live": "1", "Accept-Language": "en"}) as client:
        first = await client.get(address)
        seen = re.search(r"seen=([^\"]+)", first.text)
        assert seen
        second = await client.get(address, params={"seen": seen[1]})
        await admin.scene.fetch("update sync_run set synced = 1 where finished_at is null")
        third = await client.get(address, params={"seen": seen[1]})
    assert (first.status_code, second.status_code, third.status_code) == (200, 204, 200)
    assert "<html" not in third.text
    assert "1 of 2 done" in third.text


async def test_another_organisations_run_is_not_shown(admin: Admin) -> None:
    run = await furnish(admin.scene)
    async with admin.client(admin_of("blindeforbundet")) as client:
        theirs = [await client.get(f"{RUNS}{one}") for one in ("", f"/{run}", f"/{run}/live")]
        as_own = await client.get(f"/organizations/blindeforbundet/sync-runs/{run}")
        missing = await client.get(f"/organizations/blindeforbundet/sync-runs/{uuid4()}")
        started = await client.post(RUNS)
    async with admin.client(global_admin()) as client:
        elsewhere = await client.get(f"/organizations/blindeforbundet/sync-runs/{run}")
    assert {answer.status_code for answer in (*theirs, started)} == {403}
    assert {answer.status_code for answer in (as_own, missing, elsewhere)} == {404}


async def test_a_run_leads_to_what_it_left_page_by_page_and_not_to_what_others_did(admin: Admin) -> None:
    run = await furnish(admin.scene)
    names = [f"R-{number:03}" for number in range(LEFT_ON_A_PAGE + 1)]
    await take_in(admin.scene.pool, *[approval(name) for name in [*names, "R-of-no-run"]])
    await bring_to(admin.scene.pool, "rejected", *names, "R-of-no-run")
    await admin.scene.fetch("update item set run_id = $1::uuid where reimbursement_id ~ '^R-[0-9]{3}$'", run)
    await admin.scene.fetch("update sync_run set rejected = 99, unknown = 1 where finished_at is null")
    async with visiting(admin, admin_of("hlf")) as visitor:
        shown = await visitor.go(f"{RUNS}/{run}")
        rejected = await visitor.go(shown.link("Show what is rejected, and why"))
        further = await visitor.go(rejected.link("Next page"))
        back = await visitor.go(further.link("Previous page"))
        unknown = await visitor.go(shown.link("Show what is being looked up"))
        of_all = await visitor.go(rejected.link("Show those of all runs"))
        await admin.scene.retry("R-000")
        synced = await visitor.go(f"/organizations/hlf/reimbursements?run={run}&state=synced")
        both = await visitor.go(f"/organizations/hlf/reimbursements?run={run}&after=~{10**17}")
    assert re.search("Reimbursements: Rejected – Sync run of .+ at ", rejected.text)
    assert listed(rejected) + listed(further) == ["R-rejected", *names]
    assert listed(back) == listed(rejected)
    assert listed(unknown) == ["R-unknown"]
    assert "R-of-no-run" not in listed(rejected)
    assert of_all.address.endswith("/reimbursements?state=rejected")
    assert "There is nothing of that left." in synced.text
    assert listed(both) == names[1:]


async def test_only_an_organisations_own_runs_narrow_its_list(admin: Admin) -> None:
    run = await furnish(admin.scene)
    of_another = f"/organizations/blindeforbundet/reimbursements?run={run}"
    async with admin.client(global_admin()) as client:
        answers = [await client.get(one) for one in (of_another, of_another.replace(run, str(uuid4())))]
        nonsense = await client.get(of_another.replace(run, "x"))
    assert [answer.status_code for answer in answers] == [404, 404]
    assert nonsense.status_code == 422


async def test_a_run_is_started_by_mouse_and_seen_to_finish(admin: Admin, browser: Browser) -> None:
    scene = admin.scene
    good, bad, before = fresh(4), fresh(1), fresh(1)
    await scene.organization(release_policy="next_sync", concurrency=1)
    unknown_type = [{"line_id": "1", "expense_type": "hotel", "expense_date": "2026-11-03", "amount": "250.00"}]
    await take_in(scene.pool, *[approval(name) for name in good], approval(bad[0], lines=unknown_type))
    await take_in(scene.pool, approval(before[0]))
    await bring_to(scene.pool, "rejected", before[0])
    await scene.switch(True)
    async with window(browser) as page:
        said = await listening(page)
        await page.goto(admin.url + RUNS)
        await page.get_by_role("button", name="Start a sync run now").click()
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.locator("#told")).to_have_text("0 of 5 done")
        await expect(page.get_by_role("progressbar")).to_have_attribute("max", "5")
        async with scene.worker():
            await expect(page.locator("#progress-title")).to_contain_text("Finished")
        await expect(page.locator("#told")).to_have_text("5 of 5 done, 1 rejected")
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.locator("#announcement")).to_have_text(
            "The sync run is finished: 4 synced, 1 rejected, 0 with unknown outcome, 0 still waiting."
        )
        await nothing_more_is_asked(page)
        await page.get_by_role("link", name="Show what is rejected, and why").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Reimbursements: Rejected – Sync run of ")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_role("link", name=bad[0])).to_be_visible()
        await page.get_by_role("link", name="Back to the run").click()
        await expect(page.locator("#told")).to_have_text("5 of 5 done, 1 rejected")
    assert set(said[:-1]) <= {"25 % done.", "50 % done.", "75 % done.", "100 % done."}


async def test_focus_is_not_lost_when_a_run_ends(admin: Admin, browser: Browser) -> None:
    run = await furnish(admin.scene)
    async with window(browser) as page:
        await page.goto(f"{admin.url}{RUNS}/{run}")
        await tab_to(page, "#live a")
        await expect(page.get_by_role("link", name="Load again")).to_be_focused()
        await admin.scene.fetch(
            "update sync_run set finished_at = now(), result = 'finished', remaining = 0 where finished_at is null"
        )
        await expect(page.get_by_text("It ended at")).to_be_visible()
        await expect(page.locator("#progress-title")).to_be_focused()


async def test_a_run_is_started_and_refused_by_keyboard_alone(admin: Admin, browser: Browser) -> None:
    await switched_off(admin, "R-1")
    async with window(browser, "nb") as page:
        await page.goto(admin.url + RUNS)
        await tab_to(page, "main form button")
        await page.keyboard.press("Enter")
        await expect(page.locator("#notice")).to_be_focused()
        await expect(page.locator("#notice")).to_contain_text("Ingenting ble overført. Slå den på først.")


def listed(page: Shown) -> list[str]:
    return [said for _, said in page.links if said.startswith("R-")]


async def listening(page: Page) -> list[str]:
    """What is read out, as it comes."""
    said: list[str] = []

    def hear(text: str) -> None:
        said.append(text)

    await page.expose_function("heard", hear)
    await page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { const status = document.getElementById('announcement'); "
        "new MutationObserver(() => heard(status.textContent)).observe(status, {childList: true}); })"
    )
    return said


async def nothing_more_is_asked(page: Page) -> None:
    """The absence of what came every second is seen only by waiting for it in vain."""

    def is_poll(request: Request) -> bool:
        return request.url.partition("?")[0].endswith("/live")

    with pytest.raises(PlaywrightTimeoutError):
        async with page.expect_request(is_poll, timeout=MORE_THAN_TWO_POLLS):
            pass
