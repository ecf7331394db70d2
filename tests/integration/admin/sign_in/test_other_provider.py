"""An identity provider that is not ours, by settings alone: `oidc-provider-mock` from PyPI, made with Authlib."""

import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr

from deploy.local.processes import Program, free_port
from deploy.local.run_folder import RunFolder
from deploy.local.services import Services
from tests.people import Visitor, running_admin_side
from tests.scene import PATIENCE, scene_settings
from worker.admin.cookies import SESSION
from worker.store.database import Pool, acquire

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer(services: Services) -> str:
    return await _started(services.folder)


async def _started(folder: RunFolder) -> str:
    port = free_port()
    process = folder.start(
        Program(
            name=f"other-provider-{port}",
            arguments=[sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"],
        )
    )
    await process.port(port, timeout=PATIENCE)
    return f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(issuer: str, database_url: str, pool: Pool) -> AsyncIterator[Visitor]:
    """At a service with nothing but the settings for that provider."""
    settings = scene_settings(database_url, "localhost:1", "t-", {}).model_copy(
        update={"oidc_issuer": issuer, "oidc_client_id": "any", "oidc_client_secret": SecretStr("any: % secret")}
    )
    async with running_admin_side(settings, pool) as url, Visitor(url) as opened:
        yield opened


async def _set_person(issuer: str, person: str, claims: dict[str, object]) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        answer = await http.put(f"{issuer}/users/{person}", json=claims)
        assert answer.status_code == 204, answer.text


async def _sign_in(visitor: Visitor, person: str) -> httpx2.Response:
    departure = await visitor.get("/sign-in")
    chosen = await visitor.http.post(departure.headers["location"], data={"sub": person})
    assert chosen.status_code == 302, chosen.text
    return await visitor.get(chosen.headers["location"])


async def test_people_sign_in_with_the_roles_that_it_tells_and_out_again(
    issuer: str, visitor: Visitor, pool: Pool
) -> None:
    await _set_person(
        issuer,
        "kari",
        {"name": "Kari Nordmann", "roles": ["organization_admin"], "organizations": ["hlf", "other"]},
    )
    arrival = await _sign_in(visitor, "kari")
    assert (arrival.status_code, arrival.headers["location"]) == (303, f"{visitor.url}/")
    async with acquire(pool) as connection:
        row = await connection.fetchrow("select * from session")
    assert row is not None
    assert (row["actor_id"], row["role"], row["name"]) == ("kari", "organization_admin", "Kari Nordmann")
    assert row["organizations"] == ["hlf", "other"]
    assert await visitor.is_signed_in()
    gone = await visitor.post("/sign-out")
    assert gone.headers["refresh"].startswith(f"0; url={issuer}/oauth2/end_session?")
    assert not await visitor.is_signed_in()


async def test_people_without_a_role_there_have_none_here(visitor: Visitor) -> None:
    arrival = await _sign_in(visitor, "ola")
    assert arrival.status_code == 403
    assert visitor.http.cookies.get(SESSION) is None
