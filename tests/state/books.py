"""The ERP as a dictionary: reference → what it holds. Requests live on after their sender gave up, until they die."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from connectors.contract import (
    Absent,
    Accepted,
    Attempted,
    Document,
    Finding,
    Found,
    ImportRefused,
    Posted,
    Posting,
    PostOutcome,
    Staged,
    Unknown,
)
from tests.state.quiet_time import HOUR
from worker.domain.look_up import Approved, judge_document
from worker.domain.states import ItemState

ONE_ORE = Decimal("0.01")


class Status(StrEnum):
    STAGED = "staged"
    FINAL = "final"
    REFUSED = "refused"
    REMOVED = "removed"


@dataclass
class Entry:
    """What a request became. `is_visible`: look-ups see it by now; the ERP itself does at once."""

    document: Document
    attempt: int
    total: Decimal
    vendor: str
    status: Status
    is_visible: bool
    was_staged: bool
    is_altered: bool = False

    def alter(self) -> None:
        self.total += -ONE_ORE if self.is_altered else ONE_ORE
        self.is_altered = not self.is_altered


@dataclass(eq=False)
class Request:
    """A posting that left for the ERP. `is_alive`: the ERP may still carry it out."""

    posting: Posting
    is_alive: bool = True
    entry: Entry | None = None

    @property
    def name(self) -> str:
        """For the trace."""
        return f"{self.posting.reference.rsplit('-', 1)[0]}#{self.posting.attempt}"


@dataclass
class Books:
    """`refuses_duplicates`: as Business Central does it, a second document of the same vendor and reference.
    `prefix` is of its document numbers."""

    refuses_duplicates: bool
    prefix: str
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    _number: int = 0

    def receive(self, posting: Posting) -> Request:
        request = Request(posting)
        self.requests.append(request)
        return request

    def apply(self, request: Request, status: Status, *, is_visible: bool) -> None:
        """Carries the request out, whenever that is."""
        request.is_alive = False
        posting = request.posting
        if self.refuses_duplicates and any(one.vendor == posting.claimant for one in self.finals(posting.reference)):
            return
        self._number += 1
        document = Document(number=f"{self.prefix}-{self._number}", erp_id=f"{self._number}")
        was_staged = status is Status.STAGED
        request.entry = Entry(
            document, posting.attempt, posting.total, posting.claimant, status, is_visible, was_staged
        )
        self.entries.setdefault(posting.reference, []).append(request.entry)

    def finals(self, reference: str) -> list[Entry]:
        return [one for one in self.entries.get(reference, ()) if one.status is Status.FINAL]

    def having(self, status: Status) -> list[Entry]:
        return [one for entries in self.entries.values() for one in entries if one.status is status]

    def alive(self, reference: str | None = None) -> dict[str, Request]:
        """By a name for the trace. None: of every reference."""
        alive = [one for one in self.requests if one.is_alive and reference in {None, one.posting.reference}]
        return {one.name: one for one in alive}

    def show_all(self, reference: str) -> None:
        """A quarantine has passed since these came to be."""
        for entry in self.entries.get(reference, ()):
            entry.is_visible = True

    def finding(self, asked: Attempted) -> Finding:
        """What a look-up sees. Of what the import refused, only the attempt's own counts."""
        entries = [one for one in self.entries.get(asked.reference, ()) if one.is_visible]
        seen = {one.status: one for one in entries if one.status is not Status.REFUSED or one.attempt == asked.attempt}
        if final := seen.get(Status.FINAL):
            return Found(final.document, final.total, "NOK")
        if staged := seen.get(Status.STAGED):
            return Staged(staged.document)
        if refused := seen.get(Status.REFUSED):
            return ImportRefused(refused.document, "closed_period", "2025 is closed.")
        return Absent()

    def settled_earlier(self, posting: Posting) -> PostOutcome | None:
        """What an adapter learns before it sends an attempt above the first; None: the way is free."""
        return _outcome(self.finding(posting), posting)

    def answer(self, request: Request) -> PostOutcome | None:
        """What the ERP answers to a request that it has carried out. None: it has nothing to show for it."""
        if request.entry is not None:
            return _own(request.entry)
        finals = self.finals(request.posting.reference)
        return _outcome(Found(finals[0].document, finals[0].total, "NOK"), request.posting) if finals else None


def _own(entry: Entry) -> PostOutcome:
    return Accepted(entry.document, HOUR) if entry.was_staged else Posted(entry.document)


def _outcome(finding: Finding, posting: Posting) -> PostOutcome | None:
    match finding:
        case Found(document):
            verdict = judge_document(finding, Approved(posting.total, posting.currency))
            is_equal = verdict.state is ItemState.SYNCED
            return Posted(document) if is_equal else Unknown(verdict.reason or "", conflict=document)
        case Staged(document):
            return Accepted(document, HOUR)
        case _:
            return None
