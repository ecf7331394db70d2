"""Holding back requests, so that a test decides what happens while they are under way."""

import asyncio
from collections.abc import Collection

from deploy.local.sandboxes.faults import Visit
from deploy.local.sandboxes.signals import Gauge


class Hold:
    """Held requests wait before they are applied, also when their client has gone."""

    def __init__(self) -> None:
        self._released = asyncio.Event()
        self._released.set()
        self._kinds: frozenset[str] = frozenset()
        self.held = Gauge()

    def hold(self, kinds: Collection[str] = ()) -> None:
        """All requests of these kinds; without kinds, everything that carries a document."""
        self._kinds = frozenset(kinds)
        if self._released.is_set():
            self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    async def pass_through(self, visit: Visit) -> None:
        if self._released.is_set() or not self._concerns(visit):
            return
        self.held.add(1)
        try:
            await self._released.wait()
        finally:
            self.held.add(-1)

    def _concerns(self, visit: Visit) -> bool:
        return not self._kinds.isdisjoint(visit.kinds) if self._kinds else visit.carries_document
