"""Signing in against a server on this machine, with a clock of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connectors.contract import NotSent, Unavailable
from connectors.oauth2 import AccessToken, ClientCredentials, TokenSource
from tests.unit.connectors.test_http import Server, Write, answer, conversation, hang_up

APP = "0b6a5f5e-9f53-4a53-8a39-5f0f2c7c0103"


class Clock:
    """Monotonic seconds; a machine's clock may start anywhere."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def token(value: str, **fields: object) -> Write:
    return answer(json.dumps({"access_token": value, **fields}).encode())


@asynccontextmanager
async def signing_in(
    *scripts: Write, clock: Clock | None = None, client_id: str = APP
) -> AsyncIterator[tuple[Server, TokenSource]]:
    async with conversation(*scripts) as (server, client):
        credentials = ClientCredentials(server.url, client_id, "s3cret", "scope")
        yield server, TokenSource(client, credentials, clock or Clock(0.0))


async def value_of(source: TokenSource) -> str:
    handed = await source.token()
    assert isinstance(handed, AccessToken)
    return handed.value


async def test_fifty_at_once_cause_one_request() -> None:
    async with signing_in(token("a", expires_in=3599)) as (server, source):
        assert {await one for one in [asyncio.create_task(value_of(source)) for _ in range(50)]} == {"a"}
        assert len(server.requests) == 1


async def test_fifty_at_once_share_one_refusal_and_the_next_asks_again() -> None:
    refused = answer(b'{"error": "invalid_client"}', status=b"401 Unauthorized")
    async with signing_in(refused, token("a", expires_in=3599)) as (server, source):
        outcomes = await asyncio.gather(*(source.token() for _ in range(50)))
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert len(server.requests) == 1
        assert await value_of(source) == "a"


async def test_whoever_is_called_off_while_renewing_leaves_it_to_the_next() -> None:
    arrived = asyncio.Event()

    async def never(_: asyncio.StreamWriter) -> None:
        arrived.set()

    async with signing_in(never, token("b", expires_in=3599)) as (_, source):
        first, second = asyncio.create_task(source.token()), asyncio.create_task(value_of(source))
        await arrived.wait()
        first.cancel()
        assert await second == "b"


@pytest.mark.parametrize("start", [0.0, 1e9, -5e5])
async def test_a_token_is_renewed_five_minutes_before_its_end_wherever_the_clock_began(start: float) -> None:
    clock = Clock(start)
    async with signing_in(token("a", expires_in=3600), token("b", expires_in=3600), clock=clock) as (_, source):
        assert await value_of(source) == "a"
        clock.now = start + 3299
        assert await value_of(source) == "a"
        clock.now = start + 3301
        assert await value_of(source) == "b"


@pytest.mark.parametrize(
    ("stated", "usable", "renewed"),
    [
        ({}, 3299, 3301),
        ({"expires_in": None}, 3299, 3301),
        ({"expires_in": "3600"}, 3299, 3301),
        ({"expires_in": "²"}, 3299, 3301),
        ({"expires_in": -1}, 3299, 3301),
        ({"expires_in": True}, 3299, 3301),
        ({"expires_in": 1e400}, 3299, 3301),
        ({"expires_in": 10**11}, 86_099, 86_101),
        ({"expires_in": "9" * 400}, 3299, 3301),
        ({"expires_in": 10}, 9, 11),
    ],
)
async def test_a_life_that_is_missing_or_absurd_is_taken_for_the_usual_one(
    stated: dict[str, object], usable: int, renewed: int
) -> None:
    clock = Clock(0.0)
    body = json.dumps({"access_token": "a", **stated}).replace("Infinity", "1e400").encode()
    async with signing_in(answer(body), token("b"), clock=clock) as (_, source):
        assert await value_of(source) == "a"
        clock.now = usable
        assert await value_of(source) == "a"
        clock.now = renewed
        assert await value_of(source) == "b"


async def test_a_token_without_any_life_serves_who_asked_and_no_one_later() -> None:
    async with signing_in(token("a", expires_in=0), token("b", expires_in=0)) as (_, source):
        assert [await value_of(source), await value_of(source)] == ["a", "b"]


async def test_a_token_that_was_refused_is_forgotten_once_and_its_successor_stays() -> None:
    async with signing_in(token("a", expires_in=3599), token("b", expires_in=3599)) as (server, source):
        refused = await source.token()
        assert isinstance(refused, AccessToken)
        source.forget(refused)
        assert await value_of(source) == "b"
        source.forget(refused)
        assert await value_of(source) == "b"
        assert len(server.requests) == 2


@pytest.mark.parametrize(("status", "code"), [(b"400 Bad Request", "invalid_scope"), (b"401 No", "invalid_client")])
async def test_a_refusal_names_the_app_whose_secret_is_to_be_renewed_and_never_the_secret(
    status: bytes, code: str
) -> None:
    body = json.dumps({"error": code, "error_description": "AADSTS7000215: s3cret"}).encode()
    async with signing_in(answer(body, status=status)) as (_, source):
        outcome = await source.token()
        assert isinstance(outcome, Unavailable)
        assert f"Renew the client secret of the app registration {APP}" in outcome.reason
        assert code in outcome.reason
        assert "s3cret" not in outcome.reason


async def test_what_is_no_app_id_is_not_shown() -> None:
    refused = answer(b'{"error": "unauthorized_client"}', status=b"400 Bad Request")
    async with signing_in(refused, client_id="s3cret-in-the-wrong-field") as (_, source):
        outcome = await source.token()
        assert isinstance(outcome, Unavailable)
        assert "s3cret" not in outcome.reason


@pytest.mark.parametrize("script", [hang_up, answer(b"{}"), answer(b"", status=b"503 No"), answer(b"<html>")])
async def test_signing_in_that_fails_on_the_way_is_not_sent_and_is_tried_again(script: Write) -> None:
    async with signing_in(script, token("a")) as (_, source):
        assert isinstance(await source.token(), NotSent)
        assert await value_of(source) == "a"
