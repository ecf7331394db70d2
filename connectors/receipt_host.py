"""Receipts as their hosts give them: by the one HTTP policy, without credentials, and only if their hash is right."""

from hashlib import sha256
from http import HTTPStatus
from typing import Final

from connectors.contract import NotSent, Rejected
from connectors.hosts import AllowedHosts
from connectors.http import TOO_LARGE, Answer, Failure, HttpClient, Request, Timeouts, retry_after_from
from schemas.approval import Receipt

LARGEST_RECEIPT: Final = 10 * 1024 * 1024
"""Bytes. A page scanned in colour has one or two million."""

LONGEST_FETCH: Final = 60.0
"""Seconds, whatever trickles in."""

_CONNECTIONS: Final = 8


class ReceiptHosts:
    """Those that the operator listed. An address may hold a token, so nothing but its host is ever told."""

    def __init__(self, allowed: frozenset[str]) -> None:
        """`allowed` are `host:port`; plain http goes to a loopback address among them alone."""
        self._hosts = AllowedHosts(own=frozenset(), extra=allowed)
        timeouts = Timeouts(read=LONGEST_FETCH / 2, total=LONGEST_FETCH)
        self._http = HttpClient(self._hosts, timeouts, _CONNECTIONS, LARGEST_RECEIPT)

    async def content_of(self, receipt: Receipt) -> bytes | NotSent | Rejected:
        """`Rejected`: another try would give the same. A host that is not listed may be listed later."""
        refusal = self._hosts.refusal(receipt.url)
        if refusal is not None:
            return NotSent(f"The receipt's address {refusal}; add it to SYNC_RECEIPT_ALLOWED_HOSTS.")
        answer = await self._http.send(Request("GET", receipt.url))
        if not isinstance(answer, Answer):
            return _failed(answer)
        if answer.status != HTTPStatus.OK:
            return _refused(answer)
        if sha256(answer.body).hexdigest() != receipt.sha256:
            return Rejected("hash_differs", "The receipt's content is not what was approved: its SHA-256 differs.")
        return answer.body

    async def close(self) -> None:
        await self._http.close()


def _failed(failure: Failure) -> NotSent | Rejected:
    if failure.evidence == TOO_LARGE:
        return Rejected("too_large", f"The receipt is larger than {LARGEST_RECEIPT // 1024 // 1024} MiB.")
    return NotSent(f"The receipt could not be fetched: {failure.evidence}.")


def _refused(answer: Answer) -> NotSent | Rejected:
    if answer.status in range(300, 400):
        return Rejected("redirected", "The receipt's host leads elsewhere, and redirects are not followed.")
    return NotSent(f"The receipt's host answered HTTP {answer.status}.", retry_after_from(answer))
