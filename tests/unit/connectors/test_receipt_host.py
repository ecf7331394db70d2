"""Receipts from a real server: taken whole and right, or not at all, and nothing told of their address."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from connectors.contract import NotSent, Rejected
from connectors.receipt_host import LARGEST_RECEIPT, ReceiptHosts
from schemas.approval import Receipt
from tests.receipt_shelf import PDF, TOKEN, ReceiptShelf, receipt_shelf


@pytest_asyncio.fixture
async def shelf() -> AsyncIterator[ReceiptShelf]:
    async with receipt_shelf() as shelf:
        yield shelf


async def fetched(
    shelf: ReceiptShelf, receipt: dict[str, str], *, allowed: str | None = None
) -> bytes | NotSent | Rejected:
    hosts = ReceiptHosts(frozenset({shelf.host if allowed is None else allowed}))
    try:
        return await hosts.content_of(Receipt.model_validate(receipt))
    finally:
        await hosts.close()


async def test_what_its_hash_says_is_given_and_no_credentials_are_sent(shelf: ReceiptShelf) -> None:
    assert await fetched(shelf, shelf.put("1")) == PDF
    (headers,) = shelf.requests
    assert not {"authorization", "cookie", "referer"} & headers.keys()


async def test_other_content_is_never_taken(shelf: ReceiptShelf) -> None:
    receipt = shelf.put("1")
    shelf.put("1", PDF + b"!")
    outcome = await fetched(shelf, receipt)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "hash_differs"


async def test_a_redirect_is_not_followed(shelf: ReceiptShelf) -> None:
    receipt, elsewhere = shelf.put("1"), shelf.put("2")
    shelf.answers["1"] = web.Response(status=302, headers={"Location": elsewhere["url"]})
    outcome = await fetched(shelf, receipt)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, len(shelf.requests)) == ("redirected", 1)


@pytest.mark.parametrize("excess", [0, 1])
async def test_the_largest_is_taken_and_one_byte_more_is_not(shelf: ReceiptShelf, excess: int) -> None:
    outcome = await fetched(shelf, shelf.put("1", b"x" * (LARGEST_RECEIPT + excess)))
    assert (outcome.code if isinstance(outcome, Rejected) else len(outcome)) == (  # type: ignore[arg-type]  # told apart by the parameter
        "too_large" if excess else LARGEST_RECEIPT
    )


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_host_that_does_not_give_it_is_asked_again(shelf: ReceiptShelf, status: int) -> None:
    receipt = shelf.put("1")
    shelf.answers["1"] = web.Response(status=status, body=b"Kari Nordmann", headers={"Retry-After": "90"})
    outcome = await fetched(shelf, receipt)
    assert isinstance(outcome, NotSent)
    assert outcome.reason == f"The receipt's host answered HTTP {status}."
    assert outcome.retry_after is not None
    assert outcome.retry_after.total_seconds() == 90


async def test_a_host_that_is_not_listed_is_not_asked(shelf: ReceiptShelf) -> None:
    outcome = await fetched(shelf, shelf.put("1"), allowed="files.example:443")
    assert isinstance(outcome, NotSent)
    assert shelf.host in outcome.reason
    assert "SYNC_RECEIPT_ALLOWED_HOSTS" in outcome.reason
    assert shelf.requests == []


async def test_nothing_is_told_of_the_address_but_its_host(shelf: ReceiptShelf) -> None:
    receipt = shelf.put("1")
    shelf.answers["1"] = web.Response(status=500)
    told = [await fetched(shelf, receipt), await fetched(shelf, receipt, allowed="files.example:443")]
    assert TOKEN not in repr(told)


async def test_a_host_that_is_away_is_asked_again() -> None:
    async with receipt_shelf() as shelf:
        receipt = shelf.put("1")
    assert await fetched(shelf, receipt) == NotSent("The receipt could not be fetched: the connection was refused.")
