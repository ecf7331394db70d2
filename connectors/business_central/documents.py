"""A `Posting` ↔ Business Central's purchase invoice. Pure.

Source of the fields: page 30042 "APIV2 - Purchase Invoices" and its lines (microsoft/ALAppExtensions), and Microsoft
Learn, "purchaseInvoice resource type" (API v2.0).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from connectors.contract import Posting, PostingLine
from connectors.erp_text import one_line, text_with_day, utf16_units

LONGEST_TEXT = 100
"""`description` of a purchase invoice line, in UTF-16 units, as .NET counts text: no page states the unit."""

_NOT_FINAL = frozenset({"Draft", "In Review", "In_x0020_Review"})


@dataclass(frozen=True, slots=True)
class Invoice:
    """A purchase invoice as the ERP states it. `currency` is empty where it is the company's own."""

    erp_id: str
    number: str
    status: str
    reference: str
    vendor: str
    total: Decimal
    currency: str
    etag: str

    @property
    def is_posted(self) -> bool:
        return self.status not in _NOT_FINAL


def same_reference(one: str, other: str) -> bool:
    """`vendorInvoiceNumber` is a Code field: Business Central keeps it in capitals and compares it that way."""
    return one.upper() == other.upper()


def invoice_payload(posting: Posting, company_currency: str, *, with_dimensions: bool = True) -> dict[str, object]:
    """The body of `POST /purchaseInvoices`, lines included.

    `currencyCode` stays empty for the company's own currency. Amounts are with tax: `pricesIncludeTax` keeps Business
    Central from putting the tax on top (page 30042 of the API takes it).
    """
    return {
        "vendorNumber": posting.claimant,
        "vendorInvoiceNumber": posting.reference,
        "invoiceDate": posting.document_date.isoformat(),
        "postingDate": posting.posting_date.isoformat(),
        "dueDate": max(posting.posting_date, posting.document_date).isoformat(),
        "currencyCode": "" if posting.currency == company_currency else posting.currency,
        "pricesIncludeTax": True,
        "purchaseInvoiceLines": [_line(line, with_dimensions) for line in posting.lines],
    }


def moved_to(posting: Posting, day: date) -> Posting:
    """The posting booked on another day, with the approval's date at the end of each line's text: the lines are what a
    bookkeeper sees of an invoice in the ledger."""
    if day == posting.posting_date:
        return posting
    lines = tuple(
        replace(line, text=text_with_day(line.text, posting.posting_date, LONGEST_TEXT, utf16_units))
        for line in posting.lines
    )
    return replace(posting, posting_date=day, lines=lines)


def fits_a_json_number(amount: Decimal) -> bool:
    """JSON numbers are read as doubles on the way: 15 digits are safe, more may change."""
    return Decimal(repr(float(amount))) == amount


def invoices_in(content: object) -> list[Invoice] | None:
    """The invoices of a collection's answer; None where it has another form."""
    rows = content.get("value") if isinstance(content, Mapping) else None
    if not isinstance(rows, list):
        return None
    invoices = [invoice_in(row) for row in rows]
    return [invoice for invoice in invoices if invoice is not None] if all(invoices) else None


def invoice_in(content: object) -> Invoice | None:
    """One invoice; None where the answer has another form."""
    if not isinstance(content, Mapping):
        return None
    texts = [content.get(name) for name in ("id", "number", "status", "vendorInvoiceNumber", "vendorNumber")]
    total = content.get("totalAmountIncludingTax")
    if not all(isinstance(text, str) for text in texts) or not isinstance(total, int | Decimal):
        return None
    erp_id, number, status, reference, vendor = (str(text) for text in texts)
    return Invoice(
        erp_id=erp_id,
        number=number,
        status=status,
        reference=reference,
        vendor=vendor,
        total=Decimal(total),
        currency=str(content.get("currencyCode") or ""),
        etag=str(content.get("@odata.etag") or "*"),
    )


def agrees(invoice: Invoice, posting: Posting, company_currency: str) -> bool:
    """Whether a document found under the reference is this reimbursement's."""
    return (
        invoice.total == posting.total
        and (invoice.currency or company_currency) == posting.currency
        and invoice.vendor.upper() == posting.claimant.upper()
    )


def conflict_of(invoice: Invoice, posting: Posting, company_currency: str) -> str:
    """What is different, for whoever has to compare the two."""
    vendor = "" if invoice.vendor.upper() == posting.claimant.upper() else ", of another vendor,"
    return (
        f"Business Central holds invoice {invoice.number} over {invoice.total} {invoice.currency or company_currency}"
        f"{vendor} under this reference, but {posting.total} {posting.currency} was approved. Compare the two; then "
        "correct the invoice and retry, or mark the reimbursement as handled elsewhere."
    )


def reference_filter(references: Sequence[str]) -> str:
    """An OData filter; quotes inside a text are doubled, the only escape there is."""
    return " or ".join(f"vendorInvoiceNumber eq {quoted(reference)}" for reference in references)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def dimensions_of(line: PostingLine) -> Collection[tuple[str, str]]:
    """Code and value, a code that comes in two spellings once: Business Central keeps codes in capitals."""
    return {code.upper(): (code, value) for code, value in line.dimensions.items()}.values()


def _line(line: PostingLine, with_dimensions: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "lineType": "Account",
        "lineObjectNumber": line.account,
        "description": one_line(line.text, LONGEST_TEXT, utf16_units),
        "quantity": 1,
        "unitCost": _json_number(line.amount),
    }
    if line.tax_code is not None:
        fields["taxCode"] = line.tax_code
    if line.dimensions and with_dimensions:
        fields["dimensionSetLines"] = [{"code": code, "valueCode": value} for code, value in dimensions_of(line)]
    return fields


def _json_number(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)
