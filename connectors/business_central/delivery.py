"""One posting's way into Business Central: clear what an earlier try left → create a draft → check it →
post it → read it.

Business Central refuses a second *posted* invoice with the same vendor and number, but takes any number of
drafts. So a draft may be left behind by a try that broke off, while money moves only by the one post.
"""

from collections.abc import Sequence
from http import HTTPStatus

from connectors.business_central.answers import (
    MISSING_RECORD,
    meets_default_dimensions,
    refused_write,
    refuses_the_item,
)
from connectors.business_central.api import DRAFT_GONE, CompanyApi, Reply
from connectors.business_central.dimensions import DraftDimensions
from connectors.business_central.documents import (
    Invoice,
    agrees,
    conflict_of,
    fits_a_json_number,
    invoice_in,
    invoice_payload,
)
from connectors.contract import (
    Document,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Rejected,
    Unavailable,
    Unknown,
)
from connectors.http import Answer, Uncertain, json_of


class Delivery:
    """`currency` is the company's own."""

    def __init__(self, api: CompanyApi, posting: Posting, permit: Permit, currency: str) -> None:
        self._api = api
        self._posting = posting
        self._permit = permit
        self._currency = currency
        self._has_dimensions = any(line.dimensions for line in posting.lines)

    async def run(self) -> PostOutcome:
        if not all(fits_a_json_number(line.amount) for line in self._posting.lines):
            return Rejected("amount_too_large", "An amount has more digits than Business Central takes exactly.")
        if self._posting.attempt > 1:
            settled = await self._settle_earlier()
            if settled is not None:
                return settled
        return await self._create()

    async def _settle_earlier(self) -> PostOutcome | None:
        """What an earlier try posted is the outcome; what it only drafted is removed. None: the way is free.

        A draft is not finished but made anew: it may rest on a mapping that has been mended since.
        """
        invoices = await self._api.invoices([self._posting.reference])
        if isinstance(invoices, NotSent | Unavailable):
            return invoices
        posted = self._posted_among(invoices)
        return posted if posted is not None else await self._delete_all(invoices)

    async def _create(self) -> PostOutcome:
        reply = await self._draft(with_dimensions=True)
        if isinstance(reply, Answer) and meets_default_dimensions(reply):
            # A deep insert that fails leaves nothing (OData 4.0, 11.4.2.2).
            reply = await self._draft(with_dimensions=False)
        if isinstance(reply, Uncertain):
            return Unknown(f"Creating the invoice: {reply.evidence}.")
        if not isinstance(reply, Answer):
            return reply
        if refuses_the_item(reply):
            return await self._look_after_refusal(refused_write(reply, self._posting))
        if reply.status != HTTPStatus.CREATED:
            return refused_write(reply, self._posting)
        draft = invoice_in(json_of(reply))
        if draft is None:
            return Unknown("Creating the invoice: the answer was not readable.")
        return await self._complete(draft) if self._has_dimensions else await self._check(draft)

    async def _draft(self, *, with_dimensions: bool) -> Reply:
        content = invoice_payload(self._posting, self._currency, with_dimensions=with_dimensions)
        return await self._api.write("POST", "purchaseInvoices", content=content, permit=self._permit)

    async def _complete(self, draft: Invoice) -> PostOutcome:
        completed = await DraftDimensions(self._api, self._posting, self._permit).complete(draft)
        if isinstance(completed, Invoice):
            return await self._check(completed)
        if isinstance(completed, Rejected):
            missing = draft if completed.code in MISSING_RECORD else None
            return await self._look_after_refusal(completed, missing)
        return completed

    async def _check(self, draft: Invoice) -> PostOutcome:
        """Promise P5: nothing is posted whose total, currency or vendor differ from the reimbursement's."""
        if not self._agrees(draft):
            # The answer to a deep insert may state totals from before its lines.
            settled = await self._check_again(draft)
            if settled is not None:
                return settled
        return await self._post(draft)

    async def _check_again(self, draft: Invoice) -> PostOutcome | None:
        content = await self._api.draft(draft.erp_id)
        if isinstance(content, NotSent | Unavailable):
            return content
        fresh = invoice_in(content)
        if fresh is None:
            return NotSent("The draft in Business Central was not readable.")
        return None if self._agrees(fresh) else await self._discard(fresh, _differs())

    async def _post(self, draft: Invoice) -> PostOutcome:
        path = f"purchaseInvoices({draft.erp_id})/Microsoft.NAV.post"
        reply = await self._api.write("POST", path, permit=self._permit)
        if isinstance(reply, Uncertain):
            return Unknown(f"Posting the invoice: {reply.evidence}.")
        if not isinstance(reply, Answer):
            return reply
        if reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.OK}:
            return await self._read_number(draft)
        refusal = refused_write(reply, self._posting)
        if reply.status == HTTPStatus.NOT_FOUND:
            return await self._look_after_refusal(refusal, draft)
        return await self._look_after_refusal(refusal) if refuses_the_item(reply) else refusal

    async def _read_number(self, draft: Invoice) -> PostOutcome:
        content = await self._api.read(f"purchaseInvoices({draft.erp_id})")
        invoice = invoice_in(content)
        if invoice is None or not invoice.is_posted:
            return Unknown("The invoice was posted, and its number could not be read.")
        return self._judge(invoice)

    async def _look_after_refusal(self, refusal: PostOutcome, missing: Invoice | None = None) -> PostOutcome:
        """ "Already exists for this vendor" has no code and follows the language: only a look-up tells it apart.

        `missing`: the draft that may be what the refusal misses. Where it stands, it is a record of the set-up.
        """
        invoices = await self._api.invoices([self._posting.reference])
        if isinstance(invoices, NotSent | Unavailable):
            return invoices
        posted = self._posted_among(invoices)
        if posted is None and missing is not None and all(each.erp_id != missing.erp_id for each in invoices):
            return DRAFT_GONE
        await self._delete_all(invoices)
        return posted if posted is not None else refusal

    async def _discard(self, draft: Invoice, outcome: Rejected) -> PostOutcome:
        refusal = await self._delete(draft)
        return outcome if refusal is None else refusal

    async def _delete_all(self, invoices: Sequence[Invoice]) -> PostOutcome | None:
        for draft in invoices:
            refusal = None if draft.is_posted else await self._delete(draft)
            if refusal is not None:
                return refusal
        return None

    async def _delete(self, draft: Invoice) -> PostOutcome | None:
        """None: it is gone. The ETag keeps a draft that somebody posts or edits right now from being deleted."""
        path = f"purchaseInvoices({draft.erp_id})"
        reply = await self._api.write("DELETE", path, etag=draft.etag, permit=self._permit)
        if isinstance(reply, NotSent | Unavailable):
            return reply
        if isinstance(reply, Answer) and reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}:
            return None
        return NotSent("An earlier draft in Business Central could not be deleted.")

    def _posted_among(self, invoices: Sequence[Invoice]) -> PostOutcome | None:
        return next((self._judge(invoice) for invoice in invoices if invoice.is_posted), None)

    def _judge(self, invoice: Invoice) -> PostOutcome:
        document = Document(number=invoice.number, erp_id=invoice.erp_id)
        if self._agrees(invoice):
            return Posted(document)
        return Unknown(conflict_of(invoice, self._posting, self._currency), conflict=document)

    def _agrees(self, invoice: Invoice) -> bool:
        return agrees(invoice, self._posting, self._currency)


def _differs() -> Rejected:
    return Rejected(
        "total_differs",
        "Business Central made a draft whose total, currency or vendor differs from the reimbursement's; it was "
        "deleted. Check the tax codes in the mapping and the vendor's currency, then retry.",
    )
