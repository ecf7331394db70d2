"""axe-core finds nothing on any screen: in both languages, both schemes, and on a narrow window."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page

from tests.admin import Admin, global_admin
from tests.integration.admin.screens.furnished import furnish

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

AXE = Path(__file__).with_name("axe").joinpath("axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCREENS = {
    "management": "/organizations",
    "settings, on": "/organizations/hlf",
    "settings, off": "/organizations/blindeforbundet",
    "switch off": "/organizations/hlf/connector/switch?connector=xledger&enabled=off",
    "switch on": "/organizations/blindeforbundet/connector/switch?connector=business_central&enabled=on",
    "reimbursements": "/organizations/hlf/reimbursements",
    "left by a run": "/organizations/hlf/reimbursements?run={run}",
    "a rejected one": "/organizations/hlf/reimbursements/R-rejected",
    "an unknown outcome": "/organizations/hlf/reimbursements/R-unknown",
    "a synced one": "/organizations/hlf/reimbursements/R-synced",
    "sync runs": "/organizations/hlf/sync-runs",
    "a run": "/organizations/hlf/sync-runs/{run}",
    "sync log": "/organizations/hlf/sync-log",
    "no such page": "/nowhere",
}
Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["nb", "en"])
async def test_axe_finds_nothing(admin: Admin, browser: Browser, language: str, scheme: Scheme) -> None:
    run = await furnish(admin.scene)
    context = await browser.new_context(
        color_scheme=scheme,
        bypass_csp=True,
        extra_http_headers={"Authorization": f"Bearer {global_admin()}", "Accept-Language": language},
    )
    found: dict[str, Sequence[str]] = {}
    for name, address in SCREENS.items():
        page = await context.new_page()
        await page.goto(admin.url + address.format(run=run))
        found[name] = await violations(page)
        await page.close()
    await context.close()
    assert {name: violated for name, violated in found.items() if violated} == {}


async def violations(page: Page) -> list[str]:
    """Each as the rule's name, what it asks, and where it is broken."""
    await page.evaluate(AXE)
    result = await page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{one['id']}: {one['help']} at {', '.join(str(node['target']) for node in one['nodes'])}"
        for one in result["violations"]
    ]


@pytest.mark.parametrize("width", [320, 700, 1160, 1280])
async def test_no_window_scrolls_both_ways(admin: Admin, browser: Browser, width: int) -> None:
    """320 CSS pixels wide is also what 400 % zoom makes of 1280."""
    run = await furnish(admin.scene)
    await admin.count()
    page = await browser.new_page(
        viewport={"width": width, "height": 640},
        extra_http_headers={"Authorization": f"Bearer {global_admin()}", "Accept-Language": "nb"},
    )
    wider: dict[str, int] = {}
    for name, address in SCREENS.items():
        await page.goto(admin.url + address.format(run=run))
        wider[name] = await page.evaluate("document.documentElement.scrollWidth")
    await page.close()
    assert {name: found for name, found in wider.items() if found > width} == {}
