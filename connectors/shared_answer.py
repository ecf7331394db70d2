"""Many who want to know the same thing at once cause one request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """Whoever comes while somebody is asking takes that answer, a refusal too. Whoever is called off while asking
    leaves it to the next."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._answers: list[T] = []
        self._number = 0

    async def of(self, ask: Callable[[], Awaitable[T]]) -> T:
        seen = self._number
        async with self._asking:
            if self._number == seen:
                self._answers = [await ask()]
                self._number += 1
            return self._answers[0]
