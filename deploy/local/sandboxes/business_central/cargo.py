"""What a request says of a document, read leniently: what is refused is written down too."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from deploy.local.sandboxes.business_central.company import Company
from deploy.local.sandboxes.business_central.invoices import Invoice
from deploy.local.sandboxes.business_central.operations import CARRYING, Call
from deploy.local.sandboxes.business_central.refusals import RefusedError
from deploy.local.sandboxes.ledger import Cargo, CargoLine


def cargo_of(call: Call, company: Company | None) -> Sequence[Cargo]:
    """One cargo for a draft, a change of one, a line added to one and a posting; none for all else."""
    if call.place.operation not in CARRYING:
        return ()
    if call.place.operation == "create_invoice":
        return (_from_body(call.body),)
    return (_from_invoice(_known(call.place.id, company)),)


def references_of(call: Call, company: Company | None) -> tuple[str, ...]:
    """Every reference the request names: in its body, in its filter, or by the invoice's id."""
    invoice = _known(call.place.id, company)
    named = call.query.filter.texts_of("vendorInvoiceNumber") + tuple(
        each.reference for each in cargo_of(call, company) if each.reference
    )
    return named + ((invoice.vendor_invoice_number,) if invoice else ())


def _known(invoice_id: str, company: Company | None) -> Invoice | None:
    if company is None or not invoice_id:
        return None
    try:
        return company.invoice(invoice_id)
    except RefusedError:
        return None


def _from_invoice(invoice: Invoice | None) -> Cargo:
    if invoice is None:
        return Cargo()
    return Cargo(
        reference=invoice.vendor_invoice_number,
        total=invoice.net + invoice.tax,
        currency=invoice.currency,
        vendor=invoice.vendor,
        posting_date=invoice.posting_date,
        lines=tuple(
            CargoLine(
                account=line.account,
                amount=line.amount,
                text=line.description,
                tax_code=line.tax_code,
                dimensions=tuple(line.dimensions.items()),
            )
            for line in invoice.lines
        ),
    )


def _from_body(body: object) -> Cargo:
    if not isinstance(body, dict):
        return Cargo()
    lines = tuple(_line(each) for each in _dicts(body.get("purchaseInvoiceLines")))
    return Cargo(
        reference=_text(body.get("vendorInvoiceNumber")),
        total=sum((line.amount or Decimal(0) for line in lines), Decimal(0)),
        currency=_text(body.get("currencyCode")),
        vendor=_text(body.get("vendorNumber")),
        posting_date=_day(body.get("postingDate")),
        lines=lines,
    )


def _line(line: dict[object, object]) -> CargoLine:
    pairs = _dicts(line.get("dimensionSetLines"))
    return CargoLine(
        account=_text(line.get("lineObjectNumber")),
        amount=_number(line.get("quantity")) * _number(line.get("unitCost")),
        text=_text(line.get("description")),
        tax_code=_text(line.get("taxCode")),
        dimensions=tuple((str(each.get("code")), str(each.get("valueCode"))) for each in pairs),
    )


def _dicts(value: object) -> list[dict[object, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> Decimal:
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
