"""`/livez`, `/readyz` and `/metrics` for whoever looks after the process."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Probes:
    """A small HTTP server. `is_ready` answers what the worker still waits for; nothing: it is ready."""

    def __init__(self, host: str, port: int, is_ready: Callable[[], list[str]]) -> None:
        self._host = host
        self._port = port
        self._waits_for = is_ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        waits_for = self._waits_for()
        if waits_for:
            return web.Response(status=503, text="waiting for " + ", ".join(waits_for) + "\n")
        return web.Response(text="ready\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
