"""From the permit's last answer to the first byte at the ERP's door: the window in which a stall is not seen.

python -m tests.benchmarks.send_window
"""

import asyncio
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from statistics import quantiles

import uvloop

from connectors.hosts import AllowedHosts
from connectors.http import Answer, HttpClient, Request, Timeouts

REQUESTS = 2000
BODY = b"x" * 2000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def serve(listener: socket.socket, arrivals: Connection) -> None:
    """One connection after another; tells when the first byte of each request was there, in monotonic nanoseconds."""
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1):
                arrivals.send(time.monotonic_ns())
                _read_request(connection)
                connection.sendall(ANSWER)


def _read_request(connection: socket.socket) -> None:
    seen = b""
    while not seen.endswith(BODY):
        seen += connection.recv(65536)


class StampingPermit:
    """Always valid; remembers when it was asked last."""

    asked_at = 0

    def is_valid(self) -> bool:
        self.asked_at = time.monotonic_ns()
        return True


async def measure(port: int, arrivals: Connection, *, neighbours: int) -> list[float]:
    """Microseconds, one for each request. `neighbours` are tasks that keep the event loop busy meanwhile."""
    client = HttpClient(AllowedHosts(frozenset(), frozenset({f"127.0.0.1:{port}"})), Timeouts(), connections=1)
    busy = [asyncio.create_task(_keep_busy()) for _ in range(neighbours)]
    permit, windows = StampingPermit(), []
    for _ in range(REQUESTS):
        answer = await client.send(Request("POST", f"http://127.0.0.1:{port}/", {}, BODY), permit)
        if not isinstance(answer, Answer):
            raise TypeError(answer)
        windows.append((arrivals.recv() - permit.asked_at) / 1000)
    for task in busy:
        task.cancel()
    await client.close()
    return windows


async def _keep_busy() -> None:
    """As other lanes do: a piece of work of 50 µs, then the next task's turn."""
    while True:
        until = time.perf_counter() + 50e-6
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    receiving, sending = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener, sending), daemon=True)
    server.start()
    print("µs from the permit's answer to the first byte at the server")  # noqa: T201  # a script for people
    for neighbours in (0, 10, 100):
        windows = await measure(port, receiving, neighbours=neighbours)
        cuts = quantiles(windows, n=1000)
        print(  # noqa: T201  # a script for people
            f"{neighbours:4} busy tasks: p50 {cuts[499]:7.0f}  p99 {cuts[989]:7.0f}  max {max(windows):7.0f}"
        )
    server.terminate()


if __name__ == "__main__":
    uvloop.run(main())
