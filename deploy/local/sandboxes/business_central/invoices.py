"""Purchase invoices, drafts and posted ones, and how they look on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import uuid4

_CENT = Decimal("0.01")


class Status(StrEnum):
    DRAFT = "Draft"
    OPEN = "Open"
    PAID = "Paid"


@dataclass(frozen=True, slots=True)
class Line:
    """`tax_percent` comes on top, unless the price includes it. `dimensions` is dimension code → value code."""

    account: str
    quantity: Decimal
    unit_cost: Decimal
    description: str
    tax_code: str
    tax_percent: Decimal
    dimensions: Mapping[str, str]
    description2: str = ""
    includes_tax: bool = False
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def amount(self) -> Decimal:
        """As the price says it, with or without tax."""
        return (self.quantity * self.unit_cost).quantize(_CENT, ROUND_HALF_UP)

    @property
    def net(self) -> Decimal:
        share = 100 / (100 + self.tax_percent) if self.includes_tax else Decimal(1)
        return (self.amount * share).quantize(_CENT, ROUND_HALF_UP)

    @property
    def tax(self) -> Decimal:
        if self.includes_tax:
            return self.amount - self.net
        return (self.net * self.tax_percent / 100).quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Invoice:
    """`number` changes at posting: drafts and posted invoices have series of their own, the id stays."""

    number: str
    vendor: str
    vendor_invoice_number: str
    invoice_date: date
    posting_date: date
    due_date: date
    currency: str
    shortcuts: tuple[str, str]
    prices_include_tax: bool
    lines: tuple[Line, ...]
    status: Status = Status.DRAFT
    version: int = 1
    id: str = field(default_factory=lambda: str(uuid4()))
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        return f'W/"JzQ0O{self.id[:8]}{self.version:06d}Jw=="'

    @property
    def is_posted(self) -> bool:
        return self.status is not Status.DRAFT

    @property
    def net(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), Decimal(0))

    def wire(self) -> dict[str, object]:
        return {
            "@odata.etag": self.etag,
            "id": self.id,
            "number": self.number,
            "invoiceDate": self.invoice_date.isoformat(),
            "postingDate": self.posting_date.isoformat(),
            "dueDate": self.due_date.isoformat(),
            "vendorInvoiceNumber": self.vendor_invoice_number,
            "vendorNumber": self.vendor,
            "currencyCode": self.currency,
            "shortcutDimension1Code": self.shortcuts[0],
            "shortcutDimension2Code": self.shortcuts[1],
            "pricesIncludeTax": self.prices_include_tax,
            "discountAmount": 0,
            "totalAmountExcludingTax": self.net,
            "totalTaxAmount": self.tax,
            "totalAmountIncludingTax": self.net + self.tax,
            "status": self.status.value,
            "lastModifiedDateTime": self.modified_at.isoformat().replace("+00:00", "Z"),
        }

    def wire_lines(self) -> list[dict[str, object]]:
        return [self._wire_line(line, 10_000 * (index + 1)) for index, line in enumerate(self.lines)]

    def _wire_line(self, line: Line, sequence: int) -> dict[str, object]:
        return {
            "@odata.etag": self.etag,
            "id": line.id,
            "documentId": self.id,
            "sequence": sequence,
            "lineType": "Account",
            "lineObjectNumber": line.account,
            "description": line.description,
            "description2": line.description2,
            "unitCost": line.unit_cost,
            "quantity": line.quantity,
            "taxCode": line.tax_code,
            "taxPercent": line.tax_percent,
            "amountExcludingTax": line.net,
            "totalTaxAmount": line.tax,
            "amountIncludingTax": line.net + line.tax,
            "netAmount": line.net,
            "netAmountIncludingTax": line.net + line.tax,
        }
