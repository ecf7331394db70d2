"""Answers of an ERP, and the ways a network or a proxy spoils them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from aiohttp import web

_AMOUNTS = frozenset({"amount", "invoiceAmount", "totalAmountIncludingTax", "totalAmountExcludingTax"})
_CHUNK = b'{"padding":"' + b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Decimals become JSON numbers: both ERPs' own amounts fit a double."""
    return Answer(status, json.dumps(value, default=_number, ensure_ascii=False).encode(), headers=headers or {})


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


def as_html(answer: Answer, status: int | None) -> Answer:
    page = b"<!DOCTYPE html><html><body><h1>The service is unavailable.</h1></body></html>"
    return replace(answer, status=status or 200, body=page, content_type="text/html")


def with_wrong_amounts(answer: Answer) -> Answer:
    """One unit more in every amount the answer states."""
    if not answer.body:
        return answer
    return replace(answer, body=json.dumps(_enlarged(json.loads(answer.body))).encode())


def _enlarged(value: object, key: str = "") -> object:
    match value:
        case dict():
            return {name: _enlarged(each, name) for name, each in value.items()}
        case list():
            return [_enlarged(each, key) for each in value]
        case str() if key in _AMOUNTS:
            return str(Decimal(value) + 1)
        case int() | float() if key in _AMOUNTS:
            return value + 1
        case _:
            return value


def send(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type if answer.body else None,
        headers=answer.headers,
    )


def cut(request: web.Request) -> web.Response:
    """Ends the connection without a byte. The response is never written; aiohttp wants one."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def send_truncated(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promises the whole body and closes in the middle of it."""
    response = await _begin(request, answer, length=len(answer.body) + 1)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def send_huge(request: web.Request, answer: Answer, size: int) -> web.StreamResponse:
    """`size` bytes, or as many as the client takes."""
    response = await _begin(request, answer, length=None)
    for _ in range(size // len(_CHUNK) + 1):
        await response.write(_CHUNK)
    return response


async def drip(request: web.Request, answer: Answer, pause: float) -> web.StreamResponse:
    """One byte at a time, `pause` seconds apart."""
    response = await _begin(request, answer, length=len(answer.body))
    for byte in answer.body:
        await response.write(bytes([byte]))
        await asyncio.sleep(pause)
    return response


async def _begin(request: web.Request, answer: Answer, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = length
    await response.prepare(request)
    return response
