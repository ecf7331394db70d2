"""Bad records without end, and why each has to be refused: the curated ones, and ones made by chance."""

import asyncio
import json
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.dead_letter import DeadLetterReason
from tests.chaos.arena import Arena, House
from tests.events import Message, approval, toggle
from tests.unit.bad_records import CURATED_RECORDS

_CURATED = [one for one in CURATED_RECORDS if one.expected is not None]
_JUNK: Sequence[object] = (None, True, 17, 1.5, [], {}, [[]], "", "\x00", "x" * 3000, "../..", {"a": [None]})
_FIELDS = (
    "organization_id",
    "reimbursement_id",
    "approved_at",
    "approved_by",
    "claimant",
    "currency",
    "total",
    "lines",
)
_FIELDS_OF_A_LINE = ("line_id", "expense_type", "expense_date", "amount")
_FIELDS_OF_A_TOGGLE = ("organization_id", "connector", "enabled", "reason", "actor")
_STILL_GOOD = (("enabled", True), ("reason", ""), ("reason", "../.."))
"""What a toggle may well say."""
_HEADERS = ("ce_specversion", "ce_id", "ce_source", "ce_type", "content-type")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A bad record that the broker has. `place` is its topic, partition and offset."""

    name: str
    place: tuple[str, int, int]
    reason: DeadLetterReason


@dataclass(frozen=True, slots=True)
class _Draft:
    name: str
    message: Message
    reason: DeadLetterReason
    is_toggle: bool = False


class BadMail:
    """Chooses with the arena's own chance alone."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._random = arena.random
        self._makers: Sequence[Callable[[], _Draft]] = (
            self._curated,
            self._curated,
            self._cut_off,
            self._noise,
            self._broken_by_a_byte,
            partial(self._without_or_wrong, "", _FIELDS),
            partial(self._without_or_wrong, "lines", _FIELDS_OF_A_LINE),
            self._bad_toggle,
            self._without_a_header,
            self._wrong_header,
            self._wrong_topic,
            self._foreign_key,
            self._conflicting,
            self._does_not_add_up,
        )

    async def send(self, number: int) -> list[Spoilt]:
        drafts = [self._random.choice(self._makers)() for _ in range(number)]
        return await asyncio.gather(*[self._sent(one, await self._send(one)) for one in drafts])

    async def _send(self, draft: _Draft) -> "asyncio.Future[Any]":
        settings = self._arena.scene.settings
        topic = settings.toggles_topic if draft.is_toggle else settings.approvals_topic
        message = draft.message
        future: asyncio.Future[Any] = await self._arena.scene.producer.send(
            topic, key=message.key, value=message.value, headers=message.headers
        )
        return future

    async def _sent(self, draft: _Draft, acknowledged: "asyncio.Future[Any]") -> Spoilt:
        place = await acknowledged
        return Spoilt(draft.name, (place.topic, place.partition, place.offset), draft.reason)

    def _house(self) -> House:
        return self._random.choice(list(self._arena.houses))

    def _good(self) -> Message:
        return approval(f"bad-{self._random.randrange(10**9)}", self._house().organization_id)

    def _curated(self) -> _Draft:
        one = self._random.choice(_CURATED)
        assert one.expected is not None
        message = Message(one.key, one.value, list(one.headers))
        return _Draft(one.name, message, one.expected, one.topic == "toggles")

    def _cut_off(self) -> _Draft:
        good = self._good()
        value = (good.value or b"")[: self._random.randrange(1, len(good.value or b"") - 1)]
        return self._draft("cut off", good, DeadLetterReason.INVALID_JSON, value=value)

    def _noise(self) -> _Draft:
        """No JSON begins with this byte."""
        value = b"\xff" + self._random.randbytes(self._random.randrange(2000))
        return self._draft("noise", self._good(), DeadLetterReason.INVALID_JSON, value=value)

    def _broken_by_a_byte(self) -> _Draft:
        """Bytes that JSON has nowhere: neither in a string nor between."""
        good = self._good()
        place = self._random.randrange(len(good.value or b""))
        byte = self._random.choice([b"\x00", b"\x01", b"\x1f", b"\xff", b"\xc0", b"\xfe"])
        value = (good.value or b"")[:place] + byte + (good.value or b"")[place:]
        return self._draft("broken by a byte", good, DeadLetterReason.INVALID_JSON, value=value)

    def _without_or_wrong(self, inside: str, fields: Sequence[str]) -> _Draft:
        good = self._good()
        data = json.loads(good.value or b"")
        name = self._random.choice(fields)
        self._spoil(data["lines"][0] if inside else data, name)
        value = json.dumps(data).encode()
        return self._draft(f"bad {inside} {name}", good, DeadLetterReason.INVALID_DATA, value=value)

    def _bad_toggle(self) -> _Draft:
        good = toggle(True, self._house().organization_id)
        data = json.loads(good.value or b"")
        name = self._random.choice(_FIELDS_OF_A_TOGGLE)
        self._spoil(data, name)
        if (name, data.get(name)) in _STILL_GOOD:
            data[name] = None
        message = Message(good.key, json.dumps(data).encode(), good.headers)
        return _Draft(f"bad {name} of a toggle", message, DeadLetterReason.INVALID_DATA, is_toggle=True)

    def _spoil(self, data: dict[str, Any], name: str) -> None:
        if self._random.random() < 0.3:
            del data[name]
        else:
            data[name] = self._random.choice(_JUNK)

    def _without_a_header(self) -> _Draft:
        good = self._good()
        gone = self._random.choice(_HEADERS)
        headers = [(name, value) for name, value in good.headers if name != gone]
        return self._draft(f"without {gone}", good, DeadLetterReason.NOT_A_CLOUDEVENT, headers=headers)

    def _wrong_header(self) -> _Draft:
        good = self._good()
        wrong = self._random.choice(_HEADERS)
        junk = self._random.choice([b"", b"\xff\xfe", b"x\x00", b"y" * 300])
        headers = [(name, junk if name == wrong else value) for name, value in good.headers]
        return self._draft(f"wrong {wrong}", good, DeadLetterReason.NOT_A_CLOUDEVENT, headers=headers)

    def _wrong_topic(self) -> _Draft:
        if self._random.random() < 0.5:
            return _Draft("approval among toggles", self._good(), DeadLetterReason.WRONG_TOPIC, is_toggle=True)
        message = toggle(False, self._house().organization_id)
        return _Draft("toggle among approvals", message, DeadLetterReason.WRONG_TOPIC)

    def _foreign_key(self) -> _Draft:
        good = self._good()
        key = "".join(self._random.choices(string.ascii_letters, k=8)).encode()
        message = Message(self._random.choice([key, None, b"", b"\xff"]), good.value, good.headers)
        return _Draft("foreign key", message, DeadLetterReason.INVALID_DATA)

    def _conflicting(self) -> _Draft:
        """The first stands; it lies before this one, in the same partition."""
        first = self._random.choice(self._arena.approved)
        other = approval(first.reimbursement_id, first.organization_id, f"{first.total + 1}")
        return _Draft("conflicting content", other, DeadLetterReason.CONFLICTING_CONTENT)

    def _does_not_add_up(self) -> _Draft:
        good = approval(f"bad-{self._random.randrange(10**9)}", self._house().organization_id, total="250.01")
        return _Draft("does not add up", good, DeadLetterReason.INVALID_DATA)

    def _draft(
        self,
        name: str,
        good: Message,
        reason: DeadLetterReason,
        *,
        value: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> _Draft:
        message = Message(
            good.key, good.value if value is None else value, good.headers if headers is None else headers
        )
        return _Draft(name, message, reason)
