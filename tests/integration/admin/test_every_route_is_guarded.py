"""Fail closed: no route answers before it has asked who is asking, but for those that are named here."""

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from worker.admin.access import caller_of
from worker.admin.api.guarded import GuardedRoute
from worker.admin.api.routes import router as api
from worker.admin.screens.routes import router as screens
from worker.admin.sign_in import router as sign_in

FOR_EVERYBODY = {"/assets/{digest}/{name}", "/language", "/sign-in", "/sign-in/callback", "/sign-out", "/signed-out"}


def test_every_route_asks_who_is_asking() -> None:
    routes = [route for router in (api, screens, sign_in) for route in routes_of(router)]
    assert len(routes) > 25
    assert {route.path for route in routes if not is_guarded(route)} == FOR_EVERYBODY


def routes_of(router: APIRouter) -> Iterator[APIRoute]:
    for one in router.routes:
        included = getattr(one, "original_router", None)
        if isinstance(included, APIRouter):
            yield from routes_of(included)
        elif isinstance(one, APIRoute):
            yield one


def is_guarded(route: APIRoute) -> bool:
    return isinstance(route, GuardedRoute) or caller_of in calls(route.dependant)


def calls(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from calls(one)
