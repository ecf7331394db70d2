"""A host of receipts, on this machine: gives what is on its shelf, or what a test wants it to do instead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from aiohttp import web

TOKEN = "t0ken-of-a-receipt"
PDF = b"%PDF-1.7 a receipt"


class ReceiptShelf:
    """`requests` are the headers of each, in lower case. A path that is held waits until it is released."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[dict[str, str]] = []
        self.answers: dict[str, web.Response] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.asked = asyncio.Event()

    @property
    def host(self) -> str:
        """As SYNC_RECEIPT_ALLOWED_HOSTS names it."""
        return f"127.0.0.1:{self.port}"

    def put(self, name: str, content: bytes = PDF, media_type: str = "application/pdf") -> dict[str, str]:
        """The receipt as an event names it, its address with a token in it."""
        self.answers[name] = web.Response(body=content)
        url = f"http://{self.host}/{name}?token={TOKEN}"
        return {"url": url, "sha256": sha256(content).hexdigest(), "media_type": media_type}

    def hold(self, name: str) -> asyncio.Event:
        """Answers nothing for it until the event is set."""
        self.held[name] = asyncio.Event()
        return self.held[name]

    async def give(self, request: web.Request) -> web.StreamResponse:
        self.requests.append({name.lower(): value for name, value in request.headers.items()})
        self.asked.set()
        name = request.match_info["name"]
        if name in self.held:
            await self.held[name].wait()
        kept = self.answers[name]
        return web.Response(status=kept.status, body=kept.body, headers=kept.headers)


@asynccontextmanager
async def receipt_shelf() -> AsyncIterator[ReceiptShelf]:
    shelf = ReceiptShelf()
    app = web.Application()
    app.router.add_get("/{name}", shelf.give)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shelf.port = runner.addresses[0][1]
    try:
        yield shelf
    finally:
        for event in shelf.held.values():
            event.set()
        await runner.cleanup()
