"""What is read from elsewhere and kept: read again when it is old, and used a while longer where that fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.admin.provider_http import ProviderAwayError
from worker.clock import passing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `fresh`: not asked for again; `usable`: served while the provider is away; `pause`: between two tries
    that somebody outside could provoke, and after one that failed."""

    fresh: float = 15 * 60.0
    usable: float = 24 * 3600.0
    pause: float = 5.0


class Kept(Generic[T]):
    """One reading at a time, whoever asks."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], pace: Pace | None = None, clock: Callable[[], float] = passing
    ) -> None:
        """`read` raises ProviderAwayError."""
        self._read = read
        self._pace = pace or Pace()
        self._clock = clock
        self._value: T | None = None
        self._read_at = -float("inf")
        self._provoked_at = -float("inf")
        self._failed_at = -float("inf")
        self._why = ""
        self._reading = asyncio.Lock()

    async def get(self) -> T:
        """Raises ProviderAwayError where it was never read, or too long ago."""
        if not self._is_younger_than(self._pace.fresh):
            async with self._reading:
                if not self._is_younger_than(self._pace.fresh) and not self._pauses(self._failed_at):
                    await self._try()
        return self._usable()

    async def newer_than(self, seen: T) -> T:
        """Read anew, unless somebody else just did. Raises ProviderAwayError like `get`."""
        async with self._reading:
            if self._value is seen and not self._pauses(self._provoked_at) and not self._pauses(self._failed_at):
                self._provoked_at = self._clock()
                await self._try()
        return self._usable()

    async def _try(self) -> None:
        try:
            self._value = await self._read()
            self._read_at = self._clock()
        except ProviderAwayError as error:
            self._failed_at = self._clock()
            self._why = str(error)

    def _usable(self) -> T:
        if self._value is None or not self._is_younger_than(self._pace.usable):
            raise ProviderAwayError(self._why)
        return self._value

    def _is_younger_than(self, seconds: float) -> bool:
        return self._clock() - self._read_at < seconds

    def _pauses(self, since: float) -> bool:
        return self._clock() - since < self._pace.pause
