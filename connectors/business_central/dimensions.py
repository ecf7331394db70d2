"""Every dimension of every line reaches the draft, or the draft is not posted.

They travel inside the lines of the deep insert. Business Central adds no second line under a dimension's code, and an
account's or vendor's default dimensions are there first: then the draft is made without ours, and they are added or
changed by `$batch`. What the draft shows when it is read decides: deeper levels of a deep insert have been left out
silently (microsoft/AL#5032), and the answer to a POST does not show what is inherited.

Sources: page 30022 "APIV2 - Dimension Set Lines" and #11158 of microsoft/ALAppExtensions, where they travel inside the
lines; Microsoft Learn, "Using OData transactional $batch requests"; what version 26.0 answered to reading, adding and
changing them: hotgluexyz/target-dynamics-bc, `__smoke-tests__/bill_create_test/fixtures/vcr.yaml`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from connectors.business_central.answers import refused_write
from connectors.business_central.api import BatchCall, CompanyApi
from connectors.business_central.documents import Invoice, dimensions_of, invoice_in
from connectors.contract import NotSent, Permit, Posting, PostingLine, Rejected, Unavailable, Unknown
from connectors.http import Answer, Uncertain

_EXPANDED = "purchaseInvoiceLines($expand=dimensionSetLines)"


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line of a draft: dimension code → value code, and → the id under which it can be changed."""

    erp_id: str
    values: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


class DraftDimensions:
    def __init__(self, api: CompanyApi, posting: Posting, permit: Permit) -> None:
        self._api = api
        self._posting = posting
        self._permit = permit

    async def complete(self, draft: Invoice) -> Invoice | Rejected | NotSent | Unavailable:
        """The draft as the ERP shows it, with all dimensions on its lines."""
        content = await self._api.draft(draft.erp_id, expand=_EXPANDED)
        if isinstance(content, NotSent | Unavailable):
            return content
        fresh, lines = invoice_in(content), draft_lines_in(content)
        if fresh is None or lines is None or len(lines) != len(self._posting.lines):
            return NotSent("The lines of the draft in Business Central were not readable.")
        calls = list(missing(self._posting.lines, lines))
        refusal = await self._add(calls) if calls else None
        return fresh if refusal is None else refusal

    async def _add(self, calls: Sequence[BatchCall]) -> Rejected | NotSent | Unavailable | None:
        answers = await self._api.batch(calls, self._permit)
        if isinstance(answers, Uncertain):
            # Nothing is posted yet, and the next attempt looks for the draft first.
            return NotSent(f"Adding the dimensions to the draft: {answers.evidence}.")
        return self._refusal_among(answers) if isinstance(answers, list) else answers

    def _refusal_among(self, answers: Sequence[Answer]) -> Rejected | NotSent | Unavailable | None:
        for answer in answers:
            if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}:
                outcome = refused_write(answer, self._posting)
                return NotSent(outcome.evidence) if isinstance(outcome, Unknown) else outcome
        return None


def missing(wanted: Sequence[PostingLine], present: Sequence[DraftLine]) -> Iterator[BatchCall]:
    """What has to be added to, or changed on, the draft's lines. Codes have no case."""
    for line, drafted in zip(wanted, present, strict=True):
        place = f"purchaseInvoiceLines({drafted.erp_id})/dimensionSetLines"
        for code, value in dimensions_of(line):
            there = drafted.values.get(code.upper())
            if there is None:
                yield BatchCall("POST", place, {"code": code, "valueCode": value})
            elif there != value.upper():
                yield BatchCall("PATCH", f"{place}({drafted.ids[code.upper()]})", {"valueCode": value}, etag="*")


def draft_lines_in(content: object) -> list[DraftLine] | None:
    """In the order they were sent. None where the answer does not show the lines and their dimensions."""
    rows = content.get("purchaseInvoiceLines") if isinstance(content, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return None
    lines = [_draft_line(row) for row in sorted(rows, key=_sequence)]
    return [line for line in lines if line is not None] if all(lines) else None


def _draft_line(row: Mapping[object, object]) -> DraftLine | None:
    erp_id, sets = row.get("id"), row.get("dimensionSetLines")
    if not isinstance(erp_id, str) or not isinstance(sets, list):
        return None
    if not all(isinstance(each, Mapping) for each in sets):
        return None
    return DraftLine(
        erp_id,
        values={str(each.get("code")).upper(): str(each.get("valueCode")).upper() for each in sets},
        ids={str(each.get("code")).upper(): str(each.get("id")) for each in sets},
    )


def _sequence(row: Mapping[object, object]) -> int:
    sequence = row.get("sequence")
    return sequence if isinstance(sequence, int) else 0
