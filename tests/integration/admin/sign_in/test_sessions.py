"""How long a session lasts, by PostgreSQL's clock, and who may use it from where."""

import asyncio
from datetime import timedelta

import pytest

from deploy.local.identity.client import IdentityProcess
from tests.people import Service, Visitor, running_service
from tests.scene import PATIENCE, scene_settings
from worker.admin.sessions import SessionSweeper
from worker.store.database import acquire, open_pool
from worker.store.sessions import Lifetimes, note

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIFETIMES = Lifetimes(timedelta(minutes=30), timedelta(hours=8))


async def _change(service: Service, change: str) -> None:
    async with acquire(service.pool) as connection:
        await connection.execute(f"update session set {change}")


async def _seen_before(service: Service) -> float:
    """Seconds since the one session was last seen."""
    async with acquire(service.pool) as connection:
        seconds: float = await connection.fetchval(
            "select extract(epoch from clock_timestamp() - seen_at)::float from session"
        )
    return seconds


@pytest.mark.parametrize(
    ("change", "is_over"),
    [
        ("seen_at = clock_timestamp() - interval '29 minutes'", False),
        ("seen_at = clock_timestamp() - interval '31 minutes'", True),
        ("signed_in_at = clock_timestamp() - interval '7 hours 59 minutes'", False),
        ("signed_in_at = clock_timestamp() - interval '8 hours 1 minute'", True),
        ("issuer = 'https://another.example'", True),
    ],
)
async def test_a_session_is_over_when_it_was_idle_or_lasted_too_long_or_another_provider_vouched(
    service: Service, visitor: Visitor, change: str, is_over: bool
) -> None:
    await visitor.sign_in("admin-hlf")
    await _change(service, change)
    assert await visitor.is_signed_in() is not is_over
    if is_over:
        assert not await visitor.is_signed_in()


async def test_being_seen_keeps_a_session_but_is_written_once_a_minute_only(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    await _change(service, "seen_at = clock_timestamp() - interval '50 seconds'")
    await visitor.is_signed_in()
    assert await _seen_before(service) >= 50
    await _change(service, "seen_at = clock_timestamp() - interval '29 minutes'")
    await visitor.is_signed_in()
    assert await _seen_before(service) < 50


async def test_who_is_seen_a_moment_too_late_is_not_signed_in_again(service: Service, visitor: Visitor) -> None:
    """Found in time, noted when the time was up."""
    await visitor.sign_in("admin-hlf")
    await _change(service, "seen_at = clock_timestamp() - interval '31 minutes'")
    async with acquire(service.pool) as connection:
        id_hash = await connection.fetchval("select id_hash from session")
        await note(connection, id_hash, LIFETIMES)
    assert not await visitor.is_signed_in()


async def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    await _change(service, "seen_at = clock_timestamp() - interval '29 minutes'")
    address = "/api/v1/organizations/not-mine/connector"
    assert (await visitor.get(address, **{"X-Live": "1"})).status_code == 403
    assert await _seen_before(service) >= 29 * 60


@pytest.mark.parametrize(("idle", "status"), [(60.0, 401), (1800.0, 403)])
async def test_lifetimes_are_settings(service: Service, visitor: Visitor, idle: float, status: int) -> None:
    await visitor.sign_in("admin-hlf")
    await _change(service, "seen_at = clock_timestamp() - interval '2 minutes'")
    elsewhere = {"http_port": 0, "public_url": None}
    async with running_service(
        service.settings, service.pool, service.identity, session_idle_seconds=idle, **elsewhere
    ) as another:
        answer = await visitor.http.get(f"{another.url}/api/v1/organizations/not-mine/connector")
    assert answer.status_code == status


async def test_what_has_expired_is_deleted_and_nothing_else(service: Service, visitor: Visitor) -> None:
    for change in ("seen_at = seen_at - interval '31 minutes'", "signed_in_at = signed_in_at - interval '9 hours'"):
        async with service.visitor() as other:
            await other.sign_in("admin-both")
        await _change(service, change)
    await visitor.sign_in("admin-hlf")
    stop, swept = asyncio.Event(), asyncio.Event()

    def beat(rests: float = 0.0, *, in_vain: bool | None = None) -> None:  # noqa: ARG001  # the shape of a Beat
        swept.set()

    sweeper = SessionSweeper(service.pool, LIFETIMES, timedelta(minutes=1), beat)
    async with asyncio.timeout(PATIENCE):
        sweeping = asyncio.create_task(sweeper.run(stop))
        await swept.wait()
        stop.set()
        await sweeping
    async with acquire(service.pool) as connection:
        left = await connection.fetch("select actor_id from session")
    assert [row["actor_id"] for row in left] == ["admin-hlf"]
    assert await visitor.is_signed_in()


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 5000, "ø", "a b", '"'])
async def test_a_cookie_of_nobody_is_nobody(service: Service, cookie: str) -> None:
    async with service.visitor() as visitor:
        headers = [(b"cookie", b"__Host-session=" + cookie.encode())]
        answer = await visitor.http.get("/api/v1/organizations/hlf/connector", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_another_site_can_not_sign_anybody_out(visitor: Visitor, headers: dict[str, str], status: int) -> None:
    await visitor.sign_in("admin-hlf")
    answer = await visitor.http.post("/sign-out", headers=headers)
    assert answer.status_code == status
    assert await visitor.is_signed_in() is (status == 403)
    if status == 403:
        assert "Dette kom ikke fra en side i denne tjenesten, så ingenting ble endret." in answer.text


async def test_the_origin_alone_is_enough(visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    assert (await visitor.http.post("/sign-out", headers={"Origin": visitor.url})).status_code == 200


async def test_a_token_decides_where_there_is_a_session_too(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-global")
    token = await service.identity.access_token("admin-hlf")
    address = "/api/v1/organizations/not-mine/connector"
    assert (await visitor.get(address, Authorization=f"Bearer {token}")).status_code == 403
    for other in ("Bearer forged", "Basic YTpi", ""):
        assert (await visitor.get(address, Authorization=other)).status_code == 401


async def test_while_the_database_is_away_nobody_is_signed_in_or_told_that_they_are_out(
    database_url: str, identity: IdentityProcess
) -> None:
    lost = await open_pool(database_url)
    settings = scene_settings(database_url, "localhost:1", "t-", {})
    async with running_service(settings, lost, identity) as service, service.visitor() as visitor:
        await visitor.sign_in("admin-hlf")
        back = await visitor.choose("admin-hlf")
        lost.terminate()
        asked = await visitor.get("/api/v1/organizations/not-mine/connector")
        out = await visitor.post("/sign-out")
        assert (asked.status_code, asked.json()["type"]) == (503, "/problems/database-away")
        assert (out.status_code, "Databasen er utilgjengelig" in out.text) == (503, True)
        assert visitor.session_id
        assert (await visitor.get(back)).status_code == 503
