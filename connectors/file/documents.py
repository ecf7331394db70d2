"""A posting as a JSON document and as a row of the ledger; and what is there already, read back. Pure."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from connectors.contract import Posting

COLUMNS = (
    "reference",
    "posting_date",
    "document_date",
    "claimant",
    "currency",
    "total",
    "counter_account",
    "text",
    "document",
)
_SUFFIX = ".json"
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What a document says that is compared with a posting, and the row that belongs to it."""

    reference: str
    total: Decimal
    currency: str
    cells: tuple[str, ...]

    def agrees(self, posting: Posting) -> bool:
        return (self.total, self.currency) == (posting.total, posting.currency)


def document_name(reference: str) -> str:
    """A colon is no part of a file's name on every system. The digest in a reference keeps names apart."""
    return reference.replace(":", "_") + _SUFFIX


def is_document(name: str) -> bool:
    return name.endswith(_SUFFIX)


def document_of(posting: Posting) -> bytes:
    """UTF-8, amounts as decimal strings, in an order that stays."""
    content = {
        "reference": posting.reference,
        "posting_date": posting.posting_date.isoformat(),
        "document_date": posting.document_date.isoformat(),
        "claimant": posting.claimant,
        "currency": posting.currency,
        "total": str(posting.total),
        "counter_account": posting.counter_account,
        "text": posting.text,
        "lines": [
            {
                "account": line.account,
                "amount": str(line.amount),
                "text": line.text,
                "tax_code": line.tax_code,
                "dimensions": dict(line.dimensions),
            }
            for line in posting.lines
        ],
    }
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def read_document(content: bytes) -> StoredDocument | None:
    """None where it is not one of ours."""
    try:
        found = json.loads(content)
        texts = {name: found[name] for name in COLUMNS if name != "document"}
        reference, total, currency = str(found["reference"]), Decimal(str(found["total"])), str(found["currency"])
    except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError):
        return None
    cells = ("" if value is None else str(value) for value in texts.values())
    return StoredDocument(reference, total, currency, (*cells, document_name(reference)))


def row_of(cells: Sequence[str], delimiter: str) -> bytes:
    """One line of RFC 4180, its line breaks flattened. No cell is a formula to a spreadsheet."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow([_as_text(cell) for cell in cells])
    return line.getvalue().encode()


def references_in(rows: bytes, delimiter: str) -> set[str]:
    """The references of whole lines."""
    lines = csv.reader(io.StringIO(rows.decode("utf-8", "replace"), newline=""), delimiter=delimiter)
    return {line[0].removeprefix("'") for line in lines if line}


def _as_text(cell: str) -> str:
    flat = " ".join(cell.split())
    return f"'{flat}" if cell.startswith(_BEGINS_A_FORMULA) or flat.startswith(_BEGINS_A_FORMULA) else flat
