"""`/livez`, `/readyz` and `/metrics` for whoever looks after the process."""

from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Watched(Protocol):
    """What the probes tell of. `waits_for` nothing: it is ready. `why_stalled` None: it makes progress."""

    def waits_for(self) -> list[str]: ...

    def why_stalled(self) -> str | None: ...


class Probes:
    """A small HTTP server, there before anything that the worker may have to wait for."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.worker: Watched | None = None
        """Set once PostgreSQL has been reached."""
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
        """About progress alone: an infrastructure that is away is waited for, and a new process would do no better."""
        why = self.worker.why_stalled() if self.worker else None
        if why:
            return web.Response(status=503, text=why + "\n")
        return web.Response(text="alive\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        waits_for = self.worker.waits_for() if self.worker else ["postgresql"]
        if waits_for:
            return web.Response(status=503, text="waiting for " + ", ".join(waits_for) + "\n")
        return web.Response(text="ready\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
