"""A sandbox that is busy says how long a request may have stood at its door; one that is not, that it did not."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine

import pytest

from deploy.local.sandboxes.punctuality import PunctualLoop, arrival

BUSY_SECONDS = 0.4


def one_request(prepare: Callable[[], Coroutine[None, None, None]]) -> tuple[float, float]:
    """A request is sent by another thread's socket while `prepare` goes on: how late it may be seen by the loop's word,
    and how late it was."""

    async def serve() -> tuple[float, float]:
        seen: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            seen.set_result((arrival().lag, time.monotonic()))
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            await asyncio.sleep(0.01)  # let the server accept it
            sending = asyncio.get_running_loop().run_in_executor(None, _send_soon, client)
            await prepare()
            lag, seen_at = await seen
            late = seen_at - await sending
        server.close()
        return lag, late

    with asyncio.Runner(loop_factory=PunctualLoop) as runner:
        return runner.run(serve())


def _send_soon(client: socket.socket) -> float:
    """When."""
    time.sleep(BUSY_SECONDS / 4)
    now = time.monotonic()
    client.sendall(b"POST\n")
    return now


async def _be_busy() -> None:
    time.sleep(BUSY_SECONDS)  # noqa: ASYNC251  # the loop is to stand still


async def _be_idle() -> None: ...


def test_what_came_while_the_loop_stood_still_may_have_come_at_any_moment_of_that() -> None:
    lag, late = one_request(_be_busy)
    assert lag >= late


def test_what_comes_to_an_idle_loop_came_just_now() -> None:
    lag, late = one_request(_be_idle)
    assert lag < late + BUSY_SECONDS / 4


def test_another_loop_has_no_opinion() -> None:
    async def ask() -> float:
        return arrival().lag

    assert asyncio.run(ask()) == pytest.approx(0.0)
