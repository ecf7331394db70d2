"""Every read that people see, once: the same objects for the command line, the API, the screens and health."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from connectors.account_mapping import AccountMapping
from connectors.mapping import refusal_of, validate_mapping
from schemas.approval import ReimbursementApproved
from worker import presenting
from worker.adapters import Adapters
from worker.domain.log_chain import LogEntry
from worker.domain.states import ItemState
from worker.paging import NO_CURSOR, BadCursorError, Leaf, Read, leaf, moment_cursor, moment_of, number_of, page_of
from worker.store import connectors, dead_letters, reading, receipts, runs, sync_log
from worker.store.connectors import OrganizationRow
from worker.store.database import Connection, Pool, acquire
from worker.store.reading import ItemRow, WaitingRow
from worker.store.runs import Run
from worker.store.sync_log import EVERYTHING, LogFilter
from worker.views import (
    ConnectorObject,
    CredentialsView,
    DeadLetterDetail,
    DeadLetterPage,
    HandedOverPreview,
    ItemDetail,
    ItemPage,
    ItemsFound,
    LogEntryView,
    LogPage,
    OrganizationNotSetUp,
    OrganizationView,
    RejectionView,
    ReleasePreview,
    RunCountsView,
    RunPage,
    RunView,
    StateCount,
    WaitingView,
)
from worker.waiting import look_up

PREVIEWED_AT_MOST = 10_000
A_SLICE = 500
CREDENTIALS_GIVEN = ("connector_configured", "credentials_replaced")
"""Changes that go with all the credentials."""
PAGE = 1000
COUNTED_AT_ONCE = 10_000
SEARCHED = 10_000
LAST = 2**62
"""After every sequence number."""


class CountedBefore(Protocol):
    """Whoever counted what waits a moment ago, for organisations where so much waits that counting takes long."""

    def waiting_of(self, organization_id: str) -> tuple[Sequence[WaitingRow], datetime] | None:
        """What waits, and when that was counted; None: nothing was counted yet."""


async def connector_object(
    connection: Connection, organization_id: str, counted: CountedBefore | None = None
) -> ConnectorObject | None:
    """The organisation's connector that is or was last in use; None where none is configured. Where more than
    `COUNTED_AT_ONCE` wait, and they were `counted` before, that is what is told."""
    return next(iter(await connector_objects(connection, organization_id, counted)), None)


async def connector_objects(
    connection: Connection, organization_id: str, counted: CountedBefore | None = None
) -> list[ConnectorObject]:
    """As `connector_object`, all that are configured for the organisation, that one first."""
    views = await connectors.views(connection, organization_id)
    if not views:
        return []
    pending, counted_at = await _pending(connection, organization_id, counted)
    return [presenting.connector_object(view, pending, counted_at) for view in views]


async def _pending(
    connection: Connection, organization_id: str, counted: CountedBefore | None
) -> tuple[Sequence[WaitingRow], datetime | None]:
    """What waits, and when that was counted where it was not now."""
    before = counted.waiting_of(organization_id) if counted else None
    if before and await reading.waits_for_many(connection, organization_id, COUNTED_AT_ONCE):
        return before
    return await reading.waiting(connection, organization_id), None


async def waiting_of(connection: Connection, organization_id: str) -> list[WaitingView]:
    """What is pending, by currency, whether a connector is configured or not."""
    return presenting.waiting_views(await reading.waiting(connection, organization_id))


async def credentials(connection: Connection, adapters: Adapters, organization_id: str, kind: str) -> CredentialsView:
    """Raises ConfigurationError for a kind that is not installed."""
    last = await sync_log.newest_of(connection, organization_id, kind, CREDENTIALS_GIVEN)
    return CredentialsView(
        fields=sorted(adapters.factory(kind).secret_fields),
        replaced_at=last.at if last else None,
        replaced_by=last.actor if last else None,
    )


async def organizations(
    connection: Connection,
    own: frozenset[str] | None = None,
    after: str | None = None,
    limit: int | None = None,
    counted: CountedBefore | None = None,
) -> list[OrganizationView]:
    """In the order of their ids, after the organisation `after`. `own`: only these; None: all. What waits is counted
    now, unless it was `counted` before."""
    found = await connectors.organizations(connection, own, after or "", limit)
    waiting = await _waiting_of(connection, [one.organization_id for one in found], own, limit, counted)
    return [_organization_view(one, waiting) for one in found]


async def organizations_and_strangers(connection: Connection) -> list[OrganizationView | OrganizationNotSetUp]:
    """As `organizations`, all of them, and then those that nobody has set up, of which approvals wait."""
    found = await connectors.organizations(connection, None, "", None)
    waiting = await reading.waiting_everywhere(connection)
    known = {one.organization_id for one in found}
    strangers = [
        OrganizationNotSetUp(organization_id=name, waiting=presenting.waiting_views(rows))
        for name, rows in waiting.items()
        if name not in known
    ]
    return [*[_organization_view(one, waiting) for one in found], *strangers]


def _organization_view(row: OrganizationRow, waiting: Mapping[str, Sequence[WaitingRow]]) -> OrganizationView:
    return OrganizationView(
        organization_id=row.organization_id,
        name=row.name,
        connector=row.connector,
        enabled=row.enabled,
        phase=row.phase,
        waiting=presenting.waiting_views(waiting.get(row.organization_id, [])),
    )


async def _waiting_of(
    connection: Connection,
    organization_ids: Sequence[str],
    own: frozenset[str] | None,
    limit: int | None,
    counted: CountedBefore | None,
) -> Mapping[str, Sequence[WaitingRow]]:
    if counted is not None:
        return {one: before[0] for one in organization_ids if (before := counted.waiting_of(one))}
    if own is None and limit is None:
        return await reading.waiting_everywhere(connection)
    return await reading.waiting_of_some(connection, organization_ids)


async def item_page(
    connection: Connection,
    organization_id: str,
    state: ItemState | None,
    after: str | None,
    limit: int,
    *,
    newest_first: bool = False,
) -> ItemPage:
    """In the order of arrival, from the cursor `after` on (None: from the start). Of what is synced, the newest is what
    was synced last. Raises BadCursorError."""
    if newest_first and state is ItemState.SYNCED:
        found = await leaf(after, limit, _by_time_of_sync(connection, organization_id), _place_in_time)
    else:
        read = _by_arrival(connection, organization_id, state, newest_first=newest_first)
        found = await leaf(after, limit, read, _place_in_arrival)
    return await _items(connection, organization_id, found)


async def left_by_run(
    connection: Connection, organization_id: str, run_id: UUID, state: ItemState | None, after: str | None, limit: int
) -> ItemPage:
    """What the run left to a person: rejected, or in doubt, and not sent again since. As `item_page`, oldest first;
    nothing of a run that is another organisation's."""

    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[ItemRow]:
        if backwards:
            before = number_of(cursor, LAST)
            return await reading.list_newest_left_by_run(connection, organization_id, run_id, state, before, limit)
        after = number_of(cursor, 0)
        return await reading.list_left_by_run(connection, organization_id, run_id, state, after, limit)

    return await _items(connection, organization_id, await leaf(after, limit, read, _place_in_arrival))


async def _items(connection: Connection, organization_id: str, found: Leaf[ItemRow]) -> ItemPage:
    views = await connectors.views(connection, organization_id)
    items = [presenting.item_view(row, views) for row in found.rows]
    return ItemPage(items=items, next=found.next, previous=found.previous)


def _by_arrival(
    connection: Connection, organization_id: str, state: ItemState | None, *, newest_first: bool
) -> Read[ItemRow]:
    """Backwards, one order is the other."""

    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[ItemRow]:
        if newest_first != backwards:
            before = number_of(cursor, LAST)
            return await reading.list_newest(connection, organization_id, state, before, limit)
        return await reading.list_items(connection, organization_id, state, number_of(cursor, 0), limit)

    return read


def _by_time_of_sync(connection: Connection, organization_id: str) -> Read[ItemRow]:
    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[ItemRow]:
        at, which = moment_of(cursor)
        listed = reading.list_oldest_synced if backwards else reading.list_newest_synced
        return await listed(connection, organization_id, (at, number_of(which, 0)), limit)

    return read


def _place_in_arrival(row: ItemRow) -> str:
    return str(row.seq)


def _place_in_time(row: ItemRow) -> str:
    return moment_cursor(row.changed_at, row.seq)


async def items_found(connection: Connection, organization_id: str, text: str, limit: int) -> ItemsFound:
    """The item of that id, and those whose id begins so, newest first; of these only the newest are searched."""
    exact = await reading.show_item(connection, organization_id, text)
    rows = await reading.find_items(connection, organization_id, text, SEARCHED, limit)
    others = [row for row in rows if row.reimbursement_id != text]
    views = await connectors.views(connection, organization_id)
    found = [presenting.item_view(row, views) for row in [*([exact] if exact else []), *others]]
    return ItemsFound(items=found[:limit], looked_at=SEARCHED)


async def state_counts(connection: Connection, organization_id: str) -> list[StateCount]:
    """In the order of the states. No state is counted further than `COUNTED_AT_ONCE`."""
    counts = await reading.state_counts(connection, organization_id, COUNTED_AT_ONCE + 1)
    return [
        StateCount(state=state, count=min(counts[state], COUNTED_AT_ONCE), is_more=counts[state] > COUNTED_AT_ONCE)
        for state in ItemState
    ]


async def item_detail(connection: Connection, organization_id: str, reimbursement_id: str) -> ItemDetail | None:
    row = await reading.show_item(connection, organization_id, reimbursement_id)
    if row is None:
        return None
    attempts = await reading.item_attempts(connection, organization_id, reimbursement_id)
    views = await connectors.views(connection, organization_id)
    files = await receipts.of_item(connection, organization_id, reimbursement_id)
    return ItemDetail(
        **dict(presenting.item_view(row, views)),
        look_up=look_up(row, views),
        attempts=[presenting.attempt_view(one) for one in attempts],
        receipts=[presenting.receipt_view(one) for one in files],
    )


async def run_view(connection: Connection, run_id: UUID) -> RunView | None:
    run = await runs.show(connection, run_id)
    return await view_of_run(connection, run) if run else None


async def view_of_run(connection: Connection, run: Run) -> RunView:
    left = run.remaining if run.remaining is not None else await runs.remaining(connection, run)
    return RunView(
        run_id=run.run_id,
        organization_id=run.organization_id,
        kind=run.kind,
        connector=run.connector,
        state=presenting.run_state(run.result),
        requested_by=run.requested_by,
        started_at=run.started_at,
        finished_at=run.finished_at,
        counts=RunCountsView(synced=run.synced, rejected=run.rejected, unknown=run.unknown, remaining=left),
    )


async def run_page(connection: Connection, organization_id: str, before: str | None, limit: int) -> RunPage:
    """Newest first, from the cursor on. Raises BadCursorError."""

    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[Run]:
        listed = runs.oldest if backwards else runs.newest
        return await listed(connection, organization_id, _run_place(cursor), limit)

    found = await leaf(before, limit, read, lambda run: moment_cursor(run.started_at, run.run_id))
    views = [await view_of_run(connection, run) for run in found.rows]
    return RunPage(runs=views, next=found.next, previous=found.previous)


def _run_place(cursor: str | None) -> tuple[datetime, UUID]:
    """After all, where there is no cursor. Raises BadCursorError."""
    at, text = moment_of(cursor)
    try:
        return at, UUID(text) if text else UUID(int=0)
    except ValueError:
        raise BadCursorError(NO_CURSOR) from None


async def log_page(
    connection: Connection, organization_id: str, before: str | None, limit: int, where: LogFilter = EVERYTHING
) -> LogPage:
    """Newest first, from the cursor on. Raises BadCursorError."""

    async def read(cursor: str | None, limit: int, *, backwards: bool) -> list[LogEntry]:
        listed = sync_log.oldest if backwards else sync_log.newest
        return await listed(connection, organization_id, number_of(cursor, LAST), limit, where)

    found = await leaf(before, limit, read, lambda entry: str(entry.entry_no))
    entries = [presenting.log_entry_view(entry) for entry in found.rows]
    return LogPage(entries=entries, next=found.next, previous=found.previous)


async def log_rows(
    pool: Pool, organization_id: str, where: LogFilter, below: int = LAST
) -> AsyncIterator[Sequence[LogEntryView]]:
    """All entries like that with numbers below `below`, newest first, some at a time. No connection is held in between:
    whoever reads them may be slow, and entries never change."""
    while True:
        async with acquire(pool) as connection:
            entries = await sync_log.newest(connection, organization_id, below, A_SLICE, where)
        if not entries:
            return
        yield [presenting.log_entry_view(entry) for entry in entries]
        below = entries[-1].entry_no


async def release_preview(
    connection: Connection, organization_id: str, kind: str | None = None
) -> ReleasePreview | None:
    """Of the connector `kind`, or the one that is or was last in use. None where none is configured. Reads only."""
    views = [one for one in await connectors.views(connection, organization_id) if kind in {None, one.kind}]
    if not views:
        return None
    waiting = await reading.waiting(connection, organization_id)
    mapping = validate_mapping(views[0].mapping)
    contents = await reading.pending_content(connection, organization_id, PREVIEWED_AT_MOST)
    return ReleasePreview(
        organization_id=organization_id,
        connector=views[0].kind,
        release_policy=views[0].release_policy,
        count=sum(row.count for row in waiting),
        sums=presenting.waiting_views(waiting),
        oldest=min((row.oldest for row in waiting), default=None),
        checked=len(contents),
        would_be_rejected=await _rejections(contents, mapping),
    )


async def handed_over_preview(
    connection: Connection, organization_id: str, moment: datetime | None
) -> HandedOverPreview:
    """What waits now and was approved before `moment`; None: all that waits."""
    rows, last = await reading.waiting_to_hand_over(connection, organization_id, moment, LAST)
    count = sum(row.count for row in rows)
    return HandedOverPreview(count=count, sums=presenting.waiting_views(rows), through=last)


async def dead_letter_page(connection: Connection, before: str | None, limit: int) -> DeadLetterPage:
    """Newest first, before the cursor. Raises BadCursorError."""
    letters, more = page_of(await dead_letters.newest(connection, number_of(before, LAST), limit + 1), limit)
    following = str(letters[-1].dead_letter_id) if more else None
    return DeadLetterPage(dead_letters=[presenting.dead_letter_view(letter) for letter in letters], next=following)


async def dead_letter_detail(connection: Connection, dead_letter_id: int) -> DeadLetterDetail | None:
    whole = await dead_letters.show(connection, dead_letter_id)
    if whole is None:
        return None
    return DeadLetterDetail(
        **dict(presenting.dead_letter_view(whole.letter)),
        key=presenting.readable(whole.key),
        value=presenting.readable(whole.value),
        headers=[(name, presenting.readable(value) or "") for name, value in whole.headers],
    )


async def _rejections(contents: Sequence[bytes], mapping: AccountMapping) -> list[RejectionView]:
    """In slices, so that whatever else this process does goes on in between."""
    found = []
    for start in range(0, len(contents), A_SLICE):
        found += [view for content in contents[start : start + A_SLICE] if (view := _rejection(content, mapping))]
        await asyncio.sleep(0)
    return found


def _rejection(content: bytes, mapping: AccountMapping) -> RejectionView | None:
    approval = ReimbursementApproved.from_canonical(content)
    refused = refusal_of(approval, mapping)
    if refused is None:
        return None
    return RejectionView(reimbursement_id=approval.reimbursement_id, code=refused.code, message=refused.message)
