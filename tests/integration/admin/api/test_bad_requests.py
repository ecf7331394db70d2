"""What callers get wrong, or send on purpose: a problem that says what to do, and never what was sent."""

import json
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from tests.admin import admin_of, global_admin
from tests.integration.admin.api.two import API, OWN, TwoOrganizations, another_admin_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENABLED = f"{API}/organizations/{OWN}/connector/enabled"
SECRET = "Secret-9f3b"
JSON = {"content-type": "application/json"}
LIMIT = 64 * 1024
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": SECRET.encode(),
    "half of it": f'{{"enabled": true, "reason": "{SECRET}'.encode(),
    "an array": json.dumps([SECRET]).encode(),
    "a text": json.dumps(SECRET).encode(),
    "null": b"null",
    "no UTF-8": b'{"enabled": true, "reason": "\xff"}',
    "a lone surrogate": b'{"enabled": true, "reason": "\\ud800"}',
    "a NUL": b'{"enabled": true, "reason": "a\\u0000b"}',
    "an unknown field": json.dumps({"enabled": True, "reason": "x", SECRET: 1}).encode(),
    "a text for a truth": json.dumps({"enabled": SECRET, "reason": "x"}).encode(),
    "a number for a truth": b'{"enabled": 1, "reason": "x"}',
    "a huge number": b'{"enabled": ' + b"9" * 10_000 + b', "reason": "x"}',
    "a huge exponent": b'{"enabled": 1e999, "reason": "x"}',
    "not a number": b'{"enabled": NaN, "reason": "x"}',
    "a reason too long": json.dumps({"enabled": True, "reason": SECRET * 50}).encode(),
    "a connector that can't be": json.dumps({"enabled": True, "reason": "x", "connector": SECRET}).encode(),
    "deep brackets": b"[" * 30_000,
    "deep objects": b'{"a":' * 10_000,
}


CONTENT_TYPES = (
    "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "x",
)  # fmt: skip
METHODS = [
    ("DELETE", f"{API}/organizations", "GET"),
    ("POST", ENABLED, "PUT"),
    ("GET", f"{API}/organizations/{OWN}/sync-runs", "POST"),
    ("PATCH", f"{API}/organizations/{OWN}/reimbursements/R-1", "GET"),
    ("BREW", f"{API}/organizations/{OWN}/sync-log", "GET"),
]
NOWHERE = (
    "/nonsense",
    "/organizations/",
    f"/organizations/{OWN}",
    f"/organizations/{OWN}/connector/",
    "/..%2f..%2fetc",
)
NO_ORGANIZATION = ("a%20b", "%00", "a%0d%0aSet-Cookie:x", "x" * 65, "%F0%9F%A7%BE", "a%2Fb")


async def in_pieces(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """Without a length that is told beforehand."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_a_body_that_is_wrong_is_refused_without_being_quoted(two: TwoOrganizations) -> None:
    async with two.admin.client(another_admin_of(OWN)) as client:
        for what, body in BODIES.items():
            answer = await client.put(ENABLED, content=body, headers=JSON)
            assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, what
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "/problems/invalid-request"
            assert SECRET not in answer.text + str(answer.headers), what


async def test_what_is_not_sent_as_json_is_refused(two: TwoOrganizations) -> None:
    body = b'{"enabled": false, "reason": "x"}'
    async with two.admin.client(admin_of(OWN)) as client:
        for kind in CONTENT_TYPES:
            answer = await client.put(ENABLED, content=body, headers={"content-type": kind} if kind else {})
            assert answer.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE, kind
    assert await two.scene.value("select enabled from connector where organization_id = $1", OWN)


async def test_json_with_a_character_set_is_json(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN), **{"content-type": "Application/JSON; charset=utf-8"}) as client:
        answer = await client.put(ENABLED, content=b'{"enabled": false, "reason": "x"}')
    assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_above_the_limit_is_refused_whether_its_length_is_told_or_not(
    two: TwoOrganizations, is_declared: bool
) -> None:
    body = b'{"enabled": false, "reason": "x"}'.ljust(LIMIT + 1)
    async with two.admin.client(admin_of(OWN)) as client:
        answer = await client.put(ENABLED, content=body if is_declared else in_pieces(body), headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/content-too-large")
    assert await two.scene.value("select enabled from connector where organization_id = $1", OWN)


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_at_the_limit_is_read(two: TwoOrganizations, is_declared: bool) -> None:
    body = b'{"enabled": false, "reason": "x"}'.ljust(LIMIT)
    async with two.admin.client(admin_of(OWN)) as client:
        answer = await client.put(ENABLED, content=body if is_declared else in_pieces(body), headers=JSON)
    assert answer.status_code == HTTPStatus.OK


async def test_a_method_that_an_address_does_not_take_is_refused_with_one_that_it_takes(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        for method, path, allowed in METHODS:
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, allowed), path
            assert answer.json()["type"] == "/problems/method-not-allowed"


async def test_an_address_that_there_is_not_is_a_problem_and_no_redirection(two: TwoOrganizations) -> None:
    async with two.admin.client(global_admin()) as client:
        for path in NOWHERE:
            answer = await client.get(API + path)
            assert (answer.status_code, answer.json()["type"]) == (HTTPStatus.NOT_FOUND, "/problems/not-found"), path
            assert path.strip("/") not in answer.json()["detail"]


async def test_what_can_be_no_organisation_is_refused_without_being_quoted(two: TwoOrganizations) -> None:
    async with two.admin.client(global_admin()) as client:
        for organization_id in NO_ORGANIZATION:
            answer = await client.get(f"{API}/organizations/{organization_id}/sync-log")
            assert answer.status_code in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND}, organization_id
            assert "set-cookie" not in answer.headers
            assert organization_id not in answer.text
