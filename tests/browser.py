"""A real browser: Debian's Chromium, driven by Playwright. Without it, its tests are skipped, except in CI."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

from deploy.local.browser import chromium
from tests.scene import PATIENCE

REQUIRED = "SYNC_TEST_BROWSER_REQUIRED"


def wanted_chromium() -> str:
    """Where it is. Skips the test where it is not, or fails it where it is required."""
    found = chromium()
    if found:
        return found
    why = "There is no Chromium on this machine (make browser)."
    if os.environ.get(REQUIRED):
        pytest.fail(why)
    pytest.skip(why)


@asynccontextmanager
async def browser(*more: str) -> AsyncIterator[Browser]:
    """`more` are further arguments of Chromium's."""
    async with async_playwright() as playwright:
        # As root, Chromium has no sandbox; it only ever reads what the tests serve.
        expect.set_options(timeout=PATIENCE * 1000)
        running = await playwright.chromium.launch(executable_path=wanted_chromium(), args=["--no-sandbox", *more])
        try:
            yield running
        finally:
            await running.close()
