"""The control port: what tests ask a sandbox and tell it. Nothing that posts may use it.

`GET /ledger`, `/requests`, `/held` and `/faults` tell; the first three wait with `at_least=N` (and `timeout`,
in seconds, 30 by default; 504 after it). `POST /faults` takes a list of rules and replaces all, `DELETE
/faults` clears them. `POST /hold` (optionally `{"kinds": […]}`) and `POST /release`. `POST /settings` takes
some of the sandbox's settings and answers with all of them.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel, ValidationError

from deploy.local.sandboxes.exchange import Exchange
from deploy.local.sandboxes.faults import RULES
from deploy.local.sandboxes.signals import Gauge

ReadSettings = Callable[[], BaseModel]
WriteSettings = Callable[[dict[str, object]], None]
Look = Callable[[], None]
"""What a look at the ledger brings up to date first, such as an import whose time has come."""


class Control:
    def __init__(self, exchange: Exchange, read: ReadSettings, write: WriteSettings, look: Look) -> None:
        self._exchange = exchange
        self._read_settings = read
        self._write_settings = write
        self._look = look

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_problems])
        app.router.add_get("/ledger", self._ledger)
        app.router.add_get("/requests", self._requests)
        app.router.add_get("/held", self._held)
        app.router.add_get("/faults", self._faults)
        app.router.add_post("/faults", self._arm)
        app.router.add_delete("/faults", self._clear)
        app.router.add_post("/hold", self._hold)
        app.router.add_post("/release", self._release)
        app.router.add_post("/settings", self._settings)
        return app

    async def _ledger(self, request: web.Request) -> web.Response:
        self._look()
        await _wait(request, self._exchange.ledger.length)
        return web.json_response({"lines": [line.model_dump(mode="json") for line in self._exchange.ledger.lines]})

    async def _requests(self, request: web.Request) -> web.Response:
        visits = self._exchange.visits
        kind = request.query.get("kind")
        await _wait(request, visits.of_kind(kind) if kind else visits.total)
        counted = {"total": visits.total.value, "refused_at_the_door": visits.refused_at_the_door}
        return web.json_response({**counted, "by_kind": visits.by_kind()})

    async def _held(self, request: web.Request) -> web.Response:
        held = await _wait(request, self._exchange.hold.held)
        return web.json_response({"held": held})

    async def _faults(self, _: web.Request) -> web.Response:
        return web.json_response({"rules": self._exchange.faults.struck()})

    async def _arm(self, request: web.Request) -> web.Response:
        self._exchange.faults.arm(RULES.validate_json(await request.read()))
        return web.json_response({"rules": self._exchange.faults.struck()})

    async def _clear(self, _: web.Request) -> web.Response:
        self._exchange.faults.clear()
        return web.Response(status=204)

    async def _hold(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        self._exchange.hold.hold(body.get("kinds", ()))
        return web.Response(status=204)

    async def _release(self, _: web.Request) -> web.Response:
        self._exchange.hold.release()
        return web.Response(status=204)

    async def _settings(self, request: web.Request) -> web.Response:
        self._write_settings(await request.json())
        return web.json_response(self._read_settings().model_dump(mode="json"))


async def _wait(request: web.Request, gauge: Gauge) -> int:
    least = int(request.query.get("at_least", "0"))
    return await gauge.wait_for(least, float(request.query.get("timeout", "30")))


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        return web.json_response({"problems": error.errors(include_url=False, include_context=False)}, status=422)
    except TimeoutError:
        return web.json_response({"problems": ["The signal did not come in time."]}, status=504)
