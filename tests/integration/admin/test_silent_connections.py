"""Connections that say nothing, or begin and don't end: they are closed, and whoever asks is not."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.admin import Admin
from tests.scene import PATIENCE
from worker.admin import server

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHOLE = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: x\r\nX-More: "


@pytest.mark.parametrize("sent", [b"", HALF, WHOLE + HALF], ids=["nothing", "half", "half of the second"])
async def test_a_connection_without_a_whole_header_is_closed(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "SECONDS_FOR_A_HEADER", 0.05)
    parts = urlsplit(admin.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200" if sent.startswith(WHOLE) else b"")


async def test_a_byte_now_and_then_gives_no_more_time(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SECONDS_FOR_A_HEADER", 0.05)
    parts = urlsplit(admin.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(HALF)
    closed = asyncio.create_task(reader.read())
    async with asyncio.timeout(PATIENCE):
        while not closed.done():
            writer.write(b"x")
            await asyncio.wait([closed], timeout=0.01)
    writer.close()
