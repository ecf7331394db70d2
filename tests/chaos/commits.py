"""As much of PostgreSQL's protocol as it takes to lose the answer to a commit: done there, and nobody here hears of it.

A `CommandComplete` is held back until the `ReadyForQuery` behind it says that no transaction is open any more. Then the
server has committed, and the connection can be cut before the client knows.
Source: PostgreSQL's documentation, "Frontend/Backend Protocol", message formats.
"""

import asyncio
import struct
from dataclasses import dataclass
from enum import StrEnum
from random import Random

_STARTS_SESSION = 196608
_ASKS_FOR_ENCRYPTION = frozenset({80877103, 80877104})
_IDLE = b"I"
_WRITES = (b"update ", b"insert into", b"delete from")


class Change(StrEnum):
    """What was committed: a transaction, or a statement of its own that writes."""

    TRANSACTION = "commit"
    SETTLEMENT = "settlement"
    STATEMENT = "statement"


@dataclass
class _Ambush:
    """Waits for the `left`-th commit of its kind."""

    change: Change
    left: int
    struck: "asyncio.Future[None]"


class ReplyThief:
    """One for a whole proxy. At most one answer is to be lost at a time."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ambush: _Ambush | None = None

    def watch(self) -> "CommitWatch":
        """A gatekeeper for one connection."""
        return CommitWatch(self)

    async def lose_reply(self, change: Change, within: float) -> bool:
        """Whether one was lost in time."""
        struck = asyncio.get_running_loop().create_future()
        self._ambush = _Ambush(change, self._random.randint(1, 4), struck)
        try:
            await asyncio.wait_for(struck, within)
        except TimeoutError:
            return False
        finally:
            self._ambush = None
        return True

    def takes(self, change: Change) -> bool:
        """Asked for every commit, before its answer goes on."""
        ambush = self._ambush
        if ambush is None or ambush.change is not change or ambush.struck.done():
            return False
        ambush.left -= 1
        if ambush.left > 0:
            return False
        ambush.struck.set_result(None)
        return True


class CommitWatch:
    """Follows one connection, message by message."""

    def __init__(self, thief: ReplyThief) -> None:
        self._thief = thief
        self._asked = b""
        self._answered = b""
        self._has_session = False
        self._bare_answers = 0
        self._statements: dict[bytes, Change | None] = {}
        self._changing: Change | None = None
        self._held: bytes | None = None
        self._tag = b""

    def from_client(self, data: bytes) -> bytes:
        """Everything passes; it only learns what the answers will be about."""
        self._asked += data
        while (message := self._next_question()) is not None:
            self._learn(message)
        return data

    def from_server(self, data: bytes) -> bytes | None:
        self._answered += data
        passed = b""
        while (message := self._next_answer()) is not None:
            through = self._judge(message)
            if through is None:
                return None
            passed += through
        return passed

    def _next_question(self) -> bytes | None:
        """The first messages of a connection have no letter before their length."""
        start = 1 if self._has_session else 0
        message, self._asked = _split(self._asked, start)
        return message

    def _next_answer(self) -> bytes | None:
        if self._bare_answers and self._answered:
            self._bare_answers -= 1
            bare, self._answered = self._answered[:1], self._answered[1:]
            return bare
        message, self._answered = _split(self._answered, 1)
        return message

    def _learn(self, message: bytes) -> None:
        if not self._has_session:
            code = struct.unpack_from("!i", message, 4)[0]
            self._bare_answers += code in _ASKS_FOR_ENCRYPTION
            self._has_session = code == _STARTS_SESSION
            return
        match message[:1]:
            case b"P":
                name, statement = message[5:].split(b"\0")[:2]
                self._statements[name] = _change_of(statement)
            case b"B":
                self._changing = self._statements.get(message[5:].split(b"\0")[1])
            case b"Q":
                self._changing = None

    def _judge(self, message: bytes) -> bytes | None:
        """What may go on now; None: cut the connection instead."""
        kind = message[:1]
        if kind == b"C" and len(message) > 1:
            self._held, self._tag = (self._held or b"") + message, message[5:-1]
            return b""
        if self._held is None:
            return message
        self._held += message
        if kind != b"Z":
            return b""
        held, self._held = self._held, None
        change = Change.TRANSACTION if self._tag == b"COMMIT" else self._changing
        is_committed = message[5:6] == _IDLE and change is not None
        return None if is_committed and change is not None and self._thief.takes(change) else held


def _split(stream: bytes, start: int) -> tuple[bytes | None, bytes]:
    """The first whole message and the rest; `start` is where its length stands."""
    if len(stream) < start + 4:
        return None, stream
    end = start + struct.unpack_from("!i", stream, start)[0]
    return (stream[:end], stream[end:]) if len(stream) >= end else (None, stream)


def _change_of(statement: bytes) -> Change | None:
    text = statement.lower()
    if not any(write in text for write in _WRITES):
        return None
    return Change.SETTLEMENT if b"attempt_entry" in text else Change.STATEMENT
