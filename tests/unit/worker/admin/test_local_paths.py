"""Where people are sent after signing in: to a page of ours, however another site spells its name."""

import time

import pytest

from worker.admin.local_paths import local_path


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ /evil.example",
        " //evil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/./evil.example",
        "/x/..",
        "javascript:alert(1)",
        "evil.example",
        "@evil.example",
        ".evil.example",
        ":80@evil.example",
        "/x//evil.example",
        "/\u2028/evil.example",
        "/\uff0fevil.example",
        "/#//evil.example",
        "http:/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/x\n",
        "/sign-in?next=/sign-in",
        "/sign-out",
        "/signed-out",
        "/" + "x" * 2000,
        "",
        None,
    ],
)
def test_what_is_no_plain_path_of_ours_is_the_front_page(wanted: str | None) -> None:
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    "wanted",
    ["/", "/organizations/hlf", "/organizations/hlf/", "/x?state=pending&next=%2F", "/a%2Fb?c=d/e?f", "/%2F%2Fevil"],
)
def test_a_plain_path_is_kept(wanted: str) -> None:
    assert local_path(wanted) == wanted


@pytest.mark.parametrize("wanted", ["/" + "a/" * 511 + "\\", "/" + "?" * 1022 + "\\", "/" + "a" * 1022 + "\\"])
def test_nobody_can_make_the_reading_take_long(wanted: str) -> None:
    began = time.thread_time()  # what others do on this machine meanwhile does not count
    assert local_path(wanted) == "/"
    assert time.thread_time() - began < 0.1
