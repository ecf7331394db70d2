"""Every read that people see, once: the same objects for the command line, the API, the screens and health."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Literal, TypeVar
from uuid import UUID

from connectors.account_mapping import AccountMapping
from connectors.mapping import refusal_of, validate_mapping
from schemas.approval import ReimbursementApproved
from schemas.currency import amount_text
from worker.domain.log_chain import LogEntry
from worker.domain.look_up import IMPORT_OVERDUE
from worker.domain.states import ItemState
from worker.domain.switching import Phase
from worker.store import connectors, dead_letters, reading, runs, sync_log
from worker.store.connectors import ConnectorView
from worker.store.database import Connection
from worker.store.dead_letters import DeadLetter
from worker.store.reading import AttemptRow, ItemRow, WaitingRow
from worker.store.runs import Run, RunResult
from worker.views import (
    AttemptView,
    ConnectorObject,
    DeadLetterDetail,
    DeadLetterPage,
    DeadLetterView,
    DocumentView,
    ItemDetail,
    ItemPage,
    ItemView,
    LogEntryView,
    LogPage,
    OrganizationView,
    RejectionView,
    ReleasePreview,
    RunCountsView,
    RunView,
    WaitingView,
)

PREVIEWED_AT_MOST = 10_000
A_SLICE = 500
PAGE = 1000

T = TypeVar("T")
LONGEST_CURSOR = 18


class BadCursorError(ValueError):
    """A cursor that no page gave; the text is a sentence for people."""


async def connector_object(connection: Connection, organization_id: str) -> ConnectorObject | None:
    """The organisation's connector that is or was last in use; None where none is configured."""
    views = await connectors.views(connection, organization_id)
    return _connector(views[0], await reading.waiting(connection, organization_id)) if views else None


async def organizations(connection: Connection) -> list[OrganizationView]:
    waiting = await reading.waiting_everywhere(connection)
    return [
        OrganizationView(
            organization_id=one.organization_id,
            name=one.name,
            connector=one.connector,
            enabled=one.enabled,
            phase=one.phase,
            waiting=_waiting(waiting.get(one.organization_id, [])),
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
    return ItemPage(items=[_item(row, views) for row in rows], next=following)


async def item_detail(connection: Connection, organization_id: str, reimbursement_id: str) -> ItemDetail | None:
    row = await reading.show_item(connection, organization_id, reimbursement_id)
    if row is None:
        return None
    attempts = await reading.item_attempts(connection, organization_id, reimbursement_id)
    views = await connectors.views(connection, organization_id)
    return ItemDetail(**_item(row, views).model_dump(), attempts=[_attempt(one) for one in attempts])


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
        state=_run_state(run.result),
        requested_by=run.requested_by,
        started_at=run.started_at,
        finished_at=run.finished_at,
        counts=RunCountsView(synced=run.synced, rejected=run.rejected, unknown=run.unknown, remaining=left),
    )


async def log_page(connection: Connection, organization_id: str, before: str | None, limit: int) -> LogPage:
    """Newest first, before the cursor. Raises BadCursorError."""
    entries, more = _page(await sync_log.newest(connection, organization_id, _cursor(before, 2**62), limit + 1), limit)
    following = str(entries[-1].entry_no) if more else None
    return LogPage(entries=[_log_entry(entry) for entry in entries], next=following)


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
        sums=_waiting(waiting),
        oldest=min((row.oldest for row in waiting), default=None),
        checked=len(contents),
        would_be_rejected=await _rejections(contents, mapping),
    )


async def dead_letter_page(connection: Connection, before: str | None, limit: int) -> DeadLetterPage:
    """Newest first, before the cursor. Raises BadCursorError."""
    letters, more = _page(await dead_letters.newest(connection, _cursor(before, 2**62), limit + 1), limit)
    following = str(letters[-1].dead_letter_id) if more else None
    return DeadLetterPage(dead_letters=[_dead_letter(letter) for letter in letters], next=following)


async def dead_letter_detail(connection: Connection, dead_letter_id: int) -> DeadLetterDetail | None:
    whole = await dead_letters.show(connection, dead_letter_id)
    if whole is None:
        return None
    return DeadLetterDetail(
        **_dead_letter(whole.letter).model_dump(),
        key=_readable(whole.key),
        value=_readable(whole.value),
        headers=[(name, _readable(value) or "") for name, value in whole.headers],
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


def waiting_for(row: ItemRow, views: Sequence[ConnectorView]) -> str | None:
    """What has to happen next, in words."""
    match row.state:
        case ItemState.PENDING:
            return _pending_for(row.seq, views)
        case ItemState.SENDING:
            return "the ERP's answer"
        case ItemState.CONFIRMING:
            overdue = ", for too long: a person has to look for it there" if row.reason_code == IMPORT_OVERDUE else ""
            return f"the ERP's import to finish{overdue}"
        case ItemState.REJECTED:
            return "a person: mend the cause and retry, or mark it as handled elsewhere"
        case ItemState.UNKNOWN:
            return _unknown_for(row, views)
        case ItemState.SYNCED | ItemState.HANDLED_ELSEWHERE:
            return None


def _unknown_for(row: ItemRow, views: Sequence[ConnectorView]) -> str:
    if row.is_for_a_person:
        return "a person: compare with the ERP, then retry or mark it as handled elsewhere"
    own = next((view for view in views if view.kind == row.connector), None)
    if own is not None and own.phase is not Phase.ON:
        return f"the {own.title} connector to be {'resumed' if own.enabled else 'enabled'}, then a look-up"
    return "a look-up at the ERP"


def _pending_for(seq: int, views: Sequence[ConnectorView]) -> str:
    if not views:
        return "a connector to be configured"
    view = views[0]
    match view.phase:
        case Phase.OFF | Phase.SWITCHING_OFF:
            return f"the {view.title} connector to be enabled"
        case Phase.SUSPENDED:
            return f"the {view.title} connector, which is suspended: {view.suspended_reason}"
        case Phase.ON if not view.marks.releases(seq):
            return "the next scheduled or manual run"
        case Phase.ON:
            return "its turn"


def _connector(view: ConnectorView, waiting: Sequence[WaitingRow]) -> ConnectorObject:
    return ConnectorObject(
        organization_id=view.organization_id,
        connector=view.kind,
        title=view.title,
        enabled=view.enabled,
        phase=view.phase,
        in_flight=view.in_flight,
        outcome_unknown=view.outcome_unknown,
        changed_by=view.changed_by,
        changed_at=view.changed_at,
        reason=view.reason,
        suspended_since=view.suspended_at,
        suspended_reason=view.suspended_reason,
        next_probe_at=view.probe_at,
        quiesced_at=view.quiesced_at,
        release_policy=view.release_policy,
        schedule=view.schedule,
        time_zone=view.time_zone,
        next_run_at=view.next_run_at,
        waiting=_waiting(waiting),
        settings=dict(view.settings),
        mapping=dict(view.mapping),
    )


def _item(row: ItemRow, views: Sequence[ConnectorView]) -> ItemView:
    return ItemView(
        reimbursement_id=row.reimbursement_id,
        state=row.state,
        attempt=row.attempt,
        total=amount_text(row.total_minor, row.currency),
        currency=row.currency,
        document=_document(row.document_number, row.document_id, row.document_url),
        reason=row.reason,
        reason_code=row.reason_code,
        waiting_for=waiting_for(row, views),
        due_at=row.due_at,
        connector=row.connector,
        reference=row.reference,
        approved_at=row.approved_at,
        received_at=row.received_at,
        changed_at=row.changed_at,
    )


def _attempt(row: AttemptRow) -> AttemptView:
    return AttemptView(
        attempt=row.attempt,
        kind=row.kind,
        connector=row.connector,
        reference=row.reference,
        outcome=row.outcome,
        claimed_at=row.claimed_at,
        recorded_at=row.recorded_at,
        document=_document(row.document_number, row.document_id, None),
        code=row.code,
        detail=row.detail,
    )


def _document(number: str | None, erp_id: str | None, url: str | None) -> DocumentView | None:
    return DocumentView(number=number, id=erp_id, url=url) if number or erp_id else None


def _waiting(rows: Sequence[WaitingRow]) -> list[WaitingView]:
    return [
        WaitingView(
            currency=row.currency,
            count=row.count,
            total=amount_text(row.total_minor, row.currency),
            oldest=row.oldest,
        )
        for row in rows
    ]


def _run_state(result: RunResult | None) -> Literal["running", "finished", "stopped"]:
    match result:
        case None:
            return "running"
        case RunResult.FINISHED:
            return "finished"
        case RunResult.STOPPED:
            return "stopped"


def _log_entry(entry: LogEntry) -> LogEntryView:
    return LogEntryView(
        entry=entry.entry_no,
        at=entry.at,
        actor=entry.actor,
        actor_role=entry.actor_role,
        source=entry.source,
        organization_id=entry.organization_id,
        connector=entry.connector,
        change=entry.change,
        new_state=entry.new_state,
        reason=entry.reason,
        detail=dict(entry.detail),
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


def _dead_letter(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        dead_letter_id=letter.dead_letter_id,
        reason=letter.reason,
        detail=letter.detail,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.kafka_offset,
        organization_id=letter.organization_id,
        received_at=letter.received_at,
        size=letter.size,
    )


def _readable(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(content).decode()
