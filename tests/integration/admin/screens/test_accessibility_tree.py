"""What a screen reader is given of each screen, as it was read and approved: `trees/*.yaml`.

A screen that was changed on purpose is written anew with SYNC_TEST_WRITE_TREES=1, and the difference read.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.admin import Admin, global_admin
from tests.integration.admin.screens.furnished import furnish
from tests.integration.admin.screens.test_accessibility import SCREENS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

FOLDER = Path(__file__).with_name("trees")
WRITE = "SYNC_TEST_WRITE_TREES"
CHANGING = {
    r"\d{1,2}\. \w+\.? \d{4}( kl\.)? \d\d:\d\d": "MOMENT",
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}": "RUN",
    r"127\.0\.0\.1:\d+": "HOST",
    r"seen=[^\s\"&]+": "seen=SEEN",
}


async def test_a_screen_reader_is_given_what_was_approved(admin: Admin, browser: Browser) -> None:
    run = await furnish(admin.scene)
    await admin.count()
    page = await browser.new_page(
        extra_http_headers={"Authorization": f"Bearer {global_admin()}", "Accept-Language": "nb"}
    )
    differing = []
    for name, address in SCREENS.items():
        await page.goto(admin.url + address.format(run=run))
        tree = steady(await page.locator("body").aria_snapshot()) + "\n"
        file = FOLDER / f"{name.replace(', ', '-').replace(' ', '-')}.yaml"
        if os.environ.get(WRITE):
            FOLDER.mkdir(exist_ok=True)
            file.write_text(tree, encoding="utf-8")
        if file.read_text(encoding="utf-8") != tree:
            differing.append(f"{name}:\n{tree}")
    await page.close()
    assert differing == []


def steady(tree: str) -> str:
    """Without what changes from one run to the next."""
    for pattern, word in CHANGING.items():
        tree = re.sub(pattern, word, tree)
    return tree
