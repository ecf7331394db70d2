"""One operation on one company: what it carries, and what it does when it is applied."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.local.sandboxes.answers import Answer, json_answer
from deploy.local.sandboxes.business_central import odata, tables
from deploy.local.sandboxes.business_central.bodies import (
    DimensionSetLineBody,
    InvoiceBody,
    InvoiceChangeBody,
    LineBody,
    read_body,
)
from deploy.local.sandboxes.business_central.company import Company
from deploy.local.sandboxes.business_central.invoices import Invoice
from deploy.local.sandboxes.business_central.odata import Query, Row
from deploy.local.sandboxes.business_central.refusals import RefusedError
from deploy.local.sandboxes.business_central.routes import Operation, Place
from deploy.local.sandboxes.exchange import Verdict
from deploy.local.sandboxes.ledger import Effect

Hides = Callable[[str, datetime], bool]


@dataclass(frozen=True, slots=True)
class Call:
    """A request inside a company. `if_match` is the header, None without one; `body` is what its JSON
    held."""

    place: Place
    query: Query
    body: object
    if_match: str | None


class Desk:
    """Applies calls to one company. `hides` says which invoices look-ups don't see just now."""

    def __init__(self, company: Company, hides: Hides) -> None:
        self.company = company
        self._hides = hides
        self._operations: dict[Operation, Callable[[Call], Verdict]] = {
            "company": self._company,
            "table": self._table,
            "create_invoice": self._create,
            "find_invoices": self._find,
            "get_invoice": self._get,
            "change_invoice": self._change,
            "delete_invoice": self._delete,
            "post_invoice": self._post,
            "invoice_lines": self._lines,
            "add_line": self._add_line,
            "line_dimensions": self._line_dimensions,
            "add_dimension": self._add_dimension,
        }

    def apply(self, call: Call, _: int) -> Verdict:
        try:
            return self._operations[call.place.operation](call)
        except RefusedError as error:
            refused = [Effect(applied=False, note=error.code)]
            return Verdict(error.answer(), refused if call.place.operation in CARRYING else [])

    def _company(self, _: Call) -> Verdict:
        return Verdict(json_answer(tables.company(self.company.tenant)))

    def _table(self, call: Call) -> Verdict:
        rows = tables.TABLES[call.place.table](self.company.tenant)
        return Verdict(_collection(odata.rows_for(call.query, rows, self._expanded_dimension)))

    def _create(self, call: Call) -> Verdict:
        invoice = self.company.draft(read_body(InvoiceBody, call.body))
        return Verdict(self._entity(invoice, call.query, status=201), [Effect(applied=True, document=invoice.number)])

    def _find(self, call: Call) -> Verdict:
        seen = [
            each.wire()
            for each in self.company.invoices(call.query.filter.only_of("vendorInvoiceNumber"))
            if not self._hides(each.vendor_invoice_number, each.modified_at)
        ]
        return Verdict(_collection(odata.rows_for(call.query, seen, self._expanded_invoice)))

    def _get(self, call: Call) -> Verdict:
        return Verdict(self._entity(self.company.invoice(call.place.id), call.query))

    def _change(self, call: Call) -> Verdict:
        self._check_etag(call)
        invoice = self.company.change(call.place.id, read_body(InvoiceChangeBody, call.body))
        return Verdict(self._entity(invoice, call.query), [Effect(applied=True, document=invoice.number)])

    def _delete(self, call: Call) -> Verdict:
        self._check_etag(call)
        self.company.delete(call.place.id)
        return Verdict(Answer(status=204))

    def _post(self, call: Call) -> Verdict:
        invoice = self.company.post(call.place.id)
        return Verdict(Answer(status=204), [Effect(applied=True, final=True, document=invoice.number)])

    def _lines(self, call: Call) -> Verdict:
        lines = self.company.invoice(call.place.id).wire_lines()
        return Verdict(_collection(odata.rows_for(call.query, lines, self._expanded_line)))

    def _add_line(self, call: Call) -> Verdict:
        invoice = self.company.add_line(call.place.id, read_body(LineBody, call.body))
        return Verdict(json_answer(invoice.wire_lines()[-1], 201), [Effect(applied=True, document=invoice.number)])

    def _line_dimensions(self, call: Call) -> Verdict:
        _, line = self.company.invoice_of_line(call.place.id)
        return Verdict(_collection(self.company.dimension_lines(line)))

    def _add_dimension(self, call: Call) -> Verdict:
        body = read_body(DimensionSetLineBody, call.body)
        self.company.add_dimension(call.place.id, body)
        return Verdict(json_answer({"code": body.code, "valueCode": body.value_code}, 201))

    def _check_etag(self, call: Call) -> None:
        """PATCH and DELETE must say which version they mean; `*` means any."""
        if call.if_match is None:
            message = "Could not validate the client concurrency token required by the service."
            raise RefusedError(message, code="BadRequest_InvalidToken", status=428)
        if call.if_match not in {"*", self.company.invoice(call.place.id).etag}:
            raise RefusedError("Another user has already changed the record.", code="Request_EntityChanged", status=412)

    def _entity(self, invoice: Invoice, query: Query, status: int = 200) -> Answer:
        return json_answer(odata.shaped(query, invoice.wire(), self._expanded_invoice), status)

    def _expanded_invoice(self, row: Row, names: Sequence[str]) -> Row:
        _check_expand(names, "purchaseInvoiceLines")
        return {"purchaseInvoiceLines": self.company.invoice(str(row["id"])).wire_lines()} if names else {}

    def _expanded_line(self, row: Row, names: Sequence[str]) -> Row:
        _check_expand(names, "dimensionSetLines")
        _, line = self.company.invoice_of_line(str(row["id"]))
        return {"dimensionSetLines": self.company.dimension_lines(line)} if names else {}

    def _expanded_dimension(self, row: Row, names: Sequence[str]) -> Row:
        _check_expand(names, "dimensionValues")
        dimension = self.company.tenant.dimension(str(row.get("code"))) if names else None
        return {"dimensionValues": tables.values_of(dimension)} if dimension else {}


CARRYING: frozenset[Operation] = frozenset({"create_invoice", "change_invoice", "add_line", "post_invoice"})


def _collection(rows: Sequence[Row]) -> Answer:
    return json_answer({"value": list(rows)})


def _check_expand(names: Sequence[str], known: str) -> None:
    if any(name != known for name in names):
        raise RefusedError(f"Could not find a property named '{names[0]}' on this type.")
