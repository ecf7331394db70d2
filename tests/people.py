"""People at the screens: the service on a real socket, the identity provider, and browsers without a window."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from deploy.local.identity.client import IdentityProcess
from tests.scene import ADMIN, PATIENCE
from worker import setup
from worker.admin.cookies import SESSION
from worker.bootstrap import AdminSide
from worker.overview import Overview
from worker.settings import Settings
from worker.store.database import Pool, transaction

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    """Keeps cookies as browsers do, for which http to this machine is as safe as https. Follows no redirect."""

    def __init__(self, url: str) -> None:
        self.url = url
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.http = httpx2.AsyncClient(base_url=url, cookies=jar, trust_env=False, timeout=PATIENCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    @property
    def session_id(self) -> str | None:
        return self.http.cookies.get(SESSION)

    async def sign_in(self, person: str, next_path: str = "/") -> httpx2.Response:
        """What the service answers when the person is sent back to it."""
        return await self.get(await self.choose(person, next_path))

    async def choose(self, person: str, next_path: str = "/") -> str:
        """The address at the service that the provider sends the person back to, not visited yet."""
        departure = await self.http.get("/sign-in", params={"next": next_path})
        assert departure.status_code == 303, departure.text
        chosen = await self.http.post(departure.headers["location"], data={"person": person})
        assert chosen.status_code == 303, chosen.text
        return chosen.headers["location"]

    async def get(self, address: str, **headers: str) -> httpx2.Response:
        return await self.http.get(address, headers=headers)

    async def post(self, path: str, **headers: str) -> httpx2.Response:
        """As a form on a page of the service is sent."""
        return await self.http.post(path, headers={**SAME_ORIGIN, "Origin": self.url, **headers})

    async def is_signed_in(self) -> bool:
        """Whether the API knows whose session this is; what it lets them do is another matter."""
        answer = await self.http.get("/api/v1/organizations/not-mine/connector")
        return answer.status_code != 401


@dataclass(frozen=True, slots=True)
class Service:
    """What people sign in to. `url` is what their browsers know it as."""

    url: str
    settings: Settings
    pool: Pool
    identity: IdentityProcess

    def visitor(self) -> Visitor:
        return Visitor(self.url)

    async def organization(self, organization_id: str) -> None:
        async with transaction(self.pool) as connection:
            await setup.add_organization(connection, organization_id, organization_id.upper(), ADMIN, "cli")


@asynccontextmanager
async def running_service(
    settings: Settings, pool: Pool, identity: IdentityProcess, **changes: object
) -> AsyncIterator[Service]:
    """The admin role of one worker, on the address that the identity provider knows it by."""
    port = urlsplit(identity.public_url).port
    own = settings.model_copy(
        update={"http_port": port, "public_url": identity.public_url, **sign_in_settings(identity.settings), **changes}
    )
    async with running_admin_side(own, pool) as url:
        yield Service(url, own, pool, identity)


@asynccontextmanager
async def running_admin_side(settings: Settings, pool: Pool) -> AsyncIterator[str]:
    """Its public address. It is stopped in order, and what fails in it fails the test."""
    side, stop = AdminSide(settings, pool, Overview(pool)), asyncio.Event()
    serving = asyncio.create_task(side.run(stop))
    try:
        yield side.public_url
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await serving


def sign_in_settings(environment: Mapping[str, str]) -> Mapping[str, object]:
    """The same as fields of the settings."""
    fields: dict[str, object] = {name.removeprefix("SYNC_").lower(): value for name, value in environment.items()}
    return {**fields, "oidc_client_secret": SecretStr(str(fields["oidc_client_secret"]))}
