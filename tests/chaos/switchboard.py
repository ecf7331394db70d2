"""Toggles by the hundred, on both ways in, and whether the sync log tells of each of them what became of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from tests.chaos.arena import Arena, House
from tests.events import Message, toggle
from worker.domain.switching import Actor, Role, Toggle, Verdict
from worker.store.database import transaction
from worker.toggles import apply_toggle

SHARE_OF_SERVICE = 0.3
SHARE_OF_ON = 0.65
SHARE_OF_REVISIONS = 0.7
ADMIN, STRANGER = "admin-of-chaos", "admin-of-others"


class Manner(StrEnum):
    """PLAIN: what it wants may be so already. OLD: its revision was overtaken. AGAIN: the same event once more."""

    PLAIN = "toggle"
    OLD = "toggle_overtaken"
    STRANGER = "toggle_by_a_stranger"
    AGAIN = "toggle_again"


_SHARES = {Manner.PLAIN: 80, Manner.OLD: 7, Manner.STRANGER: 5, Manner.AGAIN: 8}


@dataclass(frozen=True, slots=True)
class Wish:
    """One toggle. `reason` is its own, so that the log can be asked for it."""

    house: House
    reason: str
    enabled: bool
    revision: int | None
    is_allowed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the log that tells of a toggle, or of a suspension's begin or end."""

    reason: str
    change: str
    source: str


@dataclass
class Switchboard:
    arena: Arena
    wishes: list[Wish] = field(default_factory=list)
    _revisions: Counter[House] = field(default_factory=Counter)
    _events: list[Message] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def toggle_any(self) -> None:
        """One more toggle of some house, in some manner, on either way in."""
        random = self.arena.random
        manner = random.choices(list(_SHARES), list(_SHARES.values()))[0]
        if manner is Manner.AGAIN and self._events:
            await self.arena.scene.toggle(random.choice(self._events[-50:]))
        else:
            await self._send(self._wish(manner, random.choice(self.arena.houses)))
        self.arena.fault(manner)

    def _wish(self, manner: Manner, house: House) -> Wish:
        random = self.arena.random
        return Wish(
            house=house,
            reason=f"Wish {next(self._numbers)}",
            enabled=random.random() < SHARE_OF_ON,
            revision=self._revision(manner, house),
            is_allowed=manner is not Manner.STRANGER,
            source="cli" if random.random() < SHARE_OF_SERVICE else "kafka",
        )

    def _revision(self, manner: Manner, house: House) -> int | None:
        if manner is Manner.OLD:
            return self.arena.random.randint(0, self._revisions[house])
        if self.arena.random.random() > SHARE_OF_REVISIONS:
            return None
        self._revisions[house] += 1
        return self._revisions[house]

    async def _send(self, wish: Wish) -> None:
        self.wishes.append(wish)
        if wish.source == "cli":
            await self._call(wish)
            return
        self._events.append(_event(wish))
        await self.arena.scene.toggle(self._events[-1])

    async def _call(self, wish: Wish) -> None:
        """As the command line and the screens do it."""
        own = wish.house.organization_id
        who = Actor(ADMIN, Role.GLOBAL_ADMIN) if wish.is_allowed else Actor(STRANGER, Role.ORGANIZATION_ADMIN)
        wanted = Toggle(own, wish.house.erp, wish.enabled, wish.reason, who, wish.revision)
        async with transaction(self.arena.scene.pool) as connection:
            await apply_toggle(connection, wanted, wish.source)

    async def audit(self) -> list[str]:
        """What the log does not tell as it should. Everything on the topics has to be read by then."""
        rows = await self.arena.scene.fetch(
            "select organization_id, reason, change, source from sync_log "
            "where change ~ '^(connector_(enabled|disabled|suspended|resumed)|toggle_)' "
            "order by organization_id, entry_no"
        )
        told: dict[str, list[Logged]] = {one.organization_id: [] for one in self.arena.houses}
        for row in rows:
            told[row["organization_id"]].append(Logged(row["reason"], row["change"], row["source"]))
        return audit(told, self.wishes)


def audit(told: Mapping[str, Sequence[Logged]], wishes: Sequence[Wish]) -> list[str]:
    """`told` is each organisation's log, in its order."""
    wished = {(one.house.organization_id, one.reason): one for one in wishes}
    wrong = [sentence for name, entries in told.items() for sentence in _audit(name, entries, wished)]
    return [*wrong, *_untold(told, wishes)]


def _event(wish: Wish) -> Message:
    own = wish.house.organization_id
    actor = {"id": ADMIN, "role": "organization_admin", "organization_id": own if wish.is_allowed else "others"}
    revision = {} if wish.revision is None else {"revision": wish.revision}
    return toggle(
        wish.enabled,
        own,
        wish.house.erp,
        actor=actor,
        event_id=f"{own} {wish.reason}",
        reason=wish.reason,
        **revision,
    )


def _untold(told: Mapping[str, Sequence[Logged]], wishes: Sequence[Wish]) -> Iterator[str]:
    """Each wish stands in its log once, however often its event came."""
    times = Counter((name, entry.reason) for name, entries in told.items() for entry in entries)
    for wish in wishes:
        number = times[wish.house.organization_id, wish.reason]
        if number != 1:
            yield f"{wish.house.organization_id}: {wish.reason} stands {number} times in the log."


def _audit(name: str, entries: Sequence[Logged], wished: Mapping[tuple[str, str], Wish]) -> Iterator[str]:
    """In the order of the log, each verdict follows from those before it."""
    phase = _Phase()
    for entry in entries:
        if entry.change in {"connector_suspended", "connector_resumed"}:
            phase.is_suspended = entry.change == "connector_suspended"
            continue
        wish = wished.get((name, entry.reason))
        if wish is None:  # the arena's own, which switches everything on
            expected = phase.follow(enabled=True, revision=None, is_allowed=True)
        else:
            expected = phase.follow(enabled=wish.enabled, revision=wish.revision, is_allowed=wish.is_allowed)
        if entry.change != expected or (wish is not None and entry.source != wish.source):
            yield f"{name}: {entry.reason} is logged as {entry.change} by {entry.source}, not as {expected}."


@dataclass
class _Phase:
    """A connector as the log says it is."""

    is_on: bool = False
    is_suspended: bool = False
    revision: int = -1

    def follow(self, *, enabled: bool, revision: int | None, is_allowed: bool) -> str:
        """What the entry of such a toggle is called; it acts on the phase."""
        if not is_allowed:
            return f"toggle_{Verdict.REFUSED}"
        if revision is not None and revision <= self.revision:
            return f"toggle_{Verdict.SUPERSEDED}"
        self.revision = self.revision if revision is None else revision
        if self.is_on == enabled and not self.is_suspended:
            return f"toggle_{Verdict.UNCHANGED}"
        self.is_on, self.is_suspended = enabled, False
        return "connector_enabled" if enabled else "connector_disabled"
