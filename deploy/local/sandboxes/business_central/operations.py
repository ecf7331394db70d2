"""One operation on one company: what it carries, and what it does when it is applied."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from yarl import URL

from deploy.local.sandboxes.answers import Answer, json_answer
from deploy.local.sandboxes.business_central import odata, tables
from deploy.local.sandboxes.business_central.attachments import Attachments
from deploy.local.sandboxes.business_central.bodies import (
    AttachmentBody,
    DimensionChangeBody,
    DimensionSetLineBody,
    InvoiceBody,
    InvoiceChangeBody,
    LineBody,
    read_body,
)
from deploy.local.sandboxes.business_central.company import Company
from deploy.local.sandboxes.business_central.invoices import Invoice, Line
from deploy.local.sandboxes.business_central.odata import Expansion, Query, Row
from deploy.local.sandboxes.business_central.refusals import Refusal, RefusedError
from deploy.local.sandboxes.business_central.routes import Operation, Place
from deploy.local.sandboxes.exchange import Verdict
from deploy.local.sandboxes.ledger import Effect

Hides = Callable[[str, datetime], bool]


@dataclass(frozen=True, slots=True)
class Call:
    """A request inside a company. `if_match` is the header, None without one; `body` is what its JSON held; `url` is
    what a following page is named after; `raw` is the body itself, for what is no JSON."""

    place: Place
    query: Query
    body: object
    if_match: str | None
    url: URL = field(default_factory=URL)
    raw: bytes = b""


class Desk:
    """Applies calls to one company. `hides` says which invoices look-ups don't see just now; `page_size` is how many
    rows an answer holds at the most; `refusals` says which operations are refused, each call by itself."""

    def __init__(self, company: Company, hides: Hides) -> None:
        self.company = company
        self.page_size = LARGEST_PAGE
        self.refusals: Mapping[Operation, Refusal] = {}
        self._attachments = Attachments()
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
            "change_dimension": self._change_dimension,
            "dimension_values": self._dimension_values,
            "find_attachments": self._find_attachments,
            "invoice_attachments": self._invoice_attachments,
            "create_attachment": self._create_attachment,
            "fill_attachment": self._fill_attachment,
        }

    def apply(self, call: Call, _: int) -> Verdict:
        try:
            if (told := self.refusals.get(call.place.operation)) is not None:
                raise told.error()
            return self._operations[call.place.operation](call)
        except RefusedError as error:
            refused = [Effect(applied=False, note=error.code)]
            return Verdict(error.answer(), refused if call.place.operation in CARRYING else [])

    def _company(self, _: Call) -> Verdict:
        return Verdict(json_answer(tables.company(self.company.tenant)))

    def _table(self, call: Call) -> Verdict:
        rows = tables.TABLES[call.place.table](self.company.tenant)
        return Verdict(self._collection(call, rows, self._expanded_dimension))

    def _create(self, call: Call) -> Verdict:
        invoice = self.company.draft(read_body(InvoiceBody, call.body))
        return Verdict(self._entity(invoice, call.query, status=201), [Effect(applied=True, document=invoice.number)])

    def _find(self, call: Call) -> Verdict:
        seen = [
            each.wire()
            for each in self.company.invoices(call.query.filter.only_of("vendorInvoiceNumber"))
            if not self._hides(each.vendor_invoice_number, each.modified_at)
        ]
        return Verdict(self._collection(call, seen, self._expanded_invoice))

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
        return Verdict(self._collection(call, lines, self._expanded_line))

    def _add_line(self, call: Call) -> Verdict:
        invoice = self.company.add_line(call.place.id, read_body(LineBody, call.body))
        return Verdict(json_answer(invoice.wire_lines()[-1], 201), [Effect(applied=True, document=invoice.number)])

    def _line_dimensions(self, call: Call) -> Verdict:
        _, line = self.company.invoice_of_line(call.place.id)
        return Verdict(self._collection(call, _dimensions_of(line), _plain))

    def _add_dimension(self, call: Call) -> Verdict:
        body = read_body(DimensionSetLineBody, call.body)
        self.company.add_dimension(call.place.id, body)
        return Verdict(json_answer(tables.dimension_set_line(body.code, body.value_code, call.place.id), 201))

    def _change_dimension(self, call: Call) -> Verdict:
        _, line = self.company.invoice_of_line(call.place.id)
        here = {str(row["id"]): str(row["@odata.etag"]) for row in _dimensions_of(line)}
        _check_version(call, here.get(call.place.inner.lower(), ""))
        body = read_body(DimensionChangeBody, call.body)
        code = self.company.change_dimension(call.place.id, call.place.inner, body)
        return Verdict(json_answer(tables.dimension_set_line(code, body.value_code, call.place.id)))

    def _dimension_values(self, call: Call) -> Verdict:
        rows = [
            row for row in tables.dimension_values(self.company.tenant) if row["dimensionId"] == call.place.id.lower()
        ]
        return Verdict(self._collection(call, rows, _plain))

    def _find_attachments(self, call: Call) -> Verdict:
        return Verdict(self._collection(call, [each.wire() for each in self._attachments.all()], _plain))

    def _invoice_attachments(self, call: Call) -> Verdict:
        invoice = self.company.invoice(call.place.id)
        rows = [each.wire() for each in self._attachments.all() if each.parent_id == invoice.id]
        return Verdict(self._collection(call, rows, _plain))

    def _create_attachment(self, call: Call) -> Verdict:
        body = read_body(AttachmentBody, call.body)
        self.company.invoice(body.parent_id)
        return Verdict(json_answer(self._attachments.add(body).wire(), 201))

    def _fill_attachment(self, call: Call) -> Verdict:
        attachment = self._attachments.one(call.place.id)
        _check_version(call, attachment.etag)
        self._attachments.fill(attachment, call.raw)
        return Verdict(Answer(status=204))

    def _check_etag(self, call: Call) -> None:
        _check_version(call, self.company.invoice(call.place.id).etag)

    def _collection(self, call: Call, rows: Sequence[Row], expanded: odata.Expanded) -> Answer:
        page = odata.page_of(call.query, rows, expanded, self.page_size)
        content: dict[str, object] = {"value": list(page.rows)}
        if page.next_skip is not None:
            content["@odata.nextLink"] = str(call.url.update_query({"$skiptoken": str(page.next_skip)}))
        return json_answer(content)

    def _entity(self, invoice: Invoice, query: Query, status: int = 200) -> Answer:
        return json_answer(odata.shaped(query, invoice.wire(), self._expanded_invoice), status)

    def _expanded_invoice(self, row: Row, expansion: Expansion) -> Row:
        inside = _only(expansion, "purchaseInvoiceLines")
        if inside is None:
            return {}
        lines = self.company.invoice(str(row["id"])).wire_lines()
        return {"purchaseInvoiceLines": [{**line, **self._expanded_line(line, inside)} for line in lines]}

    def _expanded_line(self, row: Row, expansion: Expansion) -> Row:
        if _only(expansion, "dimensionSetLines") is None:
            return {}
        _, line = self.company.invoice_of_line(str(row["id"]))
        return {"dimensionSetLines": _dimensions_of(line)}

    def _expanded_dimension(self, row: Row, expansion: Expansion) -> Row:
        if _only(expansion, "dimensionValues") is None:
            return {}
        dimension = self.company.tenant.dimension(str(row.get("code")))
        return {"dimensionValues": tables.values_of(dimension) if dimension else []}


CARRYING: frozenset[Operation] = frozenset({"create_invoice", "change_invoice", "add_line", "post_invoice"})

LARGEST_PAGE = 20_000
"""Rows; operational limits page."""


def _check_version(call: Call, etag: str) -> None:
    """PATCH and DELETE must say which version they mean; `*` means any."""
    if call.if_match is None:
        message = "Could not validate the client concurrency token required by the service."
        raise RefusedError(message, code="BadRequest_InvalidToken", status=428)
    if call.if_match not in {"*", etag}:
        raise RefusedError("Another user has already changed the record.", code="Request_EntityChanged", status=412)


def _dimensions_of(line: Line) -> list[Row]:
    return [tables.dimension_set_line(code, value, line.id) for code, value in line.dimensions.items()]


def _plain(_: Row, expansion: Expansion) -> Row:
    _only(expansion, "")
    return {}


def _only(expansion: Expansion, known: str) -> Expansion | None:
    """What is to be unfolded inside the one part there is; None where the part itself is not asked for."""
    unknown = [name for name in expansion.within if name != known]
    if unknown:
        raise RefusedError(f"Could not find a property named '{unknown[0]}' on this type.")
    return expansion.within.get(known)
