"""Broken workers: what each negative control leaves out. A battery whose oracle does not notice it proves nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from connectors.contract import Posting
from tests.chaos import broken_intake, broken_protocol
from tests.chaos.wrapping import Function, wrap
from worker.store.database import Connection


class Variant(StrEnum):
    """Named after what goes wrong."""

    COMMITS_BEFORE_STORING = "commits offsets before storing"
    RESENDS_BLINDLY = "resends what a dead worker left"
    ABANDONS_NOTHING = "leaves what a dead worker left"
    OFF_AT_ONCE = "says off while requests are under way"
    SENDS_FOR_EVER = "never asks whether its lease ended"
    NO_QUARANTINE = "waits for no request that may still be alive"
    LOOKS_NOTHING_UP = "never looks up what became of it"
    LOOKS_UP_ONCE = "believes the first look-up that finds nothing"
    UNKNOWN_AS_NOT_SENT = "takes no answer for not sent"
    COMPARES_NOTHING = "takes any document for its own"
    CLAIMS_WHILE_OFF = "does not read the flag in the claim"
    COUNTS_AGAIN = "counts what it reads a second time"
    SKIPS_WHAT_FAILED = "goes on behind a batch that was not stored"
    SETTLES_AGAIN = "settles once more what is settled"
    FORGETS_ITEMS = "takes an approval that comes again for a new one"
    FORGETS_TOGGLES = "takes a toggle that comes again for a new one"
    ONE_BAD_COSTS_ALL = "drops the neighbours of a bad record"


def break_worker(variant: Variant) -> None:
    """In this process, before the worker starts."""
    _BREAKING[variant]()


def _resend_blindly() -> None:
    wrap("worker.store.lanes:abandon_sending", _to_pending)
    wrap("connectors.xledger.connector:XledgerConnector.post", _as_first_attempt)


def _committing_at_once(fetch: Function) -> Function:
    from worker.intake import _commit

    async def fetch_and_commit(consumer: Any, *more: Any) -> Any:  # aiokafka has no types
        fetched = await fetch(consumer, *more)
        if fetched:
            await _commit(consumer, fetched)
        return fetched

    return fetch_and_commit


def _to_pending(abandon: Function) -> Function:
    async def abandon_and_resend(connection: Connection, organization_id: str, *more: Any) -> Any:
        left = await abandon(connection, organization_id, *more)
        await connection.execute(
            "update item set state = 'pending', due_at = 'epoch' where organization_id = $1 and state = 'unknown'",
            organization_id,
        )
        return left

    return abandon_and_resend


def _as_first_attempt(post: Function) -> Function:
    async def post_without_looking(connector: Any, posting: Posting, permit: Any) -> Any:
        return await post(connector, replace(posting, attempt=1), permit)

    return post_without_looking


async def _nothing(*_arguments: object) -> list[object]:
    return []


async def _zero(*_arguments: object) -> int:
    return 0


def _yes(_permit: object) -> bool:
    return True


_BREAKING: Mapping[Variant, Callable[[], None]] = {
    Variant.COMMITS_BEFORE_STORING: lambda: wrap("worker.intake:_fetch", _committing_at_once),
    Variant.RESENDS_BLINDLY: _resend_blindly,
    Variant.ABANDONS_NOTHING: lambda: wrap("worker.store.lanes:abandon_sending", lambda _: _nothing),
    Variant.OFF_AT_ONCE: lambda: wrap("worker.store.connectors:in_flight", lambda _: _zero),
    Variant.SENDS_FOR_EVER: lambda: wrap("worker.lanes:LeasePermit.is_valid", lambda _: _yes),
    Variant.NO_QUARANTINE: broken_protocol.without_quarantine,
    Variant.LOOKS_NOTHING_UP: broken_protocol.without_look_ups,
    Variant.LOOKS_UP_ONCE: broken_protocol.without_second_look,
    Variant.UNKNOWN_AS_NOT_SENT: broken_protocol.unknown_as_not_sent,
    Variant.COMPARES_NOTHING: broken_protocol.without_comparison,
    Variant.CLAIMS_WHILE_OFF: broken_protocol.without_the_flag,
    Variant.COUNTS_AGAIN: broken_intake.counts_again,
    Variant.SKIPS_WHAT_FAILED: broken_intake.skips_what_failed,
    Variant.SETTLES_AGAIN: broken_intake.settles_again,
    Variant.FORGETS_ITEMS: broken_intake.forgets_items,
    Variant.FORGETS_TOGGLES: broken_intake.forgets_toggles,
    Variant.ONE_BAD_COSTS_ALL: broken_intake.one_bad_costs_all,
}
