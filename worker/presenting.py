"""What is stored, as people are given it: one function for each view, and nothing read here."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from schemas.currency import amount_text
from worker.domain.log_chain import LogEntry
from worker.domain.receipts import ReceiptState
from worker.store.connectors import ConnectorView
from worker.store.dead_letters import DeadLetter
from worker.store.reading import AttemptRow, ItemRow, WaitingRow
from worker.store.receipts import ReceiptRow
from worker.store.runs import RunResult
from worker.views import (
    AttemptView,
    ConnectorObject,
    DeadLetterView,
    DocumentView,
    ItemView,
    LogEntryView,
    ReceiptView,
    WaitingView,
)
from worker.waiting import waiting, waiting_for


def connector_object(
    view: ConnectorView, pending: Sequence[WaitingRow], counted_at: datetime | None
) -> ConnectorObject:
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
        waiting=waiting_views(pending),
        waiting_as_of=counted_at,
        settings=dict(view.settings),
        mapping=dict(view.mapping),
    )


def item_view(row: ItemRow, views: Sequence[ConnectorView]) -> ItemView:
    return ItemView(
        reimbursement_id=row.reimbursement_id,
        state=row.state,
        attempt=row.attempt,
        total=amount_text(row.total_minor, row.currency),
        currency=row.currency,
        document=document_view(row.document_number, row.document_id, row.document_url),
        reason=row.reason,
        reason_code=row.reason_code,
        waiting_for=waiting_for(row, views),
        waiting=waiting(row, views),
        due_at=row.due_at,
        connector=row.connector,
        reference=row.reference,
        approved_at=row.approved_at,
        received_at=row.received_at,
        changed_at=row.changed_at,
    )


def attempt_view(row: AttemptRow) -> AttemptView:
    return AttemptView(
        attempt=row.attempt,
        kind=row.kind,
        connector=row.connector,
        reference=row.reference,
        outcome=row.outcome,
        claimed_at=row.claimed_at,
        recorded_at=row.recorded_at,
        document=document_view(row.document_number, row.document_id, None),
        code=row.code,
        detail=row.detail,
    )


def receipt_view(row: ReceiptRow) -> ReceiptView:
    return ReceiptView(
        receipt=row.position,
        state=row.state,
        tries=row.tries,
        due_at=row.due_at if row.state is ReceiptState.WAITING else None,
        changed_at=row.changed_at,
        reason=row.reason,
    )


def document_view(number: str | None, erp_id: str | None, url: str | None) -> DocumentView | None:
    return DocumentView(number=number, id=erp_id, url=url) if number or erp_id else None


def waiting_views(rows: Sequence[WaitingRow]) -> list[WaitingView]:
    return [
        WaitingView(
            currency=row.currency,
            count=row.count,
            total=amount_text(row.total_minor, row.currency),
            oldest=row.oldest,
        )
        for row in rows
    ]


def run_state(result: RunResult | None) -> Literal["running", "finished", "stopped"]:
    match result:
        case None:
            return "running"
        case RunResult.FINISHED:
            return "finished"
        case RunResult.STOPPED:
            return "stopped"


def log_entry_view(entry: LogEntry) -> LogEntryView:
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


def dead_letter_view(letter: DeadLetter) -> DeadLetterView:
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


def readable(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(content).decode()
