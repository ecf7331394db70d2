"""For whoever sees little, or is made ill by what moves: 400 % zoom, text twice as large, and no motion."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from tests.admin import Admin, token
from tests.browser import browser as opened
from tests.events import approval
from tests.integration.admin.screens.furnished import furnish
from tests.integration.admin.screens.test_accessibility import SCREENS
from tests.integration.worker.rows import bring_to, take_in
from worker.domain.switching import Role
from worker.store import sync_log
from worker.store.database import transaction
from worker.store.sync_log import Change

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

ZOOMED = ViewportSize(width=320, height=256)
"""What 400 % leaves of a window of 1280 x 1024."""
WHOLE = ViewportSize(width=1280, height=1024)
LARGE_TEXT = "--blink-settings=defaultFontSize=32"
"""The browser's own setting, twice what it is by itself: it moves the widths at which pages change, too."""
LONGEST = "R" + 63 * "w"
MORE = {
    "the longest": f"/organizations/hlf/reimbursements/{LONGEST}",
    "the longest handled": f"/organizations/hlf/reimbursements/{LONGEST}/handled-elsewhere",
    "the longest found": f"/organizations/hlf/reimbursements?id={LONGEST[:-1]}",
    "none found": f"/organizations/hlf/reimbursements?id={LONGEST}x",
    "credentials": "/organizations/hlf/connector/credentials?connector=xledger",
    "mistakes": "/organizations/hlf/sync-log?from=x&to=y",
}
DIALOGS = {
    "/organizations": "[id='switch-hlf']",
    "/organizations/hlf": "#switch",
    "/organizations/blindeforbundet": "#switch",
    "/organizations/hlf/reimbursements/R-pending": "a[data-dialog]",
}
BESIDE = """() => {
    const hidden = ".ds-sr-only, .ds-skip-link, [hidden], dialog:not([open]), thead, input";
    const beside = [...document.querySelectorAll("body *")].filter(one => {
        const { left, right, width } = one.getBoundingClientRect();
        const isCut = one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible";
        return !one.closest(hidden) && width && (left < -1 || right > innerWidth + 1 || (one.clientWidth && isCut));
    }).map(one => `${one.localName}.${one.className} ${one.textContent.trim().slice(0, 20)}`);
    const wider = document.documentElement.scrollWidth - innerWidth;
    return wider > 0 ? [`scrolls by ${wider}`, ...beside] : beside;
}"""
MOVING = """() => {
    const lasts = times => times.split(", ").some(time => parseFloat(time) > 0);
    const styles = [...document.querySelectorAll("*")].flatMap(
        one => [null, "::before", "::after", "::backdrop"].map(part => [one, getComputedStyle(one, part)]));
    const moving = styles
        .filter(([, style]) => style.animationName !== "none" || lasts(style.transitionDuration)
            || style.scrollBehavior === "smooth")
        .map(([one]) => `${one.localName}.${one.className}`);
    const inForce = rule => !rule.media || matchMedia(rule.media.mediaText).matches;
    const rules = list => [...list].filter(inForce).flatMap(rule => [rule, ...rules(rule.cssRules ?? [])]);
    const inside = [...document.styleSheets].flatMap(sheet => rules(sheet.cssRules))
        .filter(rule => rule.selectorText?.includes("::-") && lasts(rule.style.transitionDuration))
        .map(rule => rule.selectorText);
    return [...moving, ...inside, ...document.getAnimations().map(one => one.constructor.name)];
}"""
"""Also by rules, since the parts of a browser's own controls answer no question about their style."""
Motion = Literal["reduce", "no-preference"]


async def overfill(admin: Admin) -> str:
    """The longest of everything, in one word where that may be, beside what `furnish` brings."""
    run = await furnish(admin.scene)
    await take_in(admin.scene.pool, approval(LONGEST, amount="9999999999999.99"))
    await bring_to(admin.scene.pool, "rejected", LONGEST)
    await admin.scene.fetch("update item set run_id = $1::uuid where reimbursement_id = $2", run, LONGEST)
    await admin.scene.fetch("update item set reason = $1, reason_code = $1 where state = 'rejected'", 300 * "w")
    await admin.scene.fetch("update item set document_number = $1 where state = 'synced'", 100 * "w")
    await admin.scene.fetch("update organization set name = $1", 120 * "W")
    async with transaction(admin.scene.pool) as connection:
        change = Change(128 * "w", "organization_admin", "http", "item_retried", "xledger", "off", 500 * "W")
        await sync_log.append(connection, "hlf", change)
    await admin.count()
    return run


@pytest.mark.parametrize("language", ["nb", "en"])
async def test_at_400_percent_nothing_is_cut_off_and_nothing_scrolls_sideways(
    admin: Admin, browser: Browser, language: str
) -> None:
    run = await overfill(admin)
    async with page_of(browser, ZOOMED, language, scale=4) as page:
        assert await beside(admin, page, run) == {}


async def test_with_text_twice_as_large_nothing_is_cut_off_and_nothing_scrolls_sideways(admin: Admin) -> None:
    run = await overfill(admin)
    async with opened(LARGE_TEXT) as browser, page_of(browser, WHOLE, "nb") as page:
        await page.goto(f"{admin.url}/organizations")
        assert await page.evaluate("getComputedStyle(document.documentElement).fontSize") == "36px"
        assert await beside(admin, page, run) == {}


async def test_for_whoever_wants_no_motion_nothing_moves(admin: Admin, browser: Browser) -> None:
    run = await furnish(admin.scene)
    async with page_of(browser, WHOLE, "nb", motion="reduce") as page:
        assert await moving(admin, page, run) == {}


async def test_what_moves_is_found(admin: Admin, browser: Browser) -> None:
    """Else the test before would hold of nothing."""
    run = await furnish(admin.scene)
    async with page_of(browser, WHOLE, "nb", motion="no-preference") as page:
        found = await moving(admin, page, run)
    assert "progress::-webkit-progress-value" in found["a run"]
    assert any(one.startswith("dialog.") for one in found["dialog of /organizations/hlf"])


async def beside(admin: Admin, page: Page, run: str) -> Mapping[str, list[str]]:
    """By screen, what does not fit into the window's width."""
    return await everywhere(admin, page, run, BESIDE)


async def moving(admin: Admin, page: Page, run: str) -> Mapping[str, list[str]]:
    return await everywhere(admin, page, run, MOVING)


async def everywhere(admin: Admin, page: Page, run: str, what: str) -> Mapping[str, list[str]]:
    """What is found on each screen and in each dialog, where anything is."""
    found: dict[str, list[str]] = {}
    for name, address in {**SCREENS, **MORE}.items():
        await page.goto(admin.url + address.format(run=run))
        found[name] = await page.evaluate(what)
    for address, opener in DIALOGS.items():
        await page.goto(admin.url + address)
        await page.locator(opener).click()
        await page.locator("dialog h1").wait_for()
        found[f"dialog of {address}"] = await page.evaluate(what)
    return {name: some for name, some in found.items() if some}


@asynccontextmanager
async def page_of(
    browser: Browser, viewport: ViewportSize, language: str, scale: int = 1, motion: Motion = "reduce"
) -> AsyncIterator[Page]:
    headers = {"Authorization": f"Bearer {token(64 * 'w', [Role.GLOBAL_ADMIN])}", "Accept-Language": language}
    context = await browser.new_context(
        viewport=viewport, device_scale_factor=scale, reduced_motion=motion, extra_http_headers=headers
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()
