"""Style sheets, scripts and pictures: files of the package, under names that change with their content."""

import gzip
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.admin.problems import ProblemError

router = APIRouter(prefix="/assets", include_in_schema=False)

FOLDER = files("worker.admin.screens").joinpath("assets")
MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
DIGEST_CHARACTERS = 16


def asset_url(name: str) -> str:
    """Where the browser finds an asset; it may keep it for ever, since other content has another address."""
    return f"/assets/{_digest(name)}/{name}"


@router.get("/{digest}/{name}")
async def asset(digest: str, name: str, request: Request) -> Response:
    if name not in _names() or digest != _digest(name):
        raise ProblemError(HTTPStatus.NOT_FOUND, "not-found", "There is no such file. Load the page again.")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=_media_type(name))
    return Response(_content(name), headers=headers, media_type=_media_type(name))


@cache
def _names() -> frozenset[str]:
    return frozenset(one.name for one in FOLDER.iterdir() if one.name.rpartition(".")[2] in MEDIA_TYPES)


@cache
def _content(name: str) -> bytes:
    return FOLDER.joinpath(name).read_bytes()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_content(name), mtime=0)


@cache
def _digest(name: str) -> str:
    return sha256(_content(name)).hexdigest()[:DIGEST_CHARACTERS]


def _media_type(name: str) -> str:
    return MEDIA_TYPES[name.rpartition(".")[2]]
