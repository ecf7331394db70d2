"""A connector whose calls are watched: one that hangs is seen, one that waits for a slow ERP is not blamed."""

from collections.abc import Mapping, Sequence

from connectors.contract import (
    AccountingConnector,
    Attempted,
    Finding,
    Limits,
    NotSent,
    Permit,
    Posting,
    PostOutcome,
    Problem,
    Unavailable,
)
from worker.progress import LoopName, Pulse


class WatchedConnector:
    """An AccountingConnector. Each request that begins or ends is a sign of life of the call that makes it."""

    def __init__(self, connector: AccountingConnector, organization_id: str, pulse: Pulse) -> None:
        self._connector = connector
        self._organization_id = organization_id
        self._pulse = pulse
        self._limits = connector.limits

    @property
    def limits(self) -> Limits:
        return self._limits

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        with self._pulse.watching(LoopName.DELIVERY, f"{self._organization_id}, reference {posting.reference}"):
            return await self._connector.post(posting, permit)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        with self._pulse.watching(LoopName.LOOK_UP, self._organization_id):
            return await self._connector.look_up(attempts)

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        with self._pulse.watching(LoopName.PROBE, self._organization_id):
            return await self._connector.test()

    async def close(self) -> None:
        await self._connector.close()
