"""Whether everything ended where it should: pure, over what was found and what was expected.

The ERPs' own ledgers are the witness: PostgreSQL may say what it likes, a document must be there for it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.local.sample.evidence import Evidence, Item, StoredItem
from deploy.local.sample.expectation import Expectation, ExpectedItem
from deploy.local.sample.story import Played
from deploy.local.sample.ways import on_windows, was_held, way_of
from deploy.local.sandboxes.client import Erp
from deploy.local.sandboxes.ledger import LedgerLine

REFUSED = 1


@dataclass(frozen=True, slots=True)
class Row:
    """An item as the table shows it. `document` is the ERP's word, `agrees` whether PostgreSQL says the same."""

    item: Item
    amount: str
    way: str
    state: str
    document: str | None
    agrees: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """`differences` are sentences; none: all is as it should be."""

    rows: Sequence[Row]
    differences: Sequence[str]


def judge(evidence: Evidence, played: Played, expected: Expectation) -> Judgement:
    places = {(one.organization, one.reimbursement): place for place, one in enumerate(expected.items)}
    in_order = sorted(evidence.items, key=lambda item: places.get(item.key, len(places)))
    rows = [_row(item, evidence) for item in in_order]
    homes = {(one.organization, one.reimbursement): one.erp for one in expected.items}
    return Judgement(
        rows,
        [
            *_item_differences(rows, expected.items),
            *_ledger_differences(evidence, homes),
            *_order_differences(evidence),
            *_sent_while_off(evidence),
            *_intake_differences(evidence, expected),
            *_outcome_differences(evidence),
            *_log_differences(evidence, played, expected),
            *_refusal_differences(played, expected),
        ],
    )


def _row(item: StoredItem, evidence: Evidence) -> Row:
    found = [(erp, line) for erp, line in _documents(evidence) if line.reference == item.reference is not None]
    shown = ", ".join(f"{erp} {line.document}" for erp, line in found)
    amount = f"{item.total} {item.currency}"
    return Row(item.key, amount, way_of(item, evidence.log), item.state, shown or None, _agrees(item, found))


def _agrees(item: StoredItem, found: Sequence[tuple[Erp, LedgerLine]]) -> bool:
    if item.state != "synced":
        return not found
    return len(found) == 1 and _is_document_of(item, *found[0])


def _is_document_of(item: StoredItem, erp: Erp, line: LedgerLine) -> bool:
    stored = (item.connector, item.key[0], item.total, item.currency, item.document)
    return stored == (erp, line.tenant, line.total, line.currency, line.document)


def _documents(evidence: Evidence) -> Iterator[tuple[Erp, LedgerLine]]:
    for erp, lines in evidence.ledgers.items():
        yield from ((erp, line) for line in lines if line.final)


def _item_differences(rows: Sequence[Row], expected: Sequence[ExpectedItem]) -> Iterator[str]:
    found = {row.item: row for row in rows}
    for one in expected:
        row = found.pop((one.organization, one.reimbursement), None)
        if row is None:
            yield f"{one.organization} {one.reimbursement}: expected {one.state}, but it was never stored."
            continue
        wanted = {"state": one.state, "amount": one.amount, "way": one.way}
        for name, value in wanted.items():
            if getattr(row, name) != value:
                yield f"{_name(row.item)}: expected the {name} “{value}”, found “{getattr(row, name)}”."
        if not row.agrees:
            yield f"{_name(row.item)}: PostgreSQL says {row.state}, the ERP's ledger {row.document or 'has nothing'}."
    for item in found:
        yield f"{_name(item)}: stored, but not expected."


def _ledger_differences(evidence: Evidence, homes: Mapping[Item, Erp | None]) -> Iterator[str]:
    """Each document belongs to an item, and is in the right books."""
    owners = {item.reference: item for item in evidence.items if item.reference}
    for erp, line in _documents(evidence):
        owner = owners.get(line.reference or "")
        if owner is None:
            yield f"{erp} document {line.document}: nobody asked for it (reference {line.reference})."
        elif homes.get(owner.key) != erp:
            yield f"{_name(owner.key)}: its document {line.document} is at {erp}, where it does not belong."


def _order_differences(evidence: Evidence) -> Iterator[str]:
    """What one enable released was posted in the order of approval. What was tried twice lost its place."""
    places = {line.reference: place for place, (_, line) in enumerate(_documents(evidence))}
    released: dict[tuple[str, int], list[StoredItem]] = {}
    for item in evidence.items:
        if was_held(item, evidence.log) and item.reference in places and not _was_retried(item):
            released.setdefault((item.key[0], _enable_of(item, evidence)), []).append(item)
    for (organization, _), items in released.items():
        by_approval = sorted(items, key=lambda item: item.approved_at)
        by_document = sorted(items, key=lambda item: places[item.reference])
        if by_approval != by_document:
            order = ", ".join(item.key[1] for item in by_document)
            yield f"{organization}: not posted oldest first, but {order}."


def _was_retried(item: StoredItem) -> bool:
    return any(step.what == "item_retried" for step in item.steps)


def _enable_of(item: StoredItem, evidence: Evidence) -> int:
    """Which of its organisation's enables released it: the first after it had arrived."""
    windows = on_windows(evidence.log, item.key[0])
    return sum(window.start < item.received_at for window in windows)


def _sent_while_off(evidence: Evidence) -> Iterator[str]:
    """Requests that carried a reimbursement while the connector was off, applied or not."""
    for erp, lines in evidence.ledgers.items():
        for line in lines:
            if not any(window.holds(line.at) for window in on_windows(evidence.log, line.tenant or "")):
                yield f"{erp}: {line.request} for {line.reference} arrived while {line.tenant}'s connector was off."


def _intake_differences(evidence: Evidence, expected: Expectation) -> Iterator[str]:
    if evidence.duplicates != expected.duplicates:
        yield f"Duplicates: expected {expected.duplicates}, found {evidence.duplicates}."
    for where, found in (("stored", evidence.dead_letters), ("on the topic", evidence.told_dead_letters)):
        for reason in sorted({*found, *expected.dead_letters}):
            wanted, there = expected.dead_letters.get(reason, 0), found.get(reason, 0)
            if wanted != there:
                yield f"Dead letters {where}, {reason}: expected {wanted}, found {there}."


def _outcome_differences(evidence: Evidence) -> Iterator[str]:
    told = evidence.outcomes.documents
    for item in evidence.items:
        document = item.document if item.state == "synced" else None
        if told.get(item.key) != document:
            yield f"{_name(item.key)}: the outcomes topic tells of {told.get(item.key)}, PostgreSQL of {document}."
    changes = {
        "connector.changed.v1": ("connector_enabled", "connector_disabled", "connector_quiesced"),
        "sync_run.finished.v1": ("sync_run_finished", "sync_run_stopped"),
    }
    for event_type, logged in changes.items():
        wanted = sum(line.change in logged for line in evidence.log)
        told_of = evidence.outcomes.types.get(event_type, 0)
        if told_of != wanted:
            yield f"Outcomes topic, {event_type}: expected {wanted}, found {told_of}."


def _log_differences(evidence: Evidence, played: Played, expected: Expectation) -> Iterator[str]:
    for organization in sorted({*expected.log, *(line.organization for line in evidence.log)}):
        found = tuple(line.short for line in evidence.log if line.organization == organization)
        wanted = expected.log.get(organization, ())
        for missing in (Counter(wanted) - Counter(found)).elements():
            yield f"Sync log of {organization}: “{missing}” is missing."
        for surplus in (Counter(found) - Counter(wanted)).elements():
            yield f"Sync log of {organization}: “{surplus}” was not expected."
        if sorted(found) == sorted(wanted) and found != wanted:
            yield f"Sync log of {organization}: its entries are in another order than expected."
    if played.log_check.status:
        yield f"The sync log does not verify: {played.log_check.said or played.log_check.complaint}"


def _refusal_differences(played: Played, expected: Expectation) -> Iterator[str]:
    for organization, sentence in expected.refusals.items():
        answer = played.refusals.get(organization)
        pattern = ".*".join(map(re.escape, sentence.split("…")))
        if answer is None:
            yield f"sync run {organization}: was never tried."
        elif answer.status != REFUSED or not re.fullmatch(pattern, answer.complaint):
            found = f"{answer.status} and “{answer.complaint}”"
            yield f"sync run {organization}: expected exit 1 and “{sentence}”, found {found}."


def _name(item: Item) -> str:
    return " ".join(item)
