"""Receipts as attachments of a posted purchase invoice: looked for by their name, made empty, then filled.

Sources: page 30039 "APIV2 - Attachments" and the part `attachments` of page 30042 (microsoft/ALAppExtensions), which
links them by document and type; Microsoft Learn, "attachment resource type", "Create attachments" and "Update
attachments" (If-Match is required). That a posted invoice takes them: codeunit 5503 "Graph Mgt - Attachment Buffer",
which makes an incoming document; where it can't link an attachment, it keeps it without a parent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from connectors.business_central.answers import never_started, no_access, refusal_code, refuses_the_item
from connectors.business_central.api import CompanyApi
from connectors.contract import Attached, AttachOutcome, NotSent, Permit, ReceiptFile, Rejected, Unavailable, Unknown
from connectors.http import Answer, Uncertain, json_of

_MADE = frozenset({HTTPStatus.CREATED, HTTPStatus.OK})
_SETTLED_BY_LOOKING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""The invoice, the attachment or its key is not what the look said, so the next try's look will say more."""

_FILLED = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.OK})


@dataclass(frozen=True, slots=True)
class _Attachment:
    """`size` is in bytes; 0: it was made, and not filled yet. `parent` is the invoice, where it was linked."""

    erp_id: UUID
    parent: str
    name: str
    size: int


class ReceiptUpload:
    """One receipt's way to its invoice."""

    def __init__(self, api: CompanyApi, invoice: UUID, receipt: ReceiptFile, permit: Permit) -> None:
        self._api = api
        self._invoice = invoice
        self._receipt = receipt
        self._permit = permit

    async def run(self) -> AttachOutcome:
        left = await self._find()
        attachment = await self._make() if left is None else left
        if not isinstance(attachment, _Attachment):
            return attachment
        is_whole = attachment.size == len(self._receipt.content)
        return Attached() if is_whole else await self._fill(attachment)

    async def _find(self) -> _Attachment | NotSent | Unavailable | None:
        """What an earlier try left. The fullest, should a bookkeeper have made a second one of the name."""
        rows = await self._api.rows(f"purchaseInvoices({self._invoice})/attachments")
        if isinstance(rows, NotSent | Unavailable):
            return rows
        named = [each for row in rows if (each := _attachment_in(row)) and self._is_ours(each)]
        return max(named, key=lambda each: each.size, default=None)

    def _is_ours(self, attachment: _Attachment) -> bool:
        return attachment.name.lower() == self._receipt.name.lower()

    async def _make(self) -> _Attachment | NotSent | Rejected | Unavailable | Unknown:
        content = {"parentId": str(self._invoice), "parentType": "Purchase Invoice", "fileName": self._receipt.name}
        reply = await self._api.write("POST", "attachments", content=content, permit=self._permit)
        if isinstance(reply, Uncertain):
            return Unknown(f"Making the attachment: {reply.evidence}.")
        if not isinstance(reply, Answer):
            return reply
        if reply.status not in _MADE:
            return _refused(reply) or Unknown(f"Business Central answered HTTP {reply.status}.")
        return self._linked(_attachment_in(json_of(reply)))

    def _linked(self, made: _Attachment | None) -> _Attachment | Rejected | Unknown:
        if made is None:
            return Unknown("Making the attachment: the answer was not readable.")
        if made.parent.lower() != str(self._invoice):
            return Rejected("not_linked", "Business Central kept the receipt without linking it to the invoice.")
        return made

    async def _fill(self, attachment: _Attachment) -> AttachOutcome:
        """Whatever becomes of it, filling it once more makes it no other: doubt is `NotSent`."""
        path = f"attachments({attachment.erp_id})/attachmentContent"
        reply = await self._api.upload(path, self._receipt.content, self._receipt.media_type, self._permit)
        if isinstance(reply, Uncertain):
            return NotSent(f"Filling the attachment: {reply.evidence}.")
        if not isinstance(reply, Answer):
            return reply
        if reply.status in _FILLED:
            return Attached()
        return _refused(reply) or NotSent(f"Business Central answered HTTP {reply.status}.")


def _refused(reply: Answer) -> NotSent | Rejected | Unavailable | None:
    """None: nobody knows whether it was done. Its own words stay out: they may quote the file's name or the invoice."""
    if reply.status in _SETTLED_BY_LOOKING:
        return no_access(reply) or NotSent(f"Business Central refused the receipt ({refusal_code(reply)}).")
    if refuses_the_item(reply) and json_of(reply) is not None:
        return Rejected("refused", f"Business Central refused the receipt ({refusal_code(reply)}).")
    return never_started(reply) or no_access(reply)


def _attachment_in(row: object) -> _Attachment | None:
    if not isinstance(row, Mapping):
        return None
    try:
        erp_id = UUID(str(row.get("id")))
    except ValueError:
        return None
    size = row.get("byteSize")
    return _Attachment(erp_id, str(row.get("parentId")), str(row.get("fileName")), size if isinstance(size, int) else 0)
