"""What browsers are told to be strict about, with every answer.

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html; the policy is Content Security Policy
Level 3: nothing but our own files, nobody may frame us, and forms go to us and the identity provider alone.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNUSED_FEATURES = (
    "camera",
    "display-capture",
    "geolocation",
    "microphone",
    "payment",
    "publickey-credentials-get",
    "usb",
)
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
STRICT = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
}


class SecurityHeaders:
    """`provider_origin` is where forms may lead beside here: signing in and out goes by the identity provider."""

    def __init__(self, app: ASGIApp, provider_origin: str | None = None) -> None:
        self._app = app
        self._always = {**STRICT, "Content-Security-Policy": _policy(provider_origin)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.update(self._always)
            await send(message)

        await self._app(scope, receive, send_strictly)


def _policy(provider_origin: str | None) -> str:
    forms = " ".join(filter(None, [POLICY["form-action"], provider_origin]))
    return "; ".join(f"{name} {sources}" for name, sources in {**POLICY, "form-action": forms}.items())
