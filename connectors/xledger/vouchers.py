"""What Xledger holds under our references: posted transactions, rows of the import, and what the import
refused. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from connectors.contract import Absent, Document, Finding, Found, ImportRefused, Posting, Staged
from connectors.erp_text import one_line

_LONGEST_MESSAGE = 300


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
    """One row of `glImportItems`."""

    erp_id: int
    reference: str
    registration: str


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
    payables = [_payable(node) for node in _nodes(data.get("apTransactions"))]
    imports = [_import_row(node) for node in _nodes(data.get("glImportItems"))]
    if not {"apTransactions", "glImportItems"} <= data.keys() or None in payables or None in imports:
        return None
    return Holdings(
        payables=[row for row in payables if row is not None],
        imports=[row for row in imports if row is not None],
        is_cut=_has_more(data["apTransactions"]) or _has_more(data["glImportItems"]),
    )


def messages_in(data: Mapping[str, object]) -> dict[int, list[str]]:
    """From the answer to `FIND_ERRORS`. `transactionDbId` is the `dbId` of the import's row."""
    told: defaultdict[int, list[str]] = defaultdict(list)
    for node in _nodes(data.get("glImportItemErrors")):
        row = node.get("transactionDbId")
        if isinstance(row, int):
            told[row].append(one_line(str(node.get("message") or "Refused without a reason."), _LONGEST_MESSAGE))
    return dict(told)


def findings(references: Iterable[str], holdings: Holdings) -> dict[str, Finding]:
    return {reference: _finding(reference, holdings) for reference in references}


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
    for edge in _edges(data.get("addGLImportItems")):
        node, client_id = edge.get("node"), edge.get("clientId")
        if isinstance(node, Mapping) and node.get("dbId") is not None and isinstance(client_id, str):
            added[client_id.partition(".")[0]].append(str(node["dbId"]))
    return dict(added)


def known_codes(data: Mapping[str, object], connection: str) -> frozenset[str]:
    return frozenset(str(node.get("code")) for node in _nodes(data.get(connection)))


def _finding(reference: str, holdings: Holdings) -> Finding:
    payables = [row for row in holdings.payables if row.reference == reference]
    if payables:
        return _found(payables)
    rows = [row for row in holdings.imports if row.reference == reference]
    return _import_finding(rows, holdings.messages) if rows else Absent()


def _found(rows: Sequence[PayableRow]) -> Found:
    """Two transactions under one reference add up, so the total differs from the reimbursement's and a person looks."""
    numbers = ", ".join(dict.fromkeys(row.transaction_number for row in rows))
    ids = ",".join(row.erp_id for row in rows)
    return Found(Document(number=numbers, erp_id=ids), -sum((row.amount for row in rows), Decimal(0)), rows[0].currency)


def _import_finding(rows: Sequence[ImportRow], messages: Mapping[int, Sequence[str]]) -> Finding:
    """A voucher is refused when one of its rows is. Every attempt is a voucher of its own; the last refused
    one speaks."""
    vouchers: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        vouchers[row.registration] += messages.get(row.erp_id, ())
    document = Document(number=rows[0].reference, erp_id=",".join(str(row.erp_id) for row in rows))
    if not all(vouchers.values()):
        return Staged(document)
    told = " ".join(dict.fromkeys(list(vouchers.values())[-1]))
    return ImportRefused(document, "import_refused", one_line(told, _LONGEST_MESSAGE))


def _payable(node: Mapping[object, object]) -> PayableRow | None:
    header, currency = node.get("transactionHeader"), node.get("currency")
    amount = _decimal(node.get("invoiceAmount"))
    if not isinstance(header, Mapping) or not isinstance(currency, Mapping) or amount is None:
        return None
    return PayableRow(
        erp_id=str(node.get("dbId")),
        reference=str(node.get("invoiceNumber")),
        amount=amount,
        currency=str(currency.get("code")),
        transaction_number=str(header.get("transactionNumber")),
    )


def _import_row(node: Mapping[object, object]) -> ImportRow | None:
    db_id = node.get("dbId")
    if not isinstance(db_id, int):
        return None
    return ImportRow(db_id, str(node.get("invoiceNumber")), str(node.get("trRegNumber")))


def _has_more(connection: object) -> bool:
    page = connection.get("pageInfo") if isinstance(connection, Mapping) else None
    return isinstance(page, Mapping) and page.get("hasNextPage") is True


def _nodes(connection: object) -> list[Mapping[object, object]]:
    nodes = [edge.get("node") for edge in _edges(connection)]
    return [node for node in nodes if isinstance(node, Mapping)]


def _edges(connection: object) -> list[Mapping[object, object]]:
    edges = connection.get("edges") if isinstance(connection, Mapping) else None
    return [edge for edge in edges if isinstance(edge, Mapping)] if isinstance(edges, list) else []


def _decimal(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        return None
