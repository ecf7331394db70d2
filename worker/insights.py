"""Every read that people see, once: the same objects for the command line, the API, the screens and health."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from connectors.account_mapping import AccountMapping
from connectors.mapping import refusal_of, validate_mapping
from schemas.approval import ReimbursementApproved
from worker import presenting
from worker.adapters import Adapters
from worker.domain.states import ItemState
from worker.store import connectors, dead_letters, reading, receipts, runs, sync_log
from worker.store.database import Connection
from worker.store.runs import Run
from worker.views import (
    ConnectorObject,
    CredentialsView,
    DeadLetterDetail,
    DeadLetterPage,
    HandedOverPreview,
    ItemDetail,
    ItemPage,
    LogPage,
    OrganizationView,
    RejectionView,
    ReleasePreview,
    RunCountsView,
    RunView,
)

PREVIEWED_AT_MOST = 10_000
A_SLICE = 500
CREDENTIALS_GIVEN = ("connector_configured", "credentials_replaced")
"""Changes that go with all the credentials."""
PAGE = 1000

T = TypeVar("T")
LONGEST_CURSOR = 18


class BadCursorError(ValueError):
    """A cursor that no page gave; the text is a sentence for people."""


async def connector_object(connection: Connection, organization_id: str) -> ConnectorObject | None:
    """The organisation's connector that is or was last in use; None where none is configured."""
    views = await connectors.views(connection, organization_id)
    return presenting.connector_object(views[0], await reading.waiting(connection, organization_id)) if views else None


async def credentials(connection: Connection, adapters: Adapters, organization_id: str, kind: str) -> CredentialsView:
    """Raises ConfigurationError for a kind that is not installed."""
    last = await sync_log.newest_of(connection, organization_id, kind, CREDENTIALS_GIVEN)
    return CredentialsView(
        fields=sorted(adapters.factory(kind).secret_fields),
        replaced_at=last.at if last else None,
        replaced_by=last.actor if last else None,
    )


async def organizations(connection: Connection) -> list[OrganizationView]:
    waiting = await reading.waiting_everywhere(connection)
    return [
        OrganizationView(
            organization_id=one.organization_id,
            name=one.name,
            connector=one.connector,
            enabled=one.enabled,
            phase=one.phase,
            waiting=presenting.waiting_views(waiting.get(one.organization_id, [])),
        )
        for one in await connectors.organizations(connection)
    ]


async def item_page(
    connection: Connection, organization_id: str, state: ItemState | None, after: str | None, limit: int
) -> ItemPage:
    """In the order of arrival, after the cursor `after` (None: from the oldest). Raises BadCursorError."""
    rows, more = _page(
        await reading.list_items(connection, organization_id, state, _cursor(after, 0), limit + 1), limit
    )
    views = await connectors.views(connection, organization_id)
    following = str(rows[-1].seq) if more else None
    return ItemPage(items=[presenting.item_view(row, views) for row in rows], next=following)


async def item_detail(connection: Connection, organization_id: str, reimbursement_id: str) -> ItemDetail | None:
    row = await reading.show_item(connection, organization_id, reimbursement_id)
    if row is None:
        return None
    attempts = await reading.item_attempts(connection, organization_id, reimbursement_id)
    views = await connectors.views(connection, organization_id)
    files = await receipts.of_item(connection, organization_id, reimbursement_id)
    return ItemDetail(
        **dict(presenting.item_view(row, views)),
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


async def log_page(connection: Connection, organization_id: str, before: str | None, limit: int) -> LogPage:
    """Newest first, before the cursor. Raises BadCursorError."""
    entries, more = _page(await sync_log.newest(connection, organization_id, _cursor(before, 2**62), limit + 1), limit)
    following = str(entries[-1].entry_no) if more else None
    return LogPage(entries=[presenting.log_entry_view(entry) for entry in entries], next=following)


async def release_preview(connection: Connection, organization_id: str) -> ReleasePreview | None:
    """None where no connector is configured. Reads only."""
    views = await connectors.views(connection, organization_id)
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
    rows = (
        await reading.waiting(connection, organization_id)
        if moment is None
        else await reading.waiting_approved_before(connection, organization_id, moment)
    )
    return HandedOverPreview(count=sum(row.count for row in rows), sums=presenting.waiting_views(rows))


async def dead_letter_page(connection: Connection, before: str | None, limit: int) -> DeadLetterPage:
    """Newest first, before the cursor. Raises BadCursorError."""
    letters, more = _page(await dead_letters.newest(connection, _cursor(before, 2**62), limit + 1), limit)
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


def _cursor(text: str | None, start: int) -> int:
    if not text:
        return start
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_CURSOR):
        raise BadCursorError("That is no cursor that a page gave as its next. Leave it out to begin anew.")
    return int(text)


def _page(rows: list[T], limit: int) -> tuple[list[T], bool]:
    """The page, and whether there are more; one row too many was asked for."""
    return rows[:limit], len(rows) > limit


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
