"""What Xledger holds under our references: posted transactions, rows of the import, and what the import
refused. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from connectors.contract import Absent, Attempted, Document, Finding, Found, ImportRefused, Posting, Staged
from connectors.erp_text import one_line
from connectors.xledger.answered import Row, day_of, decimal_of, edges_of, has_more, key_of, part_of, rows_of
from connectors.xledger.documents import registration_numbers

LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class PayableRow:
    """One row of `apTransactions`. `amount` is in the document's currency, below zero for what is owed."""

    erp_id: str
    reference: str
    amount: Decimal
    currency: str
    transaction_number: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of `glImportItems`. `posted_on` is the day it asks to be booked on."""

    erp_id: int
    reference: str
    registration: str
    posted_on: date | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """`is_cut` where there was more than the longest page. `messages` is a row's `erp_id` → what its import says."""

    payables: Sequence[PayableRow]
    imports: Sequence[ImportRow]
    is_cut: bool
    messages: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def rows_in_question(self) -> list[int]:
        """Rows of the import whose reference has no transaction: theirs are the errors to ask for."""
        posted = {row.reference for row in self.payables}
        return [row.erp_id for row in self.imports if row.reference not in posted]


def holdings_in(data: Mapping[str, object]) -> Holdings | None:
    """From the answer to `FIND_VOUCHERS`; None where it has another form."""
    payables = [_payable(node) for node in rows_of(data.get("apTransactions"))]
    imports = [_import_row(node) for node in rows_of(data.get("glImportItems"))]
    if not {"apTransactions", "glImportItems"} <= data.keys() or None in payables or None in imports:
        return None
    return Holdings(
        payables=[row for row in payables if row is not None],
        imports=[row for row in imports if row is not None],
        is_cut=has_more(data["apTransactions"]) or has_more(data["glImportItems"]),
    )


def messages_in(data: Mapping[str, object]) -> dict[int, list[str]]:
    """From the answer to `FIND_ERRORS`. `transactionDbId` is the `dbId` of the import's row."""
    told: defaultdict[int, list[str]] = defaultdict(list)
    for node in rows_of(data.get("glImportItemErrors")):
        row = key_of(node.get("transactionDbId"))
        if row is not None:
            told[row].append(one_line(str(node.get("message") or "Refused without a reason."), LONGEST_MESSAGE))
    return dict(told)


def findings(attempts: Iterable[Attempted], holdings: Holdings) -> dict[str, Finding]:
    return {one.reference: _finding(one, holdings) for one in attempts}


def refused_days(found: Mapping[str, Finding], holdings: Holdings) -> dict[str, date]:
    """On which day each refused voucher was to be booked."""
    days = {str(row.erp_id): row.posted_on for row in holdings.imports}
    refused = {
        reference: finding.document.erp_id.split(",")[0]
        for reference, finding in found.items()
        if isinstance(finding, ImportRefused)
    }
    return {reference: day for reference, row in refused.items() if (day := days.get(row)) is not None}


def conflict_of(document: Document, total: Decimal, currency: str, posting: Posting) -> str:
    """What is different, for whoever has to compare the two."""
    return (
        f"Xledger holds transaction {document.number} over {total} {currency} under this reference, but "
        f"{posting.total} {posting.currency} was approved. Compare the two; then correct the transaction and retry, or "
        "mark the reimbursement as handled elsewhere."
    )


def added_ids(data: Mapping[str, object]) -> dict[str, list[str]]:
    """The `dbId`s of the rows that `ADD_VOUCHERS` added, by what stands before the dot of their `clientId`."""
    added: defaultdict[str, list[str]] = defaultdict(list)
    for edge in edges_of(data.get("addGLImportItems")):
        row, client_id = part_of(edge.get("node"), "dbId"), edge.get("clientId")
        if row is not None and isinstance(client_id, str):
            added[client_id.partition(".")[0]].append(str(row))
    return dict(added)


def _finding(asked: Attempted, holdings: Holdings) -> Finding:
    payables = [row for row in holdings.payables if row.reference == asked.reference]
    if payables:
        return _found(payables)
    rows = [row for row in holdings.imports if row.reference == asked.reference]
    return _import_finding(rows, registration_numbers(asked), holdings.messages)


def _found(rows: Sequence[PayableRow]) -> Found:
    """Two transactions under one reference add up, so the total differs from the reimbursement's and a person looks."""
    numbers = ", ".join(dict.fromkeys(row.transaction_number for row in rows))
    ids = ",".join(row.erp_id for row in rows)
    return Found(Document(number=numbers, erp_id=ids), -sum((row.amount for row in rows), Decimal(0)), rows[0].currency)


def _import_finding(rows: Sequence[ImportRow], asked: Sequence[str], messages: Mapping[int, Sequence[str]]) -> Finding:
    """Every attempt is a voucher of its own, refused when one of its rows is. A refusal counts where it holds the
    voucher that is asked about: that of an earlier attempt stays for good, and this one may be in and not seen yet."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        told[row.registration] += messages.get(row.erp_id, ())
    waiting = [row for row in rows if not told[row.registration]]
    if waiting:
        return Staged(_staged(waiting))
    refused = [row for row in rows if row.registration in asked]
    if not refused:
        return Absent()
    message = one_line(" ".join(dict.fromkeys(told[refused[0].registration])), LONGEST_MESSAGE)
    return ImportRefused(_staged(refused), "import_refused", message)


def _staged(rows: Sequence[ImportRow]) -> Document:
    return Document(number=rows[0].reference, erp_id=",".join(str(row.erp_id) for row in rows))


def _payable(node: Row) -> PayableRow | None:
    header, currency = node.get("transactionHeader"), node.get("currency")
    amount = decimal_of(node.get("invoiceAmount"))
    if not isinstance(header, Mapping) or not isinstance(currency, Mapping) or amount is None:
        return None
    return PayableRow(
        erp_id=str(node.get("dbId")),
        reference=str(node.get("invoiceNumber")),
        amount=amount,
        currency=str(currency.get("code")),
        transaction_number=str(header.get("transactionNumber")),
    )


def _import_row(node: Row) -> ImportRow | None:
    row = key_of(node.get("dbId"))
    if row is None:
        return None
    posted_on = day_of(node.get("postedDate"))
    return ImportRow(row, str(node.get("invoiceNumber")), str(node.get("trRegNumber")), posted_on)
