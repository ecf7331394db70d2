"""The ERP of the benchmark, a process of its own: takes any POST, answers after a while, remembers when each came.

python dispatch_erp.py PORT SECONDS   (GET / answers with what it has seen, GET /arrivals with when each reference came)
"""

import asyncio
import json
import sys
import time
from array import array
from collections.abc import Mapping
from itertools import count

import uvloop

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
REFERENCE = b'"reference": "'


class Ledger:
    """`arrivals` are monotonic seconds, one for each whole request."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.arrivals = array("d")
        self.references: list[bytes] = []
        self.numbers = count(100_000)
        self.in_flight = 0
        self.most_in_flight = 0

    def take(self, request: bytes) -> None:
        self.arrivals.append(time.monotonic())
        self.references.append(_reference(request))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def document(self) -> bytes:
        self.in_flight -= 1
        return _answer(b"201 Created", {"number": str(next(self.numbers))})

    def seen(self) -> bytes:
        found = {"requests": len(self.arrivals), "most_in_flight": self.most_in_flight, "rate": self._rate()}
        return _answer(b"200 OK", found)

    def came(self) -> bytes:
        """{reference: when it came first}."""
        pairs = zip(reversed(self.references), reversed(self.arrivals), strict=True)
        return _answer(b"200 OK", {reference.decode(): moment for reference, moment in pairs})

    def _rate(self) -> float:
        """A second, from the first tenth on: connections are made and programs warm by then."""
        first = len(self.arrivals) // 10
        counted = len(self.arrivals) - 1 - first
        return counted / (self.arrivals[-1] - self.arrivals[first]) if counted > 0 else 0.0


class Connection(asyncio.Protocol):
    """One client's kept-alive connection; a request after the other."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # what a TCP server gives is a Transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := _end_of_request(self._received)) is not None:
            request, self._received = self._received[:end], self._received[end:]
            self._take(request)

    def _take(self, request: bytes) -> None:
        if request.startswith(b"GET"):
            is_asked_when = request.startswith(b"GET /arrivals ")
            self._transport.write(self._ledger.came() if is_asked_when else self._ledger.seen())
            return
        self._ledger.take(request)
        if self._ledger.seconds:
            self._loop.call_later(self._ledger.seconds, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        self._transport.write(self._ledger.document())


def _end_of_request(received: bytes) -> int | None:
    """None: the rest is still on its way."""
    head = received.find(HEAD_END)
    if head < 0:
        return None
    end = head + len(HEAD_END) + _length(received[:head].lower())
    return end if len(received) >= end else None


def _length(head: bytes) -> int:
    place = head.find(LENGTH)
    return int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0


def _reference(request: bytes) -> bytes:
    """Empty where the body has none."""
    place = request.find(REFERENCE)
    return request[place + len(REFERENCE) :].split(b'"', 1)[0] if place >= 0 else b""


def _answer(status: bytes, content: Mapping[str, object]) -> bytes:
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


async def main(port: int, seconds: float) -> None:
    ledger = Ledger(seconds)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(ledger), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
