"""Bodies that never end, and that come too slowly: whoever sends them is answered, and then cut off."""

import asyncio
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from tests.admin import Admin, admin_of
from tests.scene import PATIENCE
from worker.admin.limits import BodyLimit, TooSlowError

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


async def cut_off_after(admin: Admin, token: str | None) -> str:
    """The first line of the answer to a body without an end, once the service has closed the connection."""
    parts = urlsplit(admin.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"PUT /api/v1/organizations/hlf/connector/enabled HTTP/1.1\r\nHost: {parts.netloc}\r\n{bearer}"
    writer.write(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    sending = asyncio.create_task(_send_on(writer))
    try:
        async with asyncio.timeout(PATIENCE):
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += await reader.read(4096)
            await asyncio.wait([sending])
    finally:
        sending.cancel()
        writer.close()
    return answer.decode().partition("\r\n")[0]


async def _send_on(writer: asyncio.StreamWriter) -> None:
    """Until the other side has had enough."""
    while True:
        writer.write(CHUNK)
        await writer.drain()


@pytest.mark.parametrize(("is_known", "status"), [(True, "413"), (False, "401")])
async def test_a_body_without_end_is_answered_and_its_sender_cut_off(admin: Admin, is_known: bool, status: str) -> None:
    await admin.scene.organization()
    line = await cut_off_after(admin, admin_of("hlf") if is_known else None)
    assert line.startswith(f"HTTP/1.1 {status} ")


async def test_a_body_that_comes_too_slowly_is_waited_for_no_longer() -> None:
    refused = []

    async def reads_it(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Request(scope, receive).body()
        except TooSlowError as error:
            refused.append(error.status_code)
        await PlainTextResponse()(scope, receive, send)

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def nowhere(_message: Message) -> None:
        """Nobody looks at the answer."""

    scope: Scope = {"type": "http", "method": "PUT", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
    await BodyLimit(reads_it, seconds=0.01)(scope, never, nowhere)
    assert refused == [408]
