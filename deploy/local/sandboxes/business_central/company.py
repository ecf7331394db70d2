"""One company's purchase ledger: what may become a draft, what may be posted, what can't be changed any
more."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from deploy.local.sandboxes.business_central.bodies import (
    DimensionChangeBody,
    DimensionSetLineBody,
    InvoiceBody,
    InvoiceChangeBody,
    LineBody,
)
from deploy.local.sandboxes.business_central.invoices import Invoice, Line, Status
from deploy.local.sandboxes.business_central.refusals import DIALOG, RefusedError, not_found, unrelated
from deploy.local.sandboxes.business_central.rows import row_id
from deploy.local.sandboxes.tenants import BusinessCentralTenant

Duplicates = Literal["refused_once_posted", "refused_at_posting"]
"""When a second draft under a posted invoice's number is refused: as it is made, or only as it is posted."""


@dataclass(frozen=True, slots=True)
class Savepoint:
    invoices: Mapping[str, Invoice]


class Company:
    """Every method that changes something raises `RefusedError` and then has changed nothing."""

    def __init__(self, tenant: BusinessCentralTenant) -> None:
        self.tenant = tenant
        self.duplicates: Duplicates = "refused_once_posted"
        self.leaves_out_dimensions = False
        self._invoices: dict[str, Invoice] = {}
        self._ids_by_reference: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._ids_by_line: dict[str, str] = {}
        self._numbers = {Status.DRAFT: 107_000, Status.OPEN: 108_000}

    def savepoint(self) -> Savepoint:
        return Savepoint(dict(self._invoices))

    def roll_back(self, savepoint: Savepoint) -> None:
        """Numbers that were drawn stay drawn, as in the real one."""
        for index in (self._invoices, self._ids_by_reference, self._ids_by_line):
            index.clear()
        for invoice in savepoint.invoices.values():
            self._keep(invoice)

    def invoices(self, references: Collection[str] = ()) -> Sequence[Invoice]:
        """All, or those under one of these vendor invoice numbers, found without reading all of them."""
        if not references:
            return tuple(self._invoices.values())
        wanted = dict.fromkeys(reference.casefold() for reference in references)
        ids = (one for reference in wanted for one in self._ids_by_reference.get(reference, ()))
        return tuple(self._invoices[one] for one in ids)

    def invoice(self, invoice_id: str) -> Invoice:
        found = self._invoices.get(invoice_id.lower())
        if found is None:
            raise not_found("Purchase Invoice")
        return found

    def invoice_of_line(self, line_id: str) -> tuple[Invoice, Line]:
        invoice_id = self._ids_by_line.get(line_id.lower())
        if invoice_id is None:
            raise not_found("Purchase Invoice Line")
        invoice = self._invoices[invoice_id]
        return invoice, next(line for line in invoice.lines if line.id == line_id.lower())

    def draft(self, body: InvoiceBody) -> Invoice:
        vendor = self._vendor(self._vendor_number(body))
        if self.duplicates == "refused_once_posted":
            self._check_not_posted_yet(vendor, body.vendor_invoice_number)
        today = datetime.now(UTC).date()
        invoice = Invoice(
            number=self._next_number(Status.DRAFT),
            vendor=vendor,
            vendor_invoice_number=body.vendor_invoice_number,
            invoice_date=body.invoice_date or today,
            posting_date=body.posting_date or today,
            due_date=body.due_date or body.invoice_date or today,
            currency=self._currency(body.currency_code),
            shortcuts=self._shortcuts(body),
            prices_include_tax=body.prices_include_tax,
            lines=tuple(self._line(line, vendor, body.prices_include_tax) for line in body.purchase_invoice_lines),
        )
        return self._keep(invoice)

    def change(self, invoice_id: str, body: InvoiceChangeBody) -> Invoice:
        invoice = self._changeable(invoice_id)
        given = body.model_fields_set
        changes = {name: getattr(body, name) for name in _PLAIN if name in given and getattr(body, name)}
        if given & {"vendor_number", "vendor_id"}:
            changes["vendor"] = self._vendor(self._vendor_number(body))
        if "currency_code" in given:
            changes["currency"] = self._currency(body.currency_code)
        return self._keep(_changed(invoice, changes))

    def add_line(self, invoice_id: str, body: LineBody) -> Invoice:
        invoice = self._changeable(invoice_id)
        return self._keep(
            _changed(invoice, {"lines": (*invoice.lines, self._line(body, invoice.vendor, invoice.prices_include_tax))})
        )

    def add_dimension(self, line_id: str, body: DimensionSetLineBody) -> None:
        _, line = self.invoice_of_line(line_id)
        added = self._dimensions([body])
        self._check_new(line.dimensions, [body])
        self._set_dimensions(line_id, added)

    def change_dimension(self, line_id: str, dimension_id: str, body: DimensionChangeBody) -> str:
        """The dimension's code."""
        _, line = self.invoice_of_line(line_id)
        code = next((each for each in line.dimensions if row_id("dimension", each) == dimension_id.lower()), None)
        if code is None:
            raise not_found("Dimension Set Line")
        if body.code not in {None, code}:
            raise RefusedError('The "id" and "code" fields cannot be modified.', code=DIALOG)
        self._check_dimension(code, body.value_code)
        self._set_dimensions(line_id, {code: body.value_code})
        return code

    def _set_dimensions(self, line_id: str, dimensions: Mapping[str, str]) -> None:
        invoice, line = self.invoice_of_line(line_id)
        self._changeable(invoice.id)
        grown = replace(line, dimensions={**line.dimensions, **dimensions})
        lines = tuple(grown if each.id == line.id else each for each in invoice.lines)
        self._keep(_changed(invoice, {"lines": lines}))

    def post(self, invoice_id: str) -> Invoice:
        invoice = self._changeable(invoice_id)
        self._check_postable(invoice)
        return self._keep(_changed(invoice, {"status": Status.OPEN, "number": self._next_number(Status.OPEN)}))

    def delete(self, invoice_id: str) -> None:
        self._drop(self._changeable(invoice_id))

    def _keep(self, invoice: Invoice) -> Invoice:
        if invoice.id in self._invoices:
            self._drop(self._invoices[invoice.id])
        self._invoices[invoice.id] = invoice
        self._ids_by_reference[invoice.vendor_invoice_number.casefold()][invoice.id] = None
        self._ids_by_line |= dict.fromkeys((line.id for line in invoice.lines), invoice.id)
        return invoice

    def _drop(self, invoice: Invoice) -> None:
        del self._invoices[invoice.id]
        del self._ids_by_reference[invoice.vendor_invoice_number.casefold()][invoice.id]
        for line in invoice.lines:
            del self._ids_by_line[line.id]

    def _changeable(self, invoice_id: str) -> Invoice:
        invoice = self.invoice(invoice_id)
        if invoice.is_posted:
            raise RefusedError(f"Purchase Invoice {invoice.number} is posted and cannot be changed.", code=DIALOG)
        return invoice

    def _check_postable(self, invoice: Invoice) -> None:
        if not invoice.vendor_invoice_number:
            raise RefusedError("You need to enter the document number of the document from the vendor.", code=DIALOG)
        self._check_not_posted_yet(invoice.vendor, invoice.vendor_invoice_number)
        if not invoice.net:
            raise RefusedError("There is nothing to post.", code=DIALOG)
        for line in invoice.lines:
            self._check_account(line.account)
        if not self.tenant.is_open(invoice.posting_date):
            raise RefusedError(
                f"Posting Date {invoice.posting_date} is not within your range of allowed posting dates.",
                code=DIALOG,
            )

    def _check_not_posted_yet(self, vendor: str, reference: str) -> None:
        if any(each.is_posted and each.vendor == vendor for each in self.invoices([reference])):
            raise RefusedError(f"Purchase Invoice {reference} already exists for this vendor.", code=DIALOG)

    def _check_account(self, number: str) -> None:
        for numbers, field, wanted in (
            (self.tenant.blocked_accounts, "Blocked", "No"),
            (self.tenant.closed_accounts, "Direct Posting", "Yes"),
        ):
            if number in numbers:
                raise RefusedError(
                    f"{field} must be equal to '{wanted}' in G/L Account: No.={number}. Current value is "
                    f"'{'Yes' if wanted == 'No' else 'No'}'.",
                    code="Application_FieldValidationException",
                )

    def _vendor(self, number: str | None) -> str:
        if not number:
            raise RefusedError("A vendorNumber or a vendorId must be provided.", code=DIALOG)
        if number not in self.tenant.suppliers:
            raise unrelated("Buy-from Vendor No.", "Purchase Header", number, "Vendor")
        if number in self.tenant.blocked_suppliers:
            raise RefusedError(
                f"You cannot create this type of document when Vendor {number} is blocked with type All.",
                code=DIALOG,
            )
        return number

    def _vendor_number(self, body: InvoiceChangeBody) -> str | None:
        if body.vendor_id is None:
            return body.vendor_number
        by_id = {row_id("vendor", number): number for number in self.tenant.suppliers}
        number = by_id.get(body.vendor_id.lower())
        if number is None:
            raise RefusedError("The vendor cannot be found.", code=DIALOG)
        return number

    def _currency(self, code: str) -> str:
        """The API answers with the company's own currency where the table has an empty code."""
        if code and not self.tenant.knows_currency(code):
            raise unrelated("Currency Code", "Purchase Header", code, "Currency")
        return code or self.tenant.company_currency

    def _line(self, body: LineBody, vendor: str, prices_include_tax: bool) -> Line:
        if body.line_object_number not in self.tenant.accounts:
            raise unrelated("No.", "Purchase Line", body.line_object_number, "G/L Account")
        if body.tax_code and body.tax_code not in self.tenant.tax_codes:
            raise unrelated("VAT Prod. Posting Group", "Purchase Line", body.tax_code, "VAT Product Posting Group")
        if body.location_id is not None:
            raise unrelated("Location Code", "Purchase Line", body.location_id, "Location")
        defaults = self.tenant.defaults_of(vendor) | self.tenant.defaults_of(body.line_object_number)
        added = {} if self.leaves_out_dimensions else self._dimensions(body.dimension_set_lines)
        self._check_new(defaults, () if self.leaves_out_dimensions else body.dimension_set_lines)
        return Line(
            account=body.line_object_number,
            quantity=body.quantity,
            unit_cost=body.unit_cost,
            description=body.description,
            description2=body.description2,
            tax_code=body.tax_code or "",
            includes_tax=prices_include_tax,
            tax_percent=self.tenant.tax_codes.get(body.tax_code or "", Decimal(0)),
            dimensions={**defaults, **added},
        )

    def _check_new(self, present: Mapping[str, str], added: Iterable[DimensionSetLineBody]) -> None:
        """Page 30022 of the API adds no second line under a code, and what is inherited is there first."""
        if any(line.code in present for line in added):
            raise RefusedError(
                "The dimension set line already exists. Check existing dimension set lines and the default dimension "
                "set lines on the parent.",
                code=DIALOG,
            )

    def _dimensions(self, lines: Iterable[DimensionSetLineBody]) -> Mapping[str, str]:
        for line in lines:
            self._check_dimension(line.code, line.value_code)
            if line.id not in {None, row_id("dimension", line.code)}:
                raise RefusedError("The dimension field values do not match to a specific Dimension.", code=DIALOG)
            if line.value_id not in {None, row_id("dimension", line.code, line.value_code)}:
                message = 'The "valueId" does not match to a Dimension Value.'
                raise RefusedError(message, code=DIALOG)
        return {line.code: line.value_code for line in lines}

    def _check_dimension(self, code: str, value: str) -> None:
        dimension = self.tenant.dimension(code)
        if dimension is None:
            raise unrelated("Dimension Code", "Dimension Set Entry", code, "Dimension")
        if value not in dimension.values:
            raise unrelated("Dimension Value Code", "Dimension Set Entry", value, "Dimension Value")

    def _shortcuts(self, body: InvoiceChangeBody) -> tuple[str, str]:
        codes = (body.shortcut_dimension1_code, body.shortcut_dimension2_code)
        for index, value in enumerate(codes):
            if value and (index >= len(self.tenant.dimensions) or value not in self.tenant.dimensions[index].values):
                raise unrelated(f"Shortcut Dimension {index + 1} Code", "Purchase Header", value, "Dimension Value")
        return codes

    def _next_number(self, status: Status) -> str:
        self._numbers[status] += 1
        return str(self._numbers[status])


_PLAIN = ("vendor_invoice_number", "invoice_date", "posting_date", "due_date")


def _changed(invoice: Invoice, changes: Mapping[str, object]) -> Invoice:
    return replace(invoice, **changes, version=invoice.version + 1, modified_at=datetime.now(UTC))  # type: ignore[arg-type]


def month_starts(first: date, last: date) -> list[date]:
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(month // 12, month % 12 + 1, 1) for month in months]
