"""A number that others wait for, so that tests wait for signals and never sleep."""

import asyncio


class Gauge:
    """Starts at 0. `wait_for` returns as soon as the value is at least what was asked."""

    def __init__(self) -> None:
        self._value = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def value(self) -> int:
        return self._value

    def add(self, change: int) -> None:
        self._value += change
        for least, reached in self._waiting:
            if self._value >= least and not reached.done():
                reached.set_result(None)

    async def wait_for(self, least: int, timeout: float) -> int:
        """Raises `TimeoutError` after `timeout` seconds. The value may be above `least` when it returns."""
        if self._value < least:
            await self._reach(least, timeout)
        return self._value

    async def _reach(self, least: int, timeout: float) -> None:
        entry = (least, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(entry[1], timeout)
        finally:
            self._waiting.remove(entry)
