"""The HTTP policy against a server that misbehaves on purpose."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from connectors.hosts import AllowedHosts
from connectors.http import (
    LARGEST_BODY,
    Answer,
    HttpClient,
    NotDelivered,
    Request,
    Timeouts,
    Uncertain,
    json_of,
)

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Reads whole requests and answers the nth with the nth script; counts connections and requests."""

    scripts: list[Write]
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/post"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                self.requests.append(await _read_request(reader))
                await self.scripts[len(self.requests) - 1](writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        stated = len(body) if length is None else length
        lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % stated, *headers]
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        await writer.drain()
        if stated != len(body):
            writer.close()

    return write


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def say_nothing(_: asyncio.StreamWriter) -> None:
    """The client gives up first."""


async def pour(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(LARGEST_BODY // 65536 + 2):
        writer.write(b"x" * 65536)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def conversation(*scripts: Write, timeouts: Timeouts | None = None) -> AsyncIterator[tuple[Server, HttpClient]]:
    server = Server(list(scripts))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    hosts = AllowedHosts(frozenset(), frozenset({f"127.0.0.1:{server.port}"}))
    client = HttpClient(hosts, timeouts or Timeouts(), connections=2)
    try:
        yield server, client
    finally:
        await client.close()
        listener.close()
        await listener.wait_closed()


@dataclass
class Permit:
    """Valid for so many questions."""

    answers: list[bool]

    def is_valid(self) -> bool:
        return self.answers.pop(0)


def post(url: str) -> Request:
    return Request("POST", url, {"Authorization": "token s3cret"}, b'{"amount": 1}')


async def test_a_connection_is_used_again() -> None:
    async with conversation(answer(b"1"), answer(b"2")) as (server, client):
        first, second = await client.send(post(server.url)), await client.send(post(server.url))
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert (first.body, second.body, server.connections) == (b"1", b"2", 1)


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_a_post_on_a_connection_that_dies_is_uncertain_and_never_sent_again(end: Write) -> None:
    async with conversation(answer(b"1"), end, answer(b"must not be asked for")) as (server, client):
        await client.send(post(server.url))
        assert isinstance(await client.send(post(server.url)), Uncertain)
        assert len(server.requests) == 2


@pytest.mark.parametrize("end", [hang_up, reset])
async def test_a_first_post_without_an_answer_is_uncertain(end: Write) -> None:
    async with conversation(end) as (server, client):
        assert isinstance(await client.send(post(server.url)), Uncertain)
        assert len(server.requests) == 1


async def test_silence_is_uncertain() -> None:
    async with conversation(say_nothing, timeouts=Timeouts(read=0.05)) as (server, client):
        assert await client.send(post(server.url)) == Uncertain("the answer timed out")


async def test_a_truncated_answer_is_uncertain() -> None:
    async with conversation(answer(b'{"id"', length=100)) as (server, client):
        assert await client.send(post(server.url)) == Uncertain("the answer was cut off")


@pytest.mark.parametrize("script", [answer(b"", length=LARGEST_BODY + 1), pour])
async def test_a_body_above_the_limit_is_uncertain_whether_announced_or_not(script: Write) -> None:
    async with conversation(script) as (server, client):
        assert await client.send(post(server.url)) == Uncertain("the answer was too large")


async def test_a_refused_connection_is_not_delivered() -> None:
    async with conversation() as (server, client):
        url = server.url
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        free = listener.sockets[0].getsockname()[1]
        listener.close()
        await listener.wait_closed()
        await client.close()
        other = HttpClient(AllowedHosts(frozenset(), frozenset({f"127.0.0.1:{free}"})), Timeouts(), connections=1)
        outcome = await other.send(post(url.replace(str(server.port), str(free))))
        await other.close()
        assert outcome == NotDelivered("the connection was refused")


async def test_a_handshake_that_fails_is_not_delivered() -> None:
    async with conversation(timeouts=Timeouts(connect=0.1)) as (server, client):
        outcome = await client.send(post(server.url.replace("http://", "https://")))
        assert isinstance(outcome, NotDelivered)
        assert server.requests == []


async def test_a_host_that_is_not_listed_is_never_asked() -> None:
    async with conversation() as (server, client):
        outcome = await client.send(post("https://elsewhere.example/"))
        assert isinstance(outcome, NotDelivered)
        assert server.connections == 0


async def test_redirects_are_not_followed() -> None:
    async with conversation(answer(b"", b"Location: /other", status=b"302 Found")) as (server, client):
        reply = await client.send(post(server.url))
        assert isinstance(reply, Answer)
        assert (reply.status, len(server.requests)) == (302, 1)


async def test_an_ended_permit_opens_no_connection() -> None:
    async with conversation(answer(b"1")) as (server, client):
        assert isinstance(await client.send(post(server.url), Permit([False])), NotDelivered)
        assert server.connections == 0


async def test_a_permit_that_ends_while_connecting_sends_nothing() -> None:
    async with conversation(answer(b"1")) as (server, client):
        assert isinstance(await client.send(post(server.url), Permit([True, False])), NotDelivered)
        assert server.requests == []
        assert isinstance(await client.send(post(server.url), Permit([True, True])), Answer)


async def test_a_large_body_leaves_whole_and_not_at_all_once_its_permit_ended() -> None:
    body = b"x" * (3 * 1024 * 1024)
    async with conversation(answer(b"1")) as (server, client):
        request = Request("PATCH", server.url, {}, body)
        assert isinstance(await client.send(request, Permit([True, False])), NotDelivered)
        assert server.requests == []
        assert isinstance(await client.send(request, Permit([True, True])), Answer)
        head, _, arrived = server.requests[0].partition(b"\r\n\r\n")
        assert (head.startswith(b"PATCH /post"), arrived == body) == (True, True)


async def test_a_client_may_take_larger_answers_or_only_smaller_ones() -> None:
    async with conversation(answer(b"123"), answer(b"123")) as (server, _):
        hosts = AllowedHosts(frozenset(), frozenset({f"127.0.0.1:{server.port}"}))
        for largest, outcome in ((3, Answer), (2, Uncertain)):
            client = HttpClient(hosts, Timeouts(), connections=1, largest_body=largest)
            assert isinstance(await client.send(post(server.url)), outcome)
            await client.close()


async def test_neither_answers_nor_failures_show_content() -> None:
    async with conversation(answer(b"Kari Nordmann", b"Set-Cookie: s3cret"), hang_up) as (server, client):
        request = post(server.url)
        shown = repr([request, await client.send(request), await client.send(request)])
        assert not any(word in shown for word in ("s3cret", "Kari", "amount"))


async def test_cookies_are_not_kept() -> None:
    async with conversation(answer(b"1", b"Set-Cookie: a=b"), answer(b"2")) as (server, client):
        await client.send(post(server.url))
        await client.send(post(server.url))
        assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("body", [b"<html>", b"", b"{", b"NaN", b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_none(body: bytes) -> None:
    assert json_of(Answer(200, {}, body)) is None


@pytest.mark.parametrize(
    "text", [rb"Lunch \ud83d", rb"Lunch \uDE00", b"Lunch \xed\xa0\xbd"], ids=["escaped", "escaped second half", "raw"]
)
def test_half_a_character_becomes_a_question_mark_wherever_it_stands(text: bytes) -> None:
    """An ERP that counts in UTF-16 units may cut a text there, and JSON lets it pass."""
    body = b'{"%s": ["%s", {"n": 1.50, "whole": "\\ud83d\\ude00 \xed\x95\x9c"}]}' % (text, text)
    read = json_of(Answer(400, {}, body))
    told = json.dumps(read, default=str, ensure_ascii=False).encode().decode()
    assert told.replace("???", "?") == '{"Lunch ?": ["Lunch ?", {"n": "1.50", "whole": "\U0001f600 한"}]}'
