"""What an action came to, told on the page after it: kept in a cookie over the redirect, shown once."""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from fastapi import Request
from starlette.responses import RedirectResponse, Response

COOKIE = "__Host-notice"
SECONDS_KEPT = 60
LONGEST = 600


class Tone(StrEnum):
    """Each has a word of its own on the page: colour alone tells nothing."""

    DONE = "success"
    REFUSED = "danger"
    NOTE = "info"


@dataclass(frozen=True, slots=True)
class Notice:
    """`text` is in the reader's language already."""

    tone: Tone
    text: str


def go_on(address: str, notice: Notice) -> Response:
    """On to the page that shows what came of it, so that loading it again repeats nothing."""
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    kept = json.dumps([notice.tone, notice.text[:LONGEST]], ensure_ascii=False).encode()
    response.set_cookie(
        COOKIE,
        base64.urlsafe_b64encode(kept).decode(),
        max_age=SECONDS_KEPT,
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return response


def noticed(request: Request) -> Notice | None:
    """What the last action left; None also for what can't be read."""
    try:
        tone, text = json.loads(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")))
        return Notice(Tone(tone), str(text))
    except (ValueError, TypeError):
        return None


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
