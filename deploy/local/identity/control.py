"""The control port: what tests tell the provider. `POST /behaviour` takes a whole Behaviour, `POST /rotate` makes a new
key, `POST /sign` signs `{"payload": "…", "header": …}` with it, `GET /visits` counts requests by path."""

from aiohttp import web

from deploy.local.identity.application import Behaviour, State


class Control:
    def __init__(self, state: State) -> None:
        self._state = state

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/behaviour", self._behave)
        app.router.add_post("/rotate", self._rotate)
        app.router.add_post("/sign", self._sign)
        app.router.add_get("/visits", self._visits)
        return app

    async def _behave(self, request: web.Request) -> web.Response:
        self._state.behaviour = Behaviour.model_validate_json(await request.read())
        return web.Response(status=204)

    async def _rotate(self, _request: web.Request) -> web.Response:
        self._state.key.rotate()
        return web.Response(status=204)

    async def _sign(self, request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response({"token": self._state.key.sign_text(asked["payload"], asked["header"])})

    async def _visits(self, _request: web.Request) -> web.Response:
        return web.json_response(self._state.visits)
