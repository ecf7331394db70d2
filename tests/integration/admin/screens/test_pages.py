"""Further pages of every list, there and back, in a browser without a script."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page

from tests.admin import Admin, global_admin
from tests.events import approval
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import Scene
from worker.admin.screens import management, reimbursement_list, sync_log, sync_runs
from worker.store import sync_log as log
from worker.store.database import transaction
from worker.store.sync_log import Change

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOME = "/organizations/hlf"


async def organizations(scene: Scene, many: int) -> None:
    await scene.fetch(
        "insert into organization (organization_id, name) select 'o' || n, 'O' || n from generate_series(1, $1) n", many
    )


async def pending(scene: Scene, many: int) -> None:
    await take_in(scene.pool, *[approval(f"R-{number:03}") for number in range(many)])


async def synced(scene: Scene, many: int) -> None:
    await pending(scene, many)
    await bring_to(scene.pool, "synced", *[f"R-{number:03}" for number in range(many)])


async def runs(scene: Scene, many: int) -> None:
    await scene.fetch(
        "insert into sync_run (organization_id, kind, connector, requested_by, mark, started_at, finished_at, result, "
        "remaining) select 'hlf', 'manual', 'xledger', 'a', 0, now() - n * interval '1 hour', now(), 'finished', 0 "
        "from generate_series(1, $1) n",
        many,
    )


async def entries(scene: Scene, many: int) -> None:
    async with transaction(scene.pool) as connection:
        for _ in range(many):
            await log.append(connection, "hlf", Change("a", "organization_admin", "http", "connector_configured"))


@dataclass(frozen=True)
class Pages:
    """A list, how long a page of it is, what fills it, and what its links are called."""

    address: str
    rows: int
    fill: Callable[[Scene, int], Awaitable[None]]
    first: str = "First page"
    previous: str = "Previous page"
    following: str = "Next page"

    def __str__(self) -> str:
        return self.address.strip("/").replace("/", "-")


LISTS = [
    Pages("/organizations?search=o", management.ROWS, organizations),
    Pages(f"{HOME}/reimbursements", reimbursement_list.PAGE_SIZE, pending),
    Pages(f"{HOME}/reimbursements?state=pending", reimbursement_list.PAGE_SIZE, pending),
    Pages(f"{HOME}/reimbursements?state=synced", reimbursement_list.PAGE_SIZE, synced),
    Pages(f"{HOME}/sync-runs", sync_runs.PAGE_SIZE, runs, "Newest runs", "Newer runs", "Older runs"),
    Pages(f"{HOME}/sync-log?actor=a", sync_log.PAGE_SIZE, entries, "Newest entries", "Newer entries", "Older entries"),
]


@pytest.mark.parametrize("pages", LISTS, ids=str)
async def test_the_way_back_is_the_way_there_without_a_script(admin: Admin, browser: Browser, pages: Pages) -> None:
    await admin.scene.organization()
    await pages.fill(admin.scene, 2 * pages.rows + 1)
    context = await browser.new_context(
        java_script_enabled=False,
        extra_http_headers={"Authorization": f"Bearer {global_admin()}", "Accept-Language": "en"},
    )
    page = await context.new_page()
    await page.goto(admin.url + pages.address)
    there = [await listed(page)]
    for _ in range(2):
        await page.get_by_role("link", name=pages.following).click()
        there.append(await listed(page))
    assert await page.get_by_role("link", name=pages.following).count() == 0
    back = [there[-1]]
    for _ in range(2):
        await page.get_by_role("link", name=pages.previous).click()
        back.append(await listed(page))
    assert back[::-1] == there
    assert [len(rows) for rows in there] == [pages.rows, pages.rows, 1]
    assert len({row for rows in there for row in rows}) == 2 * pages.rows + 1
    assert await page.get_by_role("link", name=pages.previous).count() == 0
    assert await page.get_by_role("link", name=pages.first).count() == 0
    await context.close()


async def listed(page: Page) -> list[str]:
    """What each row begins with."""
    return [" ".join(text.split()) for text in await page.locator("tbody th").all_inner_texts()]
