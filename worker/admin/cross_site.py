"""Requests that another site makes a signed-in person's browser send: those that would change something are refused.

Browsers say where a request comes from: `Sec-Fetch-Site` wherever the connection counts as safe, `Origin` with every
request that may change something. What says neither was not sent by a browser of today, and has no session to bring.
A request with a bearer token is of a program that put it there: browsers never add one by themselves.

What comes from elsewhere is refused also where it brings no session, since browsers keep Lax cookies back from such
requests and take cookies from the answers all the same: a sign-out would still delete the one that they kept.
"""

from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.admin.cookies import SESSION
from worker.admin.problems import Answer, ProblemError

log = structlog.get_logger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class CrossSiteGuard:
    """`origin` is what browsers know this service as."""

    def __init__(self, app: ASGIApp, origin: str, answer: Answer) -> None:
        self._app = app
        self._origin = origin
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and is_from_elsewhere(scope["method"], Headers(scope=scope), self._origin):
            log.warning("cross_site_request_refused")
            app = self._answer(Request(scope), _refused())
        await app(scope, receive, send)


def is_from_elsewhere(method: str, headers: Headers, origin: str) -> bool:
    """Whether another site may have made a browser send what would change something.

    `Sec-Fetch-Site: none` is no page of ours but a person's own doing, which is no form: then the origin decides.
    """
    if method in SAFE_METHODS or "authorization" in headers:
        return False
    site = headers.get("sec-fetch-site", "none")
    if site != "none":
        return site != "same-origin"
    origins = headers.getlist("origin")
    return origins != [origin] if origins else _brings_a_session(headers)


def _brings_a_session(headers: Headers) -> bool:
    return any(SESSION in cookie for cookie in headers.getlist("cookie"))


def _refused() -> ProblemError:
    return ProblemError(
        HTTPStatus.FORBIDDEN,
        "cross-site-request",
        "This request did not come from a page of this service, so nothing was changed. Do it on its own pages.",
    )
