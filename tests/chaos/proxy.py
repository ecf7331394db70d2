"""A road between the workers and a service that can be cut, silenced or slowed, and that may lose a single answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol, Self

CHUNK = 65536


class Gatekeeper(Protocol):
    """Looks at what one connection carries. None: the connection is to be cut, and these bytes never arrive."""

    def from_client(self, data: bytes) -> bytes | None: ...

    def from_server(self, data: bytes) -> bytes | None: ...


class _Indifferent:
    def from_client(self, data: bytes) -> bytes | None:
        return data

    def from_server(self, data: bytes) -> bytes | None:
        return data


class Proxy:
    """Listens on `port` of the loopback and leads to another port there."""

    def __init__(self, target: int, gatekeeper: Callable[[], Gatekeeper]) -> None:
        self.target = target
        self.delay = 0.0
        """Seconds that every piece takes longer, each way."""
        self.lingers = False
        """Whether the client is left with an open connection where the service has ended it."""
        self._gatekeeper = gatekeeper
        self._flows = asyncio.Event()
        self._flows.set()
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def to(
        cls, target: int, gatekeeper: Callable[[], Gatekeeper] = _Indifferent, *, port: int = 0
    ) -> AsyncIterator[Self]:
        proxy = cls(target, gatekeeper)
        proxy._server = await asyncio.start_server(proxy._welcome, "127.0.0.1", port)
        try:
            yield proxy
        finally:
            proxy._server.close()
            await proxy.cut()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def silence(self) -> None:
        """Connections stay open and new ones are accepted, but not one byte arrives: packets are dropped."""
        self._flows.clear()

    def let_flow(self) -> None:
        self._flows.set()

    async def cut(self) -> None:
        """Ends every connection at once; the next one is welcome."""
        links = [link for link in self._links if link is not asyncio.current_task()]
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await self._link(reader, writer)
        except asyncio.CancelledError:
            pass  # cut; the server's callback complains about tasks that were cancelled
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side ends it: an abort reaches the client as a reset."""
        await self._flows.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return
        gatekeeper = self._gatekeeper()
        ways = [
            asyncio.create_task(self._carry(reader, far_writer, gatekeeper.from_client)),
            asyncio.create_task(self._carry(far_reader, writer, gatekeeper.from_server)),
        ]
        try:
            await asyncio.wait(ways[:1] if self.lingers else ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[bytes], bytes | None]
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows.wait()
                passed = look(data)
                if passed is None:
                    return
                writer.write(passed)
                await writer.drain()
