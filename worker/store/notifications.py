"""LISTEN: a commit in PostgreSQL wakes whoever waits. It needs a direct connection, not one through PgBouncer."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from worker.progress import Beat, unwatched
from worker.store.database import DatabaseAwayError, connect, translated

log = structlog.get_logger(__name__)

LANE_CHANNEL = "accounting_sync_lane"
OUTBOX_CHANNEL = "accounting_sync_outbox"
_RECONNECT_SECONDS = 1.0
_HEARTBEAT_SECONDS = 10.0

Callback = Callable[[str | None], None]
"""Gets the payload; None after a reconnect, when something may have been missed."""


class Notifications:
    """One listening connection, made again whenever it is lost."""

    def __init__(self, dsn: str, callbacks: Mapping[str, Callback], beat: Beat = unwatched) -> None:
        self._dsn = dsn
        self._beat = beat
        self._callbacks = callbacks
        self.listening = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                with translated():
                    await self._run_once(stop)
            except DatabaseAwayError as error:
                log.warning("notifications_lost", error=str(error))
                self._beat(rests=_RECONNECT_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _RECONNECT_SECONDS)
            finally:
                self.listening.clear()

    async def _run_once(self, stop: asyncio.Event) -> None:
        connection = await connect(self._dsn)
        connection.add_termination_listener(lambda _: self.listening.clear())
        try:
            for channel in self._callbacks:
                await connection.add_listener(channel, self._on_notification)
            self.listening.set()
            for callback in self._callbacks.values():
                callback(None)
            while not stop.is_set():
                await connection.execute("select 1")
                self._beat(rests=_HEARTBEAT_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _HEARTBEAT_SECONDS)
        finally:
            with suppress(DatabaseAwayError), translated():
                await connection.close(timeout=2)

    def _on_notification(
        self,
        _connection: object,
        _pid: int,
        channel: str,
        payload: object,
    ) -> None:
        self._callbacks[channel](str(payload))
