"""Serves the application as one of the worker's loops."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

LEAVING_SECONDS = 5
LARGEST_HEADERS = 16 * 1024
BACKLOG = 128
SECONDS_FOR_A_HEADER = 15.0
CONNECTIONS = 1000
"""Whoever comes beyond that hears 503."""


class _Patient(H11Protocol):
    """Closes what has not sent a whole header in time: uvicorn waits for the first one, and for what was begun, for
    ever. Its own time-out holds between an answer and the next byte."""

    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._wait_no_longer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """A byte now and then gives nobody more time."""
        if self._until is None:
            self._until = self.loop.call_later(SECONDS_FOR_A_HEADER, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None


class _Server(uvicorn.Server):
    """Signals are the supervisor's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """Listens as soon as it is made, so that a taken port is told before anything starts."""

    def __init__(self, make_app: Callable[[int], FastAPI], host: str, port: int) -> None:
        """`make_app` gets the port: 0 takes any that is free. Raises OSError where the port is taken."""
        self._socket = _listening(host, port)
        self._server = _Server(
            uvicorn.Config(
                make_app(self.port),
                http=_Patient,
                limit_concurrency=CONNECTIONS,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                h11_max_incomplete_event_size=LARGEST_HEADERS,
                timeout_graceful_shutdown=LEAVING_SECONDS,
            )
        )

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; answers under way are finished."""
        leaving = asyncio.create_task(self._leave_at(stop))
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            leaving.cancel()

    async def _leave_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    """Its protocol is named, since asyncio sends small answers at once (TCP_NODELAY) only on sockets that say TCP: on
    others each answer waits 40 ms for the client's delayed acknowledgement."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
