"""Which operation a method and a path inside a company name. The operations' names are the kinds of fault
rules."""

import re
from dataclasses import dataclass
from typing import Literal

from deploy.local.sandboxes.business_central.refusals import RefusedError
from deploy.local.sandboxes.business_central.tables import TABLES

Operation = Literal[
    "company",
    "table",
    "create_invoice",
    "find_invoices",
    "get_invoice",
    "change_invoice",
    "delete_invoice",
    "post_invoice",
    "invoice_lines",
    "add_line",
    "line_dimensions",
    "add_dimension",
    "change_dimension",
    "dimension_values",
    "find_attachments",
    "invoice_attachments",
    "create_attachment",
    "fill_attachment",
]

_GUID = r"(?P<id>[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
_COMPANY = re.compile(
    r"/v2\.0/(?:(?P<tenant>[^/]+)/)?(?P<environment>[^/]+)/api/v2\.0"
    r"/companies\((?P<company>[^)]*)\)(?:/(?P<rest>.*))?"
)
BATCH = re.compile(r"(?P<root>/v2\.0/(?:[^/]+/)?[^/]+/api/v2\.0)/\$batch")
_INVOICE = rf"purchaseInvoices\({_GUID}\)"
_LINE = rf"purchaseInvoiceLines\({_GUID}\)"
_ROUTES: tuple[tuple[str, re.Pattern[str], Operation], ...] = (
    ("GET", re.compile(""), "company"),
    ("POST", re.compile("purchaseInvoices"), "create_invoice"),
    ("GET", re.compile("purchaseInvoices"), "find_invoices"),
    ("GET", re.compile(_INVOICE), "get_invoice"),
    ("PATCH", re.compile(_INVOICE), "change_invoice"),
    ("DELETE", re.compile(_INVOICE), "delete_invoice"),
    ("POST", re.compile(rf"{_INVOICE}/Microsoft\.NAV\.post"), "post_invoice"),
    ("GET", re.compile(rf"{_INVOICE}/purchaseInvoiceLines"), "invoice_lines"),
    ("POST", re.compile(rf"{_INVOICE}/purchaseInvoiceLines"), "add_line"),
    ("GET", re.compile(rf"{_LINE}/dimensionSetLines"), "line_dimensions"),
    ("POST", re.compile(rf"{_LINE}/dimensionSetLines"), "add_dimension"),
    ("PATCH", re.compile(rf"{_LINE}/dimensionSetLines\({_GUID.replace('<id>', '<inner>')}\)"), "change_dimension"),
    ("GET", re.compile(rf"dimensions\({_GUID}\)/dimensionValues"), "dimension_values"),
    ("GET", re.compile("attachments"), "find_attachments"),
    ("GET", re.compile(rf"{_INVOICE}/attachments"), "invoice_attachments"),
    ("POST", re.compile("attachments"), "create_attachment"),
    ("PATCH", re.compile(rf"attachments\({_GUID}\)/attachmentContent"), "fill_attachment"),
    ("GET", re.compile("|".join(TABLES)), "table"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """`id` is the GUID in the path where there is one, `inner` the one of its part; `table` the table's name. The
    tenant may be left out of the path: then the token alone says whose it is."""

    tenant_id: str
    environment: str
    company_id: str
    operation: Operation
    id: str = ""
    inner: str = ""
    table: str = ""

    @property
    def kind(self) -> str:
        return self.table or self.operation


def place_of(method: str, path: str) -> Place:
    """Raises `RefusedError`: 404 for a path that isn't served, 405 for a method that the path doesn't
    take."""
    match = _COMPANY.fullmatch(path)
    if match is None:
        raise _no_resource(path)
    rest = match["rest"] or ""
    here = [(verb, found, operation) for verb, route, operation in _ROUTES if (found := route.fullmatch(rest))]
    if not here:
        raise _no_resource(rest)
    for verb, found, operation in here:
        if verb == method:
            return Place(
                match["tenant"] or "",
                match["environment"],
                match["company"],
                operation,
                id=found.groupdict().get("id") or "",
                inner=found.groupdict().get("inner") or "",
                table=rest if operation == "table" else "",
            )
    raise RefusedError(f"'{method}' requests are not allowed here.", code="BadRequest_MethodNotAllowed", status=405)


def _no_resource(segment: str) -> RefusedError:
    message = f"Resource not found for the segment '{segment}'."
    return RefusedError(message, code="BadRequest_ResourceNotFound", status=404)
