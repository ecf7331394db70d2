"""Addresses where no ERP is: a closed port, a name that nobody has, an unknown certificate, a door that never opens."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

import trustme

from tests.chaos.erp_faults import Kind

NO_NAME = "https://erp.invalid"
"""The top-level domain `invalid` exists nowhere (RFC 6761)."""
_LOCAL = "127.0.0.1"


@asynccontextmanager
async def bad_addresses() -> AsyncIterator[Mapping[Kind, str]]:
    """By what goes wrong there, without a path."""
    with _closed_port() as closed, _full_backlog() as full:
        async with _unknown_certificate() as unknown:
            yield {
                Kind.REFUSED: f"http://{_LOCAL}:{closed}",
                Kind.NO_NAME: NO_NAME,
                Kind.BAD_TLS: f"https://{_LOCAL}:{unknown}",
                Kind.CONNECT_TIMEOUT: f"http://{_LOCAL}:{full}",
            }


def as_listed(address: str) -> str:
    """As SYNC_ERP_ALLOWED_HOSTS names it."""
    host = address.partition("://")[2]
    return host if ":" in host else f"{host}:443"


@contextmanager
def _closed_port() -> Iterator[int]:
    """Bound, so that nobody else gets it, and never listening."""
    with socket.socket() as door:
        door.bind((_LOCAL, 0))
        yield door.getsockname()[1]


@contextmanager
def _full_backlog() -> Iterator[int]:
    """Nobody accepts, and those who wait already fill the queue: the next ones get no answer at all."""
    with socket.socket() as door:
        door.bind((_LOCAL, 0))
        door.listen(0)
        waiting = [_knock(door.getsockname()) for _ in range(4)]
        yield door.getsockname()[1]
        for visitor in waiting:
            visitor.close()


def _knock(address: tuple[str, int]) -> socket.socket:
    visitor = socket.socket()
    visitor.setblocking(False)
    with suppress(BlockingIOError):
        visitor.connect(address)
    return visitor


@asynccontextmanager
async def _unknown_certificate() -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(_LOCAL).configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), _LOCAL, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
