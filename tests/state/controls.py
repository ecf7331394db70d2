"""Broken variants of the product: a statement, or a constant, without the guard that the machine must miss."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import pytest

from worker import claiming
from worker.domain import look_up
from worker.store import connectors, items, lanes


class Broken(StrEnum):
    """What is missing."""

    ATTEMPT_CHECK = "settles whatever attempt it is"
    FLAG_IN_CLAIM = "claims without looking at the flag"
    FENCE_IN_CLAIM = "claims without holding the lane"
    ABANDON = "sends what was left on the wire again at once"
    QUARANTINE = "looks up before the quarantine is over"
    SECOND_LOOK = "sends again after one look-up that found nothing"
    SAME_REQUEST = "resends something else than it sent"
    TWO_PHASES = "calls it off while something is on the wire"
    HELD_LEASE = "takes lanes that are leased"
    RELEASE = "claims what is not released"
    DOUBT = "forgets that an earlier attempt is in doubt"


@dataclass(frozen=True)
class _Cut:
    """Text of a statement and what stands there instead. `module` holds the statements."""

    module: object
    statement: str
    text: str
    instead: str = ""


_CUTS = {
    Broken.ATTEMPT_CHECK: _Cut(items, "settle", " and i.attempt = v.attempt\n", "\n"),
    Broken.FLAG_IN_CLAIM: _Cut(items, "lock_open_connectors", "where c.enabled and c.suspended_at is null\n"),
    Broken.FENCE_IN_CLAIM: _Cut(
        items, "lock_open_connectors", " and l.fence = b.fence and l.leased_until > clock_timestamp()"
    ),
    Broken.ABANDON: _Cut(lanes, "abandon_sending", "set state = 'unknown'", "set state = 'pending'"),
    Broken.QUARANTINE: _Cut(items, "due_looks", "\n  and i.due_at <= clock_timestamp()"),
    Broken.TWO_PHASES: _Cut(connectors, "quiesce", "i.state = 'sending'", "false"),
    Broken.HELD_LEASE: _Cut(lanes, "lease_lanes", "l.leased_until < clock_timestamp()", "true"),
    Broken.RELEASE: _Cut(
        items, "next_pending", "i.seq > greatest(b.released_through, b.enabled_mark)", "i.seq > b.released_through"
    ),
}


MISSED_BY = {
    Broken.ATTEMPT_CHECK: "P6|model",
    Broken.FLAG_IN_CLAIM: "P3",
    Broken.FENCE_IN_CLAIM: "P3",
    Broken.ABANDON: "P9|model",
    Broken.QUARANTINE: "P7",
    Broken.SECOND_LOOK: "model|P2",
    Broken.SAME_REQUEST: "P9|P2",
    Broken.TWO_PHASES: "P3",
    Broken.HELD_LEASE: "P6",
    Broken.RELEASE: "P9",
    Broken.DOUBT: "model",
}
"""What the machine says first: the promise, or that PostgreSQL holds something else than the model."""

ONLY = {
    Broken.ATTEMPT_CHECK: ["approve", "take and claim", "the lane is taken over", "settle"],
    Broken.SECOND_LOOK: ["post", "take and claim", "settle", "a quarantine passes", "look up", "write what was found"],
    Broken.SAME_REQUEST: ["reconfigure", "a back-off passes", "post", "take and claim"],
    Broken.TWO_PHASES: ["switch", "finish switching off", "take and claim"],
    Broken.RELEASE: ["approve", "switch", "take and claim"],
}
"""The steps that lead to the harm of a variant, so that it is missed within seconds."""


@contextmanager
def broken(variant: Broken) -> Iterator[None]:
    """The product is broken inside the block."""
    with pytest.MonkeyPatch.context() as patch:
        if variant is Broken.SECOND_LOOK:
            patch.setattr(look_up, "ENOUGH_ABSENCES", 1)
        elif variant is Broken.SAME_REQUEST:
            patch.setattr(claiming._Draft, "is_the_same_again", True)
        elif variant is Broken.DOUBT:
            _cut(patch, _Cut(items, "claim", "case when b.in_doubt then i.quarantined_until end", "null"))
        else:
            _cut(patch, _CUTS[variant])
        yield


def _cut(patch: pytest.MonkeyPatch, cut: _Cut) -> None:
    statements = cut.module.__dict__["_SQL"]
    whole = statements[cut.statement]
    assert whole.count(cut.text) == 1, f"{cut.statement} has changed: {cut.text!r} is not there once"
    patch.setattr(cut.module, "_SQL", {**statements, cut.statement: whole.replace(cut.text, cut.instead)})
