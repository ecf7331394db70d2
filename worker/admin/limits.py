"""How large a request may be, and how often one caller may change something or have the ERP asked."""

import asyncio
import math
import time
from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.admin.problems import ProblemError

LARGEST_BODY = 64 * 1024
SECONDS_FOR_A_BODY = 30.0
BURST = 20
SECONDS_EACH = 1.0
SECONDS_EACH_QUESTION = 3.0
CALLERS_REMEMBERED = 10_000


TOO_MANY_CHANGES = (
    "Too many changes in a short time; this one was not made. Wait as long as Retry-After says, and try again."
)
TOO_MANY_QUESTIONS = (
    "The accounting system was asked too often in a short time. Wait as long as Retry-After says, and try again."
)


class TooLargeError(HTTPException):
    """Raised where the body is read; FastAPI lets its own kind of error through from there, and no other."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})


class TooSlowError(HTTPException):
    """As TooLargeError."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_TIMEOUT, headers={"Connection": "close"})


class BodyLimit:
    """No more than so many bytes of a body are read, and no longer than so many seconds.

    It is told to whoever reads the body, so that somebody who may not send one at all hears that first. Whoever is
    answered while more may come than may be read is cut off after the answer: the server would read it to its end.
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY, seconds: float = SECONDS_FOR_A_BODY) -> None:
        self._app = app
        self._largest = largest
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._largest, self._seconds)
        await self._app(scope, body.receive, body.send)


class _Body:
    """The body of one request, as far as it has come."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, largest: int, seconds: float) -> None:
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        self._is_too_large = not declared.isdecimal() or int(declared) > largest
        self._is_bounded = not self._is_too_large and "transfer-encoding" not in headers
        self._receive = receive
        self._send = send
        self._largest = largest
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._received = 0
        self._has_ended = False

    async def receive(self) -> Message:
        """Raises TooLargeError or TooSlowError."""
        if self._has_ended:
            return await self._receive()  # waits for the client to leave
        if self._is_too_large:
            raise TooLargeError
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise TooSlowError from None
        self._received += len(message.get("body", b""))
        self._is_too_large = self._received > self._largest
        if self._is_too_large:
            raise TooLargeError
        self._has_ended = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._has_ended and not self._is_bounded:
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)


class Pace:
    """So many changes (or questions to the ERP) of one caller at once, then one at a time, a while apart.

    Kept for each caller is when what they did so far is paid off: whoever has paid needs not be remembered.
    """

    def __init__(
        self,
        burst: int = BURST,
        seconds_each: float = SECONDS_EACH,
        too_often: str = TOO_MANY_CHANGES,
        remembered: int = CALLERS_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ahead = (burst - 1) * seconds_each
        self._seconds_each = seconds_each
        self._too_often = too_often
        self._remembered = remembered
        self._clock = clock
        self._paid_at: dict[str, float] = {}

    def step(self, caller_id: str) -> None:
        """Raises ProblemError 429 where it is too soon."""
        now = self._clock()
        paid_at = max(now, self._paid_at.pop(caller_id, now))
        if paid_at - now > self._ahead:
            self._remember(caller_id, paid_at, now)
            raise _too_soon(self._too_often, paid_at - now - self._ahead)
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


def question_pace() -> Pace:
    """Of what only looks, but has the ERP asked, whose own limits are the posting's too."""
    return Pace(seconds_each=SECONDS_EACH_QUESTION, too_often=TOO_MANY_QUESTIONS)


def question_pace_of(request: Request) -> Pace:
    pace: Pace = request.app.state.question_pace
    return pace


def _too_soon(sentence: str, seconds: float) -> ProblemError:
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        sentence,
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
