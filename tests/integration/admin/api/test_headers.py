"""What browsers are told to be strict about."""

from http import HTTPStatus

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from tests.admin import Admin, admin_of
from tests.integration.admin.api.two import API
from worker.admin.headers import SecurityHeaders

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STRICT = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/organizations", HTTPStatus.OK),
        ("GET", "/organizations/hlf/connector", HTTPStatus.NOT_FOUND),
        ("GET", "/organizations/other/connector", HTTPStatus.FORBIDDEN),
        ("GET", "/nowhere", HTTPStatus.NOT_FOUND),
        ("DELETE", "/organizations", HTTPStatus.METHOD_NOT_ALLOWED),
        ("GET", "/openapi.json", HTTPStatus.OK),
    ],
)
async def test_every_answer_tells_browsers_to_be_strict(
    admin: Admin, method: str, path: str, status: HTTPStatus
) -> None:
    async with admin.client(admin_of("hlf")) as client:
        answer = await client.request(method, API + path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in STRICT} == STRICT
    assert "geolocation=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers


async def headers_of(app: SecurityHeaders) -> dict[str, str]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await app(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def test_what_may_be_kept_says_so_itself() -> None:
    kept = PlainTextResponse(headers={"Cache-Control": "public, max-age=31536000, immutable"})
    assert (await headers_of(SecurityHeaders(kept, "http://127.0.0.1")))[
        "cache-control"
    ] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(("origin", "is_told"), [("https://sync.example", True), ("http://127.0.0.1:8080", False)])
async def test_a_service_by_https_is_to_be_asked_by_https_alone(origin: str, is_told: bool) -> None:
    told = await headers_of(SecurityHeaders(PlainTextResponse(), origin))
    assert ("strict-transport-security" in told) is is_told
