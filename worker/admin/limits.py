"""How large a request may be, and how often one caller may change something."""

import math
import time
from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.admin.problems import ProblemError

LARGEST_BODY = 64 * 1024
BURST = 20
SECONDS_EACH = 1.0
CALLERS_REMEMBERED = 10_000


class TooLargeError(HTTPException):
    """Raised where the body is read; FastAPI lets its own kind of error through from there, and no other."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})


class BodyLimit:
    """No more than so many bytes of a body are read, whether its length was declared or not.

    It is told to whoever reads the body, so that somebody who may not send one at all hears that first.
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, self._counting(scope, receive) if scope["type"] == "http" else receive, send)

    def _counting(self, scope: Scope, receive: Receive) -> Receive:
        declared = Headers(scope=scope).get("content-length", "0")
        is_declared_too_large = not declared.isdecimal() or int(declared) > self._largest
        received = 0

        async def counted() -> Message:
            nonlocal received
            if is_declared_too_large:
                raise TooLargeError
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._largest:
                raise TooLargeError
            return message

        return counted


class Pace:
    """So many changes of one caller at once, then one at a time, a while apart.

    Kept for each caller is when what they did so far is paid off: whoever has paid needs not be remembered.
    """

    def __init__(
        self,
        burst: int = BURST,
        seconds_each: float = SECONDS_EACH,
        remembered: int = CALLERS_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ahead = (burst - 1) * seconds_each
        self._seconds_each = seconds_each
        self._remembered = remembered
        self._clock = clock
        self._paid_at: dict[str, float] = {}

    def step(self, caller_id: str) -> None:
        """Raises ProblemError 429 where it is too soon."""
        now = self._clock()
        paid_at = max(now, self._paid_at.pop(caller_id, now))
        if paid_at - now > self._ahead:
            self._remember(caller_id, paid_at, now)
            raise _too_soon(paid_at - now - self._ahead)
        self._remember(caller_id, paid_at + self._seconds_each, now)

    def _remember(self, caller_id: str, paid_at: float, now: float) -> None:
        """Whoever came last stands last, so that the first is who may be forgotten where there are too many."""
        if len(self._paid_at) >= self._remembered:
            self._paid_at = {one: at for one, at in self._paid_at.items() if at > now}
        if len(self._paid_at) >= self._remembered:
            del self._paid_at[next(iter(self._paid_at))]
        self._paid_at[caller_id] = paid_at


def pace_of(request: Request) -> Pace:
    pace: Pace = request.app.state.pace
    return pace


def _too_soon(seconds: float) -> ProblemError:
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many changes in a short time; this one was not made. Wait as long as Retry-After says, and try again.",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
