"""Enabling with a choice of what becomes of what waited: all is sent, what was approved from a date on, or nothing.

What is not to be sent is marked as handled elsewhere while the connector is off, in batches of their own transactions,
and the last of it together with the enable: nothing of it can be sent in between.

Marked is what the administrator was told of, and nothing else: whatever comes later than the last of it waits for the
connector as all that comes does, and where another number of it waits by then, they are asked again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from schemas.currency import amount_text
from worker.adapters import Adapters
from worker.domain.states import ItemState, fit
from worker.domain.switching import Toggle, Verdict, decide
from worker.readiness import NotReady, check, switch
from worker.store import connectors, items, reading, sync_log
from worker.store.database import Connection, Pool, transaction
from worker.store.sync_log import Change
from worker.toggles import Toggled, apply_toggle

BATCH = 2000


class ReleaseChoice(StrEnum):
    """What becomes of what waits when a connector is enabled."""

    ALL = "all"
    FROM_DATE = "from_date"
    HANDLED_ELSEWHERE = "handled_elsewhere"


@dataclass(frozen=True, slots=True)
class Told:
    """How many the administrator was told will be marked, none of which has a sequence number above `through`."""

    count: int
    through: int


NOTHING = Told(0, 0)


@dataclass(frozen=True, slots=True)
class Release:
    """`from_date`: what was approved before that moment was handled elsewhere; it goes with its choice alone."""

    choice: ReleaseChoice
    from_date: datetime | None = None
    told: Told = NOTHING

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if (self.choice is ReleaseChoice.FROM_DATE) != (self.from_date is not None):
            raise ValueError("a release from a date needs the date, and no other has one")
        if self.from_date is not None and self.from_date.tzinfo is None:
            raise ValueError("the date needs its time zone")

    @property
    def detail(self) -> Mapping[str, object]:
        """As the sync log keeps it."""
        return {"release": self.choice} | ({"from_date": self.from_date.isoformat()} if self.from_date else {})


@dataclass(frozen=True, slots=True)
class Released(Toggled):
    """`marked`: how many were marked as handled elsewhere, also where somebody else was faster with the switch."""

    marked: int


@dataclass(frozen=True, slots=True)
class NotAsTold:
    """Another number waits than the administrator was told. Nothing was marked, and nothing switched."""


async def enable(
    pool: Pool, adapters: Adapters, toggle: Toggle, source: str, release: Release, *, unchecked: bool = False
) -> Released | NotReady | NotAsTold:
    """As `readiness.switch`, after what is not released was marked. Nothing is marked where the check finds problems or
    the toggle is refused; a connector that is on already is refused.

    Ended half-way, by a lost connection or by somebody who switched meanwhile, what was marked stays so, and the log
    has an entry of it: asked again, it goes on.
    """
    if release.choice is ReleaseChoice.ALL:
        switched = await switch(pool, adapters, toggle, source, unchecked=unchecked)
        return switched if isinstance(switched, NotReady) else Released(switched.decision, switched.phase, marked=0)
    wish = replace(toggle, enabled=True, only_while_off=True)
    checked = await check(pool, adapters, wish, source, unchecked=unchecked)
    if isinstance(checked, NotReady):
        return checked
    handing_over = _HandingOver(wish, source, release, checked)
    while True:
        async with transaction(pool) as connection:
            ended = await handing_over.step(connection)
        if ended is not None:
            return ended


class _HandingOver:
    """Where it is, and what was marked so far."""

    def __init__(self, toggle: Toggle, source: str, release: Release, checked: Mapping[str, object]) -> None:
        self._toggle = toggle
        self._source = source
        self._release = release
        self._checked = checked
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._after = 0

    async def step(self, connection: Connection) -> Released | NotAsTold | None:
        """Marks a batch; None: there is more. Otherwise what came of the toggle, in the same transaction."""
        locked = await connectors.lock(connection, self._toggle.organization_id)
        decision = decide(self._toggle, [one.flag for one in locked])
        if decision.verdict is Verdict.APPLIED:
            is_first = not self._counts
            if is_first and not await self._is_as_told(connection):
                return NotAsTold()
            if await self._mark(connection):
                if is_first:
                    await self._log(connection, "items_handing_over")
                return None
        if self._counts:
            await self._log(connection, "items_handled_elsewhere", self._told())
        toggled = await apply_toggle(connection, self._toggle, self._source, {**self._checked, **self._release.detail})
        return Released(toggled.decision, toggled.phase, self._counts.total())

    async def _is_as_told(self, connection: Connection) -> bool:
        """An approval that was still being stored when they were told has an early number too, and so has one that a
        person sent round again."""
        told, release = self._release.told, self._release
        rows, _ = await reading.waiting_to_hand_over(
            connection, self._toggle.organization_id, release.from_date, told.through
        )
        return sum(row.count for row in rows) == told.count

    async def _mark(self, connection: Connection) -> bool:
        """Whether there is more."""
        marked = await items.hand_over_waiting(
            connection,
            self._toggle.organization_id,
            approved_before=self._release.from_date,
            after=self._after,
            through=self._release.told.through,
            limit=BATCH,
            reason=fit(self._toggle.reason),
        )
        self._counts.update(marked.counts)
        self._totals.update(marked.totals)
        self._after = marked.last
        return marked.count == BATCH

    def _told(self) -> Mapping[str, object]:
        sums = {currency: amount_text(total, currency) for currency, total in sorted(self._totals.items())}
        return {"count": self._counts.total(), "sums": sums}

    async def _log(self, connection: Connection, change: str, told: Mapping[str, object] | None = None) -> None:
        entry = Change(
            actor=self._toggle.actor.id,
            actor_role=self._toggle.actor.role,
            source=self._source,
            change=change,
            connector=self._toggle.connector,
            new_state=ItemState.HANDLED_ELSEWHERE,
            reason=self._toggle.reason,
            detail={**self._release.detail, **(told or {})},
        )
        await sync_log.append(connection, self._toggle.organization_id, entry)
