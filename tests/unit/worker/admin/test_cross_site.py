"""Which requests another site may have made a browser send."""

import pytest
from starlette.datastructures import Headers

from worker.admin.cross_site import is_from_elsewhere

OURS = "https://sync.example"
SESSION = "__Host-session=abc"
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "MERGE")


def _asked(method: str, **headers: str) -> bool:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return is_from_elsewhere(method, Headers(named), OURS)


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    ("site", "origin", "is_refused"),
    [
        ("same-origin", OURS, False),
        ("same-origin", None, False),
        ("same-origin", "null", False),
        ("same-site", OURS, True),
        ("same-site", "https://other.sync.example", True),
        ("cross-site", "https://evil.example", True),
        ("cross-site", OURS, True),
        ("cross-site", None, True),
        ("", OURS, True),
        ("nonsense", OURS, True),
        ("Same-Origin", OURS, True),
        ("none", None, True),
        ("none", OURS, False),
        ("none", "https://evil.example", True),
        (None, OURS, False),
        (None, None, True),
        (None, "", True),
        (None, "null", True),
        (None, "http://sync.example", True),
        (None, "https://sync.example:8443", True),
        (None, "https://sync.example.evil.example", True),
        (None, "https://evil.example", True),
        (None, OURS + "/", True),
    ],
)
def test_what_changes_something_in_a_session_must_come_from_our_own_pages(
    method: str, site: str | None, origin: str | None, is_refused: bool
) -> None:
    told = {"sec_fetch_site": site, "origin": origin}
    given = {name: value for name, value in told.items() if value is not None}
    assert _asked(method, cookie=SESSION, **given) is is_refused


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_is_free(method: str) -> None:
    assert not _asked(method, cookie=SESSION, sec_fetch_site="cross-site")


@pytest.mark.parametrize("method", UNSAFE)
def test_a_token_is_put_there_by_a_program(method: str) -> None:
    assert not _asked(method, authorization="Bearer x", cookie=SESSION, sec_fetch_site="cross-site")


@pytest.mark.parametrize("method", UNSAFE)
def test_without_a_session_a_browser_is_still_told_apart_from_a_program(method: str) -> None:
    assert not _asked(method)
    assert not _asked(method, cookie="other=1", origin=OURS)
    assert _asked(method, sec_fetch_site="cross-site")
    assert _asked(method, sec_fetch_site="same-site", origin=OURS)
    assert _asked(method, origin="https://evil.example")


def test_two_origins_are_none() -> None:
    two = [(b"cookie", SESSION.encode()), (b"origin", OURS.encode()), (b"origin", b"https://evil.example")]
    assert is_from_elsewhere("POST", Headers(raw=two), OURS)


def test_a_session_in_a_second_cookie_header_is_one() -> None:
    two = [(b"cookie", b"a=b"), (b"cookie", SESSION.encode()), (b"sec-fetch-site", b"cross-site")]
    assert is_from_elsewhere("POST", Headers(raw=two), OURS)
