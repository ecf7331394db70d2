"""The provider's keys: rotated, unknown, old, and out of reach. Its process is real, and the clock is the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from joserfc.jwk import ECKey, OctKey, RSAKey

from deploy.local.identity.application import Behaviour
from deploy.local.identity.client import IdentityProcess
from deploy.local.processes import free_port
from tests.people import Visitor
from tests.scene import PATIENCE
from worker.admin.kept import Pace
from worker.admin.provider import DISCOVERY, Provider
from worker.admin.provider_http import LARGEST_ANSWER, ProviderAwayError, ProviderHttp

pytestmark = pytest.mark.asyncio(loop_scope="session")

PACE = Pace()
JWKS = "/jwks"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(identity: IdentityProcess, clock: Clock) -> AsyncIterator[Provider]:
    opened = Provider(identity.issuer, ProviderHttp(), clock=clock)
    yield opened
    await opened.close()


async def key_id(identity: IdentityProcess) -> str:
    """Of the key that signs now, as a reader without any memory finds it."""
    fresh = Provider(identity.issuer, ProviderHttp())
    try:
        return str((await fresh.keys(None)).keys[0].kid)
    finally:
        await fresh.close()


async def asked(identity: IdentityProcess, path: str = JWKS) -> int:
    return (await identity.visits()).get(path, 0)


async def knows(provider: Provider, wanted: str) -> bool:
    return any(key.kid == wanted for key in await provider.keys(wanted))


async def test_a_rotated_key_is_known_at_once(identity: IdentityProcess, provider: Provider) -> None:
    await provider.keys(None)
    await identity.rotate()
    assert await knows(provider, await key_id(identity))


async def test_one_reading_serves_all_who_ask_for_it(identity: IdentityProcess, provider: Provider) -> None:
    before = await asked(identity)
    await asyncio.gather(*[provider.keys(None) for _ in range(30)])
    assert await asked(identity) == before + 1
    await identity.rotate()
    new, before = await key_id(identity), await asked(identity)
    assert all(await asyncio.gather(*[knows(provider, new) for _ in range(30)]))
    assert await asked(identity) == before + 1


async def test_one_reading_serves_all_who_ask_for_the_same_new_key_however_short_the_pause(
    identity: IdentityProcess, clock: Clock
) -> None:
    hasty = Provider(identity.issuer, ProviderHttp(), Pace(pause=0.0), clock)
    await hasty.keys(None)
    await identity.rotate()
    new, before = await key_id(identity), await asked(identity)
    assert all(await asyncio.gather(*[knows(hasty, new) for _ in range(30)]))
    assert await asked(identity) == before + 1
    await hasty.close()


async def test_whoever_makes_names_of_keys_up_can_not_make_us_ask_all_the_time(
    identity: IdentityProcess, provider: Provider, clock: Clock
) -> None:
    await provider.keys(None)
    before = await asked(identity)
    for number in range(20):
        assert not await knows(provider, f"made-up-{number}")
    assert await asked(identity) == before + 1
    clock.now += PACE.pause
    assert not await knows(provider, "made-up")
    assert await asked(identity) == before + 2


async def test_keys_are_read_again_when_they_are_old_so_that_one_that_was_withdrawn_is_forgotten(
    identity: IdentityProcess, provider: Provider, clock: Clock
) -> None:
    withdrawn = str((await provider.keys(None)).keys[0].kid)
    await identity.rotate()
    clock.now += PACE.fresh - 1
    assert await knows(provider, withdrawn)
    clock.now += 1
    assert not await knows(provider, withdrawn)


async def test_known_keys_serve_for_a_day_while_the_provider_is_away(
    identity: IdentityProcess, provider: Provider, clock: Clock
) -> None:
    known = str((await provider.keys(None)).keys[0].kid)
    await identity.behave(Behaviour(away=True))
    clock.now += PACE.usable - 1
    assert await knows(provider, known)
    clock.now += PACE.pause
    with pytest.raises(ProviderAwayError):
        await provider.keys(known)
    await identity.behave()
    clock.now += PACE.pause
    assert await knows(provider, known)


async def test_a_provider_that_is_away_is_asked_now_and_then(
    identity: IdentityProcess, provider: Provider, clock: Clock
) -> None:
    await identity.behave(Behaviour(away=True))
    before = await asked(identity, DISCOVERY)
    for _ in range(20):
        with pytest.raises(ProviderAwayError):
            await provider.keys("any")
    assert await asked(identity, DISCOVERY) == before + 1
    await identity.behave()
    clock.now += PACE.pause
    assert (await provider.keys(None)).keys


async def test_a_provider_that_nobody_listens_for_is_away(clock: Clock) -> None:
    nobody = Provider(f"http://127.0.0.1:{free_port()}", ProviderHttp(), clock=clock)
    with pytest.raises(ProviderAwayError):
        await nobody.metadata()
    await nobody.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": "http://id.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"token_endpoint": "http://id.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "//evil.example"},
    ],
    ids=str,
)
async def test_what_a_provider_says_of_itself_is_not_believed_blindly(
    identity: IdentityProcess, provider: Provider, changes: dict[str, object]
) -> None:
    await identity.behave(Behaviour(metadata=changes))
    with pytest.raises(ProviderAwayError):
        await provider.keys(None)


async def test_nobody_is_let_in_while_the_provider_was_never_reached_and_a_moment_later_they_are(
    visitor: Visitor, identity: IdentityProcess
) -> None:
    """Through the whole service: it is up, and says so."""
    token = await identity.access_token("admin-hlf")
    await identity.behave(Behaviour(away=True))
    address, bearer = "/api/v1/organizations/not-mine/connector", {"Authorization": f"Bearer {token}"}
    answer = await visitor.get(address, **bearer)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/identity-provider-away")
    assert answer.headers["retry-after"] == "10"
    await identity.behave()
    async with asyncio.timeout(PATIENCE):
        while (await visitor.get(address, **bearer)).status_code == 503:  # noqa: ASYNC110  # the pause of our own clock
            await asyncio.sleep(0.2)
    assert (await visitor.get(address, **bearer)).status_code == 403


Answer = Callable[[str], web.StreamResponse]
"""To an issuer that asks for what it says of itself."""


def good(issuer: str, **more: object) -> dict[str, object]:
    endpoints = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{issuer}/any")
    return {"issuer": issuer, **endpoints, **more}


ODD: dict[str, Answer] = {
    "a redirect to what is right": lambda issuer: web.HTTPFound(f"{issuer}/right"),
    "what is right, as an error": lambda issuer: web.json_response(good(issuer), status=500),
    "what is right, as nothing": lambda issuer: web.json_response(good(issuer), status=404),
    "a page": lambda _: web.Response(text="<html>Log in to the WLAN</html>", content_type="text/html"),
    "a list": lambda issuer: web.json_response([good(issuer)]),
    "too much": lambda issuer: web.json_response(good(issuer, x="x" * LARGEST_ANSWER)),
    "too much, packed": lambda issuer: _packed(web.json_response(good(issuer, x="x" * 50 * LARGEST_ANSWER))),
    "too deep": lambda _: web.Response(text="[" * 100_000, content_type="application/json"),
    "no UTF-8": lambda _: web.Response(body=b'{"issuer": "\xff"}', content_type="application/json"),
}


def _packed(response: web.Response) -> web.Response:
    response.enable_compression(web.ContentCoding.gzip)
    return response


@asynccontextmanager
async def odd_provider(answer: Answer) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        issuer = f"http://{request.host}"
        response = answer(issuer) if request.path != "/right" else web.json_response(good(issuer))
        if isinstance(response, web.HTTPException):
            raise response
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_plain_answer_is_believed(clock: Clock) -> None:
    async with odd_provider(lambda issuer: web.json_response(good(issuer))) as issuer:
        provider = Provider(issuer, ProviderHttp(), clock=clock)
        assert (await provider.metadata()).issuer == issuer
        await provider.close()


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
async def test_an_odd_answer_is_as_good_as_none(answer: Answer, clock: Clock) -> None:
    async with odd_provider(answer) as issuer:
        provider = Provider(issuer, ProviderHttp(), clock=clock)
        with pytest.raises(ProviderAwayError):
            await provider.metadata()
        await provider.close()


async def test_keys_that_should_not_sign_tokens_are_left_out(clock: Clock) -> None:
    usable = [
        RSAKey.generate_key(2048, auto_kid=True, private=False).as_dict(private=False),
        ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True, private=False).as_dict(private=False),
    ]
    bad: list[object] = [
        OctKey.generate_key(256, auto_kid=True).as_dict(private=True),
        RSAKey.generate_key(2048, {"use": "enc"}, auto_kid=True, private=False).as_dict(private=False),
        SHORT_KEY,
        {"kty": "RSA", "kid": "broken"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "AKP", "kid": "of tomorrow"},
        {"kid": "of nothing"},
        {"kty": ["RSA"]},
        "not a key",
        None,
    ]

    async with odd_provider(lambda issuer: web.json_response(good(issuer, keys=[*bad, *usable]))) as issuer:
        provider = Provider(issuer, ProviderHttp(), clock=clock)
        found = [key.kid for key in await provider.keys(None)]
        await provider.close()
    assert found == [key["kid"] for key in usable]


SHORT_KEY = {
    "kty": "RSA",
    "kid": "1024 bits",
    "e": "AQAB",
    "n": "4BIPMRBPDVBiEtC0q7Q8yo5r6LOPCdIzTvqzqZAsNlgZ1yOVoVfHcFWLLoFcDjwmBGF7VB3vKWHAVGxaSDVnjG6XuwNtXBAoB3BjUBtR"
    "N4ZTQjEz6r1uhQF0cuGTIsVgl8vDPd8A9O4NZAB1wMkTkyTlx-d_kkJzXQ1tV8oQxvM",
}
