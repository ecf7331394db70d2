"""The screens and the API of a scene, served over real HTTP, and tokens for whoever asks."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.scene import KEY, PATIENCE, Scene
from worker.admin.application import make_app
from worker.admin.context import AdminContext
from worker.admin.server import AdminServer
from worker.admin.tokens import BearerTokens
from worker.bootstrap import make_adapters
from worker.domain.switching import Role
from worker.overview import Overview
from worker.vault import Vault

ISSUER = "https://identity.test"
AUDIENCE = "accounting-sync"
SIGNING_KEY = ECKey.generate_key("P-256", {"kid": "key-1", "use": "sig"})
SECONDS_VALID = 600


class TestKeys:
    """The provider's keys, known without asking."""

    __test__ = False

    async def keys(self, _key_id: str | None) -> KeySet:
        return KeySet([SIGNING_KEY])


def token(
    sub: str = "user-9", roles: Sequence[str] = (Role.ORGANIZATION_ADMIN,), organizations: Sequence[str] = ()
) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "iat": now,
        "exp": now + SECONDS_VALID,
        "roles": list(roles),
        "organizations": list(organizations),
    }
    return jwt.encode({"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}, claims, SIGNING_KEY)


def global_admin() -> str:
    return token("admin-1", [Role.GLOBAL_ADMIN])


def admin_of(*organizations: str) -> str:
    return token("user-9", [Role.ORGANIZATION_ADMIN], organizations)


@dataclass(frozen=True)
class Admin:
    """The HTTP side of one scene; `url` has no slash at its end."""

    scene: Scene
    url: str
    overview: Overview

    async def count(self) -> None:
        """What is counted in the background is counted now."""
        await self.overview._run_once()

    @asynccontextmanager
    async def client(self, bearer: str | None = None, **more: str) -> AsyncIterator[httpx2.AsyncClient]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with httpx2.AsyncClient(base_url=self.url, headers={**headers, **more}, timeout=PATIENCE) as client:
            yield client


@asynccontextmanager
async def served(scene: Scene) -> AsyncIterator[Admin]:
    """Raises TimeoutError where the server does not stop in order."""
    overview = Overview(scene.pool)
    identify = [BearerTokens(TestKeys(), ISSUER, AUDIENCE)]
    server = AdminServer(
        lambda port: make_app(
            AdminContext(
                scene.pool, make_adapters(scene.settings), Vault(KEY), f"http://127.0.0.1:{port}", identify, overview
            )
        ),
        "127.0.0.1",
        0,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    try:
        yield Admin(scene, f"http://127.0.0.1:{server.port}", overview)
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await running
