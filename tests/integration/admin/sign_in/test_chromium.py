"""Signing in with a browser, whose own rules for cookies and forms count. The provider is another site here."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import BrowserContext, async_playwright

from deploy.local.identity.client import IdentityProcess
from deploy.local.identity.people import PEOPLE
from deploy.local.processes import free_port
from deploy.local.services import Services
from tests.people import Service, running_service
from tests.scene import PATIENCE, scene_settings
from worker.admin.cookies import SESSION, SIGN_IN
from worker.store.database import Pool, acquire

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ADDRESS = "/api/v1/organizations/not-mine/connector"
PERSON = PEOPLE["admin-hlf"]

if CHROMIUM is None:
    pytest.skip("no Chromium on this machine", allow_module_level=True)


@pytest_asyncio.fixture(loop_scope="session", params=["localhost", "127.0.0.1"])
async def service(
    request: pytest.FixtureRequest, services: Services, database_url: str, pool: Pool
) -> AsyncIterator[Service]:
    """The provider is at 127.0.0.1, which for browsers is another site than localhost."""
    identity = await IdentityProcess.start(services.folder, f"http://{request.param}:{free_port()}")
    settings = scene_settings(database_url, "localhost:1", "t-", {})
    async with running_service(settings, pool, identity) as running:
        yield running
    await identity.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def window() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context()
        context.set_default_timeout(PATIENCE * 1000)
        yield context
        await browser.close()


@asynccontextmanager
async def site(host: str, html: str) -> AsyncIterator[str]:
    """Another program's page on this machine."""

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _sign_in(window: BrowserContext, service: Service) -> None:
    page = await window.new_page()
    await page.goto(f"{service.url}/sign-in?next={ADDRESS}")
    assert await page.get_by_role("banner").inner_text() == (
        "For local use only: this identity provider asks for no password."
    )
    await page.get_by_role("button", name=PERSON.name).click()
    await page.wait_for_url(service.url + ADDRESS)
    await page.close()


async def _is_signed_in(window: BrowserContext, service: Service) -> bool:
    answer = await window.request.get(service.url + ADDRESS)
    return answer.status == 403


async def _rows(service: Service) -> int:
    async with acquire(service.pool) as connection:
        count: int = await connection.fetchval("select count(*) from session")
    return count


async def test_a_person_signs_in_and_out(window: BrowserContext, service: Service) -> None:
    await _sign_in(window, service)
    assert await _is_signed_in(window, service)
    [cookie] = [one for one in await window.cookies() if one["name"] == SESSION]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert not [one for one in await window.cookies() if one["name"] == SIGN_IN]
    page = await window.new_page()
    await page.goto(f"{service.url}/signed-out")
    await page.set_content('<form method="post" action="/sign-out"><button>Sign out</button></form>')
    await page.get_by_role("button").click()
    await page.wait_for_url(f"{service.url}/signed-out")
    assert not await _is_signed_in(window, service)
    assert await _rows(service) == 0


async def test_signing_out_goes_on_to_the_provider_whatever_forms_may_do(
    window: BrowserContext, service: Service
) -> None:
    """A redirect would be held up by `form-action 'self'`."""
    await _sign_in(window, service)
    strict = """<meta http-equiv="Content-Security-Policy" content="form-action 'self'">"""
    page = await window.new_page()
    await page.goto(f"{service.url}/signed-out")
    await page.set_content(strict + '<form method="post" action="/sign-out"><button>Sign out</button></form>')
    before = (await service.identity.visits()).get("/end-session", 0)
    await page.get_by_role("button").click()
    await page.wait_for_url(f"{service.url}/signed-out")
    assert (await service.identity.visits())["/end-session"] == before + 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_form_of_another_site_or_port_signs_nobody_out(
    window: BrowserContext, service: Service, host: str
) -> None:
    await _sign_in(window, service)
    form = f'<form method="post" action="{service.url}/sign-out"><button>Win a prize</button></form>'
    async with site(host, form) as address:
        page = await window.new_page()
        await page.goto(address)
        await page.get_by_role("button").click()
        await page.wait_for_url(f"{service.url}/**")
    assert await _is_signed_in(window, service)
    assert await _rows(service) == 1
