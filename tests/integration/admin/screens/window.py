"""A window of the browser, and a person without a mouse in front of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page

from tests.admin import global_admin

MOST_STEPS = 80


@asynccontextmanager
async def window(browser: Browser, language: str = "en", *, java_script_enabled: bool = True) -> AsyncIterator[Page]:
    """Signed in as a global administrator. A script that fails fails the test."""
    headers = {"Authorization": f"Bearer {global_admin()}", "Accept-Language": language}
    context = await browser.new_context(extra_http_headers=headers, java_script_enabled=java_script_enabled)
    failures: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: failures.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    assert failures == []


async def tab_to(page: Page, selector: str) -> None:
    """By keyboard alone."""
    for _ in range(MOST_STEPS):
        if await page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{selector} can't be reached by keyboard")
