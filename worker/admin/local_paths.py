"""Where a person is sent after signing in: a page of this service, or its front page."""

import re

FRONT_PAGE = "/"
LONGEST = 1024
_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?", re.ASCII)
_NOWHERE = ("/sign-in", "/sign-out", "/signed-out")


def local_path(wanted: str | None) -> str:
    """`wanted` where it is a path of this service in its plainest spelling, else the front page.

    Browsers read `//host`, `/\\host` and `/<tab>/host` as another host; no such spelling is plain. And what is
    answered goes behind our own origin, so that nothing in it could change the host.
    """
    if not wanted or len(wanted) > LONGEST or not _PLAIN.fullmatch(wanted):
        return FRONT_PAGE
    path = wanted.partition("?")[0]
    segments = path[1:].split("/")
    if path.startswith(_NOWHERE) or {"", ".", ".."} & set(segments[:-1]) or segments[-1] in (".", ".."):
        return FRONT_PAGE
    return wanted
