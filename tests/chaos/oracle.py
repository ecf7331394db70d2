"""What became of everything that was approved: pure, over the database's word, the log's and the ERPs' own ledgers.

The ledgers are the witness. PostgreSQL may say what it likes: a document must be there for it, once, with its amount.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from connectors.reference import reference_of
from deploy.local.sandboxes.ledger import LedgerLine, documents_per_reference
from worker.domain.states import DIFFERENT_DOCUMENT

ItemKey = tuple[str, str]
"""(organisation, reimbursement)"""

FINAL = frozenset({"synced", "rejected", "handled_elsewhere"})
_BOTH_VALUES = re.compile(r" over (-?[0-9.]+) [A-Z]{3} .*but ([0-9.]+) [A-Z]{3} was approved")
_BY_ITSELF = "process_import"
"""What Xledger's import does with what was sent before; no request of anybody."""


class Harm(StrEnum):
    """What can have gone wrong, in the order of the table's columns."""

    LOST = "lost"
    DOUBLED = "doubled"
    LATE = "late"
    UNRESOLVED = "unresolved"
    DIFFERENT = "different"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval that the broker acknowledged. `tenant` is whose books it belongs in.

    `is_refusable`: its ERP may reject it. `disputed`: what the ERP holds, or says that it holds, instead of `total`;
    then it has to wait for a person.
    """

    organization_id: str
    reimbursement_id: str
    total: Decimal
    tenant: str
    currency: str = "NOK"
    is_refusable: bool = False
    disputed: Decimal | None = None

    @property
    def key(self) -> ItemKey:
        return self.organization_id, self.reimbursement_id

    @property
    def reference(self) -> str:
        return reference_of(self.organization_id, self.reimbursement_id)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as PostgreSQL has it at the end."""

    state: str
    document: str | None
    reason: str | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Switched:
    """An entry of the sync log that states the connector's phase."""

    organization_id: str
    at: datetime
    phase: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """`told`: whose `reimbursement.synced.v1` stands on the outcomes topic.

    `broken`: sentences on promises that are checked elsewhere (offsets accounted for, the log's chain). `crashed`: on
    workers that ended by themselves, or did not leave in order when they were asked to.
    """

    approved: Sequence[Approved]
    items: Mapping[ItemKey, StoredItem]
    buried: frozenset[ItemKey]
    switched: Sequence[Switched]
    ledger: Sequence[LedgerLine]
    told: frozenset[ItemKey]
    broken: Sequence[str] = ()
    crashed: Sequence[str] = ()


Judgement = Mapping[Harm, Sequence[str]]
"""Each harm with one sentence for each case of it."""


def judge(evidence: Evidence) -> Judgement:
    return {
        Harm.LOST: list(_lost(evidence)),
        Harm.DOUBLED: list(_doubled(evidence)),
        Harm.LATE: list(_late(evidence)),
        Harm.UNRESOLVED: list(_unresolved(evidence)),
        Harm.DIFFERENT: [*_different(evidence), *evidence.broken],
        Harm.CRASHED: list(evidence.crashed),
    }


def _lost(evidence: Evidence) -> Iterator[str]:
    """Approved, but neither an item nor a dead letter; or called synced without a document at the ERP."""
    documents = documents_per_reference(evidence.ledger)
    for one in evidence.approved:
        item = evidence.items.get(one.key)
        if item is None and one.key not in evidence.buried:
            yield f"{_name(one)}: neither an item nor a dead letter."
        if item is not None and item.state == "synced" and not documents[one.reference]:
            yield f"{_name(one)}: synced as {item.document}, but the ERP has no document."


def _doubled(evidence: Evidence) -> Iterator[str]:
    documents = documents_per_reference(evidence.ledger)
    for one in evidence.approved:
        if documents[one.reference] > 1:
            yield f"{_name(one)}: {documents[one.reference]} documents at the ERP."


def _late(evidence: Evidence) -> Iterator[str]:
    """Requests that carry a reimbursement and reached an ERP between the acknowledged "off" and the next enable.

    What stood at the door of a busy sandbox may have come before: only what certainly came afterwards counts.
    """
    owners = {one.reference: one for one in evidence.approved}
    windows = off_windows(evidence.switched)
    for line in evidence.ledger:
        owner = owners.get(line.reference or "")
        if owner is None or line.request == _BY_ITSELF:
            continue
        for start, end in windows.get(owner.organization_id, ()):
            came = line.arrived_at - timedelta(seconds=line.lag)
            if start < came and (end is None or line.arrived_at < end):
                after = (came - start).total_seconds()
                yield f"{_name(owner)}: {line.request} arrived {after:.3f} s after the connector was off."


def off_windows(switched: Sequence[Switched]) -> Mapping[str, Sequence[tuple[datetime, datetime | None]]]:
    """By organisation, from each acknowledged "off" to the next time that it is on; None: it is off still.

    `switched` is in the order of each log.
    """
    windows: defaultdict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    since: dict[str, datetime] = {}
    for entry in switched:
        if entry.phase == "off":
            since.setdefault(entry.organization_id, entry.at)
        elif entry.phase in {"on", "suspended"} and entry.organization_id in since:
            windows[entry.organization_id].append((since.pop(entry.organization_id), entry.at))
    for organization_id, start in since.items():
        windows[organization_id].append((start, None))
    return windows


def _unresolved(evidence: Evidence) -> Iterator[str]:
    """Every connector is on at the end, so nothing may wait; nor may the ERP have refused what it should take."""
    for one in evidence.approved:
        item = evidence.items.get(one.key)
        if item is None:
            continue
        if one.disputed is not None:
            yield from _undisputed(one, one.disputed, item)
        elif item.state not in FINAL or (item.state == "rejected" and not one.is_refusable):
            yield f"{_name(one)}: {item.state} at the end ({item.reason or 'no reason'})."


def _undisputed(one: Approved, held: Decimal, item: StoredItem) -> Iterator[str]:
    """It must wait for a person, who is told both values."""
    told = _BOTH_VALUES.search(item.reason or "")
    values = tuple(round(Decimal(value), 2) for value in told.groups()) if told else ()
    if (item.state, item.code, values) != ("unknown", DIFFERENT_DOCUMENT, (held, one.total)):
        yield f"{_name(one)}: {item.state}, though the ERP says {held}, not {one.total} ({item.reason or 'no reason'})."


def _different(evidence: Evidence) -> Iterator[str]:
    """Documents that differ from what was approved or from what PostgreSQL says, and what nobody was told of."""
    owners = {one.reference: one for one in evidence.approved}
    for line in evidence.ledger:
        owner = owners.get(line.reference or "")
        if owner is not None and line.final:
            yield from _differences(owner, evidence.items.get(owner.key), line)
    for one in evidence.approved:
        item = evidence.items.get(one.key)
        if item is not None and item.state == "synced" and one.key not in evidence.told:
            yield f"{_name(one)}: synced, but nobody was told."


def _differences(owner: Approved, item: StoredItem | None, line: LedgerLine) -> Iterator[str]:
    total = owner.total if line.total != owner.disputed else owner.disputed
    if (line.total, line.currency or "NOK", line.tenant) != (total, owner.currency, owner.tenant):
        yield f"{_name(owner)}: its document {line.document} has another amount, currency or tenant."
    if item is not None and item.state == "synced" and item.document != line.document:
        yield f"{_name(owner)}: synced as {item.document}, but the ERP has document {line.document}."
    if item is not None and item.state in {"pending", "rejected", "handled_elsewhere"}:
        yield f"{_name(owner)}: {item.state}, but the ERP has document {line.document}."


def _name(one: Approved) -> str:
    return f"{one.organization_id} {one.reimbursement_id}"
