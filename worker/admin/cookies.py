"""Cookies that only this host, over a safe connection, gets back, and that no script reads.

The prefix `__Host-` lets browsers refuse them from any other host, a sibling's included. Browsers count http to this
machine as safe: Chromium and Firefox keep such cookies from http://127.0.0.1 and http://localhost, Safari does not.
"""

from starlette.responses import Response

SESSION = "__Host-session"
SIGN_IN = "__Host-sign-in"


def give(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Lax, since the identity provider sends people back with a link. Without `seconds` the browser forgets it when
    it is closed."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def take_back(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
